//! The provider `eks`: clusters of Amazon EKS, with the network and the roles that they need.
//!
//! Nothing is remembered on this machine: what is ours is told by its tags, and what it is called follows from the names
//! of site and cluster.

mod addons;
mod asked;
mod cluster;
mod control_plane;
mod entries;
mod issues;
mod network;
mod nodes;
mod preflight;
mod reach;
mod remove;
mod roles;
mod stack;

use std::sync::Arc;

use crate::engine::{BoxFuture, Tree};
use crate::provider::presence::Sighting;
use crate::provider::{Lifecycle, fingerprint};
use crate::site::EksNodes;
use crate::{par, seq};

use addons::{AskForAddons, AwaitAddons};
use control_plane::ControlPlane;
use entries::AccessEntries;
use network::MakeNetwork;
use nodes::{AwaitNodes, MakeNodeGroup};
use preflight::Preflight;
use reach::ReachApi;
use roles::Roles;

pub(super) use cluster::EksCluster;

impl Lifecycle for Arc<EksCluster> {
    /// A cluster's name is taken once in a region of an account.
    fn identity(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async {
            let (_, identity) = self.account().await.ok()?;
            Some(fingerprint(&format!("eks {} {} {}", identity.account, self.eks.region, self.id())))
        })
    }

    /// The credentials lead to the right account.
    fn preflight_access(&self) -> Tree {
        Preflight(Arc::clone(self)).into()
    }

    fn provision(&self) -> Tree {
        seq![
            par![MakeNetwork::new(self), Roles::new(self)],
            ControlPlane::new(self),
            AccessEntries::new(self),
            ReachApi(Arc::clone(self)),
        ]
    }

    /// Nodes join side by side, once the addons that they need have been asked for.
    fn ready(&self) -> Tree {
        let groups: &[_] = match &self.eks.nodes {
            EksNodes::Groups(groups) => groups,
            EksNodes::Auto => &[],
        };
        let groups = groups.iter().map(|group| MakeNodeGroup::new(self, group).into());
        seq![
            AskForAddons::new(self),
            Tree::Par(groups.collect()),
            par![AwaitNodes(Arc::clone(self)), AwaitAddons(Arc::clone(self))],
        ]
    }

    fn sight(&self) -> BoxFuture<'_, Sighting> {
        Box::pin(reach::sight(self))
    }

    fn remove(&self) -> Tree {
        remove::remove(self)
    }
}
