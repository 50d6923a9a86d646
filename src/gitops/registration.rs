//! The account that the hub's Argo CD uses on a spoke. The names are those of `argocd cluster add`, so that
//! people and tools that know them find their way.

mod objects;
mod proof;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kube::Client;

pub(super) use proof::prove;

use super::{Scope, part};
use crate::engine::facts::ClusterFacts;
use crate::engine::{Access, Change, Credentials, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::k8s::{ApiError, Differences, Kind, ObjectSet, Prune, Stranger, api};
use crate::site::Site;
use crate::site::name::ClusterName;
use crate::site::secret::Secret;

/// The step `<spoke>/registration/account`: the account is there, and its token is known to work.
#[must_use]
pub fn register(site: &Arc<Site>, env: &Arc<Env>, cluster: &ClusterName) -> Register {
    Register { scope: Scope::new(site, env), cluster: cluster.clone(), made: AtomicBool::new(false) }
}

/// The step `<spoke>/registration/account` of a teardown: the account is gone, as far as we made it. A cluster
/// that is not reachable any more has none.
#[must_use]
pub fn unregister(site: &Arc<Site>, env: &Arc<Env>, cluster: &ClusterName) -> Unregister {
    Unregister { scope: Scope::new(site, env), cluster: cluster.clone() }
}

/// See [`register`].
#[derive(Debug)]
pub struct Register {
    scope: Scope,
    cluster: ClusterName,
    /// Whether this run has seen to the account. A token that is not accepted before that never will be, such as
    /// one of before the cluster lost its keys; after that it is a matter of moments.
    made: AtomicBool,
}

/// See [`unregister`].
#[derive(Debug)]
pub struct Unregister {
    scope: Scope,
    cluster: ClusterName,
}

/// What there is to do about an account: the token comes after it.
pub struct Work {
    /// Where the token is that the API server does not accept.
    refused: Option<Client>,
    account: Differences,
    token: Differences,
}

fn id(cluster: &ClusterName) -> StepId {
    StepId::of(cluster, "registration/account")
}

impl Register {
    /// An account that is there already is used; unmarked as it stays, nobody takes it away. The token comes
    /// after the account: the controller manager deletes one whose account it does not find.
    fn sets(&self) -> [ObjectSet; 2] {
        let site = &self.scope.site.name;
        let set = |objects| ObjectSet { stranger: Stranger::Adopt, ..ObjectSet::new(site, objects) };
        [set(objects::account(site)), set(vec![objects::token(site)])]
    }

    async fn look(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let access = facts.access(&self.cluster)?;
        let client = self.scope.client(&self.cluster, facts).await?;
        let [account, token] = self.sets();
        let (account, token) = futures::try_join!(account.observe(&client), token.observe(&client))?;
        let mut changes = [account.changes(), token.changes()].concat();
        let work = Work { refused: None, account, token };
        match self.account(&client, access).await? {
            // An account that works is known even where something about it differs.
            Ok(account) => {
                let registration = Some(self.as_the_hub_reaches_it(account));
                let learnt = ClusterFacts { registration, ..ClusterFacts::default() };
                Ok(Observed { facts: Facts::of(&self.cluster, learnt), changes, work: Some(work) })
            }
            Err(wait) if wait.is_wait() && changes.is_empty() => Ok(Observed::waits(vec![wait])),
            Err(wait) if wait.is_wait() => Ok(Observed::differs(changes, work)),
            Err(refused) => {
                changes.push(refused);
                Ok(Observed::differs(changes, Work { refused: Some(client), ..work }))
            }
        }
    }

    /// The same identity by the way that the hub's Argo CD takes, where the site says which. The name that the
    /// server's certificate is for is the same by any way; a proxy of this machine is none of the hub's.
    fn as_the_hub_reaches_it(&self, account: Access) -> Access {
        match self.scope.site.cluster(&self.cluster).and_then(|cluster| cluster.server.clone()) {
            Some(server) => Access { server, proxy_url: None, ..account },
            None => account,
        }
    }

    /// The access that the account gives, or what it lacks to work.
    async fn account(&self, client: &Client, access: &Access) -> Result<Result<Access, Change>, ApiError> {
        let namespace = Some(objects::NAMESPACE);
        let Some(token) = token(client).await? else {
            let subject = Kind::SECRET.subject(namespace, objects::TOKEN);
            return Ok(Err(Change::wait(subject, "the controller manager fills in its token")));
        };
        let account = Access { credentials: Credentials::Token(token), ..access.clone() };
        // The server learns of a token, and of what it may do, a moment after both are stored.
        let proven = prove(&self.scope.env.clients, &account).await;
        Ok(proven.map(|()| account).map_err(|error| {
            if error.is_unauthorized() && !self.made.load(Ordering::Relaxed) {
                let subject = Kind::SECRET.subject(namespace, objects::TOKEN);
                let token = objects::token(&self.scope.site.name);
                let update = Change::update(subject, "the API server does not accept its token");
                return update.with_secret_content(token.fields());
            }
            Change::wait(Kind::SERVICE_ACCOUNT.subject(namespace, objects::ACCOUNT), error.reason())
        }))
    }

    /// Replaces a token that is not accepted.
    async fn renew_token(&self, client: &Client, writer: &Writer) -> Result<(), ApiError> {
        let namespace = Some(objects::NAMESPACE);
        writer.perform(api::delete(client, &Kind::SECRET, namespace, objects::TOKEN)).await?;
        let token = objects::token(&self.scope.site.name);
        writer.perform(api::apply(client, &Kind::SECRET, &token)).await
    }
}

impl Step for Register {
    type Work = Work;

    fn id(&self) -> StepId {
        id(&self.cluster)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        self.look(facts).await
    }

    async fn apply(&self, work: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.account.apply(writer).await?;
        work.token.apply(writer).await?;
        if let Some(client) = &work.refused {
            self.renew_token(client, writer).await?;
        }
        self.made.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Unregister {
    fn set(&self) -> ObjectSet {
        let namespace = Some(objects::NAMESPACE.to_owned());
        let collections = BTreeSet::from([
            (Kind::CLUSTER_ROLE_BINDING, None),
            (Kind::CLUSTER_ROLE, None),
            (Kind::SECRET, namespace.clone()),
            (Kind::SERVICE_ACCOUNT, namespace),
        ]);
        let prune = Some(Prune { part: part::REGISTRATION, collections });
        ObjectSet { prune, ..ObjectSet::new(&self.scope.site.name, Vec::new()) }
    }

    async fn client(&self, facts: &Facts) -> Result<Option<Client>, Stop> {
        match self.scope.client(&self.cluster, facts).await {
            Ok(client) => Ok(Some(client)),
            Err(Stop::Blocked(_)) => Ok(None),
            Err(stop) => Err(stop),
        }
    }
}

impl Step for Unregister {
    type Work = Differences;

    fn id(&self) -> StepId {
        id(&self.cluster)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Differences>, Stop> {
        let Some(client) = self.client(facts).await? else { return Ok(Observed::default()) };
        Ok(self.set().observe(&client).await?.into())
    }

    async fn apply(&self, work: Differences, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.apply(writer).await
    }
}

/// The account's token, once the controller manager has filled it in.
async fn token(client: &Client) -> Result<Option<Secret<String>>, ApiError> {
    let secret = api::get(client, &Kind::SECRET, Some(objects::NAMESPACE), objects::TOKEN).await?;
    Ok(secret.and_then(|secret| secret.data("token")).map(Secret::new))
}
