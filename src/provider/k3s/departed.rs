//! Hosts with the site's mark that its profile does not name any more. Only those of the inventory can be asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::core::v1;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::mark::Mark;
use super::remove::Remove;
use super::{Member, Role, Subject};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::k8s::{ApiError, Kind, Object, api};
use crate::provider::departed::free_hosts;
use crate::seq;
use crate::site::inventory::Host;
use crate::site::name::{ClusterName, HostName};
use crate::site::{Cluster, K3S_RELEASES, K3S_VERSION, K3s, K3sRelease, Site};

/// The hosts of a cluster that left the profile; `None` if no free host of the inventory is a server of it.
pub(in crate::provider) async fn departed_cluster(
    site: &Arc<Site>,
    env: &Arc<Env>,
    name: &ClusterName,
) -> Option<K3s> {
    let mut k3s = K3s {
        servers: Vec::new(),
        agents: Vec::new(),
        release: K3sRelease::Version(K3S_VERSION.to_owned()),
        config: serde_json::Map::new(),
        mirror: K3S_RELEASES.to_owned(),
        sha256: Vec::new(),
        images: false,
    };
    for (host, mark) in marked(site, env, name, &k3s).await {
        match mark.role {
            Role::Server => k3s.servers.push(host),
            Role::Agent => k3s.agents.push(host),
        }
    }
    (!k3s.servers.is_empty()).then_some(k3s)
}

/// The hosts that have been taken out of a cluster's `agents` and are its agents all the same. Free hosts of the
/// inventory are asked only where the cluster has a node that is no host of the profile.
///
/// # Errors
/// When the cluster cannot be asked for its nodes.
pub(in crate::provider) async fn departed_agents(
    site: &Arc<Site>,
    cluster: &Cluster,
    k3s: &K3s,
    env: &Arc<Env>,
    facts: &Facts,
) -> Result<Vec<HostName>, Failure> {
    let Ok(access) = facts.access(&cluster.name) else { return Ok(Vec::new()) };
    let client = env.clients.get(access).await?;
    let nodes = Api::<v1::Node>::all(client).list_metadata(&ListParams::default()).await;
    let nodes = nodes.map_err(|error| ApiError::of("list the nodes of", cluster.name.as_str(), error))?;
    let mut unnamed: BTreeSet<_> = nodes.iter().map(ResourceExt::name_any).collect();
    let subject = Subject::new(site, cluster, k3s, env);
    for member in subject.members() {
        // A host that does not answer has been told of, and may be the one.
        let Ok(look) = member.host_look(false).await else { return Ok(Vec::new()) };
        unnamed.remove(&member.node_name(&look));
    }
    if unnamed.is_empty() {
        return Ok(Vec::new());
    }
    let marked = marked(site, env, &cluster.name, k3s).await.into_iter();
    Ok(marked.filter(|(_, mark)| mark.role == Role::Agent).map(|(host, _)| host.name).collect())
}

/// Takes an agent that left the profile out of its cluster.
pub(in crate::provider) fn remove_agent(
    site: &Arc<Site>,
    cluster: &Cluster,
    k3s: &K3s,
    env: &Arc<Env>,
    host: &HostName,
) -> Tree {
    let host = site.inventory.get(host).cloned();
    let k3s = K3s { agents: host.into_iter().collect(), ..k3s.clone() };
    let subject = Subject::new(site, cluster, &k3s, env);
    let agents = subject.agents();
    Tree::Seq(agents.iter().map(|agent| seq![Remove::new(agent), NoNode(agent.clone())]).collect())
}

/// The free hosts of the inventory that have a cluster's mark.
async fn marked(site: &Arc<Site>, env: &Arc<Env>, name: &ClusterName, k3s: &K3s) -> Vec<(Host, Mark)> {
    let subject = Arc::new(Subject {
        site: site.name.clone(),
        cluster: name.clone(),
        k3s: K3s { servers: Vec::new(), agents: free_hosts(site).cloned().collect(), ..k3s.clone() },
        env: Arc::clone(env),
    });
    let looks = subject.agents().into_iter().map(async |member| {
        let marks = member.host_look(false).await.ok()?.marks;
        let mark = marks.into_iter().find(|mark| mark.is_of(&site.name, name))?;
        Some((member.host, mark))
    });
    join_all(looks).await.into_iter().flatten().collect()
}

/// The step `<cluster>/remove/<host>/node`: the cluster has no node of the host any more.
struct NoNode(Member);

impl Step for NoNode {
    type Work = (kube::Client, Object);

    fn id(&self) -> StepId {
        self.0.step("remove", "node")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.subject.cluster)
    }

    fn purpose(&self) -> &'static str {
        "the host's node is gone from the cluster"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Self::Work>, Stop> {
        let Member { subject, .. } = &self.0;
        let client = subject.env.clients.get(facts.access(&subject.cluster)?).await?;
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
