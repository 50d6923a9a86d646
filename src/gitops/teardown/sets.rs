//! The step that takes the ApplicationSets away, once nothing is left of what they made.

use super::ours::{Ours, Roots};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::Scope;
use crate::gitops::application_set::ApplicationSet;
use crate::gitops::fleet::Fleet;
use crate::gitops::hub::Hub;
use crate::k8s::Kind;
use crate::site::name::ClusterName;

/// The step `<hub>/gitops/sets`.
pub(super) struct Sets {
    pub(super) scope: Scope,
    pub(super) roots: Roots,
}

impl Sets {
    async fn look(&self, facts: &Facts) -> Result<Option<(Hub, Vec<ApplicationSet>)>, Stop> {
        let Some(hub) = Hub::standing(&self.scope, facts).await? else { return Ok(None) };
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let ours = Ours::of(&self.scope.site, &fleet, &self.roots);
        let sets = fleet.sets.iter().filter(|set| ours.has_set(set)).cloned().collect();
        Ok(Some((hub, sets)))
    }
}

fn difference(hub: &Hub, set: &ApplicationSet) -> Change {
    let subject = hub.subject(&Kind::APPLICATION_SET, set.name());
    match (set.metadata.deletion_timestamp.is_some(), finalizers(set)) {
        (false, _) => Change::delete(subject),
        // The controller that would take its finalizers off is paused.
        (true, finalizers) if !finalizers.is_empty() => {
            Change::update(subject, format!("take off {}", finalizers.join(", ")))
        }
        (true, _) => Change::wait(subject, "it is being deleted"),
    }
}

fn finalizers(set: &ApplicationSet) -> Vec<&str> {
    let finalizers = set.metadata.finalizers.iter().flatten().map(String::as_str);
    finalizers.filter(|name| name.contains("argocd.argoproj.io")).collect()
}

impl Step for Sets {
    type Work = (Hub, Vec<ApplicationSet>);

    fn id(&self) -> StepId {
        StepId::of(self.scope.hub(), "gitops/sets")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.scope.hub())
    }

    fn purpose(&self) -> &'static str {
        "the site's ApplicationSets are gone"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Self::Work>, Stop> {
        let Some((hub, sets)) = self.look(facts).await? else { return Ok(Observed::default()) };
        let changes = sets.iter().map(|set| difference(&hub, set)).collect();
        Ok(Observed::differs(changes, (hub, sets)))
    }

    async fn apply(&self, (hub, sets): Self::Work, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        for set in &sets {
            let ours = finalizers(set);
            if !ours.is_empty() {
                let all = set.metadata.finalizers.iter().flatten();
                let others: Vec<_> = all.filter(|name| !ours.contains(&name.as_str())).cloned().collect();
                writer.perform(hub.set_finalizers(&Kind::APPLICATION_SET, &set.metadata, &others)).await?;
            }
            if set.metadata.deletion_timestamp.is_none() {
                writer.perform(hub.delete_seen(&Kind::APPLICATION_SET, &set.metadata)).await?;
            }
        }
        Ok(())
    }
}
