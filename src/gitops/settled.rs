//! Steps that wait until ApplicationSets have made the Applications that they should, and these are synced and healthy.
//!
//! A cluster has a step of its own: its trouble is nobody else's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Scope;
use super::application::Application;
use super::fleet::{Fleet, is_marked};
use super::hub::Hub;
use super::overlooked::Overlooked;
use super::progress::{Progress, Work};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::k8s::Kind;
use crate::site::Site;
use crate::site::name::ClusterName;

/// The repositories whose content Argo CD starts from, and the ApplicationSets that do it.
const BOOTSTRAP: [(&str, &str); 2] = [("addons", "addons"), ("workload", "workloads")];
/// How long Argo CD may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// The step `<hub>/gitops/generators`: the bootstrap sets are there, what they deploy to the hub is known, and no set
/// that concerns a cluster of the site reports an error.
pub fn sets(site: &Arc<Site>, env: &Arc<Env>) -> impl Step + use<> {
    Sets(Scope::new(site, env))
}

/// The step `<cluster>/gitops/applications`: what the sets should have made on the cluster is there, synced and
/// healthy. A cluster that nobody knows how to reach is not looked at: the step that should have found that out says
/// so.
pub fn applications(site: &Arc<Site>, env: &Arc<Env>, cluster: &ClusterName) -> impl Step + use<> {
    Applications {
        scope: Scope::new(site, env),
        cluster: cluster.clone(),
        has_looked: AtomicBool::new(false),
    }
}

struct Sets(Scope);

struct Applications {
    scope: Scope,
    cluster: ClusterName,
    /// Whether it has looked before: what it waits for is only seen by looking again.
    has_looked: AtomicBool,
}

impl Sets {
    fn missing(&self, fleet: &Fleet) -> impl Iterator<Item = &'static str> {
        let names = &self.0.site.repositories;
        let is_named = |repository: &str| names.keys().any(|name| name.as_str() == repository);
        let wanted = BOOTSTRAP.into_iter().filter(move |(repository, _)| is_named(repository));
        wanted.map(|(_, set)| set).filter(|name| fleet.set(name).is_none())
    }
}

/// The Applications on the hub that sets come from, as far as Argo CD is still at them: more sets may come, for any
/// cluster. Those of the site's own sets are among them before it is known what they deploy.
fn sources<'a>(fleet: &'a Fleet, site: &Site) -> impl Iterator<Item = &'a Application> {
    let hub = fleet.registered(&site.hub.name).into_iter();
    let is_ours = |owner| fleet.set(owner).is_some_and(|set| is_marked(site, &set.metadata));
    let sources = hub.flat_map(|hub| fleet.on(hub)).filter(move |application| {
        application.owner().is_some_and(|owner| is_ours(owner) || application.deploys_generators())
    });
    sources.filter(|source| fleet.is_under_way(source))
}

/// Waits for Applications that sets come from.
fn wait_for<'a>(progress: &mut Progress<'_>, hub: &Hub, sources: impl Iterator<Item = &'a Application>) {
    for source in sources {
        let subject = hub.subject(&Kind::APPLICATION, source.name());
        let reason = source.reason().unwrap_or_else(|| "Argo CD is still at it".to_owned());
        progress.push(Change::wait(subject, format!("more sets may come from it: {reason}")));
    }
}

impl Step for Sets {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(self.0.hub(), "gitops/generators")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.0.hub())
    }

    fn purpose(&self) -> &'static str {
        "every ApplicationSet has generated without an error"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let hub = Hub::of(&self.0, facts).await?;
        let fleet = Fleet::look(&hub, &self.0.site).await?;
        let mut progress = Progress::new(&hub, &fleet);
        for name in self.missing(&fleet) {
            progress.push(Change::wait(hub.subject(&Kind::APPLICATION_SET, name), "it is not there"));
        }
        // The hub's own Applications are looked at only after this.
        let (stuck, under_way): (Vec<_>, Vec<_>) =
            sources(&fleet, &self.0.site).partition(|source| fleet.is_stuck(source));
        progress.applications(stuck, None).await;
        wait_for(&mut progress, &hub, under_way.into_iter());
        // Other people's sets are no business of ours, as long as they do nothing for our clusters.
        let concerning =
            fleet.sets.iter().filter(|set| fleet.ours().any(|each| fleet.expected(set, each).is_concerned()));
        concerning.for_each(|set| progress.set(set));
        Ok(progress.observed())
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

impl Step for Applications {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, "gitops/applications")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    fn purpose(&self) -> &'static str {
        "its Applications are there, synced and healthy"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let hub = Hub::of(&self.scope, facts).await?;
        let Ok(client) = self.scope.client(&self.cluster, facts).await else {
            return Ok(Observed::default());
        };
        let fleet = if self.has_looked.swap(true, Ordering::Relaxed) {
            Fleet::look(&hub, &self.scope.site).await?
        } else {
            Fleet::recent(&hub, &self.scope.site).await?
        };
        let mut progress = Progress::new(&hub, &fleet);
        let Some(registered) = fleet.registered(&self.cluster) else { return Ok(progress.observed()) };
        if self.cluster != *self.scope.hub() {
            wait_for(&mut progress, &hub, sources(&fleet, &self.scope.site));
        }
        for set in fleet.sets.iter().filter(|set| set.error().is_none() && set.is_seen()) {
            progress.expected(&fleet.expected(set, registered), registered);
        }
        let generated = fleet.on(registered).filter(|application| application.owner().is_some());
        progress.applications(generated.clone().collect(), Some(&client)).await;
        // One that is on its way out has to go before it can be made again.
        if let Some(overlooked) = Overlooked::look(&hub, &client, &fleet, registered, generated).await? {
            progress.ask(overlooked.change(&hub), overlooked.requests());
        }
        Ok(progress.observed())
    }

    async fn apply(&self, work: Work, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.carry_out(writer).await
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}
