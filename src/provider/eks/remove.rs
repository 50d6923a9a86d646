//! Taking a cluster of EKS away, and the proof that nothing of it is left in the account.
//!
//! The order is AWS's: nodes before the control plane that they belong to, the control plane before the network that it
//! is in, and the roles last, because all of the others act as them.

mod audit;
mod network;
mod nodes;
mod plane;
mod roles;

use std::sync::Arc;

use super::cluster::EksCluster;
use crate::engine::Tree;
use crate::seq;

/// The steps `<cluster>/remove/..`.
pub(super) fn remove(cluster: &Arc<EksCluster>) -> Tree {
    seq![
        nodes::RemoveNodes(Arc::clone(cluster)),
        plane::RemoveControlPlane(Arc::clone(cluster)),
        network::RemoveNetwork::new(cluster),
        roles::RemoveRoles(Arc::clone(cluster)),
        audit::Audit(Arc::clone(cluster)),
    ]
}
