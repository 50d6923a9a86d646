//! The release's manifest with what the profile tells Argo CD, and the Ingress that it asks for.

use std::sync::Arc;

use kube::Client;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::settings::Settings;
use super::{ManifestSource, git_server, ingress};
use crate::engine::{Facts, StepId, Stop, Tree};
use crate::gitops::{Scope, part};
use crate::k8s::{ApiError, ApplyObjects, Desired, EditedData, Kind, Object, ObjectSet, Prune, parse};
use crate::seq;
use crate::site::Site;
use crate::site::name::ClusterName;

/// The namespace that releases write into the subjects of their bindings.
const WRITTEN_FOR: &str = "argocd";

/// The kinds of everything that a site puts on its hub, but for definitions and namespaces, which may hold what others
/// put there. A new release, or a profile, may drop the last object of a kind.
pub(in crate::gitops) const KINDS: [Kind; 12] = [
    Kind::CLUSTER_ROLE,
    Kind::CLUSTER_ROLE_BINDING,
    Kind::CONFIG_MAP,
    Kind::DEPLOYMENT,
    Kind::INGRESS,
    Kind::NETWORK_POLICY,
    Kind::ROLE,
    Kind::ROLE_BINDING,
    Kind::SECRET,
    Kind::SERVICE,
    Kind::SERVICE_ACCOUNT,
    Kind::STATEFUL_SET,
];

/// The definitions of its kinds, and then everything else: a controller that starts before the server serves
/// the kinds that it watches looks for them again only after 10 seconds.
pub(super) fn steps(scope: &Scope, manifest: &ManifestSource) -> Tree {
    let manifest = Arc::new(Manifest { source: Arc::clone(manifest), objects: OnceCell::new() });
    let step = |half| ApplyObjects(Release { scope: scope.clone(), half, manifest: Arc::clone(&manifest) });
    seq![step(Half::Definitions), step(Half::Rest)]
}

/// The manifest, which is read once for both steps.
struct Manifest {
    source: ManifestSource,
    objects: OnceCell<Vec<Object>>,
}

impl Manifest {
    async fn objects(&self) -> Result<&[Object], Stop> {
        let read = || async { Ok::<_, Stop>(parse("Argo CD", &(self.source)().await?)?) };
        Ok(self.objects.get_or_try_init(read).await?)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Definitions,
    Rest,
}

impl Half {
    fn of(object: &Object) -> Self {
        match object.kind() {
            "CustomResourceDefinition" => Self::Definitions,
            _ => Self::Rest,
        }
    }
}

struct Release {
    scope: Scope,
    half: Half,
    manifest: Arc<Manifest>,
}

impl Desired for Release {
    fn id(&self) -> StepId {
        let path = match self.half {
            Half::Definitions => "argocd/definitions",
            Half::Rest => "argocd/install",
        };
        StepId::of(self.scope.hub(), path)
    }

    fn cluster(&self) -> &ClusterName {
        self.scope.hub()
    }

    fn purpose(&self) -> &'static str {
        match self.half {
            Half::Definitions => "Argo CD's kinds are served",
            Half::Rest => "Argo CD's manifest is applied, with the profile's settings",
        }
    }

    async fn objects(&self, facts: &Facts) -> Result<(Client, ObjectSet), Stop> {
        let client = self.scope.client(self.scope.hub(), facts).await?;
        let all = self.manifest.objects().await?;
        let mine = all.iter().filter(|object| Half::of(object) == self.half);
        let mut objects: Vec<_> = mine.cloned().collect();
        self.place(&client, &mut objects).await?;
        let Site { name, argocd, .. } = &*self.scope.site;
        if self.half == Half::Definitions {
            return Ok((client, ObjectSet::new(name, objects)));
        }
        let settings = Settings::of(argocd);
        settings.place(&mut objects);
        let keys = git_server::place(&client, &argocd.namespace, &argocd.git_servers, &mut objects).await?;
        objects
            .extend(argocd.ingress.iter().map(|ingress| ingress::object(name, &argocd.namespace, ingress)));
        let namespace = |kind: &Kind| kind.is_namespaced().then(|| self.scope.namespace().to_owned());
        let collections = KINDS.into_iter().map(|kind| (kind.clone(), namespace(&kind))).collect();
        let prune =
            Some(Prune { part: part::ARGOCD, collections, except: std::collections::BTreeSet::new() });
        // People keep host keys and settings in the release's ConfigMaps, and the server its own secrets.
        let edited_data = EditedData::Keep { except: settings.keys().into_iter().chain(keys).collect() };
        Ok((client, ObjectSet { edited_data, prune, ..ObjectSet::new(name, objects) }))
    }
}

impl Release {
    /// Sets what a release leaves open, the namespace, and marks the objects. The label that says who manages
    /// them is not ours to set: the release is as it was written, and a chart may take it over one day.
    async fn place(&self, client: &Client, objects: &mut [Object]) -> Result<(), ApiError> {
        for object in objects {
            let kind = Kind::find(client, object.kind_name()).await?;
            if kind.is_namespaced() {
                object.set_namespace(self.scope.namespace());
            }
            bind_to(object, self.scope.namespace());
            object.mark(&self.scope.site.name, part::ARGOCD);
        }
        Ok(())
    }
}

/// Points the subjects of a binding to the namespace that is really used.
fn bind_to(object: &mut Object, namespace: &str) {
    let subjects = object.fields_mut().get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten().filter(|subject| subject["namespace"] == WRITTEN_FOR) {
        subject["namespace"] = namespace.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_follow_the_namespace() {
        let manifest =
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: a},
            subjects: [{kind: ServiceAccount, name: b, namespace: argocd}, {kind: Group, name: c}]}";
        let mut binding = parse("a test", manifest).expect("valid").remove(0);
        bind_to(&mut binding, "gitops");
        let subjects = binding.get(&["subjects"]).expect("it has some");
        assert_eq!(subjects[0]["namespace"], "gitops");
        assert!(subjects[1].get("namespace").is_none());
    }
}
