//! The step `<cluster>/provision/access-entries`: who may come in. A cluster lets in nobody by itself, not even whoever
//! made it: who that is would depend on who ran the command first.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_eks::types::{AccessEntry, AccessScope, AccessScopeType};
use futures::future::try_join_all;
use serde_json::json;

use super::asked::{Asked, once_known};
use super::cluster::EksCluster;
use super::control_plane;
use super::roles;
use crate::aws::{Account, Answer as _, AwsError, Identity};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::name::ClusterName;

/// EKS's own policy of those who may do everything.
const ADMINISTRATOR: &str = "AmazonEKSClusterAdminPolicy";

pub(super) struct AccessEntries {
    cluster: Arc<EksCluster>,
    asked: Asked,
}

/// What is to be done for one principal.
pub(super) struct Deed {
    principal: String,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Create,
    /// The role has been made anew since: an entry is for the role of that time.
    Replace,
    Associate,
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` cannot be entered by the root user of the account")]
struct Root(ClusterName);

impl AccessEntries {
    pub(super) fn new(cluster: &Arc<EksCluster>) -> Self {
        Self { cluster: Arc::clone(cluster), asked: Asked::default() }
    }

    /// Whoever runs this, and those that the profile names.
    async fn principals(&self, account: &Account, identity: &Identity) -> Result<BTreeSet<String>, Failure> {
        if identity.is_root() {
            let hint =
                "use the credentials of a role or of a user: an access entry cannot be for the root user";
            return Err(Failure::from(Root(self.cluster.name.clone())).with_hint(hint));
        }
        let caller = match identity.assumed_role() {
            // Entries want the role's path, which is not in the ARN of a session.
            Some(name) => match roles::get(account, name).await? {
                Some(role) => role.arn,
                None => identity.iam(&identity.account, &format!("role/{name}")),
            },
            None => identity.arn.clone(),
        };
        Ok(self.cluster.eks.admins.iter().cloned().chain([caller]).collect())
    }

    async fn look(
        &self,
        account: &Account,
        identity: &Identity,
        principal: &str,
    ) -> Result<Option<(Change, Deed)>, Failure> {
        let id = self.cluster.id();
        let subject = format!("access of {principal} to {}", control_plane::subject(&id));
        let deed = |what| Deed { principal: principal.to_owned(), what };
        let policy = policy(identity);
        let answer =
            account.eks.describe_access_entry().cluster_name(&id).principal_arn(principal).send().await;
        let answer = answer.map_err(|error| AwsError::of("look at the", &subject, &error)).if_present()?;
        let Some(entry) = answer.and_then(|answer| answer.access_entry) else {
            let change = Change::create(subject).with_detail("administrator").with_content(&json!(policy));
            return Ok(Some((change, deed(What::Create))));
        };
        if self.is_dead(account, identity, &entry, principal).await? {
            let detail = "made anew: it is for an earlier role of that name";
            return Ok(Some((Change::update(subject, detail).with_content(&policy), deed(What::Replace))));
        }
        let policies =
            account.eks.list_associated_access_policies().cluster_name(&id).principal_arn(principal);
        let policies = policies.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let policies =
            policies.map_err(|error| AwsError::of("list the policies of the", &subject, &error))?;
        let is_administrator = policies.iter().any(|associated| {
            let is_whole =
                associated.access_scope().and_then(|scope| scope.r#type()) == Some(&AccessScopeType::Cluster);
            associated.policy_arn() == Some(policy.as_str()) && is_whole
        });
        if is_administrator {
            return Ok(None);
        }
        let change = Change::update(subject, "administrator").with_content(&policy);
        Ok(Some((change, deed(What::Associate))))
    }

    /// Whether an entry is older than its role: EKS keeps the role's unique id, which a new role does not have.
    async fn is_dead(
        &self,
        account: &Account,
        identity: &Identity,
        entry: &AccessEntry,
        principal: &str,
    ) -> Result<bool, Failure> {
        let here = identity.iam(&identity.account, "role/");
        let Some(name) = principal.strip_prefix(&here).and_then(|path| path.rsplit('/').next()) else {
            return Ok(false);
        };
        let role = roles::get(account, name).await?;
        Ok(role.zip(entry.created_at).is_some_and(|(role, entry)| entry.secs() < role.create_date.secs()))
    }

    async fn create(&self, account: &Account, principal: &str, writer: &Writer) -> Result<(), Failure> {
        let id = self.cluster.id();
        let create = account
            .eks
            .create_access_entry()
            .cluster_name(&id)
            .principal_arn(principal)
            .r#type("STANDARD")
            .set_tags(Some(self.cluster.tags().into_iter().collect()));
        let failed = |error: &_| AwsError::of("give access to", principal, error);
        match once_known(writer, || create.clone().send(), failed).await {
            Err(error) if !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Step for AccessEntries {
    type Work = Vec<Deed>;

    fn id(&self) -> StepId {
        self.cluster.step("provision/access-entries")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "its administrators may come in"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Self::Work>, Stop> {
        let (account, identity) = self.cluster.account().await?;
        let principals = self.principals(&account, &identity).await?;
        let looks = principals.iter().map(|principal| self.look(&account, &identity, principal));
        let found = try_join_all(looks).await?;
        let (changes, deeds): (Vec<_>, Vec<_>) = found.into_iter().flatten().unzip();
        Ok(self.asked.settle(Observed::differs(changes, deeds)))
    }

    async fn apply(&self, deeds: Vec<Deed>, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (account, identity) = self.cluster.account().await?;
        let id = self.cluster.id();
        for Deed { principal, what } in deeds {
            if what == What::Replace {
                let delete =
                    account.eks.delete_access_entry().cluster_name(&id).principal_arn(&principal).send();
                let deleted = writer.perform(delete).await;
                deleted
                    .map_err(|error| AwsError::of("take away the access of", &principal, &error))
                    .if_present()?;
            }
            if what != What::Associate {
                self.create(&account, &principal, writer).await?;
            }
            let associate = account
                .eks
                .associate_access_policy()
                .cluster_name(&id)
                .principal_arn(&principal)
                .policy_arn(policy(&identity))
                .access_scope(AccessScope::builder().r#type(AccessScopeType::Cluster).build())
                .send();
            let associated = writer.perform(associate).await;
            associated.map_err(|error| AwsError::of("make an administrator of", &principal, &error))?;
        }
        self.asked.set();
        Ok(())
    }
}

fn policy(identity: &Identity) -> String {
    format!("arn:{}:eks::aws:cluster-access-policy/{ADMINISTRATOR}", identity.partition)
}
