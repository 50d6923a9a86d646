//! Argo CD's namespace.

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;

use crate::engine::{Facts, StepId, Stop};
use crate::gitops::{Scope, part};
use crate::k8s::{ApplyObjects, Desired, Object, ObjectSet, Stranger};
use crate::site::name::ClusterName;

pub(super) fn step(scope: Scope) -> ApplyObjects<ArgoCdNamespace> {
    ApplyObjects(ArgoCdNamespace(scope))
}

pub(super) struct ArgoCdNamespace(Scope);

impl Desired for ArgoCdNamespace {
    fn id(&self) -> StepId {
        StepId::of(self.0.hub(), "argocd/namespace")
    }

    fn cluster(&self) -> &ClusterName {
        self.0.hub()
    }

    fn purpose(&self) -> &'static str {
        "Argo CD's namespace is there"
    }

    async fn objects(&self, facts: &Facts) -> Result<(Client, ObjectSet), Stop> {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(self.0.namespace().to_owned());
        let mut namespace = Object::of(&namespace);
        namespace.mark_as_made(&self.0.site.name, part::ARGOCD);
        // One that is there already is used; unmarked as it stays, nobody takes it away.
        let set =
            ObjectSet { stranger: Stranger::Adopt, ..ObjectSet::new(&self.0.site.name, vec![namespace]) };
        Ok((self.0.client(self.0.hub(), facts).await?, set))
    }
}
