//! The step that registers a cluster: its Secret on the hub.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kube::Client;

use super::adopted;
use super::config::Credentials;
use super::content::{ClusterSecret, annotations, labels};
use super::departed::Entries;
use super::existing::{Existing, find, may_be_there};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::gitops::Scope;
use crate::k8s::{Differences, Kind, Object, ObjectSet, Stranger, api};
use crate::site::name::ClusterName;
use crate::site::{Cluster, Role, Site};

/// The step `<cluster>/registration/secret`: the cluster's Secret is on the hub.
///
/// It comes after the account's step, which has proven what the Secret will say.
#[must_use]
pub fn secret(site: &Arc<Site>, env: &Arc<Env>, cluster: &Cluster) -> Registered {
    Registered { scope: Scope::new(site, env), cluster: cluster.clone(), is_written: AtomicBool::new(false) }
}

/// See [`secret`].
#[derive(Debug)]
pub struct Registered {
    scope: Scope,
    cluster: Cluster,
    /// Whether this run has written it: what was listed before that does not tell any more.
    is_written: AtomicBool,
}

impl Registered {
    /// What the hub has for the cluster. What this run has written is looked up by itself, and not among a thousand others.
    async fn existing(&self, hub: &Client, facts: &Facts) -> Result<Existing, Stop> {
        let listed = find(&self.scope, hub, &self.cluster, facts).await?;
        if !self.is_written.load(Ordering::Relaxed) {
            return Ok(listed);
        }
        let name = listed.secret().map_or(self.cluster.name.as_str(), Object::name);
        let live = api::get(hub, &Kind::SECRET, Some(self.scope.namespace()), name).await?;
        Ok(live.map_or(Existing::Nothing, |live| listed.now(live)))
    }

    fn desired(&self, existing: &Existing, facts: &Facts) -> Result<(ObjectSet, Option<String>), Stop> {
        let site = &self.scope.site;
        let (name, left) = match existing {
            Existing::Theirs(live) => {
                let (mut labels, mut annotations) =
                    (labels(&self.cluster, facts), annotations(site, &self.cluster, facts)?);
                Entries::of(site, &self.cluster, live).stay(&mut labels, &mut annotations);
                let object = adopted::object(&site.name, live, labels, annotations);
                let set = ObjectSet { stranger: Stranger::Adopt, ..ObjectSet::new(&site.name, vec![object]) };
                return Ok((set, Some(self.remark(existing)?)));
            }
            Existing::Ours(live) => (live.name(), Entries::of(site, &self.cluster, live)),
            Existing::Nothing => (self.cluster.name.as_str(), Entries::default()),
        };
        let mut secret = ClusterSecret::of(site, &self.cluster, facts)?;
        left.stay(&mut secret.labels, &mut secret.annotations);
        let object = secret.object(site, name);
        Ok((ObjectSet::new(&site.name, vec![object]), None))
    }

    /// What a person should know of a Secret that is used as it is.
    fn remark(&self, existing: &Existing) -> Result<String, Failure> {
        // The hub's names no account: Argo CD has its own there.
        if self.cluster.role == Role::Hub {
            return Ok("the rest of it stays as it is".to_owned());
        }
        Ok(match existing.their_credentials()? {
            Some(Credentials::Bound(why)) => {
                format!("the rest of it stays as it is; its credentials could not be tried: {why}")
            }
            _ => "the rest of it stays as it is, and so do its credentials".to_owned(),
        })
    }
}

impl Step for Registered {
    type Work = Differences;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster.name, "registration/secret")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "Argo CD knows the cluster by its cluster Secret"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Self::Work>, Stop> {
        let hub = self.scope.client(self.scope.hub(), facts).await?;
        let existing = self.existing(&hub, facts).await?;
        let (set, remark) = self.desired(&existing, facts)?;
        let differences = match existing.into_secret() {
            Some(live) => set.observe_among(&hub, vec![live]).await?,
            // It may be there without the label by which it was looked for, such as after an edit.
            None if may_be_there(&self.scope, &hub, &set).await? => set.observe(&hub).await?,
            None => set.observe_among(&hub, Vec::new()).await?,
        };
        let changes =
            differences.changes().into_iter().map(|change| remarked(change, remark.as_deref())).collect();
        Ok(Observed::differs(changes, differences))
    }

    async fn apply(&self, work: Differences, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        self.is_written.store(true, Ordering::Relaxed);
        work.apply(writer).await
    }
}

fn remarked(change: Change, remark: Option<&str>) -> Change {
    match (remark, change.detail.clone()) {
        (Some(remark), Some(detail)) => change.with_detail(format!("{detail}; {remark}")),
        _ => change,
    }
}
