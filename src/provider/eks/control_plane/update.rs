//! Updates of a cluster that is there.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_eks::types::UpdateStatus;

use super::settings::{logging, vpc_config};
use super::{look, subject};
use crate::aws::{Account, AwsError};
use crate::engine::wait::Pace;
use crate::engine::{Failure, Writer};
use crate::provider::eks::cluster::EksCluster;
use crate::site::EksEndpoint;

/// How long one update of a control plane may take.
const UPDATE: Duration = Duration::from_hours(1);

/// One update. EKS takes one at a time, of one kind.
pub(in crate::provider::eks) enum Update {
    Version(String),
    Endpoint(EksEndpoint),
    Logging(Vec<String>),
    Protection(bool),
    Tags(BTreeMap<String, String>),
}

/// It came to another end.
#[derive(Debug, thiserror::Error)]
#[error("the update of the cluster {id} ended as {status}{errors}")]
struct UpdateError {
    id: String,
    status: String,
    errors: String,
}

impl Update {
    /// Asks for it, and waits until it has ended.
    pub(super) async fn make(
        self,
        cluster: &EksCluster,
        account: &Account,
        writer: &Writer,
    ) -> Result<(), Failure> {
        let id = cluster.id();
        let failed = |error| AwsError::of("update", subject(&id), &error);
        let config = || account.eks.update_cluster_config().name(&id);
        let begun = match self {
            Self::Version(version) => {
                let update = account.eks.update_cluster_version().name(&id).version(version);
                let update = writer.perform(update.send()).await;
                update.map_err(|error| AwsError::of("update the version of", subject(&id), &error))?.update
            }
            Self::Endpoint(endpoint) => {
                let update = config().resources_vpc_config(vpc_config(&endpoint).build());
                writer.perform(update.send()).await.map_err(failed)?.update
            }
            Self::Logging(logs) => {
                writer.perform(config().logging(logging(&logs)).send()).await.map_err(failed)?.update
            }
            Self::Protection(protect) => {
                writer.perform(config().deletion_protection(protect).send()).await.map_err(failed)?.update
            }
            Self::Tags(tags) => {
                let arn = look(account, cluster).await?.and_then(|found| found.arn).unwrap_or_default();
                cluster.tag(account, &subject(&id), (arn, tags), writer).await?;
                None
            }
        };
        match begun.and_then(|update| update.id) {
            Some(update) => end(cluster, account, &update, writer).await,
            None => Ok(()),
        }
    }
}

/// Waits until an update has ended: the next one is refused before that.
async fn end(cluster: &EksCluster, account: &Account, update: &str, writer: &Writer) -> Result<(), Failure> {
    let id = cluster.id();
    let mut pace = Pace::new(UPDATE).with_longest_pause(Duration::from_secs(10));
    loop {
        let answer = account.eks.describe_update().name(&id).update_id(update).send().await;
        let answer = answer.map_err(|error| AwsError::of("look at an update of", subject(&id), &error))?;
        let found = answer.update;
        let status = found.as_ref().and_then(|update| update.status.clone());
        match status {
            Some(UpdateStatus::Successful) => return Ok(()),
            Some(status @ (UpdateStatus::Failed | UpdateStatus::Cancelled)) => {
                let errors = found.and_then(|update| update.errors).unwrap_or_default();
                let errors =
                    errors.iter().filter_map(|error| error.error_message()).map(|text| format!("\n  {text}"));
                let (status, errors) = (status.as_str().to_owned(), errors.collect());
                return Err(UpdateError { id, status, errors }.into());
            }
            status => {
                let status = status.map_or("UNKNOWN".to_owned(), |status| status.as_str().to_owned());
                writer.progress(format!("the update is {status}"));
                if !writer.pause(&mut pace).await {
                    let errors = "\n  it goes on at AWS; run the same command again to follow it".to_owned();
                    return Err(UpdateError { id, status, errors }.into());
                }
            }
        }
    }
}
