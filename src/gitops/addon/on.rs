//! The step that proves an addon on one cluster: its Applications are there and settled, and so are their objects.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::gitops::Scope;
use crate::gitops::application::{Application, Resource};
use crate::gitops::application_set::ADDON_LABEL_PREFIX;
use crate::gitops::expected::{Expected, Wanted};
use crate::gitops::fleet::Fleet;
use crate::gitops::hub::Hub;
use crate::gitops::pause::resumed;
use crate::gitops::progress::{Progress, Work};
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
    #[error("the ApplicationSets of {addon} ({sets}) also require other labels on {cluster}")]
    NotSelected { addon: AddonName, sets: String, cluster: ClusterName },
    /// It has no cluster Secret.
    #[error("{0} is not registered in Argo CD")]
    NotRegistered(ClusterName),
}

impl On {
    async fn collect(
        &self,
        progress: &mut Progress<'_>,
        hub: &Hub,
        facts: &Facts,
        fleet: &Fleet,
    ) -> Result<(), Stop> {
        let Some(registered) = fleet.registered(&self.cluster) else {
            return Err(OnError::NotRegistered(self.cluster.clone()).into());
        };
        let client = self.scope.client(&self.cluster, facts).await?;
        let expected: Vec<_> = fleet.expected_of(&self.addon, registered).collect();
        if expected.is_empty() {
            return Ok(self.unknown(progress, fleet).await?);
        }
        for expected in &expected {
            progress.set(expected.set());
        }
        if progress.is_empty() {
            self.check_selected(&expected)?;
        }
        for expected in &expected {
            progress.expected(expected, registered);
        }
        let applications: Vec<_> = fleet.of_addon(&self.addon, registered).collect();
        progress.applications(applications.clone(), Some(&client)).await;
        if progress.is_empty() {
            self.missing_objects(progress, hub, &client, &applications).await?;
        }
        Ok(())
    }

    fn check_selected(&self, expected: &[Expected<'_>]) -> Result<(), Failure> {
        if expected.iter().any(|expected| expected.wanted != Wanted::No) {
            return Ok(());
        }
        let sets: Vec<_> = expected.iter().map(|expected| expected.set().name()).collect();
        let (addon, cluster) = (self.addon.clone(), self.cluster.clone());
        let error = OnError::NotSelected { addon, cluster, sets: sets.join(", ") };
        Err(Failure::from(error)
            .with_hint("compare the set's selectors with the labels of the cluster Secret"))
    }

    /// The set may be on its way from the repository.
    async fn unknown(&self, progress: &mut Progress<'_>, fleet: &Fleet) -> Result<(), Failure> {
        let hub = fleet.registered(self.scope.hub()).into_iter();
        let sources = hub.flat_map(|hub| fleet.on(hub));
        let pending = sources.filter(|source| source.owner().is_some() && fleet.is_under_way(source));
        progress.applications(pending.collect(), None).await;
        if progress.is_empty() {
            let hint = "add one to the repository that `repos.addons` names, or check the addon's name";
            return Err(Failure::from(OnError::Unknown(self.addon.clone())).with_hint(hint));
        }
        Ok(())
    }

    async fn missing_objects(
        &self,
        progress: &mut Progress<'_>,
        hub: &Hub,
        client: &Client,
        applications: &[&Application],
    ) -> Result<(), Stop> {
        let names = applications.iter().map(|application| application.name().to_owned()).collect();
        let found = Tracking::of(hub).await?.objects(client, &names).await?;
        let there: BTreeSet<_> = found.objects.iter().map(|found| &found.object).collect();
        let wanted = applications.iter().flat_map(|application| application.resources());
        let wanted = wanted.filter(|resource| is_tracked(&resource.kind)).map(Resource::object);
        for missing in wanted.filter(|object| !there.contains(object) && !found.is_unlisted(object)) {
            let detail = format!("it is not in {} yet", self.cluster);
            progress.push(Change::wait(missing.to_string(), detail));
        }
        Ok(())
    }
}

impl Step for On {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, &format!("addon/{}", self.addon))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    fn purpose(&self) -> &'static str {
        "the addon's Applications are synced and healthy, and their objects are there"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let hub = Hub::of(&self.scope, facts).await?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let mut progress = Progress::new(&hub, &fleet);
        self.collect(&mut progress, &hub, facts, &fleet).await?;
        Ok(progress.observed())
    }

    async fn apply(&self, work: Work, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.carry_out(writer).await
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}
