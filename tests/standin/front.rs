//! The port that everybody uses: the supervisor's own API, and in front of everything else the API server.
//!
//! As in k3s, TLS ends here. Whoever shows a certificate of the client authority is told to the API server in the
//! headers of an authenticating proxy; tokens are passed on.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bridgehead::engine::wait::pause;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::fatal::Fatal;
use crate::pki::{Pair, Pki};
use crate::proxy::{Connection, Proxy};
use crate::supervisor::Supervisor;

/// Who a client certificate is for, in the words of Kubernetes.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
}

/// The front of one server.
pub(crate) struct Front {
    acceptor: TlsAcceptor,
    clients: Arc<dyn ClientCertVerifier>,
    proxy: Proxy,
    supervisor: Supervisor,
}

impl Front {
    pub(crate) fn new(pki: &Pki, supervisor: Supervisor) -> Result<Self, Fatal> {
        let failed = |error: &dyn std::error::Error| Fatal::of("starting tls server", error);
        let roots = roots(&pki.client.certificate)?;
        let clients =
            WebPkiClientVerifier::builder(Arc::new(roots)).build().map_err(|error| failed(&error))?;
        let (chain, key) = identity(&pki.pair("serving-k3s")?)?;
        let tls = ServerConfig::builder()
            .with_client_cert_verifier(Arc::new(Anybody(Arc::clone(&clients))))
            .with_single_cert(chain, key)
            .map_err(|error| failed(&error))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(tls)), clients, proxy: Proxy::new(pki)?, supervisor })
    }

    /// Serves for ever.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<(), Fatal> {
        let failed = |error| Fatal::of("starting tls server", &error);
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(Arc::clone(&self).converse(stream))),
                // Such as no file descriptors left; that passes.
                Err(_) => pause(Duration::from_millis(100)).await,
            }
        }
    }

    /// Serves one connection to its end, however that comes.
    async fn converse(self: Arc<Self>, stream: TcpStream) {
        let Ok(stream) = self.acceptor.accept(stream).await else { return };
        let user = stream.get_ref().1.peer_certificates().and_then(|chain| self.user(chain));
        let connection = Connection::default();
        let (front, user, connection) = (&self, &user, &connection);
        let answer = service_fn(move |request| async move {
            match front.supervisor.answer(&request).await {
                Some(response) => Ok(response),
                None => front.proxy.forward(connection, request, user.as_ref()).await,
            }
        });
        let serve = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        let _ = serve.with_upgrades().await;
    }

    /// Who a certificate is for, if the client authority says so.
    fn user(&self, chain: &[CertificateDer<'_>]) -> Option<User> {
        let (own, intermediates) = chain.split_first()?;
        self.clients.verify_client_cert(own, intermediates, UnixTime::now()).ok()?;
        let (_, certificate) = X509Certificate::from_der(own).ok()?;
        let subject = certificate.subject();
        let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
        let groups = subject.iter_organization().filter_map(|group| group.as_str().ok());
        Some(User { name, groups: groups.map(ToOwned::to_owned).collect() })
    }
}

/// The authorities of a bundle.
pub(crate) fn roots(bundle: &str) -> Result<RootCertStore, Fatal> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        let certificate = certificate.map_err(|error| Fatal::of("certificate authorities", &error))?;
        roots.add(certificate).map_err(|error| Fatal::of("certificate authorities", &error))?;
    }
    Ok(roots)
}

/// A certificate with its key, as TLS needs them.
pub(crate) fn identity(pair: &Pair) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Fatal> {
    let failed = |error| Fatal::of("certificates", &error);
    let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes());
    Ok((chain.map_err(failed)?, key.map_err(failed)?))
}

/// Lets everybody connect, with any certificate or none. A certificate of a stranger, such as of an earlier
/// cluster, makes nobody of its owner, who then hears 401 and not an error of TLS.
#[derive(Debug)]
struct Anybody(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Anybody {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
