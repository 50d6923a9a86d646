//! The certificates of a cluster, with the names and in the files that k3s gives them.
//!
//! There are two authorities, one for servers and one for clients, and a third for proxies in front of the API server.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use bridgehead::files;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use crate::fatal::Fatal;
use crate::system::{make_folder, write};

/// How long k3s's certificates are valid, and its authorities.
const YEAR: i64 = 365;

/// A certificate authority.
pub(crate) struct Authority {
    /// PEM.
    pub(crate) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate, followed by its authority's, and its key, both PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Who a certificate is for.
pub(crate) struct Subject {
    name: String,
    organization: Option<&'static str>,
    alternatives: Vec<String>,
    usages: Vec<ExtendedKeyUsagePurpose>,
}

impl Subject {
    pub(crate) fn client(name: &str, organization: Option<&'static str>) -> Self {
        let usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Self { name: name.to_owned(), organization, alternatives: Vec::new(), usages }
    }

    pub(crate) fn server(name: &str, organization: Option<&'static str>, alternatives: &[String]) -> Self {
        let usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Self { alternatives: alternatives.to_vec(), usages, ..Self::client(name, organization) }
    }

    /// Somebody who is both.
    pub(crate) fn peer(name: &str, alternatives: &[String]) -> Self {
        let usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Self { usages, ..Self::server(name, None, alternatives) }
    }
}

impl Authority {
    /// The authority in the files `<name>.crt` and `<name>.key`, which is made if it is not there.
    fn open(folder: &Path, name: &str) -> Result<Self, Fatal> {
        let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        let failed = |error: &dyn std::error::Error| Fatal::of(&format!("authority {name}"), error);
        if !key.exists() {
            let made = KeyPair::generate().map_err(|error| failed(&error))?;
            let own = format!("k3s-{}@{}", name.replace('/', "-"), Timestamp::now().as_second());
            let params = authority_params(&own).map_err(|error| failed(&error))?;
            let signed = params.self_signed(&made).map_err(|error| failed(&error))?;
            write(&certificate, &signed.pem(), 0o644)?;
            write(&key, &made.serialize_pem(), 0o600)?;
        }
        let certificate = files::read(&certificate).map_err(|error| failed(&error))?;
        let key = files::read(&key).map_err(|error| failed(&error))?;
        let key = KeyPair::from_pem(&key).map_err(|error| failed(&error))?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(|error| failed(&error))?;
        Ok(Self { certificate, issuer })
    }

    /// Issues a certificate.
    pub(crate) fn issue(&self, subject: &Subject) -> Result<Pair, Fatal> {
        let failed = |error: rcgen::Error| Fatal::of(&format!("certificate for {}", subject.name), &error);
        let mut params = params(&subject.name, &subject.alternatives, YEAR).map_err(failed)?;
        if let Some(organization) = subject.organization {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages.clone_from(&subject.usages);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Pair { certificate: certificate.pem() + &self.certificate, key: traditional(&key)? })
    }
}

/// Everything of a server that has to do with certificates.
pub(crate) struct Pki {
    folder: PathBuf,
    pub(crate) server: Authority,
    pub(crate) client: Authority,
    pub(crate) proxy: Authority,
}

impl Pki {
    /// Makes what is missing. Authorities and the key of service accounts stay, the rest is issued anew.
    pub(crate) fn open(folder: &Path, alternatives: &[String]) -> Result<Self, Fatal> {
        make_folder(&folder.join("etcd"), 0o700)?;
        let open = |name| Authority::open(folder, name);
        let pki = Self {
            server: open("server-ca")?,
            client: open("client-ca")?,
            proxy: open("request-header-ca")?,
            folder: folder.to_owned(),
        };
        let serving = Subject::server("kube-apiserver", None, alternatives);
        pki.issue(&pki.server, "serving-kube-apiserver", &serving)?;
        pki.issue(&pki.server, "serving-k3s", &Subject::server("k3s", Some("k3s"), alternatives))?;
        for (file, name, organization) in CLIENTS {
            pki.issue(&pki.client, file, &Subject::client(name, organization))?;
        }
        pki.issue(&pki.proxy, "client-auth-proxy", &Subject::client("system:auth-proxy", None))?;
        let loopback = [Ipv4Addr::LOCALHOST.to_string(), "localhost".to_owned()];
        let etcd = open("etcd/server-ca")?;
        pki.issue(&etcd, "etcd/server-client", &Subject::peer("etcd-server", &loopback))?;
        pki.issue(&etcd, "etcd/client", &Subject::client("etcd-client", None))?;
        let peers = open("etcd/peer-ca")?;
        pki.issue(&peers, "etcd/peer-server-client", &Subject::peer("etcd-peer", &loopback))?;
        pki.make_signing_key()?;
        Ok(pki)
    }

    /// Where a file is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A certificate and key from the files.
    pub(crate) fn pair(&self, name: &str) -> Result<Pair, Fatal> {
        let read = |ending: &str| files::read(&self.path(&format!("{name}.{ending}")));
        let failed = |error| Fatal::of("certificates", &error);
        Ok(Pair { certificate: read("crt").map_err(failed)?, key: read("key").map_err(failed)? })
    }

    fn issue(&self, authority: &Authority, name: &str, subject: &Subject) -> Result<(), Fatal> {
        authority.issue(subject)?.write(&self.folder, name)
    }

    fn make_signing_key(&self) -> Result<(), Fatal> {
        let path = self.path("service.key");
        if path.exists() {
            return Ok(());
        }
        let key = KeyPair::generate().map_err(|error| Fatal::of("service.key", &error))?;
        write(&path, &traditional(&key)?, 0o600)
    }
}

impl Pair {
    /// Writes `<name>.crt` and `<name>.key`.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> Result<(), Fatal> {
        write(&folder.join(format!("{name}.crt")), &self.certificate, 0o644)?;
        write(&folder.join(format!("{name}.key")), &self.key, 0o600)
    }
}

/// Files, users and groups of those who have a client certificate.
const CLIENTS: [(&str, &str, Option<&str>); 5] = [
    ("client-admin", "system:admin", Some("system:masters")),
    ("client-supervisor", "system:k3s-supervisor", Some("system:masters")),
    ("client-controller", "system:kube-controller-manager", None),
    ("client-scheduler", "system:kube-scheduler", None),
    ("client-kube-apiserver", "system:apiserver", Some("system:masters")),
];

fn authority_params(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = params(name, &[], 10 * YEAR)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyCertSign,
    ];
    Ok(params)
}

fn params(name: &str, alternatives: &[String], days: i64) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(alternatives)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = Timestamp::now();
    params.not_before = std::time::SystemTime::from(now).into();
    params.not_after = std::time::SystemTime::from(now + SignedDuration::from_hours(24 * days)).into();
    Ok(params)
}

/// A key in the form that k3s writes, `EC PRIVATE KEY` (RFC 5915), and not in PKCS #8.
fn traditional(key: &KeyPair) -> Result<String, Fatal> {
    use base64::Engine as _;
    /// The identifier of the curve P-256, as RFC 5915 tags it.
    const CURVE: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    // PKCS #8 of such a key is of fixed size: 36 bytes, 32 of the key, 6, and 65 of the point.
    let pkcs8 = key.serialize_der();
    let (Some(number), Some(point)) = (pkcs8.get(36..68), pkcs8.get(68..138)) else {
        return Err(Fatal::new("the key is not of the curve P-256"));
    };
    let der = [&[0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20], number, &CURVE, point].concat();
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    Ok(format!("-----BEGIN EC PRIVATE KEY-----\n{lines}\n-----END EC PRIVATE KEY-----\n"))
}
