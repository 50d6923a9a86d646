//! The steps that take Applications away.

use std::borrow::Cow;
use std::time::Duration;

use super::ours::{Ours, Roots};
use super::rank::Rank;
use crate::engine::facts::{Presence, WithoutApi};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::Scope;
use crate::gitops::application::Application;
use crate::gitops::fleet::Fleet;
use crate::gitops::hub::Hub;
use crate::gitops::overlooked::Overlooked;
use crate::gitops::retire::{Objects, difference, remains, retire};
use crate::gitops::tracking::Found as Remains;
use crate::k8s::{ApiError, Kind, api};
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

/// The steps `<cluster>/gitops/applications` and `<cluster>/gitops/controllers` of a teardown, or `<hub>/gitops/roots`.
pub(super) struct Applications {
    scope: Scope,
    cluster: ClusterName,
    which: Which,
    /// Which of them; `None`: all.
    rank: Option<Rank>,
    /// What they follow from.
    roots: Roots,
    /// Whether those of others go as well.
    others: bool,
}

/// Its Applications are kept: nobody knows what would be left behind.
#[derive(Debug, thiserror::Error)]
#[error("the cluster `{cluster}` cannot be reached: {cause}")]
struct Silent {
    cluster: ClusterName,
    cause: String,
}

/// What an observation found, which is what is done about it.
pub(super) struct Found {
    hub: Hub,
    applications: Vec<Application>,
    objects: Objects,
    overlooked: Option<Overlooked>,
    differences: Vec<Change>,
}

impl Applications {
    pub(super) fn of_spoke(scope: &Scope, spoke: &ClusterName, rank: Rank, others: bool) -> Self {
        let (scope, cluster) = (scope.clone(), spoke.clone());
        Self { scope, cluster, which: Which::Spoke, rank: Some(rank), roots: Roots::All, others }
    }

    pub(super) fn of_hub(scope: &Scope, rank: Rank, others: bool) -> Self {
        let (scope, cluster) = (scope.clone(), scope.hub().clone());
        Self { scope, cluster, which: Which::Hub, rank: Some(rank), roots: Roots::All, others }
    }

    pub(super) fn roots(scope: &Scope) -> Self {
        let (scope, cluster) = (scope.clone(), scope.hub().clone());
        Self { scope, cluster, which: Which::Roots, rank: None, roots: Roots::All, others: false }
    }

    /// Only those that follow from some of the sets.
    pub(super) fn only(self, roots: &Roots) -> Self {
        Self { roots: roots.clone(), ..self }
    }

    fn goes(&self, fleet: &Fleet, ours: &Ours, application: &Application) -> bool {
        if self.rank.is_some_and(|rank| rank != Rank::of(fleet, application)) {
            return false;
        }
        let target = fleet.target(&application.spec.destination);
        let cluster = target.and_then(|target| target.cluster.as_ref());
        let is_ours = ours.has(application);
        match self.which {
            Which::Spoke => {
                let ends = self.others && target.is_some_and(|target| target.ours);
                cluster == Some(&self.cluster) && (is_ours || ends)
            }
            // Argo CD lets one go whose cluster it does not know. What is for a cluster that it knows and no profile
            // names has been asked about.
            Which::Hub | Which::Roots => {
                let is_here = target.is_none() || fleet.is_for_the_hub(&self.scope.site, application);
                let is_elsewhere = cluster.is_some_and(|name| *name != self.cluster);
                let goes = is_ours && is_here || self.others && !is_elsewhere;
                goes && self.is_root(fleet, application) == (self.which == Which::Roots)
            }
        }
    }

    fn is_root(&self, fleet: &Fleet, application: &Application) -> bool {
        let set = application.owner().and_then(|owner| fleet.set(owner));
        set.is_some_and(|set| self.roots.has(&self.scope.site, set))
    }

    async fn look(&self, facts: &Facts) -> Result<Option<Found>, Stop> {
        let Some(hub) = Hub::standing(&self.scope, facts).await? else { return Ok(None) };
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let ours = Ours::of(&self.scope.site, &fleet, &self.roots);
        let all = self.applications(&hub, &fleet).await?;
        let applications = all.iter().filter(|application| self.goes(&fleet, &ours, application));
        let applications: Vec<_> = applications.cloned().collect();
        if applications.is_empty() {
            return Ok(None);
        }
        let objects = self.objects(facts)?;
        let left = match objects {
            Objects::Go if is_seen(facts, &self.cluster) => {
                let client = self.scope.client(&self.cluster, facts).await?;
                Some(remains(&hub, &client, applications.iter()).await?)
            }
            // Argo CD knows what is left, and this machine does not.
            Objects::Go | Objects::Stay(_) => None,
        };
        let overlooked = fleet.registered(&self.cluster).zip(left.as_ref());
        let overlooked = overlooked.and_then(|(registered, left)| {
            Overlooked::among(registered, applications.iter(), left, fleet.now)
        });
        let left: Remains = left.unwrap_or_default();
        let differences = applications.iter().map(|each| difference(&hub, each, &objects, &left));
        let differences = differences.chain(overlooked.iter().map(|each| each.change(&hub))).collect();
        Ok(Some(Found { hub, applications, objects, overlooked, differences }))
    }

    /// All that may go: those of others may be in other namespaces as well.
    async fn applications<'a>(
        &self,
        hub: &Hub,
        fleet: &'a Fleet,
    ) -> Result<Cow<'a, [Application]>, ApiError> {
        if self.others {
            return Ok(api::list_of(&hub.client, &Kind::APPLICATION, None, "").await?.into());
        }
        if self.which == Which::Spoke {
            let registered = fleet.registered(&self.cluster).into_iter();
            return Ok(registered.flat_map(|registered| fleet.on(registered)).cloned().collect());
        }
        Ok(fleet.applications.as_slice().into())
    }

    /// What becomes of what the Applications deployed. It stays only where that has been proven to make no difference,
    /// or where the person has said so; a cluster that merely does not answer never comes here.
    fn objects(&self, facts: &Facts) -> Result<Objects, Stop> {
        let cluster = &self.cluster;
        Ok(match facts.presence(cluster) {
            Some(Presence::Seen | Presence::ThroughArgoCd(_)) => Objects::Go,
            Some(Presence::Gone(proof)) => Objects::Stay(format!("{cluster} is gone: {proof}")),
            Some(Presence::Lost) => Objects::Stay(format!("{cluster} is taken for lost")),
            Some(Presence::Unreachable(why)) if why.provider == WithoutApi::DestroyAll => {
                Objects::Stay(format!("{cluster} is destroyed with everything in it"))
            }
            Some(Presence::Unreachable(why)) => {
                return Err(Silent { cluster: cluster.clone(), cause: why.cause.clone() }.into());
            }
            None => {
                return Err(Silent { cluster: cluster.clone(), cause: "nobody has looked".to_owned() }.into());
            }
        })
    }
}

fn is_seen(facts: &Facts, cluster: &ClusterName) -> bool {
    facts.presence(cluster) == Some(&Presence::Seen)
}

impl Step for Applications {
    type Work = Found;

    fn id(&self) -> StepId {
        let path = match (self.which, self.rank) {
            (Which::Roots, _) => "gitops/roots",
            (_, Some(Rank::Last)) => "gitops/controllers",
            _ => "gitops/applications",
        };
        StepId::of(&self.cluster, path)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    fn purpose(&self) -> &'static str {
        match self.which {
            Which::Spoke | Which::Hub => "its Applications are gone, with what they deployed",
            Which::Roots => "the Applications that the others came from are gone",
        }
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Found>, Stop> {
        let Some(mut found) = self.look(facts).await? else { return Ok(Observed::default()) };
        Ok(Observed::differs(std::mem::take(&mut found.differences), found))
    }

    async fn apply(&self, found: Found, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
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
