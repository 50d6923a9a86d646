//! The step `<cluster>/provision/roles`: the roles that its control plane and its nodes act as.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_iam::types::{Role, Tag};
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::asked::Asked;
use super::cluster::EksCluster;
use crate::aws::{Account, Answer as _, AwsError, Identity};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::EksNodes;
use crate::site::name::ClusterName;

/// What the control plane acts as.
pub(super) const CONTROL_PLANE: &str = "cluster";
/// What nodes act as.
pub(super) const NODE: &str = "node";

/// A role as it is to be.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    name: String,
    /// Who may act as it.
    trust: Value,
    /// The ARNs of AWS's own policies that say what it may do.
    policies: BTreeSet<String>,
    description: String,
}

/// What is to be done about one role.
#[derive(Debug)]
pub(super) enum Deed {
    Create(Wanted),
    Trust(Wanted),
    Attach { name: String, policy: String },
    Tag { name: String, tags: Vec<Tag> },
}

pub(super) struct Roles {
    cluster: Arc<EksCluster>,
    asked: Asked,
}

impl Roles {
    pub(super) fn new(cluster: &Arc<EksCluster>) -> Self {
        Self { cluster: Arc::clone(cluster), asked: Asked::default() }
    }

    /// The roles of a cluster (Amazon EKS User Guide, "Amazon EKS cluster IAM role", "Amazon EKS node IAM role", "Amazon
    /// EKS Auto Mode cluster IAM role", "Amazon EKS Auto Mode node IAM role").
    fn wanted(&self, identity: &Identity) -> [Wanted; 2] {
        let is_auto = self.cluster.eks.nodes == EksNodes::Auto;
        let control_plane: &[&str] = if is_auto {
            &[
                "AmazonEKSClusterPolicy",
                "AmazonEKSComputePolicy",
                "AmazonEKSBlockStoragePolicy",
                "AmazonEKSLoadBalancingPolicy",
                "AmazonEKSNetworkingPolicy",
            ]
        } else {
            &["AmazonEKSClusterPolicy"]
        };
        let node: &[&str] = if is_auto {
            &["AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"]
        } else {
            &["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"]
        };
        let role = |purpose, service: &str, actions: &[&str], policies: &[&str]| Wanted {
            name: self.cluster.role(purpose),
            trust: trust(service, actions),
            policies: policies.iter().map(|name| identity.iam("aws", &format!("policy/{name}"))).collect(),
            description: format!("The {purpose} role of the EKS cluster {}", self.cluster.id()),
        };
        // China's EC2 has a principal of its own.
        let ec2 = if identity.partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
        [
            role(CONTROL_PLANE, "eks.amazonaws.com", &["sts:AssumeRole", "sts:TagSession"], control_plane),
            role(NODE, ec2, &["sts:AssumeRole"], node),
        ]
    }

    async fn look(&self, account: &Account, wanted: &Wanted) -> Result<Vec<(Change, Deed)>, Stop> {
        let Some(role) = get(account, &wanted.name).await? else {
            let change = Change::create(subject(&wanted.name)).with_content(&content(wanted));
            return Ok(vec![(change, Deed::Create(wanted.clone()))]);
        };
        if !self.cluster.owns(tags(&role)) {
            return Err(self.cluster.not_ours(subject(&wanted.name)).into());
        }
        let subject = subject(&wanted.name);
        let mut deeds = Vec::new();
        if trust_of(&role).as_ref() != Some(&wanted.trust) {
            let change =
                Change::update(&subject, "its trust policy is another one").with_content(&wanted.trust);
            deeds.push((change, Deed::Trust(wanted.clone())));
        }
        let attached = attached(account, &wanted.name).await?;
        for policy in wanted.policies.difference(&attached) {
            let detail = format!("{} is not attached", policy.rsplit('/').next().unwrap_or(policy));
            let change = Change::update(&subject, detail).with_content(policy);
            deeds.push((change, Deed::Attach { name: wanted.name.clone(), policy: policy.clone() }));
        }
        let missing = self.cluster.missing_tags(tags(&role));
        if !missing.is_empty() {
            let keys: Vec<_> = missing.keys().map(String::as_str).collect();
            let change = Change::update(&subject, format!("tags {}", keys.join(", "))).with_content(&missing);
            let tags = missing.into_iter().filter_map(|(key, value)| tag(&key, &value)).collect();
            deeds.push((change, Deed::Tag { name: wanted.name.clone(), tags }));
        }
        Ok(deeds)
    }

    async fn create(&self, account: &Account, wanted: &Wanted, writer: &Writer) -> Result<(), Failure> {
        let made = account
            .iam
            .create_role()
            .role_name(&wanted.name)
            .path(self.cluster.role_path())
            .assume_role_policy_document(wanted.trust.to_string())
            .description(&wanted.description)
            .set_tags(Some(self.cluster.tags().iter().filter_map(|(key, value)| tag(key, value)).collect()))
            .send();
        let made = writer.perform(made).await;
        match made.map_err(|error| AwsError::of("create", subject(&wanted.name), &error)) {
            // An earlier attempt was heard, and its answer was lost: IAM has no tokens for that.
            Err(error) if error.is_conflict() => {
                let role = get(account, &wanted.name).await?;
                if role.is_some_and(|role| !self.cluster.owns(tags(&role))) {
                    return Err(self.cluster.not_ours(subject(&wanted.name)));
                }
            }
            made => drop(made?),
        }
        for policy in &wanted.policies {
            attach(account, &wanted.name, policy, writer).await?;
        }
        Ok(())
    }
}

impl Step for Roles {
    type Work = Vec<Deed>;

    fn id(&self) -> StepId {
        self.cluster.step("provision/roles")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the roles of its control plane and its nodes are there"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Self::Work>, Stop> {
        let (account, identity) = self.cluster.account().await?;
        let wanted = self.wanted(&identity);
        let found = try_join_all(wanted.iter().map(|wanted| self.look(&account, wanted))).await?;
        let (changes, deeds): (Vec<_>, Vec<_>) = found.into_iter().flatten().unzip();
        Ok(self.asked.settle(Observed::differs(changes, deeds)))
    }

    async fn apply(&self, deeds: Vec<Deed>, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (account, _) = self.cluster.account().await?;
        for deed in deeds {
            match deed {
                Deed::Create(wanted) => self.create(&account, &wanted, writer).await?,
                Deed::Trust(Wanted { name, trust, .. }) => {
                    let update = account
                        .iam
                        .update_assume_role_policy()
                        .role_name(&name)
                        .policy_document(trust.to_string());
                    let update = writer.perform(update.send()).await;
                    update.map_err(|error| {
                        AwsError::of("change the trust policy of", subject(&name), &error)
                    })?;
                }
                Deed::Attach { name, policy } => attach(&account, &name, &policy, writer).await?,
                Deed::Tag { name, tags } => {
                    let tag = account.iam.tag_role().role_name(&name).set_tags(Some(tags)).send();
                    let tag = writer.perform(tag).await;
                    tag.map_err(|error| AwsError::of("tag", subject(&name), &error))?;
                }
            }
        }
        self.asked.set();
        Ok(())
    }
}

pub(super) fn subject(name: &str) -> String {
    format!("IAM role {name}")
}

fn content(wanted: &Wanted) -> Value {
    json!({ "trust": wanted.trust, "policies": wanted.policies })
}

/// Who may act as a role: a service of AWS.
fn trust(service: &str, actions: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": actions }],
    })
}

/// IAM hands documents out percent-encoded (RFC 3986), and may write a list of one as that one.
fn trust_of(role: &Role) -> Option<Value> {
    let text = urlencoding::decode(role.assume_role_policy_document()?).ok()?;
    let mut document: Value = serde_json::from_str(&text).ok()?;
    for statement in document.get_mut("Statement")?.as_array_mut()? {
        if let Some(action) = statement.get_mut("Action").filter(|action| action.is_string()) {
            *action = json!([action.clone()]);
        }
    }
    Some(document)
}

/// A role; `None` if there is none of that name.
pub(super) async fn get(account: &Account, name: &str) -> Result<Option<Role>, AwsError> {
    let answer = account.iam.get_role().role_name(name).send().await;
    let answer = answer.map_err(|error| AwsError::of("look at", subject(name), &error)).if_present()?;
    Ok(answer.and_then(|answer| answer.role))
}

/// The ARNs of the policies that are attached to a role.
pub(super) async fn attached(account: &Account, name: &str) -> Result<BTreeSet<String>, AwsError> {
    let pages = account.iam.list_attached_role_policies().role_name(name).into_paginator().items().send();
    let found = pages.collect::<Result<Vec<_>, _>>().await;
    let found =
        found.map_err(|error| AwsError::of("list the policies of", subject(name), &error)).if_present()?;
    Ok(found.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_arn).collect())
}

async fn attach(account: &Account, name: &str, policy: &str, writer: &Writer) -> Result<(), AwsError> {
    let attach = account.iam.attach_role_policy().role_name(name).policy_arn(policy).send();
    let attach = writer.perform(attach).await;
    attach.map(drop).map_err(|error| AwsError::of(&format!("attach {policy} to"), subject(name), &error))
}

pub(super) fn tags(role: &Role) -> impl Iterator<Item = (&str, &str)> {
    role.tags().iter().map(|tag| (tag.key(), tag.value()))
}

fn tag(key: &str, value: &str) -> Option<Tag> {
    Tag::builder().key(key).value(value).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trust_policy_is_compared_by_what_it_says() {
        let role = |document: &str| {
            let now = aws_smithy_types::DateTime::from_secs(0);
            Role::builder()
                .path("/")
                .role_name("x")
                .role_id("x")
                .arn("x")
                .create_date(now)
                .assume_role_policy_document(document)
                .build()
                .expect("complete")
        };
        let wanted = trust("eks.amazonaws.com", &["sts:AssumeRole"]);
        let encoded = "%7B%22Statement%22%3A%5B%7B%22Action%22%3A%22sts%3AAssumeRole%22%2C%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22eks.amazonaws.com%22%7D%7D%5D%2C%22Version%22%3A%222012-10-17%22%7D";
        assert_eq!(trust_of(&role(encoded)), Some(wanted));
        assert_eq!(trust_of(&role("%7")), None);
    }
}
