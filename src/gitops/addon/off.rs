//! The steps that prove an addon off on one cluster: its Applications are gone, and then what they left behind is.

use std::sync::Arc;
use std::time::Duration;

use super::Removal;
use super::leftover::Leftover;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::gitops::Scope;
use crate::gitops::application::termination;
use crate::gitops::expected::Expected;
use crate::gitops::fleet::{Fleet, Registered};
use crate::gitops::hub::Hub;
use crate::gitops::overlooked::Overlooked;
use crate::gitops::pause::resumed;
use crate::k8s::Kind;
use crate::seq;
use crate::site::Site;
use crate::site::name::{AddonName, ClusterName};

/// The steps `<cluster>/addon/<addon>/applications` and `<cluster>/addon/<addon>/objects`, after the cluster
/// Secrets' steps. `removals` is what the person was shown.
#[must_use]
pub fn off(
    site: &Arc<Site>,
    env: &Arc<Env>,
    addon: &AddonName,
    clusters: &[ClusterName],
    removals: &[Removal],
) -> Tree {
    let scope = Scope::new(site, env);
    let off = clusters.iter().map(|cluster| {
        let shown = removals.iter().filter(|removal| removal.cluster == *cluster);
        let shown = shown.map(|removal| removal.application.clone()).collect();
        seq![Gone::new(&scope, addon, cluster), Leftover::new(&scope, addon, cluster, shown)]
    });
    seq![resumed(site, env), Tree::Par(off.collect())]
}

/// The step that waits until the addon's Applications are gone.
pub(super) struct Gone {
    scope: Scope,
    addon: AddonName,
    cluster: ClusterName,
}

impl Gone {
    pub(super) fn new(scope: &Scope, addon: &AddonName, cluster: &ClusterName) -> Self {
        Self { scope: scope.clone(), addon: addon.clone(), cluster: cluster.clone() }
    }

    async fn overlooked(
        &self,
        facts: &Facts,
        hub: &Hub,
        fleet: &Fleet,
        registered: &Registered,
    ) -> Result<Option<Overlooked>, Stop> {
        let applications: Vec<_> = fleet.of_addon(&self.addon, registered).collect();
        let applications = applications.iter().copied();
        Overlooked::look(&self.scope, facts, hub, &self.cluster, registered, applications).await
    }
}

impl Step for Gone {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, &format!("addon/{}/applications", self.addon))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let hub = Hub::of(&self.scope, facts).await?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let Some(registered) = fleet.registered(&self.cluster) else { return Ok(Observed::default()) };
        let expected = Expected::new(&hub, &fleet);
        let overlooked = self.overlooked(facts, &hub, &fleet, registered).await?;
        let changes = fleet.of_addon(&self.addon, registered).map(|application| {
            if application.is_retrying() {
                let subject = hub.subject(&Kind::APPLICATION, application.name());
                return Change::update(subject, "end the sync that it is in the middle of");
            }
            expected.leaving(application, registered)
        });
        Ok(Observed::differs(changes.chain(overlooked.iter().map(|each| each.change(&hub))).collect(), ()))
    }

    /// Argo CD would finish a sync, and all its retries, before it deletes anything.
    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let hub = Hub::of(&self.scope, facts).await.map_err(Stop::into_failure)?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let Some(registered) = fleet.registered(&self.cluster) else { return Ok(()) };
        for application in fleet.of_addon(&self.addon, registered) {
            if let Some(status) = termination(application) {
                let patch = serde_json::json!({ "status": status });
                writer.perform(hub.change(&Kind::APPLICATION, application.name(), &patch)).await?;
            }
        }
        if let Some(overlooked) =
            self.overlooked(facts, &hub, &fleet, registered).await.map_err(Stop::into_failure)?
        {
            overlooked.ask(&hub, writer).await?;
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}
