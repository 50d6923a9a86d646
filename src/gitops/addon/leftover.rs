//! The step that uninstalls what an addon's Applications left behind on one cluster.
//!
//! Argo CD knows best how to delete what it deployed, in which order. So an Application of the name that is written
//! on the objects is made, marked, without any sync, with the finalizer that deletes everything; and then deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use serde_json::json;

use super::{UNINSTALLS, applications, uninstalling, uninstalls};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::Scope;
use crate::gitops::application::{Application, RESOURCES_FINALIZER};
use crate::gitops::fleet::{Fleet, Registered};
use crate::gitops::hub::Hub;
use crate::gitops::retire::{Objects, difference, retire};
use crate::gitops::tracking::{Found as Remains, Tracking};
use crate::k8s::{ApiError, Kind, Object, api};
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
struct Found<'a> {
    hub: &'a Hub,
    fleet: &'a Fleet,
    registered: &'a Registered,
    remains: Remains,
}

/// What there is to do.
pub(super) struct Work {
    hub: Hub,
    /// Applications that uninstall already, and have to be told to go.
    retire: Vec<Application>,
    /// Applications to make, so that they go.
    uninstall: Vec<Object>,
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

    /// The objects that the addon's Applications left behind; what one that is there deployed is not.
    async fn remains(
        &self,
        hub: &Hub,
        client: &Client,
        fleet: &Fleet,
        registered: &Registered,
    ) -> Result<Remains, ApiError> {
        let mut names = applications(&self.scope.site, fleet, &self.addon, registered);
        names.extend(self.shown.iter().cloned());
        names.retain(|name| fleet.application(name).is_none_or(|found| self.is_ours(found)));
        let mut remains = Tracking::of(hub).await?.objects(client, &names).await?;
        remains.objects.retain(|found| !found.stays);
        Ok(remains)
    }

    fn is_ours(&self, application: &Application) -> bool {
        uninstalls(&self.scope.site, application) == Some(self.addon.as_str())
    }

    /// The Applications that uninstall here already.
    fn uninstalling<'a>(&'a self, found: &Found<'a>) -> impl Iterator<Item = &'a Application> {
        uninstalling(&self.scope.site, found.fleet, &self.addon, found.registered)
    }

    fn differences(&self, found: &Found<'_>) -> Vec<Change> {
        let uninstalling = self.uninstalling(found);
        let leaving = uninstalling.map(|each| difference(found.hub, each, &Objects::Go, &found.remains));
        let objects = found.remains.objects.iter();
        let objects = objects.filter(|object| found.fleet.application(&object.application).is_none());
        let objects = objects.map(|object| {
            let (subject, detail) = (
                object.object.to_string(),
                format!("{} left it behind in {}", object.application, self.cluster),
            );
            if object.held.is_some() {
                Change::wait(subject, detail)
            } else {
                Change::delete(subject).with_detail(detail).with_content(&object.object)
            }
        });
        leaving.chain(objects).collect()
    }

    fn work(&self, found: &Found<'_>) -> Work {
        let left = found.remains.objects.iter().filter(|object| object.held.is_none());
        let names: BTreeSet<_> = left.map(|object| object.application.as_str()).collect();
        let names = names.into_iter().filter(|name| found.fleet.application(name).is_none());
        Work {
            hub: found.hub.clone(),
            retire: self.uninstalling(found).cloned().collect(),
            uninstall: names.filter_map(|name| self.uninstaller(name, found)).collect(),
        }
    }

    /// An Application that does nothing but go. Its source is never read: it is not synced.
    fn uninstaller(&self, name: &str, found: &Found<'_>) -> Option<Object> {
        let mut sets = found.fleet.sets_of(&self.addon);
        let project = sets.find_map(|set| {
            let names = set.application_names(found.registered);
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
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, &format!("addon/{}/objects", self.addon))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    fn purpose(&self) -> &'static str {
        "nothing that the addon deployed is left"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let hub = Hub::of(&self.scope, facts).await?;
        let client = self.scope.client(&self.cluster, facts).await?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let Some(registered) = fleet.registered(&self.cluster) else { return Ok(Observed::default()) };
        let remains = self.remains(&hub, &client, &fleet, registered).await?;
        let found = Found { hub: &hub, fleet: &fleet, registered, remains };
        Ok(Observed::differs(self.differences(&found), self.work(&found)))
    }

    async fn apply(&self, work: Work, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        for application in &work.retire {
            retire(&work.hub, application, &Objects::Go, writer).await?;
        }
        for uninstaller in &work.uninstall {
            writer.perform(api::apply(&work.hub.client, &Kind::APPLICATION, uninstaller)).await?;
            writer.perform(work.hub.delete(&Kind::APPLICATION, uninstaller.name())).await?;
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}
