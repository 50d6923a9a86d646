//! The part of a kubelet's HTTPS API that the API server asks for: logs, and ports of pods. Only holders of a client certificate of
//! the cluster's authority are served.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::logs::{self, Wanted};
use super::pods::Node;
use super::worker::Worker;
use super::{AgentError, NodeConfig, forward};
use crate::engine::wait::pause;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A listener that is ready to serve.
pub(super) struct Endpoint {
    listener: tokio::net::TcpListener,
    acceptor: TlsAcceptor,
}

impl Endpoint {
    /// Listens.
    pub(super) fn bind(config: &NodeConfig) -> Result<Self, AgentError> {
        let tls =
            tls(config).map_err(|source| AgentError::Certificate { node: config.name.clone(), source })?;
        let listen = || {
            let listener = TcpListener::bind((config.address, config.port))?;
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        };
        let NodeConfig { address, port, .. } = *config;
        let listener = listen().map_err(|source| AgentError::Listen { address, port, source })?;
        Ok(Self { listener, acceptor: TlsAcceptor::from(Arc::new(tls)) })
    }

    /// Serves until the agent stops.
    pub(super) async fn serve(self, node: &Arc<Node>) {
        loop {
            let accepted = tokio::select! {
                () = node.stopped.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                pause(Duration::from_millis(100)).await;
                continue;
            };
            let (node, acceptor, stopped) = (Arc::clone(node), self.acceptor.clone(), node.stopped.clone());
            tokio::spawn(async move {
                let answer = service_fn(move |request| answer(Arc::clone(&node), request));
                let serve = async {
                    let stream = TokioIo::new(acceptor.accept(stream).await.ok()?);
                    let server = hyper::server::conn::http1::Builder::new();
                    server.serve_connection(stream, answer).with_upgrades().await.ok()
                };
                tokio::select! {
                    () = stopped.cancelled() => {}
                    _ = serve => {}
                }
            });
        }
    }
}

fn tls(config: &NodeConfig) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(config.client_authority.as_bytes()) {
        roots.add(certificate?)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let chain = CertificateDer::pem_slice_iter(config.certificate.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(config.key.expose().as_bytes())?;
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier.build()?)
        .with_single_cert(chain, key)?;
    Ok(tls)
}

async fn answer(node: Arc<Node>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let parts = path.split('/').collect::<Vec<_>>();
    let ["", service, namespace, pod, ..] = parts[..] else {
        return Ok(refusal("of a kubelet's API, only what is about one pod is served here"));
    };
    let Some(worker) = node.worker(namespace, pod) else {
        return Ok(refusal("there is no such pod on this node"));
    };
    Ok(match (service, &parts[4..]) {
        ("containerLogs", [container]) => logs(&worker, container, &request).await,
        ("portForward", []) => forwarded(&worker, request),
        _ => refusal("only logs and ports are served here"),
    })
}

fn forwarded(worker: &Worker, request: Request<Incoming>) -> Response<Body> {
    match forward::accept(worker, request) {
        Ok((status, headers)) => {
            let mut response = Response::new(Full::default().boxed_unsync());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        Err(reason) => refusal(reason),
    }
}

async fn logs(worker: &Worker, container: &str, request: &Request<Incoming>) -> Response<Body> {
    let spec = worker.pod.spec.as_ref();
    let init = spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
    let mut containers = spec.iter().flat_map(|spec| &spec.containers).chain(init);
    if !containers.any(|known| known.name == container) {
        return refusal("there is no such container in the pod");
    }
    let wanted = Wanted::parse(request.uri().query().unwrap_or_default());
    let log = if wanted.previous { worker.previous_log(container) } else { worker.log(container) };
    if wanted.previous && !log.exists() {
        return refusal("the container has no previous run");
    }
    let parts = logs::read(&log, &wanted).await.map(|bytes| Ok(Frame::data(bytes)));
    Response::new(StreamBody::new(parts).boxed_unsync())
}

fn refusal(reason: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::from(reason).boxed_unsync());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
