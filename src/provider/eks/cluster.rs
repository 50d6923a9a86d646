//! What the steps are about: a cluster, what things of it are called at AWS, and how they are known to be ours.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::json;

use crate::aws::{Account, AwsError, Identity, Place};
use crate::engine::{Access, Credentials, Failure, StepId, Writer};
use crate::env::Env;
use crate::provider::fingerprint;
use crate::site::name::ClusterName;
use crate::site::secret::Secret;
use crate::site::{Cluster, Eks, Site};

/// The tag that says which site a thing belongs to.
pub(super) const SITE_TAG: &str = "bridgehead:site";
/// The tag that says which cluster of the site it belongs to.
pub(super) const CLUSTER_TAG: &str = "bridgehead:cluster";

/// The longest name of a role (IAM and AWS STS quotas).
const LONGEST_ROLE: usize = 64;

/// A cluster, which its steps share.
#[derive(Debug)]
pub(in crate::provider) struct EksCluster {
    pub(super) site: Arc<Site>,
    pub(super) name: ClusterName,
    pub(super) eks: Eks,
    pub(super) env: Arc<Env>,
}

/// The credentials lead to another account than the profile says.
#[derive(Debug, thiserror::Error)]
#[error("`{cluster}` is to be in the account {wanted}, and {arn} is of the account {found}")]
struct WrongAccount {
    cluster: ClusterName,
    wanted: String,
    found: String,
    arn: String,
}

/// Something of that name is there, and is not ours.
#[derive(Debug, thiserror::Error)]
#[error("{what} is there already and does not have the tags of this site's `{cluster}`; it is left as it is")]
pub(super) struct NotOurs {
    what: String,
    cluster: ClusterName,
}

impl EksCluster {
    pub(in crate::provider) fn new(
        site: &Arc<Site>,
        cluster: &Cluster,
        eks: &Eks,
        env: &Arc<Env>,
    ) -> Arc<Self> {
        Arc::new(Self {
            site: Arc::clone(site),
            name: cluster.name.clone(),
            eks: eks.clone(),
            env: Arc::clone(env),
        })
    }

    /// The services that it is made with, once it is certain that they are those of the right account.
    pub(super) async fn account(&self) -> Result<(Account, Identity), Failure> {
        let place = Place { region: self.eks.region.clone(), profile: self.eks.profile.clone() };
        let account = self.env.aws.get(&place).await;
        let identity = account.identity().await?.clone();
        match &self.eks.account {
            Some(wanted) if *wanted != identity.account => {
                let error = WrongAccount {
                    cluster: self.name.clone(),
                    wanted: wanted.clone(),
                    found: identity.account,
                    arn: identity.arn,
                };
                let hint = "choose the right credentials (`AWS_PROFILE`, or `profile` in its table); nothing was changed";
                Err(Failure::from(error).with_hint(hint))
            }
            _ => Ok((account, identity)),
        }
    }

    /// What EKS calls it.
    pub(super) fn id(&self) -> String {
        format!("{}-{}", self.site.name, self.name)
    }

    /// What `CloudFormation` calls its network.
    pub(super) fn stack(&self) -> String {
        format!("{}-network", self.id())
    }

    /// The path of the roles of all the site's clusters.
    pub(super) fn role_path(&self) -> String {
        format!("/bridgehead/{}/", self.site.name)
    }

    /// The name of one of its roles. Roles are not of a region, so that their names have to say which one is meant.
    pub(super) fn role(&self, purpose: &str) -> String {
        shortened(&format!("{}-{}-{purpose}", self.id(), self.eks.region), LONGEST_ROLE)
    }

    /// The ARN of one of its roles.
    pub(super) fn role_arn(&self, identity: &Identity, purpose: &str) -> String {
        let resource = format!("role{}{}", self.role_path(), self.role(purpose));
        identity.iam(&identity.account, &resource)
    }

    /// The tags of everything that is made for it.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.eks.tags.clone();
        tags.extend(self.marks());
        tags
    }

    /// Those by which it is known to be ours.
    fn marks(&self) -> [(String, String); 2] {
        [(SITE_TAG.to_owned(), self.site.name.to_string()), (CLUSTER_TAG.to_owned(), self.name.to_string())]
    }

    /// Whether something with these tags is ours.
    pub(super) fn owns<'a>(&self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
        let tags: BTreeMap<_, _> = tags.into_iter().collect();
        self.marks().iter().all(|(key, value)| tags.get(key.as_str()) == Some(&value.as_str()))
    }

    /// That something is not ours.
    pub(super) fn not_ours(&self, what: impl fmt::Display) -> Failure {
        let hint =
            "if it is a leftover of yours, delete it; otherwise give the site or the cluster another name";
        Failure::from(NotOurs { what: what.to_string(), cluster: self.name.clone() }).with_hint(hint)
    }

    /// The tags of ours that something lacks, or has with another value.
    pub(super) fn missing_tags<'a>(
        &self,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> BTreeMap<String, String> {
        let tags: BTreeMap<_, _> = tags.into_iter().collect();
        let mut wanted = self.tags();
        wanted.retain(|key, value| tags.get(key.as_str()) != Some(&value.as_str()));
        wanted
    }

    /// Puts tags on something of it.
    pub(super) async fn tag(
        &self,
        account: &Account,
        subject: &str,
        (arn, tags): (String, BTreeMap<String, String>),
        writer: &Writer,
    ) -> Result<(), AwsError> {
        let tag = account.eks.tag_resource().resource_arn(arn).set_tags(Some(tags.into_iter().collect()));
        let tagged = writer.perform(tag.send()).await;
        tagged.map(drop).map_err(|error| AwsError::of("tag", subject, &error))
    }

    /// How its API is reached at an endpoint, by whoever has credentials for AWS: each time with a token of its own.
    pub(super) fn access(&self, server: &str, authority: String) -> Access {
        let mut arguments = vec!["aws", "token", "--cluster-name"];
        let id = self.id();
        arguments.extend([id.as_str(), "--region", &self.eks.region]);
        if let Some(profile) = &self.eks.profile {
            arguments.extend(["--profile", profile]);
        }
        let user = json!({ "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": self.env.executable,
            "args": arguments,
            "interactiveMode": "Never",
        } });
        Access::new(server, authority, Credentials::User(Secret::new(user)))
    }

    pub(super) fn step(&self, path: &str) -> StepId {
        StepId::of(&self.name, path)
    }
}

/// A name that fits: the end of one that is too long gives way to a fingerprint of the whole.
pub(super) fn shortened(name: &str, longest: usize) -> String {
    if name.len() <= longest {
        return name.to_owned();
    }
    let hash = &fingerprint(name)[..8];
    format!("{}-{hash}", &name[..longest - hash.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_shortened_and_stay_apart() {
        assert_eq!(shortened("short", 64), "short");
        let (one, other) = (shortened(&"a".repeat(65), 64), shortened(&"a".repeat(66), 64));
        assert_eq!((one.len(), other.len()), (64, 64));
        assert_ne!(one, other);
    }
}
