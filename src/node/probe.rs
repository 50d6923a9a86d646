//! Probes of containers, as a kubelet does them: HTTP with redirects and without verifying certificates, TCP.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{Request, Response, Uri, header};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How often a redirect is followed.
const REDIRECTS: usize = 10;

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// What probes one container.
pub(super) struct Prober<'a> {
    /// The container.
    pub(super) container: &'a Container,
    /// Container port to port of this machine.
    pub(super) ports: &'a BTreeMap<u16, u16>,
}

impl Prober<'_> {
    /// Whether a probe succeeds now. Commands and gRPC calls are not done; they count as success.
    pub(super) async fn succeeds(&self, probe: &Probe) -> bool {
        let patience = Duration::from_secs(seconds(probe.timeout_seconds, 1));
        match tokio::time::timeout(patience, self.check(probe)).await {
            Ok(Ok(())) => true,
            Ok(Err(problem)) => {
                tracing::trace!(container = self.container.name, %problem, "probe failed");
                false
            }
            Err(_) => false,
        }
    }

    async fn check(&self, probe: &Probe) -> Result<(), Problem> {
        if let Some(action) = &probe.http_get {
            return self.http(action).await;
        }
        if let Some(action) = &probe.tcp_socket {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port(&action.port)?)).await?;
        }
        Ok(())
    }

    async fn http(&self, action: &HTTPGetAction) -> Result<(), Problem> {
        let scheme = action.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
        let path = action.path.as_deref().unwrap_or("/");
        let mut uri = format!("{scheme}://127.0.0.1:{}{path}", self.port(&action.port)?).parse::<Uri>()?;
        for _ in 0..REDIRECTS {
            let answer = get(&uri, action).await?;
            let status = answer.status();
            let next = answer.headers().get(header::LOCATION).filter(|_| status.is_redirection());
            let Some(next) = next else {
                return if status.is_success() || status.is_redirection() {
                    Ok(())
                } else {
                    Err(format!("the answer is {status}").into())
                };
            };
            let next = redirected(&uri, next.to_str()?)?;
            if next.host() != uri.host() {
                // It answered; another host's health is none of its own.
                return Ok(());
            }
            uri = next;
        }
        Err("too many redirects".into())
    }

    fn port(&self, port: &IntOrString) -> Result<u16, Problem> {
        let port = match port {
            IntOrString::Int(number) => *number,
            IntOrString::String(name) => {
                let mut ports = self.container.ports.iter().flatten();
                let port = ports.find(|port| port.name.as_ref() == Some(name));
                port.ok_or_else(|| format!("there is no port {name}"))?.container_port
            }
        };
        let port = u16::try_from(port)?;
        Ok(self.ports.get(&port).copied().unwrap_or(port))
    }
}

/// A number of seconds of a probe, which is at least 1 and has a default.
pub(super) fn seconds(value: Option<i32>, default: u64) -> u64 {
    value.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(default)
}

fn redirected(from: &Uri, location: &str) -> Result<Uri, Problem> {
    if location.starts_with('/') {
        let mut parts = from.clone().into_parts();
        parts.path_and_query = Some(location.parse()?);
        return Ok(Uri::from_parts(parts)?);
    }
    Ok(location.parse()?)
}

async fn get(uri: &Uri, action: &HTTPGetAction) -> Result<Response<hyper::body::Incoming>, Problem> {
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let mut request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, format!("127.0.0.1:{port}"))
        .header(header::USER_AGENT, "kube-probe")
        .header(header::CONNECTION, "close");
    for header in action.http_headers.iter().flatten() {
        request = request.header(&header.name, &header.value);
    }
    let request = request.body(Empty::new())?;
    if secure {
        let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        send(connector()?.connect(name, stream).await?, request).await
    } else {
        send(stream, request).await
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Response<hyper::body::Incoming>, Problem> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut answer = pin!(sender.send_request(request));
    tokio::select! {
        biased;
        answer = &mut answer => Ok(answer?),
        ended = connection => {
            ended?;
            Ok(answer.await?)
        }
    }
}

fn connector() -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes any certificate: a probe asks whether the program answers, and sends nothing worth protecting.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_may_be_relative() {
        let from = "http://127.0.0.1:8080/healthz".parse::<Uri>().unwrap();
        assert_eq!(redirected(&from, "/login").unwrap(), "http://127.0.0.1:8080/login");
        assert_eq!(redirected(&from, "https://127.0.0.1:8080/healthz").unwrap().scheme_str(), Some("https"));
    }
}
