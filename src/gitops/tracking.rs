//! Which objects of a cluster an Application deployed, asked from the cluster itself.
//!
//! Argo CD writes on every object (but not on CRDs, which it never deletes) which Application it belongs to. So
//! what an Application left behind is found even when the Application is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::{StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use kube::api::ListParams;
use kube::core::Request;
use kube::core::discovery::v2::{APIResourceDiscovery, APIVersionDiscovery};
use serde::{Deserialize, Serialize};

use super::hub::Hub;
use crate::k8s::{ApiError, Kind, api};

const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";
const INSTALLATION_ID: &str = "argocd.argoproj.io/installation-id";
/// Kinds that a cluster makes many of and that Argo CD does not look at by default.
const UNTRACKED: [&str; 4] = ["Endpoints", "EndpointSlice", "Event", "Lease"];

/// Whether Argo CD writes on objects of a kind whose they are.
pub(super) fn is_tracked(kind: &str) -> bool {
    kind != "CustomResourceDefinition" && !UNTRACKED.contains(&kind)
}

/// How many kinds are listed at once.
const AT_ONCE: usize = 16;

/// An object of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectName {
    /// Its API group; empty for the core group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, .. } = self;
        match namespace {
            Some(namespace) => write!(formatter, "{kind} {namespace}/{name}"),
            None => write!(formatter, "{kind} {name}"),
        }
    }
}

/// An object that an Application deployed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tracked {
    pub(super) application: String,
    pub(super) object: ObjectName,
    /// Whether it says of itself that it is to stay when its Application goes.
    pub(super) stays: bool,
    /// The finalizers that hold it, if it is being deleted.
    pub(super) held: Option<Vec<String>>,
}

/// What was found in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The objects.
    pub(super) objects: Vec<Tracked>,
    /// The kinds whose objects could not be listed: of those, nothing is known.
    pub(super) unlisted: Vec<Unlisted>,
}

impl Found {
    /// Whether nothing can be said of an object, because its kind could not be listed.
    pub(super) fn is_unlisted(&self, object: &ObjectName) -> bool {
        let kind = kind_name(&object.group, &object.kind);
        let is_of = |unlisted: &Unlisted| {
            let group = unlisted.kind.strip_prefix(EVERYTHING).and_then(|rest| rest.split_once('/'));
            unlisted.kind == kind || group.is_some_and(|(group, _)| group == object.group)
        };
        self.unlisted.iter().any(is_of)
    }
}

/// What an API group is called whose server does not answer, so that its kinds are not known.
const EVERYTHING: &str = "everything of ";

fn kind_name(group: &str, kind: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") }
}

/// Objects of a cluster that the cluster itself cannot list, such as those of a kind whose conversion webhook does not
/// answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unlisted {
    /// Their kind with its group, or a whole group and version.
    pub kind: String,
    /// Why, in the cluster's words.
    pub reason: String,
}

impl fmt::Display for Unlisted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} cannot be listed: {}", self.kind, self.reason)
    }
}

/// How an Argo CD marks what it deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tracking {
    method: Method,
    /// What it tells itself from other Argo CDs by; empty where it is not told to.
    installation: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Method {
    /// By an annotation that also names the object, so that copies of it do not count. The default since 3.0.
    Annotation,
    /// By a label of this key.
    Label(String),
}

impl Tracking {
    /// Reads how a hub's Argo CD does it.
    pub(super) async fn of(hub: &Hub) -> Result<Self, ApiError> {
        let kind = Kind::CONFIG_MAP;
        let settings = api::get(&hub.client, &kind, Some(hub.namespace()), "argocd-cm").await?;
        let setting = |key| settings.as_ref().and_then(|settings| settings.text(&["data", key]));
        Ok(Self::from_settings(
            setting("application.resourceTrackingMethod"),
            setting("application.instanceLabelKey"),
            setting("installationID"),
        ))
    }

    fn from_settings(method: Option<&str>, label: Option<&str>, installation: Option<&str>) -> Self {
        let label = label.filter(|label| !label.is_empty()).unwrap_or("app.kubernetes.io/instance");
        let method = match method {
            Some("label") => Method::Label(label.to_owned()),
            _ => Method::Annotation,
        };
        Self { method, installation: installation.unwrap_or_default().to_owned() }
    }

    /// The objects of a cluster that belong to the named Applications.
    pub(super) async fn objects(
        &self,
        client: &Client,
        applications: &BTreeSet<String>,
    ) -> Result<Found, ApiError> {
        if applications.is_empty() {
            return Ok(Found::default());
        }
        let (kinds, mut unlisted) = listable(client).await?;
        let looks: Vec<_> = kinds.iter().map(|kind| self.objects_of(client, kind, applications)).collect();
        let looks: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        let (mut objects, mut listed) = (Vec::new(), 0_usize);
        let mut refusal = None;
        for look in looks {
            match look {
                Ok(found) => {
                    listed += 1;
                    objects.extend(found);
                }
                Err((kind, error)) => match error.status().filter(|status| status.code != 401) {
                    // The server answered for a part of itself that does not work.
                    Some(status) => {
                        unlisted.push(Unlisted { kind: kind.to_string(), reason: status.message.clone() });
                        refusal = Some(error);
                    }
                    None => return Err(error),
                },
            }
        }
        if let Some(error) = refusal.filter(|_| listed == 0) {
            return Err(error);
        }
        objects.sort();
        unlisted.sort();
        Ok(Found { objects, unlisted })
    }

    async fn objects_of<'a>(
        &self,
        client: &Client,
        kind: &'a Listable,
        applications: &BTreeSet<String>,
    ) -> Result<Vec<Tracked>, (&'a Listable, ApiError)> {
        let request = Request::new(kind.path()).list_metadata(&ListParams::default());
        let request = request.map_err(kube::Error::BuildRequest);
        let list = async { client.request::<List>(request?).await };
        let items = match list.await.map_err(|error| ApiError::of("list", &kind.kind, error)) {
            Ok(list) => list.items.unwrap_or_default(),
            // The kind went away since it was discovered.
            Err(error) if error.is_absent() => Vec::new(),
            Err(error) => return Err((kind, error)),
        };
        let tracked = items.into_iter().filter_map(|item| self.tracked(kind, item.metadata));
        Ok(tracked.filter(|tracked| applications.contains(&tracked.application)).collect())
    }

    fn tracked(&self, kind: &Listable, metadata: Metadata) -> Option<Tracked> {
        let application = match &self.method {
            Method::Label(key) => metadata.labels.get(key)?.clone(),
            Method::Annotation => {
                let installation = metadata.annotations.get(INSTALLATION_ID).map_or("", String::as_str);
                let id =
                    metadata.annotations.get(TRACKING_ID).filter(|_| installation == self.installation)?;
                named_by(id, kind, &metadata)?.to_owned()
            }
        };
        Some(Tracked {
            application,
            stays: metadata.stays(),
            held: metadata.deletion_timestamp.map(|_| metadata.finalizers),
            object: ObjectName {
                group: kind.group.clone(),
                kind: kind.kind.clone(),
                namespace: metadata.namespace,
                name: metadata.name,
            },
        })
    }
}

/// The Application of a tracking id, if the id is this object's own: `<application>:<group>/<kind>:<namespace>/<name>`.
fn named_by<'a>(id: &'a str, kind: &Listable, metadata: &Metadata) -> Option<&'a str> {
    let (application, object) = id.split_once(':')?;
    let (of_kind, named) = object.split_once(':')?;
    let (namespace, name) = named.split_once('/')?;
    // An object without a namespace is tracked under its Application's.
    let here = metadata.namespace.as_deref().is_none_or(|own| own == namespace);
    (of_kind == format!("{}/{}", kind.group, kind.kind) && name == metadata.name && here)
        .then_some(application)
}

/// A kind whose objects can be listed and deleted.
struct Listable {
    group: String,
    version: String,
    kind: String,
    plural: String,
}

impl Listable {
    fn path(&self) -> String {
        let Self { group, version, plural, .. } = self;
        if group.is_empty() {
            format!("/api/{version}/{plural}")
        } else {
            format!("/apis/{group}/{version}/{plural}")
        }
    }
}

impl fmt::Display for Listable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&kind_name(&self.group, &self.kind))
    }
}

/// The kinds whose objects can be listed and deleted, each in the version that the server prefers; and the parts of
/// the server that do not answer.
async fn listable(client: &Client) -> Result<(Vec<Listable>, Vec<Unlisted>), ApiError> {
    let groups =
        futures::try_join!(client.list_core_api_versions_aggregated(), client.list_api_groups_aggregated());
    let (core, named) = groups.map_err(|error| ApiError::of("list", "the kinds of the cluster", error))?;
    let (mut kinds, mut unlisted) = (Vec::new(), Vec::new());
    for group in core.items.into_iter().chain(named.items) {
        let name = group.metadata.and_then(|metadata| metadata.name).unwrap_or_default();
        let mut known = BTreeSet::new();
        // The preferred version comes first.
        for APIVersionDiscovery { version, resources, freshness } in group.versions {
            let version = version.unwrap_or_default();
            if freshness.as_deref() == Some("Stale") {
                let kind = format!("{EVERYTHING}{name}/{version}");
                unlisted.push(Unlisted { kind, reason: "its API server does not answer".to_owned() });
                continue;
            }
            let new = resources.into_iter().filter(|each| known.insert(each.resource.clone()));
            kinds.extend(new.filter_map(|each| usable(&name, &version, each)));
        }
    }
    Ok((kinds, unlisted))
}

fn usable(group: &str, version: &str, resource: APIResourceDiscovery) -> Option<Listable> {
    let can = |verb: &str| resource.verbs.iter().any(|known| known == verb);
    let kind = resource.response_kind.as_ref()?.kind.clone()?;
    let is_usable = can("list") && can("delete") && is_tracked(&kind);
    let (group, version) = (group.to_owned(), version.to_owned());
    is_usable.then_some(Listable { group, version, kind, plural: resource.resource? })
}

#[derive(Deserialize)]
struct List {
    /// Some servers say `null` where there is nothing.
    items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    deletion_timestamp: Option<Time>,
    finalizers: Vec<String>,
}

impl Metadata {
    /// What Argo CD itself spares when an Application is deleted with everything.
    fn stays(&self) -> bool {
        let says = |key: &str, value: &str| {
            let said = self.annotations.get(key).map_or("", String::as_str);
            said.split(',').any(|option| option.trim() == value)
        };
        says("argocd.argoproj.io/sync-options", "Delete=false") || says("helm.sh/resource-policy", "keep")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(group: &str, kind: &str) -> Listable {
        let [group, kind] = [group, kind].map(ToOwned::to_owned);
        Listable { group, version: "v1".to_owned(), kind, plural: String::new() }
    }

    fn metadata(namespace: Option<&str>, name: &str, annotations: &[(&str, &str)]) -> Metadata {
        let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Metadata {
            name: name.to_owned(),
            namespace: namespace.map(ToOwned::to_owned),
            annotations: annotations.collect(),
            ..Metadata::default()
        }
    }

    #[test]
    fn an_object_belongs_to_the_application_of_its_own_tracking_id() {
        let id = "web-dev:apps/Deployment:web/web";
        let deployment = kind("apps", "Deployment");
        assert_eq!(named_by(id, &deployment, &metadata(Some("web"), "web", &[])), Some("web-dev"));
        assert_eq!(named_by(id, &deployment, &metadata(Some("copy"), "web", &[])), None);
        assert_eq!(named_by(id, &deployment, &metadata(Some("web"), "copy", &[])), None);
        assert_eq!(named_by(id, &kind("apps", "ReplicaSet"), &metadata(Some("web"), "web", &[])), None);
    }

    #[test]
    fn an_object_without_namespace_is_tracked_under_that_of_its_application() {
        let id = "priority-dev:scheduling.k8s.io/PriorityClass:kube-system/high";
        let class = kind("scheduling.k8s.io", "PriorityClass");
        assert_eq!(named_by(id, &class, &metadata(None, "high", &[])), Some("priority-dev"));
    }

    #[test]
    fn what_asks_to_stay_stays() {
        let stays = |key, value| metadata(None, "x", &[(key, value)]).stays();
        assert!(stays("argocd.argoproj.io/sync-options", "Prune=false, Delete=false"));
        assert!(stays("helm.sh/resource-policy", "keep"));
        assert!(!stays("argocd.argoproj.io/sync-options", "Prune=false"));
    }

    #[test]
    fn the_tracking_method_is_the_one_that_argo_cd_is_told() {
        let method = |method, label| Tracking::from_settings(method, label, None).method;
        assert_eq!(method(None, None), Method::Annotation);
        assert_eq!(method(Some("annotation+label"), None), Method::Annotation);
        assert_eq!(method(Some("label"), Some("our/key")), Method::Label("our/key".to_owned()));
    }

    #[test]
    fn what_another_argo_cd_deployed_is_none_of_ours() {
        let owner = |ours: Option<&str>, theirs: &[(&str, &str)]| {
            let id = (TRACKING_ID, "web:/ConfigMap:web/web");
            let metadata = metadata(Some("web"), "web", &[&[id], theirs].concat());
            Tracking::from_settings(None, None, ours).tracked(&kind("", "ConfigMap"), metadata).is_some()
        };
        let other = [(INSTALLATION_ID, "other")];
        assert!(owner(None, &[]) && owner(Some("other"), &other));
        assert!(!owner(None, &other) && !owner(Some("ours"), &other) && !owner(Some("ours"), &[]));
    }
}
