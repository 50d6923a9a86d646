//! The step `<hub>/gitops/others`: nobody else uses what is about to go.

use std::fmt;

use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop};
use crate::gitops::Scope;
use crate::gitops::application::Application;
use crate::gitops::application_set::ApplicationSet;
use crate::gitops::fleet::{Fleet, Registered};
use crate::gitops::hub::Hub;
use crate::k8s::{ApiError, Kind, api, marked_by};
use crate::site::name::ClusterName;

use super::ours::{Ours, Roots};

/// What is about to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Going {
    /// The site with its hub.
    Hub,
    /// The site, and Argo CD on its hub as far as that is the site's.
    Site,
    /// Some spokes.
    Spokes(Vec<ClusterName>),
}

/// See the module. It comes before anything is changed, and once more before Argo CD's definitions go, with which
/// everything of their kinds goes.
pub(super) struct Others {
    pub(super) scope: Scope,
    pub(super) going: Going,
    pub(super) name: &'static str,
}

/// Somebody else would lose theirs.
#[derive(Debug, thiserror::Error)]
struct InUse {
    what: String,
    others: Vec<String>,
}

impl fmt::Display for InUse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} would go, but others use it: {}", self.what, self.others.join(", "))
    }
}

impl Others {
    async fn look(&self, facts: &Facts) -> Result<Vec<String>, Stop> {
        let Some(hub) = Hub::standing(&self.scope, facts).await? else { return Ok(Vec::new()) };
        let argocd_goes = self.argocd_goes(&hub).await?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let ours = Ours::of(&self.scope.site, &fleet, &Roots::All);
        // Those of other namespaces are deployed by the same Argo CD.
        let (sets, applications) = futures::try_join!(
            api::list_of::<ApplicationSet>(&hub.client, &Kind::APPLICATION_SET, None, ""),
            api::list_of::<Application>(&hub.client, &Kind::APPLICATION, None, ""),
        )?;
        let is_here = |namespace: Option<&str>| namespace == Some(hub.namespace());
        let applications = applications.iter().filter(|found| {
            let target = fleet.target(&found.spec.destination);
            let is_ours = is_here(found.metadata.namespace.as_deref()) && ours.has(found);
            (argocd_goes && (!is_ours || target.is_some_and(is_unnamed)))
                || (!is_ours && target.is_some_and(|target| self.ends(target)))
        });
        let applications = applications
            .map(|found| Kind::APPLICATION.subject(found.metadata.namespace.as_deref(), found.name()));
        let sets = sets
            .iter()
            .filter(|set| argocd_goes && !(is_here(set.metadata.namespace.as_deref()) && ours.has_set(set)));
        let sets =
            sets.map(|set| Kind::APPLICATION_SET.subject(set.metadata.namespace.as_deref(), set.name()));
        let clusters = fleet.registered.iter().filter(|cluster| argocd_goes && is_unnamed(cluster));
        let clusters = clusters.map(|cluster| {
            let secret = cluster.secret.as_deref().unwrap_or_default();
            format!("the cluster {} of no profile ({})", cluster.name, hub.subject(&Kind::SECRET, secret))
        });
        Ok(clusters.chain(sets).chain(applications).collect())
    }

    /// Whether Argo CD goes: with its hub, or because the site installed it.
    async fn argocd_goes(&self, hub: &Hub) -> Result<bool, ApiError> {
        match self.going {
            Going::Hub => Ok(true),
            Going::Spokes(_) => Ok(false),
            Going::Site => {
                let mark = marked_by(&self.scope.site.name);
                let marked = api::list(&hub.client, &Kind::CUSTOM_RESOURCE_DEFINITION, None, &mark).await?;
                Ok(!marked.is_empty())
            }
        }
    }

    /// Whether a registration ends: one of ours, of a spoke that goes.
    fn ends(&self, target: &Registered) -> bool {
        let Some(cluster) = target.cluster.as_ref().filter(|_| target.ours) else { return false };
        match &self.going {
            Going::Hub | Going::Site => cluster != self.scope.hub(),
            Going::Spokes(names) => names.contains(cluster),
        }
    }

    fn what(&self) -> String {
        let hub = self.scope.hub();
        match &self.going {
            Going::Hub | Going::Site => format!("Argo CD on `{hub}` is the site's and"),
            Going::Spokes(names) => {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("the registration of {}", names.join(", "))
            }
        }
    }
}

/// Whether somebody registered a cluster that the profile does not name, or does not name any more.
fn is_unnamed(cluster: &Registered) -> bool {
    cluster.cluster.is_none() && cluster.secret.is_some()
}

impl Step for Others {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(self.scope.hub(), self.name)
    }

    /// Whatever is selected, it is asked.
    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "nobody else would lose anything"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let others = self.look(facts).await?;
        if others.is_empty() {
            return Ok(Observed::default());
        }
        let hint = "delete them, or move them to another Argo CD, then run again; `up --prune` removes a \
                    cluster that is no longer in the profile; `--with-others` takes all of them away, with everything that they deployed";
        Err(Failure::from(InUse { what: self.what(), others }).with_hint(hint).into())
    }
}
