//! Step `<hub>/gitops/applications`: every ApplicationSet has made the Applications that it should, and every
//! Application is as its own policy wants it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Scope;
use super::application::{Application, REFRESH, Retry, Standing};
use super::application_set::ApplicationSet;
use super::fleet::Fleet;
use super::hub::Hub;
use crate::engine::{BoxFuture, Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
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

impl Step for Settled {
    fn id(&self) -> StepId {
        StepId::of(self.0.hub(), "gitops/applications")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.0.hub())
    }

    fn observe<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        Box::pin(async move {
            let hub = Hub::of(&self.0, facts).await?;
            let fleet = Fleet::look(&hub, &self.0.site).await?;
            let world = World { site: &self.0.site, hub: &hub, fleet: &fleet };
            Ok(Observed::differs(world.differences(Timestamp::now())))
        })
    }

    /// Asks once more for what Argo CD has given up on.
    fn apply<'a>(&'a self, facts: &'a Facts, writer: &'a Writer) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let hub = Hub::of(&self.0, facts).await.map_err(Stop::into_failure)?;
            let fleet = Fleet::look(&hub, &self.0.site).await?;
            for application in generated(&fleet) {
                if let Standing::Stuck(_, retry) = application.standing(Timestamp::now()) {
                    let patch = again(application, retry);
                    writer.perform(hub.change(&Kind::APPLICATION, application.name(), &patch)).await?;
                }
            }
            Ok(())
        })
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}

fn again(application: &Application, retry: Retry) -> Value {
    match retry {
        Retry::Comparison => json!({"metadata": {"annotations": {REFRESH: "hard"}}}),
        Retry::Sync => json!({"operation": {
            "initiatedBy": {"username": crate::k8s::FIELD_MANAGER},
            "sync": {"prune": application.prunes(), "syncOptions": application.sync_options()},
        }}),
    }
}

/// The Applications that an ApplicationSet made for a cluster of the site.
fn generated(fleet: &Fleet) -> impl Iterator<Item = &Application> {
    let ours =
        |application: &&Application| application.owner().is_some() && fleet.cluster_of(application).is_some();
    fleet.applications.iter().filter(ours)
}

/// What an observation looks at.
struct World<'a> {
    site: &'a Site,
    hub: &'a Hub,
    fleet: &'a Fleet,
}

impl World<'_> {
    fn differences(&self, now: Timestamp) -> Vec<Change> {
        let missing = self
            .missing_sets()
            .map(|name| Change::wait(self.hub.subject(&Kind::APPLICATION_SET, name), "it is not there"));
        let sets =
            self.fleet.sets.iter().filter(|set| self.concerns_us(set)).flat_map(|set| self.of_set(set));
        let applications =
            generated(self.fleet).filter_map(|application| self.of_application(application, now));
        missing.chain(sets).chain(applications).collect()
    }

    fn missing_sets(&self) -> impl Iterator<Item = &'static str> {
        let wanted = BOOTSTRAP
            .into_iter()
            .filter(|(repository, _)| self.site.repositories.keys().any(|name| name.as_str() == *repository));
        wanted.map(|(_, set)| set).filter(|name| !self.fleet.sets.iter().any(|set| set.name() == *name))
    }

    /// Other people's sets are no business of ours, as long as they do not select our clusters.
    fn concerns_us(&self, set: &ApplicationSet) -> bool {
        let selects = set.selection(&self.fleet.registered).is_some_and(|selection| {
            let mut selected = self.fleet.registered.iter().filter(|registered| registered.cluster.is_some());
            selected.any(|registered| selection.clusters.contains(&registered.name))
        });
        selects || self.fleet.made_by(set).any(|application| self.fleet.cluster_of(application).is_some())
    }

    fn of_set(&self, set: &ApplicationSet) -> Vec<Change> {
        let subject = self.hub.subject(&Kind::APPLICATION_SET, set.name());
        if let Some(error) = set.error() {
            return vec![Change::wait(subject, error)];
        }
        if !set.is_seen() {
            return vec![Change::wait(subject, "its controller has not looked at it yet")];
        }
        let Some(selection) = set.selection(&self.fleet.registered) else { return Vec::new() };
        let registered = self.fleet.registered.iter().filter(|registered| registered.cluster.is_some());
        let differences = registered.flat_map(|registered| {
            let mine = self.fleet.made_by(set).filter(|application| {
                self.fleet.target(&application.spec.destination).is_some_and(|target| target == registered)
            });
            let mine: Vec<_> = mine.collect();
            match selection.clusters.contains(&registered.name) {
                true if mine.is_empty() && selection.exact => {
                    vec![Change::wait(&subject, format!("it has no Application for {} yet", registered.name))]
                }
                false if set.deletes() => {
                    mine.iter().map(|application| self.leaving(application, &registered.name)).collect()
                }
                _ => Vec::new(),
            }
        });
        differences.collect()
    }

    fn leaving(&self, application: &Application, cluster: &str) -> Change {
        let subject = self.hub.subject(&Kind::APPLICATION, application.name());
        let reason = application.reason().filter(|_| application.is_deleting());
        Change::wait(
            subject,
            reason.unwrap_or_else(|| format!("{cluster} is not selected any more, so it goes")),
        )
    }

    fn of_application(&self, application: &Application, now: Timestamp) -> Option<Change> {
        let subject = self.hub.subject(&Kind::APPLICATION, application.name());
        match application.standing(now) {
            Standing::Waiting(reason) => Some(Change::wait(subject, reason)),
            Standing::Stuck(reason, Retry::Comparison) => {
                Some(Change::update(subject, format!("compare again: {reason}")))
            }
            Standing::Stuck(reason, Retry::Sync) => {
                Some(Change::update(subject, format!("sync again: {reason}")))
            }
            Standing::Settled => None,
        }
    }
}
