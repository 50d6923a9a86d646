//! Which ApplicationSets and Applications of an Argo CD exist because of a site.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::gitops::application::Application;
use crate::gitops::application_set::ApplicationSet;
use crate::gitops::fleet::{Fleet, is_marked};
use crate::site::Site;

/// What is ours follows from: objects with the site's mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gitops) enum Roots {
    /// All of them.
    All,
    /// The ApplicationSets of these names.
    Sets(BTreeSet<String>),
}

/// The names of everything that follows from some roots: what they made, what that deployed to the hub, and so on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::gitops) struct Ours {
    sets: BTreeSet<String>,
    applications: BTreeSet<String>,
}

/// What follows from roots that somebody has asked about: found out once for all steps that share a look.
#[derive(Debug, Default)]
pub(in crate::gitops) struct Known(Mutex<Vec<(Roots, Arc<Ours>)>>);

impl Known {
    fn or_found(&self, roots: &Roots, find: impl FnOnce() -> Ours) -> Arc<Ours> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ours)) = known.iter().find(|(known, _)| known == roots) {
            return Arc::clone(ours);
        }
        let ours = Arc::new(find());
        known.push((roots.clone(), Arc::clone(&ours)));
        ours
    }
}

impl Roots {
    /// Whether an ApplicationSet is one of them.
    pub(super) fn has(&self, site: &Site, set: &ApplicationSet) -> bool {
        let is_named = match self {
            Self::All => true,
            Self::Sets(names) => names.contains(set.name()),
        };
        is_named && is_marked(site, &set.metadata)
    }
}

impl Ours {
    /// What follows from some roots on the hub of the site that was looked at.
    pub(super) fn of(site: &Site, fleet: &Fleet, roots: &Roots) -> Arc<Self> {
        fleet.ours.or_found(roots, || Self::find(site, fleet, roots))
    }

    /// Follows the marks.
    fn find(site: &Site, fleet: &Fleet, roots: &Roots) -> Self {
        let marked = fleet.sets.iter().filter(|set| roots.has(site, set));
        let applications = fleet.applications.iter();
        let applications =
            applications.filter(|found| *roots == Roots::All && is_marked(site, &found.metadata));
        let mut ours = Self {
            sets: marked.map(|set| set.name().to_owned()).collect(),
            applications: applications.map(|application| application.name().to_owned()).collect(),
        };
        loop {
            let before = ours.sets.len() + ours.applications.len();
            ours.follow(site, fleet);
            if ours.sets.len() + ours.applications.len() == before {
                return ours;
            }
        }
    }

    /// An Application of the hub's Argo CD is made by what is deployed to its namespace there. One of the same name on
    /// another cluster, or in another namespace, is that of another Argo CD.
    fn follow(&mut self, site: &Site, fleet: &Fleet) {
        let made = fleet.applications.iter().filter(|application| self.made(application));
        let made: Vec<_> = made.map(|application| application.name().to_owned()).collect();
        self.applications.extend(made);
        let mine =
            fleet.applications.iter().filter(|application| self.applications.contains(application.name()));
        let here = Some(site.argocd.namespace.as_str());
        let deployed = mine
            .filter(|application| fleet.is_for_the_hub(site, application))
            .flat_map(Application::resources)
            .filter(|found| found.group == "argoproj.io" && found.namespace.as_deref() == here);
        let deployed: Vec<_> = deployed.collect();
        let named = |kind: &str| {
            let found = deployed.iter().filter(|found| found.kind == kind).map(|found| found.name.clone());
            found.collect::<Vec<_>>()
        };
        self.sets.extend(named("ApplicationSet"));
        self.applications.extend(named("Application"));
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.applications.is_empty()
    }

    /// Whether an ApplicationSet is one of them.
    pub(super) fn has_set(&self, set: &ApplicationSet) -> bool {
        self.sets.contains(set.name())
    }

    /// Whether an Application is one of them, or was made by one of their sets since they were looked at.
    pub(super) fn has(&self, application: &Application) -> bool {
        self.applications.contains(application.name()) || self.made(application)
    }

    fn made(&self, application: &Application) -> bool {
        application.owner().is_some_and(|owner| self.sets.contains(owner))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::gitops::cluster_secret::HUB_SERVER;
    use crate::gitops::fleet::Registered;
    use crate::site::load;

    fn set(name: &str, site: Option<&str>) -> ApplicationSet {
        let labels = site.map(|site| json!({ "bridgehead/site": site }));
        let value = json!({ "metadata": { "name": name, "labels": labels }, "spec": {} });
        serde_json::from_value(value).expect("it is an ApplicationSet")
    }

    fn application(name: &str, owner: &str, to: &str, deployed: &[[&str; 2]]) -> Application {
        let owner = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": owner,
                            "uid": "x", "controller": true });
        let resources = deployed.iter().map(|[kind, name]| {
            json!({ "group": "argoproj.io", "kind": kind, "name": name,
                                                      "namespace": "argocd" })
        });
        let resources: Vec<Value> = resources.collect();
        let value = json!({ "metadata": { "name": name, "ownerReferences": [owner] },
                            "spec": { "destination": { "name": to } }, "status": { "resources": resources } });
        serde_json::from_value(value).expect("it is an Application")
    }

    fn cluster(name: &str, server: &str) -> Registered {
        Registered {
            name: name.to_owned(),
            server: server.to_owned(),
            secret: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            cluster: None,
            ours: false,
        }
    }

    #[test]
    fn what_follows_from_a_marked_set_is_ours_and_nothing_else() {
        let name = "home".parse().expect("valid");
        let site = load::from_text(None, &name, "[hub.local]\n", &load::Overrides::default()).expect("valid");
        let fleet = Fleet::of(
            vec![cluster("in-cluster", HUB_SERVER), cluster("dev", "https://dev")],
            vec![set("addons", Some("home")), set("web", None), set("theirs", None), set("x", Some("other"))],
            vec![
                application(
                    "addons",
                    "addons",
                    "in-cluster",
                    &[["ApplicationSet", "web"], ["Application", "parent"]],
                ),
                application("web-dev", "web", "dev", &[["ApplicationSet", "theirs"]]),
                application("parent", "", "in-cluster", &[["Application", "child"]]),
                application("theirs-dev", "theirs", "dev", &[]),
            ],
        );
        let ours = Ours::of(&site, &fleet, &Roots::All);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(ours.sets, names(&["addons", "web"]));
        assert_eq!(ours.applications, names(&["addons", "child", "parent", "web-dev"]));
        // The generator has made these in the meantime.
        assert!(ours.has(&application("web-new", "web", "dev", &[])));
        assert!(!ours.has(&application("theirs-new", "theirs", "dev", &[])));
        let of = |name: &str| Ours::of(&site, &fleet, &Roots::Sets(names(&[name])));
        assert_eq!(of("addons").sets, names(&["addons", "web"]));
        assert_eq!(of("addons").applications, names(&["addons", "child", "parent", "web-dev"]));
        // A name without the mark is nobody's root.
        assert_eq!(*of("theirs"), Ours::default());
        let again = Ours::of(&site, &fleet, &Roots::All);
        assert!(Arc::ptr_eq(&ours, &again), "steps that share a look find it out once");
    }
}
