//! Everything in Argo CD's namespace that decides which Applications there are: one list call per kind, shared by all
//! steps that ask at the same time, and indexed once.

mod index;
mod registered;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub(super) use registered::Registered;

use super::application::{Application, Destination};
use super::application_set::{ApplicationSet, Selection};
use super::cluster_secret::{CLUSTER, HUB_SERVER, SECRET_TYPE};
use super::hub::Hub;
use super::project::Project;
use super::teardown;
use crate::env::Shared;
use crate::k8s::{ApiError, Kind, SITE_LABEL, api};
use crate::site::Site;
use crate::site::name::{AddonName, ClusterName};
use index::Index;

/// The clusters, ApplicationSets, Applications and projects of an Argo CD, as they were at one time.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    /// The clusters that Argo CD knows.
    pub(super) registered: Vec<Registered>,
    /// The ApplicationSets.
    pub(super) sets: Vec<ApplicationSet>,
    /// The Applications.
    pub(super) applications: Vec<Application>,
    /// When it was looked at, by the clock of the API server: the one that wrote the times in the objects.
    pub(super) now: Timestamp,
    projects: HashMap<String, Project>,
    index: Index,
    /// What of it is there because of the site.
    pub(super) ours: teardown::Known,
}

impl Fleet {
    /// Looks; a kind that the server does not know yet has no objects. Steps that ask at the same time share a look.
    pub(super) async fn look(hub: &Hub, site: &Arc<Site>) -> Shared<Self, ApiError> {
        hub.looks().share(&subject(site), async || Self::fetch(hub, site).await).await
    }

    /// The same for who looks for the first time: a look that this run has changed nothing since is as good as a new one.
    pub(super) async fn recent(hub: &Hub, site: &Arc<Site>) -> Shared<Self, ApiError> {
        hub.looks().recent(&subject(site), async || Self::fetch(hub, site).await).await
    }

    async fn fetch(hub: &Hub, site: &Site) -> Result<Self, ApiError> {
        let Hub { client, .. } = hub;
        let (namespace, labels) = (Some(hub.namespace()), format!("{SECRET_TYPE}={CLUSTER}"));
        let (secrets, sets, applications, projects, now): (_, _, _, Vec<Project>, _) = futures::try_join!(
            api::list_of::<Secret>(client, &Kind::SECRET, namespace, &labels),
            api::list_of(client, &Kind::APPLICATION_SET, namespace, ""),
            api::list_of(client, &Kind::APPLICATION, namespace, ""),
            api::list_of(client, &Kind::APP_PROJECT, namespace, ""),
            api::time(client),
        )?;
        let projects = projects.into_iter().map(|project| (project.name().to_owned(), project)).collect();
        Ok(Self { now, projects, ..Self::of(registered::registered(site, secrets), sets, applications) })
    }

    /// A fleet of these objects.
    pub(super) fn of(
        registered: Vec<Registered>,
        sets: Vec<ApplicationSet>,
        mut applications: Vec<Application>,
    ) -> Self {
        // Nobody asks who wrote which of their fields, which is most of an Application.
        for application in &mut applications {
            application.metadata.managed_fields = None;
        }
        let index = Index::of(&registered, &sets, &applications);
        let now = Timestamp::now();
        Self { registered, sets, applications, now, index, ..Self::default() }
    }

    /// The cluster that a destination means.
    pub(super) fn target(&self, destination: &Destination) -> Option<&Registered> {
        self.index.target(destination).map(|at| &self.registered[at])
    }

    /// Whether an Application goes to the hub itself.
    pub(super) fn is_for_the_hub(&self, site: &Site, application: &Application) -> bool {
        let target = self.target(&application.spec.destination);
        target.is_some_and(|target| {
            target.server == HUB_SERVER || target.cluster.as_ref() == Some(&site.hub.name)
        })
    }

    /// How Argo CD knows a cluster of the site.
    pub(super) fn registered(&self, cluster: &ClusterName) -> Option<&Registered> {
        self.index.cluster(cluster).map(|at| &self.registered[at])
    }

    /// The clusters of the site that Argo CD knows.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Registered> {
        self.registered.iter().filter(|registered| registered.cluster.is_some())
    }

    /// The Applications that go to a cluster, whoever made them.
    pub(super) fn on(&self, cluster: &Registered) -> impl Iterator<Item = &Application> + Clone {
        self.index.on(cluster).iter().map(|at| &self.applications[*at])
    }

    /// The Applications that a set made for a cluster.
    pub(super) fn made_for(
        &self,
        set: &ApplicationSet,
        cluster: &Registered,
    ) -> impl Iterator<Item = &Application> + Clone {
        self.index.made(set, cluster).iter().map(|at| &self.applications[*at])
    }

    /// The clusters that a set selects; `None` where that is not for the clusters' labels to say.
    pub(super) fn selection(&self, set: &ApplicationSet) -> Option<&Selection> {
        self.index.selection(set)
    }

    /// The sets that select clusters by an addon's label.
    pub(super) fn sets_of(&self, addon: &AddonName) -> impl Iterator<Item = &ApplicationSet> + Clone {
        self.index.sets_of(addon).iter().map(|at| &self.sets[*at])
    }

    /// The Applications that an addon's sets made for a cluster.
    pub(super) fn of_addon<'a>(
        &'a self,
        addon: &AddonName,
        cluster: &'a Registered,
    ) -> impl Iterator<Item = &'a Application> + Clone {
        self.sets_of(addon).flat_map(|set| self.made_for(set, cluster))
    }

    /// The set of a name.
    pub(super) fn set(&self, name: &str) -> Option<&ApplicationSet> {
        self.index.set(name).map(|at| &self.sets[at])
    }

    /// The Application of a name.
    pub(super) fn application(&self, name: &str) -> Option<&Application> {
        self.index.application(name).map(|at| &self.applications[at])
    }

    /// The project of an Application.
    pub(super) fn project(&self, application: &Application) -> Option<&Project> {
        self.projects.get(&application.spec.project)
    }
}

/// The address of a site tells it from an edited one of the same name. It stays the same for as long as a run goes on.
fn subject(site: &Arc<Site>) -> String {
    format!("fleet of {} at {:p}", site.name, Arc::as_ptr(site))
}

/// Whether an object of the hub carries the site's mark.
pub(super) fn is_marked(site: &Site, metadata: &ObjectMeta) -> bool {
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(SITE_LABEL));
    label.is_some_and(|value| value == site.name.as_str())
}

#[cfg(test)]
pub(super) mod tests;
