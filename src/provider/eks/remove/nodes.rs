//! The step `<cluster>/remove/nodes`: its node groups are gone.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_eks::types::NodegroupStatus;
use futures::future::try_join_all;

use crate::aws::{Account, Answer as _, AwsError};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::provider::eks::cluster::EksCluster;
use crate::provider::eks::control_plane::{self, tags};
use crate::provider::eks::issues::Issues;
use crate::provider::eks::nodes::{look, subject};
use crate::site::name::ClusterName;

pub(super) struct RemoveNodes(pub(super) Arc<EksCluster>);

#[derive(Debug, thiserror::Error)]
#[error("{group} cannot be deleted{issues}")]
struct Stuck {
    group: String,
    issues: String,
}

/// The names of all node groups of a cluster, whoever made them.
async fn names(account: &Account, cluster: &str) -> Result<Vec<String>, AwsError> {
    let pages = account.eks.list_nodegroups().cluster_name(cluster).into_paginator().items().send();
    let found = pages.collect::<Result<Vec<_>, _>>().await;
    let subject = format!("the node groups of {}", control_plane::subject(cluster));
    Ok(found.map_err(|error| AwsError::of("list", subject, &error)).if_present()?.unwrap_or_default())
}

impl RemoveNodes {
    /// A group that somebody else made is not taken away, and holds its cluster.
    async fn look(&self, account: &Account, name: &str) -> Result<Option<Change>, Failure> {
        let id = self.0.id();
        let Some(found) = look(account, &id, name).await? else { return Ok(None) };
        let subject = subject(&id, name);
        if !self.0.owns(tags(found.tags.as_ref())) {
            return Err(self.0.not_ours(subject));
        }
        match found.status.clone().unwrap_or_else(|| "UNKNOWN".into()) {
            NodegroupStatus::Deleting => {
                let detail = format!("DELETING{}", Issues::of_node_group(&found).in_line());
                Ok(Some(Change::wait(subject, detail)))
            }
            NodegroupStatus::DeleteFailed => {
                let error = Stuck { group: subject, issues: Issues::of_node_group(&found).lines() };
                let hint = "take away what holds it, then run the same command again";
                Err(Failure::from(error).with_hint(hint))
            }
            _ => Ok(Some(Change::delete(subject))),
        }
    }
}

impl Step for RemoveNodes {
    type Work = Vec<String>;

    fn id(&self) -> StepId {
        self.0.step("remove/nodes")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its node groups are gone"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Vec<String>>, Stop> {
        let (account, _) = self.0.account().await?;
        // Of a cluster that is not ours nothing is looked at any further.
        if control_plane::look(&account, &self.0).await?.is_none() {
            return Ok(Observed::default());
        }
        let names = names(&account, &self.0.id()).await?;
        let found = try_join_all(names.iter().map(|name| self.look(&account, name))).await?;
        let found = names.into_iter().zip(found).filter_map(|(name, change)| Some((name, change?)));
        let (mut changes, mut going) = (Vec::new(), Vec::new());
        for (name, change) in found {
            if !change.is_wait() {
                going.push(name);
            }
            changes.push(change);
        }
        Ok(Observed { facts: Facts::default(), changes, work: (!going.is_empty()).then_some(going) })
    }

    async fn apply(&self, groups: Vec<String>, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (account, _) = self.0.account().await?;
        let id = self.0.id();
        for name in groups {
            let delete = account.eks.delete_nodegroup().cluster_name(&id).nodegroup_name(&name).send();
            let deleted = writer.perform(delete).await;
            deleted.map_err(|error| AwsError::of("delete", subject(&id, &name), &error)).if_present()?;
        }
        Ok(())
    }

    /// It takes three to eight minutes, and longer where pods must not be disturbed.
    fn patience(&self) -> Duration {
        Duration::from_mins(30)
    }

    fn longest_pause(&self) -> Duration {
        Duration::from_secs(5)
    }
}
