//! The account that the hub's Argo CD uses on a spoke.

mod account;
mod objects;
mod owned;
mod possible;
mod proof;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kube::Client;

use account::Account;
use objects::Names;
pub use owned::{Owned, owned};
pub use possible::{Possible, possible};
use proof::{Rights, prove};

use super::cluster_secret::{self, find};
use super::{Scope, part};
use crate::engine::facts::{ClusterFacts, Presence};
use crate::engine::{Access, Change, Credentials, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::k8s::{Differences, HUB_LABEL, Kind, Object, ObjectSet, Prune, api, marked_as};
use crate::site::Site;
use crate::site::name::ClusterName;
use crate::site::secret::Secret;

/// The step `<spoke>/registration/account`: the account is there, and its token is known to work. A spoke that
/// somebody has registered already needs none: what their Secret says is tried instead.
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

fn id(cluster: &ClusterName) -> StepId {
    StepId::of(cluster, "registration/account")
}

/// What there is to do about an account of ours.
pub struct Work {
    client: Client,
    /// The token, where the one that is there is not accepted: another is made in its place.
    renewed: Option<Object>,
    /// The account, and then its token: the controller manager deletes one whose account it does not find.
    sets: [Differences; 2],
}

/// The credentials of somebody else's Secret do not work.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is registered already, with credentials that do not work")]
struct Refused(ClusterName, #[source] proof::ProofError);

impl Register {
    /// What somebody else's Secret for the spoke says is tried; `None` where there is no such Secret.
    async fn as_registered(&self, access: &Access, facts: &Facts) -> Result<Option<Observed<Work>>, Stop> {
        let Some(cluster) = self.scope.site.cluster(&self.cluster) else { return Ok(None) };
        // A hub that is not there yet has no Secrets either.
        if facts.access(self.scope.hub()).is_err() {
            return Ok(None);
        }
        let hub = self.scope.client(self.scope.hub(), facts).await?;
        let theirs = match find(&self.scope, &hub, cluster, facts).await?.their_credentials()? {
            None => return Ok(None),
            Some(cluster_secret::Credentials::Bound(_)) => return Ok(Some(Observed::default())),
            Some(cluster_secret::Credentials::Portable(theirs)) => *theirs,
        };
        // An address that the site gives for the hub's sake need not be one that this machine reaches.
        let way = match cluster.server {
            Some(_) => Access {
                authority: theirs.authority.clone(),
                credentials: theirs.credentials.clone(),
                ..access.clone()
            },
            None => theirs.clone(),
        };
        prove(&self.scope.env.clients, &way).await.map_err(|error| {
            Failure::from(Refused(self.cluster.clone(), error)).with_hint(
                "put them right in its Secret, or delete that to have one made with an account of its own; then run again",
            )
        })?;
        Ok(Some(self.known(theirs)))
    }

    async fn look(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let access = facts.access(&self.cluster)?;
        if let Some(observed) = self.as_registered(access, facts).await? {
            return Ok(observed);
        }
        let client = self.scope.client(&self.cluster, facts).await?;
        if let Some(account) = self.proven(&client, access, facts).await? {
            return Ok(self.known(self.as_the_hub_reaches_it(account)));
        }
        let (site, clients) = (&self.scope.site.name, &self.scope.env.clients);
        match account::choose(site, clients, &client, access).await? {
            Account::Theirs(account) => Ok(self.known(self.as_the_hub_reaches_it(account))),
            Account::Ours(names, token) => self.own(client, &names, token, access, facts).await,
        }
    }

    /// An account of ours that is there and works, found out in two questions: the token is found by its marks, and that it
    /// may do everything proves the rest of the account. `None`: all of it has to be looked at.
    async fn proven(&self, client: &Client, access: &Access, facts: &Facts) -> Result<Option<Access>, Stop> {
        let site = &self.scope.site.name;
        let mark = marked_as(site, part::REGISTRATION);
        let tokens = api::list(client, &Kind::SECRET, Some(objects::NAMESPACE), &mark).await?;
        let names = [Names::well_known(), Names::of(site)].map(|names| names.token);
        let [token] = tokens.as_slice() else { return Ok(None) };
        let hub = self.scope.hub_uid(facts).await?;
        if !names.iter().any(|name| name == token.name()) || token.label(HUB_LABEL) != Some(&hub) {
            return Ok(None);
        }
        let Some(token) = token.data("token").map(Secret::new) else { return Ok(None) };
        let account = Access { credentials: Credentials::Token(token), ..access.clone() };
        let rights = prove(&self.scope.env.clients, &account).await;
        Ok(matches!(rights, Ok(Rights::All)).then_some(account))
    }

    async fn own(
        &self,
        client: Client,
        names: &Names,
        token: Option<Secret<String>>,
        access: &Access,
        facts: &Facts,
    ) -> Result<Observed<Work>, Stop> {
        let site = &self.scope.site.name;
        let hub = self.scope.hub_uid(facts).await?;
        let sets = [names.account(site), vec![names.token(site)]]
            .map(|objects| ObjectSet::new(site, objects).of_hub(&hub));
        let (account, secret) = futures::try_join!(sets[0].observe(&client), sets[1].observe(&client))?;
        let mut changes = [account.changes(), secret.changes()].concat();
        let sets = [account, secret];
        match self.account(names, token, access).await {
            // An account that works is known even where something about it differs.
            Ok(account) => {
                let known = self.known(self.as_the_hub_reaches_it(account));
                Ok(Observed { changes, work: Some(Work { client, renewed: None, sets }), ..known })
            }
            Err(change) => {
                let renewed = (!change.is_wait()).then(|| {
                    let mut token = names.token(site);
                    token.set_label(HUB_LABEL, &hub);
                    token
                });
                if renewed.is_some() || changes.is_empty() {
                    changes.push(change);
                }
                Ok(Observed::differs(changes, Work { client, renewed, sets }))
            }
        }
    }

    fn known(&self, registration: Access) -> Observed<Work> {
        let learnt = ClusterFacts { registration: Some(registration), ..ClusterFacts::default() };
        Observed::ready(Facts::of(&self.cluster, learnt))
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
    async fn account(
        &self,
        names: &Names,
        token: Option<Secret<String>>,
        access: &Access,
    ) -> Result<Access, Change> {
        let subject = |kind: Kind, name: &str| kind.subject(Some(objects::NAMESPACE), name);
        let token = token.ok_or_else(|| {
            Change::wait(subject(Kind::SECRET, &names.token), "the controller manager fills in its token")
        })?;
        let account = Access { credentials: Credentials::Token(token), ..access.clone() };
        // The server learns of a token, and of what it may do, a moment after both are stored.
        let missing = match prove(&self.scope.env.clients, &account).await {
            Ok(Rights::All) => return Ok(account),
            Ok(Rights::Some) => format!("it may not do everything at {} yet", account.server),
            Err(error) if error.is_unauthorized() && !self.made.load(Ordering::Relaxed) => {
                let subject = subject(Kind::SECRET, &names.token);
                let update = Change::update(subject, "the API server does not accept its token");
                return Err(update.with_secret_content(names.token(&self.scope.site.name).fields()));
            }
            Err(error) => error.reason(),
        };
        Err(Change::wait(subject(Kind::SERVICE_ACCOUNT, &names.account), missing))
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

    fn purpose(&self) -> &'static str {
        "the account that the hub's Argo CD uses there works"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        self.look(facts).await
    }

    async fn apply(&self, work: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let Work { client, renewed, sets } = work;
        for set in sets {
            set.apply(writer).await?;
        }
        if let Some(token) = renewed {
            writer.perform(api::delete(&client, &Kind::SECRET, token.namespace(), token.name())).await?;
            writer.perform(api::apply(&client, &Kind::SECRET, &token)).await?;
        }
        self.made.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Unregister {
    /// What is left of the account. Of a hub that is gone or given up it is not asked whose it is.
    async fn look(&self, facts: &Facts) -> Result<Option<Differences>, Stop> {
        let Some(client) = self.client(facts).await? else { return Ok(None) };
        let set = match facts.presence(self.scope.hub()) {
            None | Some(Presence::Seen) => self.set().of_hub(&self.scope.hub_uid(facts).await?),
            Some(_) => self.set(),
        };
        Ok(Some(set.observe(&client).await?))
    }

    fn set(&self) -> ObjectSet {
        let namespace = Some(objects::NAMESPACE.to_owned());
        let collections = BTreeSet::from([
            (Kind::CLUSTER_ROLE_BINDING, None),
            (Kind::CLUSTER_ROLE, None),
            (Kind::SECRET, namespace.clone()),
            (Kind::SERVICE_ACCOUNT, namespace),
        ]);
        let prune = Some(Prune { part: part::REGISTRATION, collections, except: BTreeSet::new() });
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

    fn purpose(&self) -> &'static str {
        "that account is gone, if we made it"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Self::Work>, Stop> {
        Ok(self.look(facts).await?.map_or_else(Observed::default, Into::into))
    }

    async fn apply(&self, work: Differences, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.apply(writer).await
    }
}
