//! Hosts with the site's mark that its profile does not name any more. Only those of the inventory can be asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::core::v1;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::mark::Mark;
use super::remove::Uninstall;
use super::{K3sCluster, Member, Role};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::k8s::{ApiError, Kind, Object, api};
use crate::seq;
use crate::site::inventory::Host;
use crate::site::name::{ClusterName, HostName};
use crate::site::{K3S_RELEASES, K3S_VERSION, K3s, K3sRelease, Site};

/// The hosts of a cluster that left the profile; `None` if none of the free ones is a server of it.
pub(in crate::provider) async fn departed_cluster(
    site: &Arc<Site>,
    env: &Arc<Env>,
    name: &ClusterName,
    free: &[Host],
) -> Option<K3s> {
    let k3s = K3s {
        servers: Vec::new(),
        agents: Vec::new(),
        release: K3sRelease::Version(K3S_VERSION.to_owned()),
        config: serde_json::Map::new(),
        mirror: K3S_RELEASES.to_owned(),
        sha256: Vec::new(),
        images: false,
    };
    let cluster = K3sCluster { site: Arc::clone(site), name: name.clone(), k3s, env: Arc::clone(env) };
    let mut k3s = cluster.k3s.clone();
    for (host, mark) in marked(&cluster, free).await {
        match mark.role {
            Role::Server => k3s.servers.push(host),
            Role::Agent => k3s.agents.push(host),
        }
    }
    (!k3s.servers.is_empty()).then_some(k3s)
}

/// The hosts that have been taken out of a cluster's `agents` and are its agents all the same. The free ones are asked
/// only where the cluster has a node that is no host of the profile.
pub(super) async fn agents(
    cluster: &Arc<K3sCluster>,
    free: &[Host],
    facts: &Facts,
) -> Result<Vec<HostName>, Failure> {
    let Ok(access) = facts.access(&cluster.name) else { return Ok(Vec::new()) };
    let client = cluster.env.clients.get(access).await?;
    let nodes = Api::<v1::Node>::all(client).list_metadata(&ListParams::default()).await;
    let nodes = nodes.map_err(|error| ApiError::of("list the nodes of", cluster.name.as_str(), error))?;
    let mut unnamed: BTreeSet<_> = nodes.iter().map(ResourceExt::name_any).collect();
    for member in cluster.members() {
        // A host that does not answer has been told of, and may be the one.
        let Ok(look) = member.host_look(false).await else { return Ok(Vec::new()) };
        unnamed.remove(&member.node_name(&look));
    }
    if unnamed.is_empty() {
        return Ok(Vec::new());
    }
    let marked = marked(cluster, free).await.into_iter();
    Ok(marked.filter(|(_, mark)| mark.role == Role::Agent).map(|(host, _)| host.name).collect())
}

/// Takes an agent that left the profile out of its cluster.
pub(super) fn remove_agent(cluster: &K3sCluster, host: &Host) -> Tree {
    let agents = with_agents(cluster, std::slice::from_ref(host)).agents();
    Tree::Seq(agents.iter().map(|agent| seq![Uninstall::new(agent), RemoveNode(agent.clone())]).collect())
}

/// The hosts that have a cluster's mark.
async fn marked(cluster: &K3sCluster, free: &[Host]) -> Vec<(Host, Mark)> {
    let hub = cluster.hub().await;
    let looks = with_agents(cluster, free).agents().into_iter().map(async |member| {
        let marks = member.host_look(false).await.ok()?.marks;
        let mark = marks.into_iter().find(|mark| {
            mark.is_of(&cluster.site.name, &cluster.name) && !mark.is_of_another_hub(hub.as_deref())
        })?;
        Some((member.host, mark))
    });
    join_all(looks).await.into_iter().flatten().collect()
}

/// The cluster with these agents only.
fn with_agents(cluster: &K3sCluster, agents: &[Host]) -> Arc<K3sCluster> {
    let K3sCluster { site, name, k3s, env } = cluster;
    let k3s = K3s { agents: agents.to_vec(), ..k3s.clone() };
    Arc::new(K3sCluster { site: Arc::clone(site), name: name.clone(), k3s, env: Arc::clone(env) })
}

/// The step `<cluster>/remove/<host>/node`: the cluster has no node of the host any more.
struct RemoveNode(Member);

impl Step for RemoveNode {
    type Work = (kube::Client, Object);

    fn id(&self) -> StepId {
        self.0.step("remove", "node")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the host's node is gone from the cluster"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Self::Work>, Stop> {
        let Member { cluster, .. } = &self.0;
        let client = cluster.env.clients.get(facts.access(&cluster.name)?).await?;
        let name = self.0.node_name(&self.0.host_look(false).await?);
        let Some(node) = api::get(&client, &Kind::NODE, None, &name).await? else {
            return Ok(Observed::default());
        };
        Ok(Observed::differs(vec![Change::delete(node.to_string())], (client, node)))
    }

    async fn apply(&self, (client, node): Self::Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        Ok(writer.perform(api::delete_seen(&client, &Kind::NODE, &node)).await?)
    }
}
