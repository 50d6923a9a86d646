//! What an API server gets at once, and when it is asked again: by a server that counts.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bridgehead::engine::wait::pause;
use bridgehead::engine::{Access, Credentials};
use bridgehead::k8s::{Clients, Kind, REQUESTS, api};
use futures::future::join_all;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame};
use hyper::header::RETRY_AFTER;
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::kit::http::Server;

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// An answer that is complete.
fn whole(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())).boxed());
    *answer.status_mut() = status;
    answer
}

fn missing() -> Answer {
    let status =
        json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "message": "no" });
    whole(StatusCode::NOT_FOUND, &status)
}

fn access(server: &Server, token: &str) -> Access {
    let credentials = Credentials::Token(bridgehead::site::secret::Secret::new(token.to_owned()));
    Access { authority: None, ..Access::new(&server.url, "", credentials) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_gets_so_many_requests_at_once_whoever_sends_them() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let server = Server::start(Ipv4Addr::LOCALHOST, {
        let most = Arc::clone(&most);
        move |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                pause(Duration::from_millis(50)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                missing()
            }
        }
    });
    let clients = Clients::default();
    let ask = async |number: usize| {
        let client = clients.get(&access(&server, ["one", "other"][number % 2])).await.unwrap();
        let found = api::get(&client, &Kind::CONFIG_MAP, Some("x"), &format!("c{number}")).await;
        assert!(found.unwrap().is_none());
    };
    join_all((0..80).map(ask)).await;
    assert_eq!(most.load(Ordering::SeqCst), REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_keeps_no_place() {
    let server = Server::start(Ipv4Addr::LOCALHOST, |request| async move {
        if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
            let silence = futures::stream::pending::<Result<Frame<Bytes>, Infallible>>();
            return Response::new(BodyExt::boxed(StreamBody::new(silence)));
        }
        missing()
    });
    let client = Clients::default().get(&access(&server, "one")).await.unwrap();
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> = kube::Api::namespaced(client.clone(), "x");
    let parameters = kube::api::WatchParams::default();
    let streams = join_all((0..2 * REQUESTS).map(|_| maps.watch(&parameters, "0"))).await;
    assert!(streams.iter().all(Result::is_ok));
    let found =
        tokio::time::timeout(Duration::from_secs(20), api::get(&client, &Kind::CONFIG_MAP, Some("x"), "c"));
    assert!(found.await.expect("the streams are in its way").unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_now_is_asked_again_when_the_server_says() {
    for refusal in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
        let asked = Arc::new(AtomicUsize::new(0));
        let server = Server::start(Ipv4Addr::LOCALHOST, {
            let asked = Arc::clone(&asked);
            move |_| {
                let is_first = asked.fetch_add(1, Ordering::SeqCst) == 0;
                let mut answer = if is_first { whole(refusal, &json!({})) } else { missing() };
                if is_first {
                    answer.headers_mut().insert(RETRY_AFTER, "1".parse().unwrap());
                }
                async move { answer }
            }
        });
        let client = Clients::default().get(&access(&server, "one")).await.unwrap();
        let began = Instant::now();
        let found = api::get(&client, &Kind::CONFIG_MAP, Some("x"), "c").await;
        assert!(found.unwrap().is_none());
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_for_an_hour_is_told() {
    let server = Server::start(Ipv4Addr::LOCALHOST, |_| async {
        let status =
            json!({ "kind": "Status", "status": "Failure", "code": 429, "message": "come back later" });
        let mut answer = whole(StatusCode::TOO_MANY_REQUESTS, &status);
        answer.headers_mut().insert(RETRY_AFTER, "3600".parse().unwrap());
        answer
    });
    let client = Clients::default().get(&access(&server, "one")).await.unwrap();
    let asked = api::get(&client, &Kind::CONFIG_MAP, Some("x"), "c").await;
    let error = asked.expect_err("it is busy");
    assert_eq!(error.status().map(|status| status.message.as_str()), Some("come back later"));
}
