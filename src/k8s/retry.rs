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

impl Patience {
    /// How long to wait before a request is sent again; `None`: the answer is final.
    fn wait<Answer>(
        &mut self,
        request: &mut Request<Body>,
        answer: &mut Result<Response<Answer>, BoxError>,
    ) -> Option<Duration> {
        let now = Instant::now();
        let deadline = *self.deadline.get_or_insert(now + PATIENCE);
        let wait = self.policy.retry(request, answer)?.deadline() - now;
        let wait = wait.mul_f64(1.0 + JITTER * self.chance.next_f64());
        (wait <= deadline - now).then_some(wait)
    }
}

impl<Answer> Policy<Request<Body>, Response<Answer>, BoxError> for Patience {
    type Future = BoxFuture<'static, ()>;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        answer: &mut Result<Response<Answer>, BoxError>,
    ) -> Option<Self::Future> {
        Some(Box::pin(pause(self.wait(request, answer)?)))
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

    fn wait(patience: &mut Patience, status: StatusCode, retry_after: Option<&str>) -> Option<Duration> {
        let mut answer = Response::new(());
        *answer.status_mut() = status;
        if let Some(seconds) = retry_after {
            answer.headers_mut().insert(RETRY_AFTER, seconds.parse().unwrap());
        }
        patience.wait(&mut Request::new(Body::empty()), &mut Ok(answer))
    }

    #[tokio::test]
    async fn it_comes_back_when_the_server_says_and_a_little_later() {
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
            let waits: Vec<_> =
                (0..20).map(|_| wait(&mut Patience::default(), status, Some("4")).unwrap()).collect();
            let is_near = |wait: &Duration| (3.99..=5.01).contains(&wait.as_secs_f64());
            assert!(waits.iter().all(is_near), "{waits:?}");
            assert!(
                waits.iter().any(|wait| wait.abs_diff(waits[0]) > Duration::from_millis(10)),
                "{waits:?}"
            );
        }
    }

    #[tokio::test]
    async fn its_own_pauses_become_longer() {
        let mut patience = Patience::default();
        let mut next = || wait(&mut patience, StatusCode::TOO_MANY_REQUESTS, None).unwrap();
        let waits: Vec<_> = (0..12).map(|_| next()).collect();
        assert!(waits[0] < Duration::from_secs(1) && waits[11] > Duration::from_secs(1), "{waits:?}");
        assert!(waits.iter().sum::<Duration>() > PATIENCE / 2, "{waits:?}");
    }

    #[tokio::test]
    async fn it_does_not_wait_beyond_its_deadline() {
        let refused = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(wait(&mut Patience::default(), refused, Some("3600")), None, "nobody waits for an hour");
        let mut patience = Patience::default();
        assert!(wait(&mut patience, refused, Some("10")).is_some());
        patience.deadline = Some(Instant::now() + Duration::from_secs(9));
        assert_eq!(wait(&mut patience, refused, Some("10")), None);
        patience.deadline = Some(Instant::now());
        assert_eq!(wait(&mut patience, refused, None), None);
    }

    #[tokio::test]
    async fn other_answers_are_final() {
        for status in [StatusCode::OK, StatusCode::CONFLICT, StatusCode::INTERNAL_SERVER_ERROR] {
            assert_eq!(wait(&mut Patience::default(), status, Some("1")), None);
        }
    }
}
