//! Certificates and keys of a `local` cluster: an authority of its own, and an identity for everybody in it.
//!
//! A certificate and its key share one file, which is replaced at once: it is there and whole, or it is not.
//! Programs written in Go take such a file for either of the two.

use std::path::PathBuf;

use jiff::{Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::layout::Layout;
use crate::engine::{Access, Credentials};
use crate::files::{self, FileError};
use crate::site::secret::Secret;

/// How long certificates are valid. A cluster on a laptop has nobody who would renew them.
const YEARS: i16 = 10;
/// The Service `kubernetes` has the first address of the Services' range.
const API_SERVER_ADDRESS: &str = "10.96.0.1";

/// Why an identity is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A certificate could not be made.
    #[error("cannot make the certificate `{name}`")]
    Make {
        /// The file's name.
        name: String,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// A file could not be read or written.
    #[error("cannot use the certificates of the cluster")]
    File(#[source] FileError),
    /// A file does not hold a certificate followed by its key.
    #[error("`{}` holds no certificate and key", .0.display())]
    Malformed(PathBuf),
}

/// The certificates and keys of one cluster.
#[derive(Debug, Clone)]
pub struct Pki {
    folder: PathBuf,
    nodes: Vec<String>,
}

/// A certificate with its key, both PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: Secret<String>,
}

/// What a certificate says and what it may be used for.
struct CertificateRequest {
    file: String,
    common_name: String,
    organization: Option<&'static str>,
    alternative_names: Vec<String>,
    usages: Vec<ExtendedKeyUsagePurpose>,
}

impl Pki {
    /// The identities of a cluster with these nodes.
    #[must_use]
    pub fn new(layout: &Layout, nodes: &[String]) -> Self {
        Self { folder: layout.pki(), nodes: nodes.to_vec() }
    }

    /// Where a file is.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The files that are not there.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let fixed =
            ["ca.pem", "ca.crt", "etcd.pem", "etcd.crt", "service-accounts.key", "service-accounts.pub"];
        let issued = self.issued().into_iter().map(|request| request.file);
        let names = fixed.iter().map(ToString::to_string).chain(issued);
        names.filter(|name| !self.path(name).is_file()).collect()
    }

    /// Makes what is missing. Without the authority everything that it had issued is void, and is made anew.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn make(&self) -> Result<(), PkiError> {
        if !self.path("ca.pem").is_file() {
            files::remove_folder(&self.folder).map_err(PkiError::File)?;
        }
        files::make_folder(&self.folder).map_err(PkiError::File)?;
        self.make_self_signed("ca", &authority()?)?;
        self.make_self_signed("etcd", &etcd()?)?;
        self.make_signing_key()?;
        let authority = self.pair("ca.pem")?;
        let failed = |source| PkiError::Make { name: "ca.pem".to_owned(), source };
        let key = KeyPair::from_pem(authority.key.expose()).map_err(failed)?;
        let issuer = Issuer::from_ca_cert_pem(&authority.certificate, key).map_err(failed)?;
        for request in self.issued() {
            if !self.path(&request.file).is_file() {
                self.issue(&request, &issuer)?;
            }
        }
        Ok(())
    }

    /// A certificate with its key.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn pair(&self, name: &str) -> Result<Pair, PkiError> {
        let path = self.path(name);
        let text = files::read(&path).map_err(PkiError::File)?;
        let start = text.find("-----BEGIN PRIVATE KEY-----").ok_or(PkiError::Malformed(path))?;
        let (certificate, key) = text.split_at(start);
        Ok(Pair { certificate: certificate.to_owned(), key: Secret::new(key.to_owned()) })
    }

    /// The authority's certificate, PEM.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn authority(&self) -> Result<String, PkiError> {
        files::read(&self.path("ca.crt")).map_err(PkiError::File)
    }

    /// How the identity in the file `name` reaches the API server at a port of this machine.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn access(&self, name: &str, port: u16) -> Result<Access, PkiError> {
        let Pair { certificate, key } = self.pair(name)?;
        let credentials = Credentials::Certificate { certificate, key };
        Ok(Access::new(format!("https://127.0.0.1:{port}"), self.authority()?, credentials))
    }

    fn make_self_signed(&self, name: &str, params: &CertificateParams) -> Result<(), PkiError> {
        let file = format!("{name}.pem");
        if !self.path(&file).is_file() {
            let failed = |source| PkiError::Make { name: file.clone(), source };
            let key = KeyPair::generate().map_err(failed)?;
            let certificate = params.self_signed(&key).map_err(failed)?;
            self.write(&file, &(certificate.pem() + &key.serialize_pem()))?;
        }
        // Where others are to be told whom to trust, the key has no business.
        self.write(&format!("{name}.crt"), &self.pair(&file)?.certificate)
    }

    fn make_signing_key(&self) -> Result<(), PkiError> {
        let name = "service-accounts.key";
        let failed = |source| PkiError::Make { name: name.to_owned(), source };
        let path = self.path(name);
        if !path.is_file() {
            self.write(name, &KeyPair::generate().map_err(failed)?.serialize_pem())?;
        }
        let key = files::read(&path).map_err(PkiError::File)?;
        let key = KeyPair::from_pem(&key).map_err(failed)?;
        self.write("service-accounts.pub", &key.public_key_pem())
    }

    fn issue(&self, request: &CertificateRequest, issuer: &Issuer<'_, KeyPair>) -> Result<(), PkiError> {
        let failed = |source| PkiError::Make { name: request.file.clone(), source };
        let mut params = params(&request.common_name, &request.alternative_names).map_err(failed)?;
        if let Some(organization) = request.organization {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages.clone_from(&request.usages);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, issuer).map_err(failed)?;
        self.write(&request.file, &(certificate.pem() + &key.serialize_pem()))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), PkiError> {
        files::replace(&self.path(name), text.as_bytes(), 0o600).map_err(PkiError::File)
    }

    /// Everybody who has a certificate from the cluster's authority.
    fn issued(&self) -> Vec<CertificateRequest> {
        // Names of users and groups that Kubernetes gives meaning to: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
        let mut requests = vec![
            CertificateRequest::server("api-server.pem", "kube-apiserver", &API_SERVER_NAMES),
            CertificateRequest::client(
                "api-server-kubelet-client.pem",
                "kube-apiserver-kubelet-client",
                None,
            ),
            CertificateRequest::client("admin.pem", "bridgehead", Some("system:masters")),
            CertificateRequest::client("controller-manager.pem", "system:kube-controller-manager", None),
            CertificateRequest::client("scheduler.pem", "system:kube-scheduler", None),
        ];
        for node in &self.nodes {
            let user = format!("system:node:{node}");
            requests.push(CertificateRequest::client(&node_file(node), &user, Some("system:nodes")));
            requests.push(CertificateRequest {
                organization: Some("system:nodes"),
                ..CertificateRequest::server(&kubelet_file(node), &user, &["127.0.0.1"])
            });
        }
        requests
    }
}

/// The file with the identity that a node has at the API server.
#[must_use]
pub fn node_file(node: &str) -> String {
    format!("node-{node}.pem")
}

/// The file with the certificate that a node's kubelet API serves with.
#[must_use]
pub fn kubelet_file(node: &str) -> String {
    format!("kubelet-{node}.pem")
}

const API_SERVER_NAMES: [&str; 7] = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    API_SERVER_ADDRESS,
];

impl CertificateRequest {
    fn server(file: &str, common_name: &str, alternative_names: &[&str]) -> Self {
        Self {
            file: file.to_owned(),
            common_name: common_name.to_owned(),
            organization: None,
            alternative_names: alternative_names.iter().map(ToString::to_string).collect(),
            usages: vec![ExtendedKeyUsagePurpose::ServerAuth],
        }
    }

    fn client(file: &str, common_name: &str, organization: Option<&'static str>) -> Self {
        Self {
            organization,
            usages: vec![ExtendedKeyUsagePurpose::ClientAuth],
            ..Self::server(file, common_name, &[])
        }
    }
}

/// The cluster's authority.
fn authority() -> Result<CertificateParams, PkiError> {
    let failed = |source| PkiError::Make { name: "ca.pem".to_owned(), source };
    let mut params = params("bridgehead", &[]).map_err(failed)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// The one certificate that etcd trusts: its own, which the API server shares. Were the cluster's authority
/// trusted there, everybody with a certificate from it could read every Secret.
fn etcd() -> Result<CertificateParams, PkiError> {
    let failed = |source| PkiError::Make { name: "etcd.pem".to_owned(), source };
    let mut params = params("etcd", &["127.0.0.1".to_owned()]).map_err(failed)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn params(common_name: &str, alternative_names: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(alternative_names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let today = Timestamp::now().to_zoned(TimeZone::UTC);
    let month = today.month().unsigned_abs();
    params.not_before = date_time_ymd(today.year().into(), month, 1);
    params.not_after = date_time_ymd((today.year() + YEARS).into(), month, 1);
    Ok(params)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_missing_is_made_and_what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().to_owned());
        let pki = Pki::new(&layout, &["hub-node-1".to_owned()]);
        pki.make().unwrap();
        assert!(pki.missing().is_empty());
        let admin = files::read(&pki.path("admin.pem")).unwrap();
        assert!(!pki.authority().unwrap().contains("PRIVATE KEY"));
        let mode = pki.path("admin.pem").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let pki = Pki::new(&layout, &["hub-node-1".to_owned(), "hub-node-2".to_owned()]);
        assert_eq!(pki.missing(), ["node-hub-node-2.pem", "kubelet-hub-node-2.pem"]);
        pki.make().unwrap();
        assert!(pki.missing().is_empty());
        assert_eq!(files::read(&pki.path("admin.pem")).unwrap(), admin);
    }

    #[test]
    fn without_the_authority_everything_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new(&Layout::new(folder.path().to_owned()), &[]);
        pki.make().unwrap();
        let admin = files::read(&pki.path("admin.pem")).unwrap();
        files::remove(&pki.path("ca.pem")).unwrap();
        pki.make().unwrap();
        assert_ne!(files::read(&pki.path("admin.pem")).unwrap(), admin);
        let authority = pki.pair("ca.pem").unwrap();
        assert_eq!(pki.authority().unwrap(), authority.certificate);
        assert!(authority.key.expose().starts_with("-----BEGIN PRIVATE KEY-----"));
    }
}
