//! Requests for the API server, passed on with the name of whoever asks:
//! <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#authenticating-proxy>

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use crate::fatal::Fatal;
use crate::front::{User, identity, roots};
use crate::pki::Pki;
use crate::{ports, version};

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// The connection to the API server that belongs to one connection of a client.
pub(crate) type Connection = Mutex<Option<SendRequest<Incoming>>>;

/// How the API server is reached.
pub(crate) struct Proxy(TlsConnector);

impl Proxy {
    pub(crate) fn new(pki: &Pki) -> Result<Self, Fatal> {
        let (chain, key) = identity(&pki.pair("client-auth-proxy")?)?;
        let tls = ClientConfig::builder()
            .with_root_certificates(roots(&pki.server.certificate)?)
            .with_client_auth_cert(chain, key)
            .map_err(|error| Fatal::of("starting tls server", &error))?;
        Ok(Self(TlsConnector::from(Arc::new(tls))))
    }

    /// Asks the API server. While it does not listen, the answer is that it is not available.
    pub(crate) async fn forward(
        &self,
        connection: &Connection,
        mut request: Request<Incoming>,
        user: Option<&User>,
    ) -> Result<Response<Body>, hyper::Error> {
        introduce(&mut request, user);
        let mut connection = connection.lock().await;
        if connection.as_ref().is_none_or(SendRequest::is_closed) {
            *connection = self.connect().await;
        }
        let Some(sender) = connection.as_mut() else {
            return Ok(status(StatusCode::SERVICE_UNAVAILABLE, "apiserver not ready"));
        };
        let is_version = request.uri().path() == "/version";
        let upgrade = request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
        sender.ready().await?;
        let mut response = sender.send_request(request).await?;
        if let (StatusCode::SWITCHING_PROTOCOLS, Some(upgrade)) = (response.status(), upgrade) {
            let other = hyper::upgrade::on(&mut response);
            tokio::spawn(async move {
                if let (Ok(client), Ok(server)) = tokio::join!(upgrade, other) {
                    let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(server)).await;
                }
            });
        }
        if is_version && response.status() == StatusCode::OK {
            return release(response).await;
        }
        Ok(response.map(BodyExt::boxed_unsync))
    }

    async fn connect(&self) -> Option<SendRequest<Incoming>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, ports::API_SERVER)).await.ok()?;
        let name = ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST));
        let stream = self.0.connect(name, stream).await.ok()?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection.with_upgrades());
        Some(sender)
    }
}

/// Says who asks, and lets nobody say it of himself.
fn introduce(request: &mut Request<Incoming>, user: Option<&User>) {
    let headers = request.headers_mut();
    let claimed = headers.keys().filter(|name| name.as_str().starts_with("x-remote-"));
    for name in claimed.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
    let Some(user) = user else { return };
    let values = [("x-remote-user", &user.name)].into_iter();
    for (name, value) in values.chain(user.groups.iter().map(|group| ("x-remote-group", group))) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
}

/// The API server's own version with that of the release in it, which k3s has compiled in.
async fn release(response: Response<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut document = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    document["gitVersion"] = version::short().into();
    parts.headers.remove(CONTENT_LENGTH);
    Ok(Response::from_parts(parts, full(document.to_string())))
}

/// A refusal as Kubernetes writes it.
pub(crate) fn status(code: StatusCode, message: &str) -> Response<Body> {
    let reason = code.canonical_reason().unwrap_or_default().replace(' ', "");
    let document = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16(),
    });
    let mut response = Response::new(full(document.to_string()));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A body that is there already.
pub(crate) fn full(text: String) -> Body {
    Full::from(text).map_err(|never| match never {}).boxed_unsync()
}
