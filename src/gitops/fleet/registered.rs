//! The clusters that Argo CD knows, and which of them are the site's.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;

use crate::gitops::cluster_secret::{HUB_SERVER, registers};
use crate::site::Site;
use crate::site::name::ClusterName;

/// A cluster as Argo CD knows it.
#[derive(Debug, Clone)]
pub(in crate::gitops) struct Registered {
    /// Its name in Argo CD.
    pub(in crate::gitops) name: String,
    /// Its address in Argo CD.
    pub(in crate::gitops) server: String,
    /// The name of its Secret; `None` for the local cluster that nobody registered.
    pub(in crate::gitops) secret: Option<String>,
    /// The Secret's labels.
    pub(in crate::gitops) labels: BTreeMap<String, String>,
    /// The Secret's annotations.
    pub(in crate::gitops) annotations: BTreeMap<String, String>,
    /// Which cluster of the site it is.
    pub(in crate::gitops) cluster: Option<ClusterName>,
    /// Whether we made the Secret, and did not only add our keys to somebody else's.
    pub(in crate::gitops) ours: bool,
}

impl Registered {
    /// What tells it from every other cluster of the same Argo CD: its Secret, or none for the local cluster that
    /// nobody registered.
    pub(in crate::gitops) fn key(&self) -> &str {
        self.secret.as_deref().unwrap_or_default()
    }
}

/// The clusters of Argo CD, with the local one that it knows without a Secret.
pub(super) fn registered(site: &Site, secrets: Vec<Secret>) -> Vec<Registered> {
    let mut registered: Vec<_> = secrets.into_iter().map(|secret| from_secret(site, secret)).collect();
    if !registered.iter().any(|cluster| cluster.server == HUB_SERVER) {
        registered.push(Registered {
            name: "in-cluster".to_owned(),
            server: HUB_SERVER.to_owned(),
            secret: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            cluster: None,
            ours: false,
        });
    }
    registered
}

fn from_secret(site: &Site, secret: Secret) -> Registered {
    let text = |key: &str| {
        let value = secret.data.as_ref().and_then(|data| data.get(key));
        value.map(|value| String::from_utf8_lossy(&value.0).into_owned())
    };
    let server = text("server").unwrap_or_default().trim_end_matches('/').to_owned();
    let name = text("name").filter(|name| !name.is_empty()).unwrap_or_else(|| server.clone());
    let labels = secret.metadata.labels.unwrap_or_default();
    let annotations = secret.metadata.annotations.unwrap_or_default();
    let registration = registers(site, &labels, &annotations);
    Registered {
        name,
        server,
        secret: secret.metadata.name,
        ours: registration.as_ref().is_some_and(|registration| registration.is_made),
        cluster: registration.map(|registration| registration.cluster),
        annotations,
        labels,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;
    use crate::k8s::{FIELD_MANAGER, MANAGED_BY_LABEL, SITE_LABEL};
    use crate::site::load;

    fn secret(object: &str, name: &str, labels: &[(&str, &str)]) -> Secret {
        let pairs = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            pairs.collect::<BTreeMap<_, _>>()
        };
        let data = pairs(&[("name", name), ("server", &format!("https://{object}/"))]).into_iter();
        Secret {
            metadata: ObjectMeta {
                name: Some(object.to_owned()),
                labels: Some(pairs(labels)),
                ..ObjectMeta::default()
            },
            data: Some(data.map(|(key, value)| (key, ByteString(value.into_bytes()))).collect()),
            ..Secret::default()
        }
    }

    #[test]
    fn a_secret_registers_a_cluster_of_ours_by_its_marks() {
        let name = "home".parse().expect("valid");
        let site = load::from_text(
            None,
            &name,
            "[hub.local]\n[spokes.dev.local]\n[spokes.lab.local]\n",
            &load::Overrides::default(),
        );
        let site = site.expect("valid");
        let adopted = |site: &str| {
            let mut secret = secret("adopted", "prod-eu", &[("cluster_name", "lab")]);
            let before = format!(r#"{{"site":"{site}"}}"#);
            secret.metadata.annotations = Some(BTreeMap::from([("bridgehead/before".to_owned(), before)]));
            secret
        };
        let made = [(SITE_LABEL, "home"), (MANAGED_BY_LABEL, FIELD_MANAGER), ("cluster_name", "dev")];
        let found = registered(
            &site,
            vec![
                secret("dev", "dev", &made),
                adopted("home"),
                adopted("work"),
                secret("by-hand", "lab", &[("cluster_name", "lab")]),
                secret("others", "dev", &[(SITE_LABEL, "other"), ("cluster_name", "dev")]),
            ],
        );
        let seen: Vec<_> = found
            .iter()
            .map(|each| (each.server.as_str(), each.cluster.as_ref().map(ClusterName::as_str), each.ours))
            .collect();
        let expected = [
            ("https://dev", Some("dev"), true),
            // Argo CD calls it something else: our label counts.
            ("https://adopted", Some("lab"), false),
            ("https://adopted", None, false),
            ("https://by-hand", None, false),
            ("https://others", None, false),
            // Nobody registered the hub, so it is there without a Secret.
            (HUB_SERVER, None, false),
        ];
        assert_eq!(seen, expected);
    }
}
