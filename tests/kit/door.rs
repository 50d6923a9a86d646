//! The door of API servers: one address for each cluster that a server plays, and everything that comes through is counted.
//!
//! TLS ends here, so that requests can be told apart; whoever asks shows a token, which is passed on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bridgehead::engine::wait::pause;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// The name that the door's certificate is for.
pub(crate) const NAME: &str = "door.example";

type Answer = Response<UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

/// How a cluster answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As its server does.
    Plain,
    /// So much later.
    After(Duration),
    /// The next so many requests are refused for now: 429.
    Busy(usize),
}

/// What came to a cluster.
#[derive(Debug, Default)]
struct Counters {
    connections: AtomicUsize,
    requests: AtomicUsize,
    bytes: AtomicU64,
}

/// What came to some clusters, and what they answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    /// Bytes of the answers' content.
    pub(crate) bytes: u64,
}

/// One cluster behind the door.
struct Cluster {
    server: Client,
    counters: Counters,
    manner: Mutex<Manner>,
    listener: Mutex<Option<AbortHandle>>,
}

/// Clusters at addresses of this machine, all at one port.
pub(crate) struct Door {
    pub(crate) port: u16,
    /// The certificate, PEM, which is its own authority.
    pub(crate) authority: String,
    acceptor: TlsAcceptor,
    clusters: BTreeMap<Ipv4Addr, Arc<Cluster>>,
    runtime: Option<Runtime>,
}

impl Door {
    /// Opens it: each address leads to a server, which is asked with the credentials of whoever came.
    pub(crate) fn open(clusters: impl IntoIterator<Item = (Ipv4Addr, Client)>) -> Self {
        let (acceptor, authority) = acceptor();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let cluster = |(address, server)| {
            let (counters, manner) = (Counters::default(), Mutex::new(Manner::Plain));
            (address, Arc::new(Cluster { server, counters, manner, listener: Mutex::default() }))
        };
        let clusters = clusters.into_iter().map(cluster).collect();
        let mut door = Self { port: 0, authority, acceptor, clusters, runtime: Some(runtime.unwrap()) };
        for address in door.clusters.keys().copied().collect::<Vec<_>>() {
            door.port = door.listen(address).port();
        }
        door
    }

    /// The URL of a cluster.
    pub(crate) fn url(&self, address: Ipv4Addr) -> String {
        format!("https://{address}:{}", self.port)
    }

    /// Listens where nobody does, at the port of the others if there are any.
    pub(crate) fn listen(&self, address: Ipv4Addr) -> SocketAddr {
        const BACKLOG: u32 = 64;
        let runtime = self.runtime.as_ref().unwrap();
        let _context = runtime.enter();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind((address, self.port).into()).unwrap();
        let listener = socket.listen(BACKLOG).unwrap();
        let bound = listener.local_addr().unwrap();
        let cluster = Arc::clone(&self.clusters[&address]);
        let acceptor = self.acceptor.clone();
        let task = runtime.spawn({
            let cluster = Arc::clone(&cluster);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(converse(stream, acceptor.clone(), Arc::clone(&cluster)));
                }
            }
        });
        *cluster.listener.lock().unwrap() = Some(task.abort_handle());
        bound
    }

    /// From now on nobody listens there.
    pub(crate) fn close(&self, address: Ipv4Addr) {
        self.clusters[&address].listener.lock().unwrap().take().unwrap().abort();
    }

    /// How a cluster answers from now on.
    pub(crate) fn set(&self, address: Ipv4Addr, manner: Manner) {
        *self.clusters[&address].manner.lock().unwrap() = manner;
    }

    /// What came to a cluster since it was asked last.
    pub(crate) fn take(&self, address: Ipv4Addr) -> Seen {
        let Counters { connections, requests, bytes } = &self.clusters[&address].counters;
        Seen {
            connections: connections.swap(0, Ordering::SeqCst),
            requests: requests.swap(0, Ordering::SeqCst),
            bytes: bytes.swap(0, Ordering::SeqCst),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn acceptor() -> (TlsAcceptor, String) {
    let certified = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let chain = vec![CertificateDer::from(certified.cert.der().to_vec())];
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_no_client_auth().with_single_cert(chain, key).unwrap();
    (TlsAcceptor::from(Arc::new(tls)), certified.cert.pem())
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor, cluster: Arc<Cluster>) {
    cluster.counters.connections.fetch_add(1, Ordering::SeqCst);
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let answer = service_fn(|request| {
        let cluster = Arc::clone(&cluster);
        async move { Ok::<_, Infallible>(answer(cluster, request).await) }
    });
    // How a connection ends does not matter.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

async fn answer(cluster: Arc<Cluster>, mut request: Request<Incoming>) -> Answer {
    cluster.counters.requests.fetch_add(1, Ordering::SeqCst);
    let manner = *cluster.manner.lock().unwrap();
    match manner {
        Manner::Plain | Manner::Busy(0) => {}
        Manner::After(delay) => pause(delay).await,
        Manner::Busy(times) => {
            *cluster.manner.lock().unwrap() = Manner::Busy(times - 1);
            return status(StatusCode::TOO_MANY_REQUESTS);
        }
    }
    request.headers_mut().remove(HOST);
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return status(StatusCode::BAD_GATEWAY) };
    let request = Request::from_parts(parts, Body::from(body.to_bytes().to_vec()));
    match cluster.server.send(request).await {
        Ok(response) => response.map(|body| {
            let counted = body.map_frame(move |frame| {
                let length = frame.data_ref().map_or(0, Bytes::len);
                cluster.counters.bytes.fetch_add(length as u64, Ordering::SeqCst);
                frame
            });
            counted.map_err(Into::into).boxed_unsync()
        }),
        Err(_) => status(StatusCode::BAD_GATEWAY),
    }
}

/// A refusal as Kubernetes writes it, to be tried again in a second.
fn status(code: StatusCode) -> Answer {
    let document = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(), "message": "not now" });
    let mut answer =
        Response::new(Full::from(document.to_string()).map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = code;
    answer.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
    answer.headers_mut().insert(RETRY_AFTER, "1".parse().unwrap());
    answer
}
