//! The release's manifest, as it is.

use std::collections::BTreeSet;

use kube::Client;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::ManifestSource;
use crate::engine::{Facts, StepId, Stop};
use crate::gitops::{Scope, part};
use crate::k8s::{ApiError, ApplyObjects, Desired, EditedData, Kind, Object, ObjectSet, Prune, parse};
use crate::site::name::ClusterName;

/// The namespace that releases write into the subjects of their bindings.
const WRITTEN_FOR: &str = "argocd";

pub(super) fn step(scope: Scope, manifest: ManifestSource) -> ApplyObjects<Release> {
    ApplyObjects(Release { scope, manifest, parsed: OnceCell::new() })
}

pub(super) struct Release {
    scope: Scope,
    manifest: ManifestSource,
    parsed: OnceCell<Vec<Object>>,
}

impl Desired for Release {
    fn id(&self) -> StepId {
        StepId::of(self.scope.hub(), "argocd/install")
    }

    fn cluster(&self) -> &ClusterName {
        self.scope.hub()
    }

    async fn objects(&self, facts: &Facts) -> Result<(Client, ObjectSet), Stop> {
        let client = self.scope.client(self.scope.hub(), facts).await?;
        let parsed = self.parsed.get_or_try_init(|| async {
            let manifest = (self.manifest)().await?;
            Ok::<_, Stop>(parse("Argo CD", &manifest)?)
        });
        let mut objects = parsed.await?.clone();
        let kinds = self.place(&client, &mut objects).await?;
        let collections = kinds.into_iter().zip(&objects);
        let collections = collections.map(|(kind, object)| (kind, object.namespace().map(ToOwned::to_owned)));
        let prune = Some(Prune { part: part::ARGOCD, collections: collections.collect::<BTreeSet<_>>() });
        // People keep host keys and settings in the release's ConfigMaps, and the server its own secrets.
        let edited_data = EditedData::Keep;
        Ok((client, ObjectSet { edited_data, prune, ..ObjectSet::new(&self.scope.site.name, objects) }))
    }
}

impl Release {
    /// Sets what a release leaves open, the namespace, and marks the objects. The label that says who manages
    /// them is not ours to set: the release is as it was written, and a chart may take it over one day.
    async fn place(&self, client: &Client, objects: &mut [Object]) -> Result<Vec<Kind>, ApiError> {
        let mut kinds = Vec::with_capacity(objects.len());
        for object in objects {
            let kind = Kind::find(client, object.kind_name()).await?;
            if kind.is_namespaced() {
                object.set_namespace(self.scope.namespace());
            }
            bind_to(object, self.scope.namespace());
            object.mark(&self.scope.site.name, part::ARGOCD);
            kinds.push(kind);
        }
        Ok(kinds)
    }
}

/// Points the subjects of a binding to the namespace that is really used.
fn bind_to(object: &mut Object, namespace: &str) {
    let subjects = object.fields_mut().get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten().filter(|subject| subject["namespace"] == WRITTEN_FOR) {
        subject["namespace"] = namespace.into();
    }
}
