//! Which account on a spoke the hub's Argo CD uses, where there may be one of somebody else's.

use futures::future::try_join_all;
use kube::Client;

use super::objects::{NAMESPACE, Names};
use super::proof::{Rights, prove};
use crate::engine::{Access, Credentials, Stop};
use crate::k8s::{ApiError, Clients, Kind, Object, SITE_LABEL, api};
use crate::site::name::SiteName;
use crate::site::secret::Secret;

/// The account to use.
pub(super) enum Account {
    /// One of ours, there or to be made, with its token as far as that is there.
    Ours(Names, Option<Secret<String>>),
    /// One of somebody else's, which may do everything already.
    Theirs(Access),
}

/// The four objects of an account that are there.
struct Found(Vec<Object>);

impl Found {
    async fn look(client: &Client, names: &Names) -> Result<Self, ApiError> {
        let Names { account, token, role, binding } = names;
        let reads = [
            (Kind::SERVICE_ACCOUNT, Some(NAMESPACE), account),
            (Kind::SECRET, Some(NAMESPACE), token),
            (Kind::CLUSTER_ROLE, None, role),
            (Kind::CLUSTER_ROLE_BINDING, None, binding),
        ];
        let reads = reads.iter().map(|(kind, namespace, name)| api::get(client, kind, *namespace, name));
        Ok(Self(try_join_all(reads).await?.into_iter().flatten().collect()))
    }

    fn is_complete(&self) -> bool {
        self.0.len() == 4
    }

    fn is_all_ours(&self, site: &SiteName) -> bool {
        self.0.iter().all(|object| object.label(SITE_LABEL) == Some(site.as_str()))
    }

    fn token(&self) -> Option<Secret<String>> {
        self.0.iter().find(|object| object.kind() == Kind::SECRET.name())?.data("token").map(Secret::new)
    }
}

/// Chooses. An account of somebody else's is used if it may do everything already, and otherwise left alone: rights
/// that somebody has narrowed are never widened.
///
/// # Errors
/// When the cluster cannot be asked.
pub(super) async fn choose(
    site: &SiteName,
    clients: &Clients,
    client: &Client,
    access: &Access,
) -> Result<Account, Stop> {
    let well_known = Found::look(client, &Names::well_known()).await?;
    let is_free = well_known.is_all_ours(site);
    if is_free && well_known.is_complete() {
        return Ok(Account::Ours(Names::well_known(), well_known.token()));
    }
    // Once there is one under names of our own, it stays in use.
    let own = Found::look(client, &Names::of(site)).await?;
    if !own.0.is_empty() {
        return Ok(Account::Ours(Names::of(site), own.token()));
    }
    if is_free {
        return Ok(Account::Ours(Names::well_known(), well_known.token()));
    }
    if let Some(token) = well_known.token() {
        let theirs = Access { credentials: Credentials::Token(token), ..access.clone() };
        match prove(clients, &theirs).await {
            Ok(Rights::All) => return Ok(Account::Theirs(theirs)),
            Err(error) if !error.is_refusal() => return Err(error.into()),
            Ok(Rights::Some) | Err(_) => {}
        }
    }
    Ok(Account::Ours(Names::of(site), None))
}
