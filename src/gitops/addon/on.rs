//! The step that proves an addon on one cluster: its Applications are there and settled, and so are their objects.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::gitops::Scope;
use crate::gitops::application::{Application, Resource};
use crate::gitops::application_set::ADDON_LABEL_PREFIX;
use crate::gitops::expected::Expected;
use crate::gitops::fleet::{Fleet, Registered};
use crate::gitops::hub::Hub;
use crate::gitops::pause::resumed;
use crate::gitops::tracking::{Tracking, is_tracked};
use crate::seq;
use crate::site::Site;
use crate::site::name::{AddonName, ClusterName};

/// The steps `<cluster>/addon/<addon>`, after the cluster Secrets' steps: every set that the addon's label switches
/// has made its Application for the cluster, it is settled, and its objects are in the cluster.
#[must_use]
pub fn on(site: &Arc<Site>, env: &Arc<Env>, addon: &AddonName, clusters: &[ClusterName]) -> Tree {
    let scope = Scope::new(site, env);
    let on = clusters.iter().map(|cluster| {
        let (scope, addon) = (scope.clone(), addon.clone());
        On { scope, addon, cluster: cluster.clone() }.into()
    });
    seq![resumed(site, env), Tree::Par(on.collect())]
}

struct On {
    scope: Scope,
    addon: AddonName,
    cluster: ClusterName,
}

/// An addon's label does nothing.
#[derive(Debug, thiserror::Error)]
enum OnError {
    /// Nothing reads it.
    #[error("no ApplicationSet selects clusters by the label {ADDON_LABEL_PREFIX}{0}")]
    Unknown(AddonName),
    /// Something else is wanted too.
    #[error("the ApplicationSets of {addon} ({sets}) want more of {cluster} than its label")]
    NotSelected { addon: AddonName, sets: String, cluster: ClusterName },
    /// It has no cluster Secret.
    #[error("{0} is not registered in Argo CD")]
    NotRegistered(ClusterName),
}

impl On {
    async fn changes(&self, hub: &Hub, facts: &Facts) -> Result<Vec<Change>, Stop> {
        let fleet = Fleet::look(hub, &self.scope.site).await?;
        let Some(registered) = fleet.registered(&self.cluster) else {
            return Err(OnError::NotRegistered(self.cluster.clone()).into());
        };
        let expected = Expected::new(hub, &fleet).with_reasons(&self.scope, facts).await;
        let mut changes = self.of_sets(&fleet, &expected, registered)?;
        let applications: Vec<_> = fleet.of_addon(&self.addon, registered).collect();
        changes.extend(applications.iter().filter_map(|application| expected.of_application(application)));
        if changes.is_empty() {
            changes = self.missing_objects(hub, facts, &applications).await?;
        }
        Ok(changes)
    }

    fn of_sets(
        &self,
        fleet: &Fleet,
        expected: &Expected<'_>,
        registered: &Registered,
    ) -> Result<Vec<Change>, Failure> {
        let sets: Vec<_> = fleet.sets_of(&self.addon).collect();
        if sets.is_empty() {
            return self.is_unknown(fleet, expected);
        }
        let errors: Vec<_> = sets.iter().filter_map(|set| expected.of_set(set)).collect();
        let is_selected = sets.iter().any(|set| {
            let selection = set.selection(&fleet.registered);
            selection.is_none_or(|selection| selection.clusters.contains(&registered.name))
        });
        if errors.is_empty() && !is_selected {
            let (addon, cluster) = (self.addon.clone(), self.cluster.clone());
            let sets: Vec<_> = sets.iter().map(|set| set.name()).collect();
            let error = OnError::NotSelected { addon, cluster, sets: sets.join(", ") };
            return Err(Failure::from(error)
                .with_hint("compare the set's selectors with the labels of the cluster Secret"));
        }
        Ok(errors
            .into_iter()
            .chain(sets.iter().flat_map(|set| expected.of_cluster(set, registered)))
            .collect())
    }

    /// The set may be on its way from the repository.
    fn is_unknown(&self, fleet: &Fleet, expected: &Expected<'_>) -> Result<Vec<Change>, Failure> {
        let pending: Vec<_> = fleet
            .applications
            .iter()
            .filter_map(|application| expected.of_application(application))
            .collect();
        if pending.is_empty() {
            let hint = "add one to the repository that `repos.addons` names, or check the addon's name";
            return Err(Failure::from(OnError::Unknown(self.addon.clone())).with_hint(hint));
        }
        Ok(pending)
    }

    async fn missing_objects(
        &self,
        hub: &Hub,
        facts: &Facts,
        applications: &[&Application],
    ) -> Result<Vec<Change>, Stop> {
        let client = self.scope.client(&self.cluster, facts).await?;
        let names: BTreeSet<_> =
            applications.iter().map(|application| application.name().to_owned()).collect();
        let tracked = Tracking::of(hub).await?.objects(&client, &names).await?;
        let wanted = applications.iter().flat_map(|application| application.resources());
        let wanted = wanted.filter(|resource| is_tracked(&resource.kind)).map(Resource::object);
        let missing = wanted.filter(|object| !tracked.iter().any(|found| found.object == *object));
        Ok(missing
            .map(|object| Change::wait(object.to_string(), format!("it is not in {} yet", self.cluster)))
            .collect())
    }
}

impl Step for On {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, &format!("addon/{}", self.addon))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let hub = Hub::of(&self.scope, facts).await?;
        Ok(Observed::differs(self.changes(&hub, facts).await?, ()))
    }

    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let hub = Hub::of(&self.scope, facts).await.map_err(Stop::into_failure)?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let Some(registered) = fleet.registered(&self.cluster) else { return Ok(()) };
        Ok(Expected::new(&hub, &fleet).retry(fleet.of_addon(&self.addon, registered), writer).await?)
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}
