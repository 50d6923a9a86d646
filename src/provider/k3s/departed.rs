//! Hosts with the site's mark that its profile does not name any more. Only those of the inventory can be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::core::v1;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::mark::Mark;
use super::remove::Uninstall;
use super::{K3sCluster, Member, Role};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::k8s::{ApiError, Kind, Object, SITE_LABEL, api};
use crate::provider::presence::Sighting;
use crate::provider::{DepartedHost, Lifecycle};
use crate::seq;
use crate::site::inventory::Host;
use crate::site::name::{ClusterName, HostName};
use crate::site::{K3S_RELEASES, K3S_VERSION, K3s, K3sRelease, Site};

/// The hosts of the inventory by the marks on them, whether or not the profile has them in a cluster.
#[derive(Debug)]
pub struct MarkedHosts {
    marked: Vec<(Host, Mark)>,
    /// Those that could not be asked.
    silent: Vec<Host>,
    /// The clusters that no profile names, that answer, and that have no node but those of hosts with their marks: no
    /// silent host is a part of them.
    complete: BTreeSet<ClusterName>,
}

impl MarkedHosts {
    /// Asks all of them at once; where some are silent, also the clusters that no profile names for their nodes.
    pub async fn look(site: &Arc<Site>, env: &Arc<Env>) -> Self {
        let cluster = nameless(site, env, &departed(Vec::new(), site.inventory.values().cloned().collect()));
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
        let mut hosts = Self { marked, silent, complete: BTreeSet::new() };
        if !hosts.silent.is_empty() {
            let names = hosts.departed(site).into_iter();
            let asked = names.map(async |name| hosts.is_complete(site, env, &name).await.then_some(name));
            hosts.complete = join_all(asked).await.into_iter().flatten().collect();
        }
        hosts
    }

    /// Whether a cluster itself says that it has no other hosts.
    async fn is_complete(&self, site: &Arc<Site>, env: &Arc<Env>, name: &ClusterName) -> bool {
        let of_role = |role| self.of(name, role).cloned().collect();
        let k3s = departed(of_role(Role::Server), of_role(Role::Agent));
        let cluster = K3sCluster { name: name.clone(), ..K3sCluster::clone(&nameless(site, env, &k3s)) };
        let cluster = Arc::new(cluster);
        let Sighting::At(access, _) = cluster.sight().await else { return false };
        let Ok(client) = env.clients.get(&access).await else { return false };
        let Ok(mut nodes) = nodes(client, name).await else { return false };
        for member in cluster.members() {
            if let Ok(look) = member.host_look(false).await {
                nodes.remove(&look.name);
            }
        }
        nodes.is_empty()
    }

    /// The hosts that are marked as a cluster's, in some role.
    fn of(&self, cluster: &ClusterName, role: Role) -> impl Iterator<Item = &Host> {
        let is_of = move |mark: &Mark| mark.cluster == cluster.as_str() && mark.role == role;
        self.marked.iter().filter(move |(_, mark)| is_of(mark)).map(|(host, _)| host)
    }

    /// The clusters that no profile names.
    #[must_use]
    pub fn departed(&self, site: &Site) -> BTreeSet<ClusterName> {
        let names = self.marked.iter().filter_map(|(_, mark)| mark.cluster.parse().ok());
        names.filter(|name| site.cluster(name).is_none()).collect()
    }

    /// The hosts of clusters that the profile has without them.
    #[must_use]
    pub fn departed_hosts(&self, site: &Site) -> BTreeSet<DepartedHost> {
        let departed = self.marked.iter().filter_map(|(host, mark)| {
            let cluster = site.clusters().find(|cluster| cluster.name.as_str() == mark.cluster)?;
            let has_left = cluster.k3s().is_some_and(|k3s| !k3s.has(&host.name));
            has_left.then(|| DepartedHost {
                cluster: cluster.name.clone(),
                host: host.name.clone(),
                is_server: mark.role == Role::Server,
            })
        });
        departed.collect()
    }

    /// What makes a cluster that is reached at `server`, if it is on some of the hosts. Those that could not be asked
    /// count as its servers, unless it is known that they are not: it is not seen before they are.
    pub(in crate::provider) fn cluster(&self, name: &ClusterName, server: &str) -> Option<K3s> {
        let [mut servers, agents] =
            [Role::Server, Role::Agent].map(|role| self.of(name, role).cloned().collect::<Vec<_>>());
        let may_be_there = self.silent.iter().any(|host| server.contains(&host.address));
        if servers.is_empty() && agents.is_empty() && !may_be_there {
            return None;
        }
        if !self.complete.contains(name) {
            servers.extend(self.silent.iter().cloned());
        }
        Some(departed(servers, agents))
    }
}

/// The hub with other hosts than its own, for looks at hosts of any cluster.
fn nameless(site: &Arc<Site>, env: &Arc<Env>, k3s: &K3s) -> Arc<K3sCluster> {
    K3sCluster::new(site, &site.hub, k3s, env)
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

/// The label of a node whose host is about to be taken out of the cluster: the host's alias.
const HOST_LABEL: &str = "bridgehead/host";

/// The nodes of a cluster, with what Kubernetes keeps beside what they are.
async fn nodes(
    client: Client,
    cluster: &ClusterName,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, ApiError> {
    let nodes = Api::<v1::Node>::all(client).list_metadata(&ListParams::default()).await;
    let nodes = nodes.map_err(|error| ApiError::of("list the nodes of", cluster.as_str(), error))?;
    Ok(nodes.iter().map(|node| (node.name_any(), node.labels().clone())).collect())
}

/// The hosts that have been taken out of a cluster's `agents` and are its agents all the same, or were until a run that
/// did not come to the end. The others of the inventory are asked only where the cluster has a node that is no host of the
/// profile.
pub(super) async fn agents(cluster: &Arc<K3sCluster>, facts: &Facts) -> Result<BTreeSet<HostName>, Failure> {
    let Ok(access) = facts.access(&cluster.name) else { return Ok(BTreeSet::new()) };
    let mut unnamed = nodes(cluster.env.clients.get(access).await?, &cluster.name).await?;
    for member in cluster.members() {
        // A host that does not answer has been told of, and may be the one.
        let Ok(look) = member.host_look(false).await else { return Ok(BTreeSet::new()) };
        unnamed.remove(&member.node_name(&look));
    }
    if unnamed.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ours = unnamed
        .values()
        .filter(|labels| labels.get(SITE_LABEL).map(String::as_str) == Some(cluster.site.name.as_str()));
    let told = ours.filter_map(|labels| labels.get(HOST_LABEL)?.parse().ok());
    let hosts = MarkedHosts::look(&cluster.site, &cluster.env).await;
    let marked = hosts.of(&cluster.name, Role::Agent).map(|host| host.name.clone());
    let found: BTreeSet<_> = told.chain(marked).collect();
    Ok(found.into_iter().filter(|host| !cluster.k3s.has(host)).collect())
}

/// Takes an agent that left the profile out of its cluster. The mark on the host goes with k3s, so the node says before
/// that whose it is; it goes last.
pub(super) fn remove_agent(cluster: &K3sCluster, host: &Host) -> Tree {
    let k3s = K3s { agents: vec![host.clone()], ..cluster.k3s.clone() };
    let cluster = Arc::new(K3sCluster { k3s, ..cluster.clone() });
    let remove =
        |agent: &Member| seq![LabelNode(agent.clone()), Uninstall::new(agent), RemoveNode(agent.clone())];
    Tree::Seq(cluster.agents().iter().map(remove).collect())
}

/// The step `<cluster>/remove/<host>/server`: it fails as long as the host is a server.
struct NoServer(Member);

/// A cluster is where its server is.
#[derive(Debug, thiserror::Error)]
#[error(
    "{host} is still the server of a cluster `{cluster}`, and the profile has `{cluster}` on another host: \
         that cluster would be destroyed with everything in it"
)]
struct StillServer {
    host: HostName,
    cluster: ClusterName,
}

impl Step for NoServer {
    type Work = ();

    fn id(&self) -> StepId {
        self.0.step("remove", "server")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the host is no server of a cluster that the profile has on another host"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        let Member { cluster, host, .. } = &self.0;
        let (site, cluster) = (&cluster.site.name, &cluster.name);
        if !self.0.host_look(true).await?.marks.iter().any(|mark| mark.is_of(site, cluster)) {
            return Ok(Observed::default());
        }
        let hint = format!(
            "to take it away, put `{}` back into `servers` of `{cluster}`, then: bridgehead down {site} --cluster {cluster}",
            host.name
        );
        let (host, cluster) = (host.name.clone(), cluster.clone());
        Err(Failure::from(StillServer { host, cluster }).with_hint(hint).into())
    }
}

/// Says that such a host is a server. It is not taken away: Argo CD has deployed to what is there, and no longer knows it.
pub(super) fn keep_server(cluster: &K3sCluster, host: &Host) -> Tree {
    let k3s = K3s { servers: vec![host.clone()], agents: Vec::new(), ..cluster.k3s.clone() };
    let cluster = Arc::new(K3sCluster { k3s, ..cluster.clone() });
    Tree::Seq(cluster.servers().into_iter().map(|server| NoServer(server).into()).collect())
}

impl Member {
    /// Its node, if the cluster has one.
    async fn node(&self, facts: &Facts) -> Result<(Client, Option<Object>), Stop> {
        let client = self.cluster.env.clients.get(facts.access(&self.cluster.name)?).await?;
        let name = self.node_name(&self.host_look(false).await?);
        let node = api::get(&client, &Kind::NODE, None, &name).await?;
        Ok((client, node))
    }
}

/// The step `<cluster>/remove/<host>/label`: the host's node says whose it is.
struct LabelNode(Member);

impl Step for LabelNode {
    type Work = (Client, Object);

    fn id(&self) -> StepId {
        self.0.step("remove", "label")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the node says which host it is, for a run that goes on without the mark on the host"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Self::Work>, Stop> {
        let (client, node) = self.0.node(facts).await?;
        let (site, host) = (self.0.cluster.site.name.as_str(), self.0.host.name.as_str());
        let says_so =
            |node: &Object| node.label(SITE_LABEL) == Some(site) && node.label(HOST_LABEL) == Some(host);
        let Some(node) = node.filter(|node| !says_so(node)) else { return Ok(Observed::default()) };
        let change = Change::update(node.to_string(), format!("label {HOST_LABEL}: {host}"));
        Ok(Observed::differs(vec![change], (client, node)))
    }

    async fn apply(&self, (client, node): Self::Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let Member { cluster, host, .. } = &self.0;
        let labels = json!({ SITE_LABEL: cluster.site.name.as_str(), HOST_LABEL: host.name.as_str() });
        let patch = json!({ "metadata": { "labels": labels } });
        Ok(writer.perform(api::merge(&client, &Kind::NODE, None, node.name(), &patch)).await?)
    }
}

/// The step `<cluster>/remove/<host>/node`: the cluster has no node of the host any more.
struct RemoveNode(Member);

impl Step for RemoveNode {
    type Work = (Client, Object);

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
        let (client, Some(node)) = self.0.node(facts).await? else { return Ok(Observed::default()) };
        Ok(Observed::differs(vec![Change::delete(node.to_string())], (client, node)))
    }

    async fn apply(&self, (client, node): Self::Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        Ok(writer.perform(api::delete_seen(&client, &Kind::NODE, &node)).await?)
    }
}
