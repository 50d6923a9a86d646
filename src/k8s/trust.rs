//! Whether a server is the one that it should be, as Go finds out: by an authority's certificate, or because the
//! authority is the very certificate that the server shows (Go, `x509.Certificate.Verify`).

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// No certificate of the authority can be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificate authority of the server has no certificate that can be used")]
pub(super) struct NoAuthority;

/// The server's certificate does not come from the authority.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server's certificate (`{subject}`) is signed by `{issuer}`, and not by the authority that the kubeconfig trusts ({trusted})"
)]
struct Foreign {
    subject: String,
    issuer: String,
    trusted: String,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Trust {
    authorities: Vec<CertificateDer<'static>>,
    chains: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// Trusts the certificates of a PEM. As in Go, those that cannot be read do not count, nor does anything else in it.
    ///
    /// # Errors
    /// When none can be used.
    pub(super) fn new(authority: &str) -> Result<Self, NoAuthority> {
        let certificates = CertificateDer::pem_slice_iter(authority.as_bytes());
        let authorities: Vec<_> = certificates.filter_map(Result::ok).collect();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities.iter().cloned());
        let chains = WebPkiServerVerifier::builder(Arc::new(roots)).build().map_err(|_| NoAuthority)?;
        Ok(Self { authorities, chains })
    }

    /// Whether a certificate that is trusted itself may be used for this name, now.
    fn stands_for_itself(
        shown: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (_, certificate) = X509Certificate::from_der(shown).map_err(|_| CertificateError::BadEncoding)?;
        let (from, until) =
            (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let time = |seconds: i64| {
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds.max(0).unsigned_abs()))
        };
        if seconds > until {
            return Err(CertificateError::ExpiredContext { time: now, not_after: time(until) }.into());
        }
        if seconds < from {
            return Err(CertificateError::NotValidYetContext { time: now, not_before: time(from) }.into());
        }
        let usage = certificate.extended_key_usage().ok().flatten();
        if usage.is_some_and(|usage| !usage.value.server_auth && !usage.value.any) {
            return Err(CertificateError::InvalidPurpose.into());
        }
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    /// Says in words what does not fit.
    fn explained(&self, shown: &CertificateDer<'_>, error: Error) -> Error {
        let Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) =
            error
        else {
            return error;
        };
        let Ok((_, certificate)) = X509Certificate::from_der(shown) else { return error };
        let name = |der: &CertificateDer<'_>| {
            Some(format!("`{}`", X509Certificate::from_der(der).ok()?.1.subject()))
        };
        let trusted: Vec<_> = self.authorities.iter().filter_map(name).collect();
        let foreign = Foreign {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            trusted: trusted.join(", "),
        };
        Error::Other(OtherError(Arc::new(foreign)))
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.authorities.iter().any(|authority| authority == shown) {
            return Self::stands_for_itself(shown, name, now);
        }
        let verified = self.chains.verify_server_cert(shown, between, name, ocsp, now);
        verified.map_err(|error| self.explained(shown, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> (String, CertificateDer<'static>) {
        let mut params = CertificateParams::new(["k.example".to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        (made.pem(), made.der().clone())
    }

    fn verified(authority: &str, shown: &CertificateDer<'_>, name: &str) -> Result<(), String> {
        let now = UnixTime::since_unix_epoch(Duration::from_hours(500_000));
        let trust = Trust::new(authority).map_err(|error| error.to_string())?;
        let name = ServerName::try_from(name).expect("a name");
        trust.verify_server_cert(shown, &[], &name, &[], now).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_that_is_trusted_itself_is_looked_at_as_go_does() {
        let (pem, shown) = certificate(|_| {});
        assert_eq!(verified(&pem, &shown, "k.example"), Ok(()));
        assert!(verified(&pem, &shown, "other.example").expect_err("another name").contains("other.example"));
        let (other, _) = certificate(|_| {});
        assert_eq!(verified(&format!("text\n{other}{pem}"), &shown, "k.example"), Ok(()));
        assert!(verified(&other, &shown, "k.example").expect_err("foreign").contains("is signed by"));
        assert!(verified("nothing", &shown, "k.example").expect_err("nothing").contains("no certificate"));
        let refused = |change: fn(&mut CertificateParams)| {
            let (pem, shown) = certificate(change);
            verified(&pem, &shown, "k.example").expect_err("it may not be used")
        };
        assert!(refused(|params| params.not_after = date_time_ymd(2020, 1, 1)).contains("expired"));
        assert!(refused(|params| params.not_before = date_time_ymd(2090, 1, 1)).contains("not valid yet"));
        assert!(
            refused(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
                .contains("Purpose")
        );
        let (pem, shown) =
            certificate(|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
        assert_eq!(verified(&pem, &shown, "k.example"), Ok(()), "an authority that serves by itself");
    }
}
