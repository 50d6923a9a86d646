//! Which objects of a cluster an Application deployed, asked from the cluster itself.
//!
//! Argo CD writes on every object (but not on CRDs, which it never deletes) which Application it belongs to. So
//! what an Application left behind is found even when the Application is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use kube::api::ListParams;
use kube::core::{ApiResource, Request};
use kube::discovery::{Discovery, verbs};
use serde::{Deserialize, Serialize};

use super::hub::Hub;
use crate::k8s::{ApiError, Kind, api};

const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";
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

/// How an Argo CD marks what it deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tracking {
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
        ))
    }

    fn from_settings(method: Option<&str>, label: Option<&str>) -> Self {
        let label = label.filter(|label| !label.is_empty()).unwrap_or("app.kubernetes.io/instance");
        match method {
            Some("label") => Self::Label(label.to_owned()),
            _ => Self::Annotation,
        }
    }

    /// The objects of a cluster that belong to the named Applications.
    pub(super) async fn objects(
        &self,
        client: &Client,
        applications: &BTreeSet<String>,
    ) -> Result<Vec<Tracked>, ApiError> {
        if applications.is_empty() {
            return Ok(Vec::new());
        }
        let kinds = listable(client).await?;
        let looks: Vec<_> = kinds.iter().map(|kind| self.objects_of(client, kind, applications)).collect();
        let found: Vec<Vec<Tracked>> = stream::iter(looks).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        found.sort();
        Ok(found)
    }

    async fn objects_of(
        &self,
        client: &Client,
        kind: &ApiResource,
        applications: &BTreeSet<String>,
    ) -> Result<Vec<Tracked>, ApiError> {
        let path = match kind.group.as_str() {
            "" => format!("/api/{}/{}", kind.version, kind.plural),
            group => format!("/apis/{group}/{}/{}", kind.version, kind.plural),
        };
        let request = Request::new(path).list_metadata(&ListParams::default());
        let request = request.map_err(kube::Error::BuildRequest);
        let list = async { client.request::<List>(request?).await };
        let items = match list.await.map_err(|error| ApiError::of("list", &kind.kind, error)) {
            Ok(list) => list.items.unwrap_or_default(),
            // The kind went away since it was discovered.
            Err(error) if error.is_absent() => Vec::new(),
            Err(error) => return Err(error),
        };
        let tracked = items.into_iter().filter_map(|item| self.tracked(kind, item.metadata));
        Ok(tracked.filter(|tracked| applications.contains(&tracked.application)).collect())
    }

    fn tracked(&self, kind: &ApiResource, metadata: Metadata) -> Option<Tracked> {
        let application = match self {
            Self::Label(key) => metadata.labels.get(key)?.clone(),
            Self::Annotation => {
                let id = metadata.annotations.get(TRACKING_ID)?;
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
fn named_by<'a>(id: &'a str, kind: &ApiResource, metadata: &Metadata) -> Option<&'a str> {
    let (application, object) = id.split_once(':')?;
    let (of_kind, named) = object.split_once(':')?;
    let (namespace, name) = named.split_once('/')?;
    // An object without a namespace is tracked under its Application's.
    let here = metadata.namespace.as_deref().is_none_or(|own| own == namespace);
    (of_kind == format!("{}/{}", kind.group, kind.kind) && name == metadata.name && here)
        .then_some(application)
}

/// The kinds whose objects can be listed and deleted, each in the version that the server prefers.
async fn listable(client: &Client) -> Result<Vec<ApiResource>, ApiError> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await;
    let discovery = discovery.map_err(|error| ApiError::of("list", "the kinds of the cluster", error))?;
    let kinds = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources);
    let usable = kinds.filter(|(kind, capabilities)| {
        [verbs::LIST, verbs::DELETE].iter().all(|verb| capabilities.supports_operation(verb))
            && is_tracked(&kind.kind)
    });
    Ok(usable.map(|(kind, _)| kind).collect())
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

    fn kind(group: &str, kind: &str) -> ApiResource {
        ApiResource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            api_version: String::new(),
            kind: kind.to_owned(),
            plural: String::new(),
        }
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
        assert_eq!(Tracking::from_settings(None, None), Tracking::Annotation);
        assert_eq!(Tracking::from_settings(Some("annotation+label"), None), Tracking::Annotation);
        let label = Tracking::from_settings(Some("label"), Some("our/key"));
        assert_eq!(label, Tracking::Label("our/key".to_owned()));
    }
}
