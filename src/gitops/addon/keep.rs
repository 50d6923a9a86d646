//! Switching an addon off while what it deployed keeps running.
//!
//! An ApplicationSet writes into its Applications that they go with their objects, and writes it again when it is
//! taken out. So the generator is paused, the Applications are told to leave their objects alone, the label is
//! switched, and the generator goes on: it finds the cluster not selected any more, and lets the Applications go.
//! Stopped anywhere in between, the next `up` makes the world as the profile then says; as long as the profile is
//! edited after the label was applied, no object is ever deleted.

use std::sync::Arc;

use super::off::Gone;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::gitops::Scope;
use crate::gitops::application::Application;
use crate::gitops::fleet::Fleet;
use crate::gitops::hub::Hub;
use crate::gitops::pause::{paused, resumed};
use crate::gitops::request::{Request, Requests};
use crate::k8s::Kind;
use crate::seq;
use crate::site::Site;
use crate::site::name::{AddonName, ClusterName};

/// Before the cluster Secrets' steps, and before the profile is edited: the addon's Applications on these clusters
/// will leave their objects alone.
#[must_use]
pub fn release(site: &Arc<Site>, env: &Arc<Env>, addon: &AddonName, clusters: &[ClusterName]) -> Tree {
    let scope = Scope::new(site, env);
    let (name, going) = (addon.clone(), clusters.to_vec());
    let is_needed =
        move |fleet: &Fleet| going.iter().any(|cluster| bound(fleet, &name, cluster).next().is_some());
    let released = clusters.iter().map(|cluster| {
        let (scope, addon) = (scope.clone(), addon.clone());
        Tree::from(Released { scope, addon, cluster: cluster.clone() })
    });
    seq![paused(&scope, is_needed), Tree::Par(released.collect())]
}

/// After the cluster Secrets' steps: the generator goes on, and the addon's Applications are gone.
#[must_use]
pub fn kept(site: &Arc<Site>, env: &Arc<Env>, addon: &AddonName, clusters: &[ClusterName]) -> Tree {
    let scope = Scope::new(site, env);
    let gone = clusters.iter().map(|cluster| Gone::new(&scope, addon, cluster).into());
    seq![resumed(site, env), Tree::Par(gone.collect())]
}

/// The addon's Applications on a cluster whose objects would go with them.
fn bound<'a>(
    fleet: &'a Fleet,
    addon: &'a AddonName,
    cluster: &ClusterName,
) -> impl Iterator<Item = &'a Application> {
    let registered = fleet.registered(cluster).into_iter();
    let applications = registered.flat_map(|registered| fleet.of_addon(addon, registered));
    applications.filter(|application| application.cascades())
}

/// The step `<cluster>/addon/<addon>/released`.
struct Released {
    scope: Scope,
    addon: AddonName,
    cluster: ClusterName,
}

impl Step for Released {
    type Work = Requests;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, &format!("addon/{}/released", self.addon))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    fn purpose(&self) -> &'static str {
        "the addon's Applications will leave their objects alone"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Requests>, Stop> {
        let hub = Hub::of(&self.scope, facts).await?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let (mut changes, mut work) = (Vec::new(), Requests::to(&hub));
        for application in bound(&fleet, &self.addon, &self.cluster) {
            let subject = hub.subject(&Kind::APPLICATION, application.name());
            let change = Change::update(subject, "leave its objects alone when it goes");
            changes.push(change.with_content(&"its objects stay"));
            work.push(Request::release(application));
        }
        Ok(Observed::differs(changes, work))
    }

    async fn apply(&self, work: Requests, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        Ok(work.carry_out(writer).await?)
    }
}
