//! The kinds of a cluster's objects.

use std::collections::BTreeSet;
use std::fmt;

use kube::Client;
use kube::core::discovery::v2::{APIResourceDiscovery, APIVersionDiscovery};

use super::found::Unlisted;
use super::in_time;
use crate::k8s::ApiError;

/// Kinds that a cluster makes many of and that Argo CD does not look at by default.
const UNTRACKED: [&str; 4] = ["Endpoints", "EndpointSlice", "Event", "Lease"];

/// Whether Argo CD writes on objects of a kind whose they are.
pub(in crate::gitops) fn is_tracked(kind: &str) -> bool {
    kind != "CustomResourceDefinition" && !UNTRACKED.contains(&kind)
}

/// What an API group is called whose server does not answer, so that its kinds are not known.
pub(super) const EVERYTHING: &str = "everything of ";

/// A kind with its group.
pub(super) fn kind_name(group: &str, kind: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") }
}

/// A kind whose objects can be listed and deleted.
pub(super) struct Listable {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) plural: String,
}

impl Listable {
    /// Where they are listed.
    pub(super) fn path(&self) -> String {
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
pub(super) async fn listable(client: &Client) -> Result<(Vec<Listable>, Vec<Unlisted>), ApiError> {
    let groups = async {
        futures::try_join!(client.list_core_api_versions_aggregated(), client.list_api_groups_aggregated())
    };
    let (core, named) = in_time("the kinds of the cluster", groups).await?;
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
