//! Step `<hub>/gitops/applications`: every ApplicationSet has made the Applications that it should, and every
//! Application is as its own policy wants it.

use std::sync::Arc;
use std::time::Duration;

use super::Scope;
use super::application::Application;
use super::application_set::ApplicationSet;
use super::expected::Expected;
use super::fleet::Fleet;
use super::hub::Hub;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::k8s::Kind;
use crate::site::Site;
use crate::site::name::ClusterName;

/// The repositories whose content Argo CD starts from, and the ApplicationSets that do it.
const BOOTSTRAP: [(&str, &str); 2] = [("addons", "addons"), ("workload", "workloads")];

/// The step.
pub fn settled(site: &Arc<Site>, env: &Arc<Env>) -> impl Step + use<> {
    Settled(Scope::new(site, env))
}

struct Settled(Scope);

impl Settled {
    fn differences(&self, hub: &Hub, fleet: &Fleet, expected: &Expected<'_>) -> Vec<Change> {
        let missing = self.missing_sets(fleet);
        let missing =
            missing.map(|name| Change::wait(hub.subject(&Kind::APPLICATION_SET, name), "it is not there"));
        let sets = fleet.sets.iter().filter(|set| concerns_us(fleet, set));
        let sets = sets.flat_map(|set| match expected.of_set(set) {
            Some(change) => vec![change],
            None => fleet.ours().flat_map(|cluster| expected.of_cluster(set, cluster)).collect(),
        });
        let applications = generated(fleet).filter_map(|application| expected.of_application(application));
        missing.chain(sets).chain(applications).collect()
    }

    fn missing_sets(&self, fleet: &Fleet) -> impl Iterator<Item = &'static str> {
        let names = &self.0.site.repositories;
        let is_named = |repository: &str| names.keys().any(|name| name.as_str() == repository);
        let wanted = BOOTSTRAP.into_iter().filter(move |(repository, _)| is_named(repository));
        wanted.map(|(_, set)| set).filter(|name| !fleet.sets.iter().any(|set| set.name() == *name))
    }
}

/// The Applications that an ApplicationSet made for a cluster of the site.
fn generated(fleet: &Fleet) -> impl Iterator<Item = &Application> {
    let made = fleet.applications.iter().filter(|application| application.owner().is_some());
    made.filter(|application| fleet.cluster_of(application).is_some())
}

/// Other people's sets are no business of ours, as long as they do nothing for our clusters.
fn concerns_us(fleet: &Fleet, set: &ApplicationSet) -> bool {
    let selection = set.selection(&fleet.registered);
    let selects = |cluster: &str| selection.as_ref().is_some_and(|found| found.clusters.contains(cluster));
    fleet.ours().any(|cluster| selects(&cluster.name) || fleet.made_for(set, cluster).next().is_some())
}

impl Step for Settled {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(self.0.hub(), "gitops/applications")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.0.hub())
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let hub = Hub::of(&self.0, facts).await?;
        let fleet = Fleet::look(&hub, &self.0.site).await?;
        let expected = Expected::new(&hub, &fleet).with_reasons(&self.0, facts).await;
        Ok(Observed::differs(self.differences(&hub, &fleet, &expected), ()))
    }

    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let hub = Hub::of(&self.0, facts).await.map_err(Stop::into_failure)?;
        let fleet = Fleet::look(&hub, &self.0.site).await?;
        Ok(Expected::new(&hub, &fleet).retry(generated(&fleet), writer).await?)
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}
