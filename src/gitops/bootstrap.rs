//! The two sets that everything else in Git starts from: `addons` and `workloads`.

use std::path::Path;
use std::sync::Arc;

use kube::Client;
use serde_json::json;

use super::{Scope, part};
use crate::engine::{Facts, StepId, Stop};
use crate::env::Env;
use crate::k8s::{ApplyObjects, Desired, ManifestError, Object, ObjectSet, parse};
use crate::site::Site;
use crate::site::name::ClusterName;
use crate::template::{self, TemplateError};

/// The sets' templates, each with the repository that its set reads.
const SETS: [(&str, &str); 2] =
    [("addons", "bootstrap/addons.yaml"), ("workload", "bootstrap/workloads.yaml")];

/// A set cannot be made from its template.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The template cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What it renders to is not an object.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// The step `<hub>/gitops/bootstrap`: a set for each repository that the site names. That of a repository which left the
/// profile stays until it is pruned: with it goes everything that it deployed. It
/// comes after Argo CD is ready: a set that meets no AppProject is tried again only after minutes.
#[must_use]
pub fn bootstrap(site: &Arc<Site>, env: &Arc<Env>) -> ApplyObjects<Bootstrap> {
    ApplyObjects(Bootstrap(Scope::new(site, env)))
}

/// The objects of the sets, made without looking at any cluster. `root` is where `templates/` may be.
///
/// # Errors
/// When a template is malformed.
pub fn objects(site: &Site, root: Option<&Path>) -> Result<Vec<Object>, BootstrapError> {
    let values = json!({ "argocd_namespace": site.argocd.namespace });
    let is_named = |repository: &str| site.repositories.keys().any(|name| name.as_str() == repository);
    let mut objects = Vec::new();
    for (_, template) in SETS.into_iter().filter(|(repository, _)| is_named(repository)) {
        objects.extend(parse(template, &template::render(root, template, &values)?)?);
    }
    for object in &mut objects {
        object.mark_as_made(&site.name, part::BOOTSTRAP);
    }
    Ok(objects)
}

/// See [`bootstrap`].
#[derive(Debug)]
pub struct Bootstrap(Scope);

impl Desired for Bootstrap {
    fn id(&self) -> StepId {
        StepId::of(self.0.hub(), "gitops/bootstrap")
    }

    fn cluster(&self) -> &ClusterName {
        self.0.hub()
    }

    fn purpose(&self) -> &'static str {
        "the ApplicationSets that everything in Git starts from are there"
    }

    async fn objects(&self, facts: &Facts) -> Result<(Client, ObjectSet), Stop> {
        let client = self.0.client(self.0.hub(), facts).await?;
        let objects = objects(&self.0.site, self.0.env.root.as_deref())?;
        Ok((client, ObjectSet::new(&self.0.site.name, objects)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load::{self, Overrides};
    use crate::site::{Repository, RepositorySource};

    fn site(repositories: &[&str]) -> Site {
        let repository = Repository {
            source: RepositorySource::Url("https://git.example/addons.git".to_owned()),
            basepath: String::new(),
            path: String::new(),
            revision: "main".to_owned(),
        };
        let named = |name: &&str| (name.parse().expect("valid"), repository.clone());
        let profile = "[hub.local]\n[argocd]\nnamespace = \"gitops\"\n";
        let name = "home".parse().expect("valid");
        let site = load::from_text(None, &name, profile, &Overrides::default()).expect("valid");
        Site { repositories: repositories.iter().map(named).collect(), ..site }
    }

    fn names(repositories: &[&str]) -> Vec<String> {
        let objects = objects(&site(repositories), None).expect("the templates are part of the binary");
        objects.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn there_is_a_set_for_each_repository_that_is_named() {
        assert_eq!(names(&["other"]), Vec::<String>::new());
        assert_eq!(names(&["addons"]), ["ApplicationSet gitops/addons"]);
        assert_eq!(names(&["addons", "workload"])[1], "ApplicationSet gitops/workloads");
    }

    #[test]
    fn the_sets_select_as_the_contract_says() {
        let objects = objects(&site(&["addons", "workload"]), None).expect("they render");
        let spec = |number: usize| &objects[number].fields()["spec"];
        let selector = |number| &spec(number)["generators"][0]["clusters"]["selector"];
        assert_eq!(*selector(0), json!({ "matchLabels": { "fleet_member": "control-plane" } }));
        assert_eq!(
            *selector(1),
            json!({
                "matchLabels": { "fleet_member": "spoke" },
                "matchExpressions": [
                    { "key": "environment", "operator": "NotIn", "values": ["control-plane"] },
                ],
            })
        );
        assert_eq!(spec(1)["template"]["metadata"]["name"], "workload-{{ .name }}");
        assert!(spec(1)["syncPolicy"].is_null(), "what runs on a cluster goes with it");
        assert_eq!(objects[0].label("bridgehead/part"), Some("bootstrap"));
    }
}
