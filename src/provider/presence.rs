//! The step `<cluster>/presence`: whether a cluster is there, before something is taken away from it.
//!
//! What does not answer is asked again until a deadline, and even then is only *not reachable*: that it is gone is for
//! its provider to prove, or for the person to say.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Lifecycle;
use crate::engine::facts::{ClusterFacts, Presence, Unreachable, WithoutApi};
use crate::engine::{Access, Change, Facts, Failure, Observed, Step, StepId, Stop, Tree};
use crate::env::Env;
use crate::k8s::{ApiError, Kind, api};
use crate::site::name::ClusterName;
use crate::site::{Cluster, Site};

/// How long a cluster that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one answer may take. A credential plugin may run within it.
const ANSWER: Duration = Duration::from_secs(10);

/// What the person says of clusters that this machine may not reach, and which of them have been waited for.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// They are gone, or have to be left as they are.
    pub lost: BTreeSet<ClusterName>,
    /// They are to be cleaned by the hub's Argo CD.
    pub through_argocd: BTreeSet<ClusterName>,
    waited: Arc<Mutex<BTreeSet<ClusterName>>>,
}

/// What a provider can say of its cluster.
#[derive(Debug)]
pub enum Sighting {
    /// Its API is to be asked here.
    At(Access, WithoutApi),
    /// It is gone; the text says by what that is proven.
    Gone(String),
    /// That cannot be said.
    Unknown(Unreachable),
}

/// See the module.
struct Locate {
    name: ClusterName,
    cluster: Box<dyn Lifecycle>,
    env: Arc<Env>,
    said: Said,
    since: Mutex<Option<Instant>>,
}

/// Finds out whether a cluster is there that something is to be taken away from, and how it is reached. It never fails:
/// what cannot be seen is for others to judge, in view of all clusters.
#[must_use]
pub fn locate(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>, said: &Said) -> Tree {
    let look = Locate {
        name: cluster.name.clone(),
        cluster: super::of(site, cluster, env),
        env: Arc::clone(env),
        said: said.clone(),
        since: Mutex::default(),
    };
    look.into()
}

impl Said {
    /// That these clusters are lost, and those to be cleaned by Argo CD.
    #[must_use]
    pub fn new(lost: &[ClusterName], through_argocd: &[ClusterName]) -> Self {
        let set = |names: &[ClusterName]| names.iter().cloned().collect();
        Self { lost: set(lost), through_argocd: set(through_argocd), waited: Arc::default() }
    }

    /// Whether a cluster has been waited for in vain, by this command.
    fn has_been_waited_for(&self, cluster: &ClusterName) -> bool {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner).contains(cluster)
    }

    fn wait_no_more(&self, cluster: &ClusterName) {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner).insert(cluster.clone());
    }
}

/// Why something cannot be said, from the failure that stopped the look.
pub(super) fn unreachable(failure: &Failure, is_passing: bool, provider: WithoutApi) -> Unreachable {
    let hint = failure.hint().map(ToOwned::to_owned);
    Unreachable { cause: failure.in_full(), hint, is_passing, provider }
}

impl Locate {
    /// How the cluster is reached, with its version, or whether it is there at all.
    async fn look(&self) -> Result<ClusterFacts, Presence> {
        match self.cluster.sight().await {
            Sighting::Gone(proof) => Err(Presence::Gone(proof)),
            Sighting::Unknown(unreachable) => Err(Presence::Unreachable(unreachable)),
            Sighting::At(access, provider) => self.ask(access, provider).await.map_err(Presence::Unreachable),
        }
    }

    /// Asks for something that only those may see whom the API server knows: the version is for everybody.
    async fn ask(&self, access: Access, provider: WithoutApi) -> Result<ClusterFacts, Unreachable> {
        let client = self.env.clients.get(&access).await;
        // A login that has ended does not come back by asking again.
        let client = client.map_err(|error| unreachable(&error.into(), false, provider))?;
        let answer = async {
            let version = client.apiserver_version().await;
            let version =
                version.map_err(|error| ApiError::of("ask for the version of", &access.server, error))?;
            api::get(&client, &Kind::NAMESPACE, None, "kube-system").await?;
            Ok::<_, ApiError>(version.git_version)
        };
        let version = match tokio::time::timeout(ANSWER, answer).await {
            Ok(Ok(version)) => version,
            Ok(Err(error)) => return Err(unreachable(&error.into(), true, provider)),
            Err(_) => {
                let cause = format!("{} does not answer within {} s", access.server, ANSWER.as_secs());
                return Err(Unreachable { cause, hint: None, is_passing: true, provider });
            }
        };
        Ok(ClusterFacts { access: Some(access), version: Some(version), ..ClusterFacts::default() })
    }

    /// What follows from what the person says.
    fn in_view_of_what_is_said(&self, presence: Presence) -> Presence {
        let name = &self.name;
        match presence {
            Presence::Unreachable(_) if self.said.lost.contains(name) => Presence::Lost,
            Presence::Unreachable(why) if self.said.through_argocd.contains(name) => {
                Presence::ThroughArgoCd(why)
            }
            presence => presence,
        }
    }

    /// Whether a cluster that does not answer is to be asked again.
    fn asks_again(&self) -> bool {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *since.get_or_insert_with(Instant::now);
        since.elapsed() < PATIENCE && !self.said.has_been_waited_for(&self.name)
    }
}

impl Step for Locate {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.name, "presence")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.name)
    }

    fn purpose(&self) -> &'static str {
        "it is known whether the cluster is there"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed, Stop> {
        let name = &self.name;
        let asks_again = self.asks_again();
        let facts = match self.look().await {
            Ok(facts) => ClusterFacts { presence: Some(Presence::Seen), ..facts },
            Err(presence) => {
                let presence = Some(self.in_view_of_what_is_said(presence));
                ClusterFacts { presence, ..ClusterFacts::default() }
            }
        };
        let waits = match &facts.presence {
            Some(Presence::Unreachable(why)) if why.is_passing && asks_again => {
                let detail = format!("{} (it is asked again for {} s)", why.cause, PATIENCE.as_secs());
                vec![Change::wait(format!("an answer of {name}"), detail)]
            }
            Some(Presence::Unreachable(_)) => {
                self.said.wait_no_more(name);
                Vec::new()
            }
            _ => Vec::new(),
        };
        Ok(Observed { facts: Facts::of(name, facts), changes: waits, work: None })
    }

    /// Longer than the step itself waits: it ends by saying what it found.
    fn patience(&self) -> Duration {
        PATIENCE * 4
    }
}
