//! The steps that take Applications away.

use std::time::Duration;

use super::ours::Ours;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::Scope;
use crate::gitops::application::Application;
use crate::gitops::fleet::{Fleet, is_marked};
use crate::gitops::hub::{Hub, Life, life};
use crate::gitops::overlooked::Overlooked;
use crate::gitops::retire::{Objects, difference, remains, retire};
use crate::gitops::tracking::Found as Remains;
use crate::site::name::ClusterName;

/// Which Applications a step takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Everything that is deployed to a spoke.
    Spoke,
    /// What the site's sets made for the hub, except what those sets came from.
    Hub,
    /// What the sets with the site's mark made, which the other sets came from.
    Roots,
}

/// The step `<cluster>/gitops/applications` of a teardown, or `<hub>/gitops/roots`.
pub(super) struct Applications {
    scope: Scope,
    cluster: ClusterName,
    which: Which,
}

/// What an observation found.
struct Found {
    hub: Hub,
    applications: Vec<Application>,
    objects: Objects,
    overlooked: Option<Overlooked>,
    differences: Vec<Change>,
}

impl Applications {
    pub(super) fn of_spoke(scope: &Scope, spoke: &ClusterName) -> Self {
        Self { scope: scope.clone(), cluster: spoke.clone(), which: Which::Spoke }
    }

    pub(super) fn of_hub(scope: &Scope) -> Self {
        Self { scope: scope.clone(), cluster: scope.hub().clone(), which: Which::Hub }
    }

    pub(super) fn roots(scope: &Scope) -> Self {
        Self { scope: scope.clone(), cluster: scope.hub().clone(), which: Which::Roots }
    }

    fn goes(&self, fleet: &Fleet, ours: &Ours, application: &Application) -> bool {
        let target = fleet.target(&application.spec.destination);
        let is_here = target.is_some_and(|target| target.cluster.as_ref() == Some(&self.cluster));
        let is_elsewhere =
            target.and_then(|target| target.cluster.as_ref()).is_some_and(|name| *name != self.cluster);
        match self.which {
            // A registration of ours ends, and with it whatever anybody deployed by it.
            Which::Spoke => is_here && (ours.has(application) || target.is_some_and(|target| target.ours)),
            Which::Hub => !is_elsewhere && ours.has(application) && !self.is_root(fleet, application),
            Which::Roots => !is_elsewhere && self.is_root(fleet, application),
        }
    }

    fn is_root(&self, fleet: &Fleet, application: &Application) -> bool {
        let mut sets = fleet.sets.iter().filter(|set| is_marked(&self.scope.site, &set.metadata));
        sets.any(|set| application.owner() == Some(set.name()))
    }

    async fn look(&self, facts: &Facts) -> Result<Option<Found>, Failure> {
        let Some(hub) = Hub::alive(&self.scope, facts).await? else { return Ok(None) };
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let ours = Ours::of(&self.scope.site, &fleet);
        let applications =
            fleet.applications.iter().filter(|application| self.goes(&fleet, &ours, application));
        let applications: Vec<_> = applications.cloned().collect();
        if applications.is_empty() {
            return Ok(None);
        }
        let (objects, left) = match life(&self.scope, facts, &self.cluster).await? {
            Life::Alive(client) => (Objects::Go, remains(&hub, &client, applications.iter()).await?),
            Life::Gone(how) | Life::Silent(how) => {
                (Objects::Stay(format!("without removing what it deployed: {how}")), Remains::default())
            }
        };
        let registered = fleet.registered(&self.cluster).filter(|_| objects == Objects::Go);
        let overlooked = registered
            .and_then(|registered| Overlooked::among(registered, applications.iter(), &left, fleet.now));
        let differences = applications.iter().map(|each| difference(&hub, each, &objects, &left));
        let differences = differences.chain(overlooked.iter().map(|each| each.change(&hub))).collect();
        Ok(Some(Found { hub, applications, objects, overlooked, differences }))
    }
}

impl Step for Applications {
    type Work = ();

    fn id(&self) -> StepId {
        let path = if self.which == Which::Roots { "gitops/roots" } else { "gitops/applications" };
        StepId::of(&self.cluster, path)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let found = self.look(facts).await?;
        Ok(Observed::differs(found.map(|found| found.differences).unwrap_or_default(), ()))
    }

    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let Some(found) = self.look(facts).await? else { return Ok(()) };
        for application in &found.applications {
            retire(&found.hub, application, &found.objects, writer).await?;
        }
        if let Some(overlooked) = &found.overlooked {
            overlooked.ask(&found.hub, writer).await?;
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}
