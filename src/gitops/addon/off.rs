//! The steps that prove an addon off on one cluster: its Applications are gone, and then what they left behind is.

use std::sync::Arc;
use std::time::Duration;

use super::Removal;
use super::leftover::Leftover;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::gitops::Scope;
use crate::gitops::application::{Application, Held};
use crate::gitops::application_set::ApplicationSet;
use crate::gitops::fleet::{Fleet, Registered};
use crate::gitops::hub::Hub;
use crate::gitops::overlooked::Overlooked;
use crate::gitops::pause::resumed;
use crate::gitops::progress::{Progress, Work};
use crate::gitops::request::Request;
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
    seq![resumed(site, env), gone(&Scope::new(site, env), addon, clusters, removals)]
}

/// The same with a generator that is at work.
pub(in crate::gitops) fn gone(
    scope: &Scope,
    addon: &AddonName,
    clusters: &[ClusterName],
    removals: &[Removal],
) -> Tree {
    let of_cluster = |cluster: &ClusterName| {
        let shown = removals.iter().filter(|removal| removal.cluster == *cluster);
        let shown = shown.map(|removal| removal.application.clone()).collect();
        seq![Gone::new(scope, addon, cluster), Leftover::new(scope, addon, cluster, shown)]
    };
    Tree::Par(clusters.iter().map(of_cluster).collect())
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

    /// What is left until every Application that the addon's sets made for the cluster is gone.
    fn collect(&self, progress: &mut Progress<'_>, hub: &Hub, fleet: &Fleet, registered: &Registered) {
        for expected in fleet.expected_of(&self.addon, registered) {
            for application in &expected.made {
                let subject = hub.subject(&Kind::APPLICATION, application.name());
                if !expected.set().deletes() && !application.is_deleting() {
                    progress.held(subject, kept(expected.set(), application));
                } else if application.is_retrying() {
                    // Argo CD would finish a sync, and all its retries, before it deletes anything.
                    let change = Change::ask(subject, "end the sync that it is in the middle of");
                    progress.ask(change, Request::termination(application));
                } else {
                    progress.leaving(application, registered);
                }
            }
        }
    }
}

/// Why an Application does not go although its set does not select the cluster any more.
fn kept(set: &ApplicationSet, application: &Application) -> Held {
    Held {
        reason: format!(
            "its ApplicationSet {} never deletes an Application (`applicationsSync`)",
            set.name()
        ),
        remedy: format!("argocd app delete {}", application.name()),
    }
}

impl Step for Gone {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, &format!("addon/{}/applications", self.addon))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    fn purpose(&self) -> &'static str {
        "the addon's Applications are gone"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let hub = Hub::of(&self.scope, facts).await?;
        let client = self.scope.client(&self.cluster, facts).await?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let Some(registered) = fleet.registered(&self.cluster) else { return Ok(Observed::default()) };
        let mut progress = Progress::new(&hub, &fleet);
        self.collect(&mut progress, &hub, &fleet, registered);
        let applications = fleet.of_addon(&self.addon, registered);
        if let Some(overlooked) = Overlooked::look(&hub, &client, &fleet, registered, applications).await? {
            progress.ask(overlooked.change(&hub), overlooked.requests());
        }
        Ok(progress.observed())
    }

    async fn apply(&self, work: Work, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.carry_out(writer).await
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}
