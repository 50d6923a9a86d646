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

/// The hosts of the inventory by the marks on them, whether or not the profile has them in a cluster.
#[derive(Debug)]
pub struct MarkedHosts {
    marked: Vec<(Host, Mark)>,
    /// Those that could not be asked: any cluster may be on them.
    silent: Vec<Host>,
}

impl MarkedHosts {
    /// Asks all of them at once.
    pub async fn look(site: &Arc<Site>, env: &Arc<Env>) -> Self {
        let k3s = departed(Vec::new(), site.inventory.values().cloned().collect());
        let cluster = K3sCluster::new(site, &site.hub, &k3s, env);
        let hub = cluster.hub().await;
        let looks = cluster.agents().into_iter().map(async |member| {
            let look = member.host_look(false).await;
            (member.host, look.map(|look| look.marks))
        });
        let (mut marked, mut silent) = (Vec::new(), Vec::new());
        for (host, marks) in join_all(looks).await {
            let Ok(marks) = marks else {
                silent.push(host);
                continue;
            };
            let is_ours =
                |mark: &Mark| mark.site == site.name.as_str() && !mark.is_of_another_hub(hub.as_deref());
            marked.extend(marks.into_iter().find(is_ours).map(|mark| (host, mark)));
        }
        Self { marked, silent }
    }

    /// The clusters that no profile names.
    #[must_use]
    pub fn departed(&self, site: &Site) -> BTreeSet<ClusterName> {
        let names = self.marked.iter().filter_map(|(_, mark)| mark.cluster.parse().ok());
        names.filter(|name| site.cluster(name).is_none()).collect()
    }

    /// What makes a cluster that is reached at `server`, if it is on some of the hosts. Those that could not be asked
    /// count as its servers: it is not seen before they are.
    pub(in crate::provider) fn cluster(&self, name: &ClusterName, server: &str) -> Option<K3s> {
        let of_role = |role| {
            let hosts = self
                .marked
                .iter()
                .filter(move |(_, mark)| mark.cluster == name.as_str() && mark.role == role);
            hosts.map(|(host, _)| host.clone()).collect::<Vec<_>>()
        };
        let (servers, agents) = (of_role(Role::Server), of_role(Role::Agent));
        let may_be_there = self.silent.iter().any(|host| server.contains(&host.address));
        (!servers.is_empty() || !agents.is_empty() || may_be_there)
            .then(|| departed([servers, self.silent.clone()].concat(), agents))
    }
}

/// A cluster of which no profile says more than its hosts.
fn departed(servers: Vec<Host>, agents: Vec<Host>) -> K3s {
    K3s {
        servers,
        agents,
        release: K3sRelease::Version(K3S_VERSION.to_owned()),
        config: serde_json::Map::new(),
        mirror: K3S_RELEASES.to_owned(),
        sha256: Vec::new(),
        images: false,
    }
}

/// The hosts that have been taken out of a cluster's `agents` and are its agents all the same. The others of the inventory
/// are asked only where the cluster has a node that is no host of the profile.
pub(super) async fn agents(cluster: &Arc<K3sCluster>, facts: &Facts) -> Result<Vec<HostName>, Failure> {
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
    let MarkedHosts { marked, .. } = MarkedHosts::look(&cluster.site, &cluster.env).await;
    let has_left = |(host, mark): &(Host, Mark)| {
        mark.is_of(&cluster.site.name, &cluster.name)
            && mark.role == Role::Agent
            && !cluster.k3s.has(&host.name)
    };
    Ok(marked.into_iter().filter(has_left).map(|(host, _)| host.name).collect())
}

/// Takes an agent that left the profile out of its cluster.
pub(super) fn remove_agent(cluster: &K3sCluster, host: &Host) -> Tree {
    let k3s = K3s { agents: vec![host.clone()], ..cluster.k3s.clone() };
    let cluster = Arc::new(K3sCluster { k3s, ..cluster.clone() });
    let agents = cluster.agents();
    Tree::Seq(agents.iter().map(|agent| seq![Uninstall::new(agent), RemoveNode(agent.clone())]).collect())
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
