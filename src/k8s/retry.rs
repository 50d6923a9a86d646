//! What an API server refuses for now is asked again, when the server says, for as long as a person has patience.

use std::time::Duration;

use futures::future::BoxFuture;
use hyper::{Request, Response};
use kube::client::Body;
use kube::client::retry::RetryPolicy;
use tokio::time::Instant;
use tower::BoxError;
use tower::retry::Policy;
use tower::util::rng::{HasherRng, Rng};

use crate::engine::wait::pause;

/// How long after its first refusal a request is still sent again. What the server says then, or would have us come back
/// for later than that, is the answer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The first pause, and the longest of our own; a `Retry-After` may be longer.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];

/// By how much a pause is longer by chance, so that those who were refused together do not come back together.
const JITTER: f64 = 0.25;

/// Asks again what was answered with 429, 503 or 504: `kube`'s policy, with a deadline and with chance added to what a
/// server says. (API servers send 429 with `Retry-After` where API Priority and Fairness sheds load, and from their etcd.)
#[derive(Clone)]
pub(super) struct Patience {
    policy: RetryPolicy,
    chance: HasherRng,
    deadline: Option<Instant>,
}

impl Default for Patience {
    fn default() -> Self {
        let [first, longest] = PAUSES;
        let policy = RetryPolicy::new(first, longest, u32::MAX, true).expect("the first is the shorter one");
        Self { policy, chance: HasherRng::new(), deadline: None }
    }
}

impl<Answer> Policy<Request<Body>, Response<Answer>, BoxError> for Patience {
    type Future = BoxFuture<'static, ()>;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        answer: &mut Result<Response<Answer>, BoxError>,
    ) -> Option<Self::Future> {
        let now = Instant::now();
        let deadline = *self.deadline.get_or_insert(now + PATIENCE);
        let wait = self.policy.retry(request, answer)?.deadline() - now;
        let wait = wait.mul_f64(1.0 + JITTER * self.chance.next_f64());
        (wait <= deadline - now).then(|| Box::pin(pause(wait)) as Self::Future)
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Policy::<Request<Body>, Response<Answer>, BoxError>::clone_request(&mut self.policy, request)
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use hyper::header::RETRY_AFTER;

    use super::*;

    /// How long a request waits after an answer; `None`: it is not sent again.
    async fn waits(
        patience: &mut Patience,
        status: StatusCode,
        retry_after: Option<&str>,
    ) -> Option<Duration> {
        let mut answer = Response::new(());
        *answer.status_mut() = status;
        if let Some(seconds) = retry_after {
            answer.headers_mut().insert(RETRY_AFTER, seconds.parse().unwrap());
        }
        let began = Instant::now();
        patience.retry(&mut Request::new(Body::empty()), &mut Ok(answer))?.await;
        Some(began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn it_comes_back_when_the_server_says_and_a_little_later() {
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
            let mut seen = Vec::new();
            for _ in 0..20 {
                let wait = waits(&mut Patience::default(), status, Some("4")).await.unwrap();
                assert!((4.0..=5.01).contains(&wait.as_secs_f64()), "{wait:?}");
                seen.push(wait);
            }
            seen.dedup();
            assert!(seen.len() > 1, "all come back at once: {seen:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_gives_up_at_the_deadline() {
        let (mut patience, began, mut times) = (Patience::default(), Instant::now(), 0);
        while waits(&mut patience, StatusCode::TOO_MANY_REQUESTS, None).await.is_some() {
            times += 1;
        }
        assert!(began.elapsed() <= PATIENCE, "{:?}", began.elapsed());
        assert!((8..200).contains(&times), "{times}");
        let much_later = waits(&mut Patience::default(), StatusCode::TOO_MANY_REQUESTS, Some("3600")).await;
        assert_eq!(much_later, None, "nobody waits for an hour");
    }

    #[tokio::test(start_paused = true)]
    async fn other_answers_are_final() {
        for status in [StatusCode::OK, StatusCode::CONFLICT, StatusCode::INTERNAL_SERVER_ERROR] {
            assert_eq!(waits(&mut Patience::default(), status, Some("1")).await, None);
        }
    }
}
