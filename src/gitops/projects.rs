//! The projects of Argo CD that a profile declares.

use std::sync::Arc;

use kube::Client;
use serde_json::{Map, Value, json};

use super::{Scope, part};
use crate::engine::{Facts, StepId, Stop};
use crate::env::Env;
use crate::k8s::{ApplyObjects, Desired, Kind, Object, ObjectSet};
use crate::site::Site;
use crate::site::name::{ClusterName, ProjectName};

/// What a project says that names no sources. Without any it would let nothing be deployed.
const ANY_SOURCE: &str = "*";

/// The step `<hub>/gitops/projects`: the projects are there that the profile declares. One that left the profile stays
/// until it is pruned: Argo CD would sync nothing of its Applications any more.
#[must_use]
pub fn projects(site: &Arc<Site>, env: &Arc<Env>) -> ApplyObjects<Projects> {
    ApplyObjects(Projects(Scope::new(site, env)))
}

/// See [`projects`].
#[derive(Debug)]
pub struct Projects(Scope);

impl Desired for Projects {
    fn id(&self) -> StepId {
        StepId::of(self.0.hub(), "gitops/projects")
    }

    fn cluster(&self) -> &ClusterName {
        self.0.hub()
    }

    fn purpose(&self) -> &'static str {
        "the projects that the profile declares are there"
    }

    async fn objects(&self, facts: &Facts) -> Result<(Client, ObjectSet), Stop> {
        let client = self.0.client(self.0.hub(), facts).await?;
        let projects = &self.0.site.argocd.projects;
        let objects = projects.iter().map(|(name, spec)| self.object(name, spec)).collect();
        Ok((client, ObjectSet::new(&self.0.site.name, objects)))
    }
}

impl Projects {
    fn object(&self, name: &ProjectName, spec: &Map<String, Value>) -> Object {
        let mut spec = spec.clone();
        spec.entry("sourceRepos").or_insert_with(|| json!([ANY_SOURCE]));
        let object = Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": { "name": name, "namespace": self.0.namespace() },
            "spec": spec,
        }));
        let mut object = object.expect("it has a name");
        object.mark_as_made(&self.0.site.name, part::PROJECT);
        object
    }
}

/// What a person calls the projects of a site.
pub(super) fn subjects(site: &Site) -> impl Iterator<Item = String> {
    let subject = |name: &ProjectName| Kind::APP_PROJECT.subject(Some(&site.argocd.namespace), name.as_str());
    site.argocd.projects.keys().map(subject)
}
