//! The step that uninstalls what an addon's Applications left behind on one cluster.
//!
//! Argo CD knows best how to delete what it deployed, in which order. So an Application of the name that is written
//! on the objects is made, marked, without any sync, with the finalizer that deletes everything; and then deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{UNINSTALLS, applications, uninstalls};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::Scope;
use crate::gitops::application::{Application, RESOURCES_FINALIZER};
use crate::gitops::fleet::{Fleet, Registered};
use crate::gitops::hub::Hub;
use crate::gitops::retire::{Objects, difference, retire};
use crate::gitops::tracking::{Tracked, Tracking};
use crate::k8s::{Kind, Object, api};
use crate::site::name::{AddonName, ClusterName};

/// The step.
pub(super) struct Leftover {
    scope: Scope,
    addon: AddonName,
    cluster: ClusterName,
    /// Names that cannot be told from the sets any more, because something but the cluster decides them.
    shown: BTreeSet<String>,
}

/// What an observation found.
struct Found {
    hub: Hub,
    fleet: Fleet,
    registered: Registered,
    tracked: Vec<Tracked>,
}

impl Leftover {
    pub(super) fn new(
        scope: &Scope,
        addon: &AddonName,
        cluster: &ClusterName,
        shown: BTreeSet<String>,
    ) -> Self {
        Self { scope: scope.clone(), addon: addon.clone(), cluster: cluster.clone(), shown }
    }

    async fn look(&self, facts: &Facts) -> Result<Option<Found>, Stop> {
        let hub = Hub::of(&self.scope, facts).await?;
        let client = self.scope.client(&self.cluster, facts).await?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let Some(registered) = fleet.registered(&self.cluster).cloned() else { return Ok(None) };
        let mut names = applications(&self.scope.site, &fleet, &self.addon, &registered);
        names.extend(self.shown.iter().cloned());
        // What an Application that is there deployed is not left behind.
        names.retain(|name| fleet.application(name).is_none_or(|found| self.is_ours(found)));
        let mut tracked = Tracking::of(&hub).await?.objects(&client, &names).await?;
        tracked.retain(|found| !found.stays);
        Ok(Some(Found { hub, fleet, registered, tracked }))
    }

    fn is_ours(&self, application: &Application) -> bool {
        uninstalls(&self.scope.site, application) == Some(self.addon.as_str())
    }

    /// The Applications that uninstall here already.
    fn uninstalling<'a>(&'a self, found: &'a Found) -> impl Iterator<Item = &'a Application> {
        found.fleet.applications.iter().filter(|application| {
            self.is_ours(application)
                && found.fleet.target(&application.spec.destination) == Some(&found.registered)
        })
    }

    fn differences(&self, found: &Found) -> Vec<Change> {
        let uninstalling = self.uninstalling(found);
        let leaving = uninstalling.map(|each| difference(&found.hub, each, &Objects::Go, &found.tracked));
        let objects =
            found.tracked.iter().filter(|object| found.fleet.application(&object.application).is_none());
        let objects = objects.map(|object| {
            let (subject, detail) = (
                object.object.to_string(),
                format!("{} left it behind in {}", object.application, self.cluster),
            );
            if object.held.is_some() {
                Change::wait(subject, detail)
            } else {
                Change::delete(subject).with_detail(detail)
            }
        });
        leaving.chain(objects).collect()
    }

    /// An Application that does nothing but go. Its source is never read: it is not synced.
    fn uninstaller(&self, name: &str, found: &Found) -> Option<Object> {
        let mut sets = found.fleet.sets_of(&self.addon);
        let project = sets.find_map(|set| {
            let names = set.application_names(&found.registered);
            set.project().filter(|_| names.is_empty() || names.contains(name))
        });
        let mut object = Object::from_value(json!({
            "apiVersion": Kind::APPLICATION.api_version(),
            "kind": Kind::APPLICATION.name(),
            "metadata": {
                "name": name,
                "namespace": self.scope.namespace(),
                "finalizers": [RESOURCES_FINALIZER],
            },
            "spec": {
                "project": project.unwrap_or("default"),
                "destination": { "name": found.registered.name, "namespace": "default" },
                "source": { "repoURL": "https://nowhere.invalid", "path": "." },
            },
        }))?;
        object.mark_as_made(&self.scope.site.name, "addon");
        object.set_label(UNINSTALLS, self.addon.as_str());
        Some(object)
    }
}

impl Step for Leftover {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, &format!("addon/{}/objects", self.addon))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let Some(found) = self.look(facts).await? else { return Ok(Observed::default()) };
        Ok(Observed::differs(self.differences(&found), ()))
    }

    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let Some(found) = self.look(facts).await.map_err(Stop::into_failure)? else { return Ok(()) };
        for application in self.uninstalling(&found) {
            retire(&found.hub, application, &Objects::Go, writer).await?;
        }
        let left = found.tracked.iter().filter(|object| object.held.is_none());
        let names: BTreeSet<_> = left.map(|object| object.application.as_str()).collect();
        for name in names.into_iter().filter(|name| found.fleet.application(name).is_none()) {
            let Some(uninstaller) = self.uninstaller(name, &found) else { continue };
            writer.perform(api::apply(&found.hub.client, &Kind::APPLICATION, &uninstaller)).await?;
            writer.perform(found.hub.delete(&Kind::APPLICATION, name)).await?;
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}
