//! The kubeconfig that k3s writes for its administrator.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::components::sha256;
use crate::engine::{Access, Credentials};
use crate::site::secret::Secret;

/// What k3s wrote cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the kubeconfig that k3s wrote on {host} has no {missing}")]
pub(super) struct KubeconfigError {
    host: String,
    missing: &'static str,
}

/// Who we are at the API, and who it has to be.
pub(super) struct Identity {
    authority: String,
    authority_hash: String,
    certificate: String,
    key: Secret<String>,
}

impl Identity {
    /// Takes it out of the kubeconfig's first cluster and user: there is only one.
    pub(super) fn parse(host: &str, text: &Secret<String>) -> Result<Self, KubeconfigError> {
        let missing = |missing| KubeconfigError { host: host.to_owned(), missing };
        let document: Document =
            serde_saphyr::from_str(text.expose()).map_err(|_| missing("form that can be read"))?;
        let Document { clusters, users } = document;
        let cluster = clusters.into_iter().next().ok_or_else(|| missing("cluster"))?.cluster;
        let user = users.into_iter().next().ok_or_else(|| missing("user"))?.user;
        let pem = |data: &str, what| {
            let bytes = STANDARD.decode(data).ok();
            bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| missing(what))
        };
        let authority = pem(&cluster.certificate_authority_data, "certificate authority")?;
        Ok(Self {
            authority_hash: sha256(authority.as_bytes()),
            authority,
            certificate: pem(&user.client_certificate_data, "client certificate")?,
            key: Secret::new(pem(&user.client_key_data, "client key")?),
        })
    }

    /// The SHA-256 of the authority's certificates, as k3s writes it in a token.
    pub(super) fn authority_hash(&self) -> &str {
        &self.authority_hash
    }

    /// The access to an API server that has to prove itself under this authority.
    pub(super) fn access(&self, server: &str) -> Access {
        let credentials =
            Credentials::Certificate { certificate: self.certificate.clone(), key: self.key.clone() };
        Access::new(server, self.authority.clone(), credentials)
    }
}

/// The parts of a kubeconfig that k3s fills in.
#[derive(Deserialize)]
struct Document {
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedCluster {
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    certificate_authority_data: String,
}

#[derive(Deserialize)]
struct NamedUser {
    user: User,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate_data: String,
    client_key_data: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_we_are_is_taken_out_of_what_k3s_wrote() {
        let text = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: Y2E=\n    \
                    server: https://127.0.0.1:6443\n  name: default\nusers:\n- name: default\n  user:\n    \
                    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n";
        let identity = Identity::parse("pi", &Secret::new(text.to_owned())).unwrap();
        let access = identity.access("https://10.0.0.5:6443");
        assert_eq!(
            (access.server.as_str(), access.authority.as_deref()),
            ("https://10.0.0.5:6443", Some("ca"))
        );
        assert_eq!(identity.authority_hash(), sha256(b"ca"));
        let broken = Secret::new(text.replace("Y2E=", "no base64"));
        let error = Identity::parse("pi", &broken).err().unwrap();
        assert_eq!(error.to_string(), "the kubeconfig that k3s wrote on pi has no certificate authority");
    }
}
