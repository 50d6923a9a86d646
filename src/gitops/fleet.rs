//! Everything in Argo CD's namespace that decides which Applications there are: one list call per kind.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::application::{Application, Destination};
use super::application_set::ApplicationSet;
use super::cluster_secret::{CLUSTER, HUB_SERVER, SECRET_TYPE, registers};
use super::hub::Hub;
use crate::k8s::{ApiError, Kind, SITE_LABEL, api};
use crate::site::Site;
use crate::site::name::{AddonName, ClusterName};

/// A cluster as Argo CD knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Registered {
    /// Its name in Argo CD.
    pub(super) name: String,
    /// Its address in Argo CD.
    pub(super) server: String,
    /// The name of its Secret; `None` for the local cluster that nobody registered.
    pub(super) secret: Option<String>,
    /// The Secret's labels.
    pub(super) labels: BTreeMap<String, String>,
    /// The Secret's annotations.
    pub(super) annotations: BTreeMap<String, String>,
    /// Which cluster of the site it is.
    pub(super) cluster: Option<ClusterName>,
    /// Whether we made the Secret, and did not only add our keys to somebody else's.
    pub(super) ours: bool,
    /// Whether the Secret is on its way out.
    pub(super) is_deleting: bool,
}

/// The clusters, ApplicationSets and Applications of an Argo CD.
#[derive(Debug, Clone, Default)]
pub(super) struct Fleet {
    pub(super) registered: Vec<Registered>,
    pub(super) sets: Vec<ApplicationSet>,
    pub(super) applications: Vec<Application>,
}

impl Fleet {
    /// Looks; a kind that the server does not know yet has no objects.
    pub(super) async fn look(hub: &Hub, site: &Site) -> Result<Self, ApiError> {
        let Hub { client, .. } = hub;
        let secrets = format!("{SECRET_TYPE}={CLUSTER}");
        let [secret, set, application] = [Kind::SECRET, Kind::APPLICATION_SET, Kind::APPLICATION];
        let (secrets, sets, applications) = futures::try_join!(
            api::list_of::<Secret>(client, &secret, Some(hub.namespace()), &secrets),
            api::list_of(client, &set, Some(hub.namespace()), ""),
            api::list_of(client, &application, Some(hub.namespace()), ""),
        )?;
        Ok(Self { registered: registered(site, secrets), sets, applications })
    }

    /// The cluster that a destination means.
    pub(super) fn target(&self, destination: &Destination) -> Option<&Registered> {
        let named = |cluster: &&Registered| destination.name.as_deref() == Some(&cluster.name);
        let served = |cluster: &&Registered| destination.server.as_deref() == Some(&cluster.server);
        self.registered.iter().find(|cluster| named(cluster) || served(cluster))
    }

    /// Whether an Application goes to the hub itself.
    pub(super) fn is_for_the_hub(&self, site: &Site, application: &Application) -> bool {
        let target = self.target(&application.spec.destination);
        target.is_some_and(|target| {
            target.server == HUB_SERVER || target.cluster.as_ref() == Some(&site.hub.name)
        })
    }

    /// The cluster of the site that an Application goes to.
    pub(super) fn cluster_of(&self, application: &Application) -> Option<&ClusterName> {
        self.target(&application.spec.destination)?.cluster.as_ref()
    }

    /// How Argo CD knows a cluster of the site.
    pub(super) fn registered(&self, cluster: &ClusterName) -> Option<&Registered> {
        self.registered.iter().find(|registered| registered.cluster.as_ref() == Some(cluster))
    }

    /// The clusters of the site that Argo CD knows.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Registered> {
        self.registered.iter().filter(|registered| registered.cluster.is_some())
    }

    /// The Applications that a set made for a cluster.
    pub(super) fn made_for<'a>(
        &'a self,
        set: &'a ApplicationSet,
        cluster: &'a Registered,
    ) -> impl Iterator<Item = &'a Application> {
        let made = self.applications.iter().filter(|application| application.owner() == Some(set.name()));
        made.filter(|application| self.target(&application.spec.destination) == Some(cluster))
    }

    /// The sets that select clusters by an addon's label.
    pub(super) fn sets_of<'a>(&'a self, addon: &'a AddonName) -> impl Iterator<Item = &'a ApplicationSet> {
        self.sets.iter().filter(move |set| set.addons().contains(addon.as_str()))
    }

    /// The Applications that an addon's sets made for a cluster.
    pub(super) fn of_addon<'a>(
        &'a self,
        addon: &'a AddonName,
        cluster: &'a Registered,
    ) -> impl Iterator<Item = &'a Application> {
        self.sets_of(addon).flat_map(|set| self.made_for(set, cluster))
    }

    /// The Application of a name.
    pub(super) fn application(&self, name: &str) -> Option<&Application> {
        self.applications.iter().find(|application| application.name() == name)
    }
}

/// Whether an object of the hub carries the site's mark.
pub(super) fn is_marked(site: &Site, metadata: &ObjectMeta) -> bool {
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(SITE_LABEL));
    label.is_some_and(|value| value == site.name.as_str())
}

/// The clusters of Argo CD, with the local one that it knows without a Secret.
fn registered(site: &Site, secrets: Vec<Secret>) -> Vec<Registered> {
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
            is_deleting: false,
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
        is_deleting: secret.metadata.deletion_timestamp.is_some(),
        annotations,
        labels,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;
    use crate::k8s::{FIELD_MANAGER, MANAGED_BY_LABEL};
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
