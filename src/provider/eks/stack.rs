//! The stack of `CloudFormation` that a cluster's network is.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{Parameter, Stack, StackStatus, Tag};

use super::cluster::EksCluster;
use crate::aws::{Account, Answer as _, AwsError};
use crate::engine::{Failure, Writer};

/// The parameter that has the names of its zones.
pub(super) const ZONES: &str = "Zones";

/// A stack as `CloudFormation` describes it.
#[derive(Debug)]
pub(super) struct NetworkStack {
    pub(super) status: StackStatus,
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    reason: Option<String>,
}

/// How far a stack has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is as it was last asked to be, or, after an update that failed, as it was before.
    Whole,
    /// It is being worked on.
    Busy,
    /// It could not be made, and holds nothing that anybody uses.
    Stillborn,
    /// It could not be taken away, or put back.
    Stuck,
}

impl NetworkStack {
    /// The cluster's stack; `None` if there is none.
    pub(super) async fn look(account: &Account, cluster: &EksCluster) -> Result<Option<Self>, Failure> {
        let name = cluster.stack();
        let answer = account.cloudformation.describe_stacks().stack_name(&name).send().await;
        let answer = answer.map_err(|error| AwsError::of("look at", subject(&name), &error)).if_present()?;
        let stack = answer.and_then(|answer| answer.stacks.unwrap_or_default().into_iter().next());
        let Some(stack) = stack.filter(|stack| stack.stack_status != Some(StackStatus::DeleteComplete))
        else {
            return Ok(None);
        };
        let stack = Self::of(stack);
        if cluster.owns(stack.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))) {
            Ok(Some(stack))
        } else {
            Err(cluster.not_ours(subject(&name)))
        }
    }

    fn of(stack: Stack) -> Self {
        let outputs = stack.outputs.unwrap_or_default().into_iter();
        let parameters = stack.parameters.unwrap_or_default().into_iter();
        let tags = stack.tags.unwrap_or_default().into_iter();
        Self {
            status: stack.stack_status.unwrap_or_else(|| "UNKNOWN".into()),
            outputs: outputs.filter_map(|output| Some((output.output_key?, output.output_value?))).collect(),
            parameters: parameters
                .filter_map(|parameter| Some((parameter.parameter_key?, parameter.parameter_value?)))
                .collect(),
            tags: tags.filter_map(|tag| Some((tag.key?, tag.value?))).collect(),
            reason: stack.stack_status_reason.filter(|reason| !reason.is_empty()),
        }
    }

    /// How far it has come (AWS `CloudFormation` User Guide, "Stack status codes").
    pub(super) fn standing(&self) -> Standing {
        match self.status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" => Standing::Whole,
            "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "REVIEW_IN_PROGRESS" => {
                Standing::Stillborn
            }
            status if status.ends_with("_IN_PROGRESS") => Standing::Busy,
            _ => Standing::Stuck,
        }
    }

    /// Whether what it was last asked for has failed.
    pub(super) fn has_failed(&self) -> bool {
        let status = self.status.as_str();
        status.contains("ROLLBACK") || status.ends_with("FAILED")
    }

    /// What an output says, as a list.
    pub(super) fn list(&self, output: &str) -> Vec<String> {
        let text = self.outputs.get(output).map(String::as_str).unwrap_or_default();
        text.split(',').filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// How it is, in words.
    pub(super) fn state(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{} ({reason})", self.status.as_str()),
            None => self.status.as_str().to_owned(),
        }
    }
}

pub(super) fn subject(name: &str) -> String {
    format!("CloudFormation stack {name}")
}

/// The resources of a stack that failed last, each with the reason; empty where nothing has.
pub(super) async fn faults(account: &Account, name: &str) -> Result<Vec<String>, AwsError> {
    let answer = account.cloudformation.describe_stack_events().stack_name(name).send().await;
    let answer =
        answer.map_err(|error| AwsError::of("list the events of", subject(name), &error)).if_present()?;
    let events = answer.and_then(|answer| answer.stack_events).unwrap_or_default();
    let mut faults = Vec::new();
    // The newest come first; what was asked for last begins with an event of the stack itself.
    for event in events {
        let status =
            event.resource_status.as_ref().map(|status| status.as_str().to_owned()).unwrap_or_default();
        let is_stack = event.physical_resource_id == event.stack_id;
        if is_stack
            && ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"].contains(&status.as_str())
        {
            break;
        }
        let reason = event.resource_status_reason.unwrap_or_default();
        if status.ends_with("_FAILED") && !is_stack && !reason.contains("cancelled") {
            let resource = event.logical_resource_id.unwrap_or_default();
            faults.push(format!("{resource}: {reason}"));
        }
    }
    faults.reverse();
    Ok(faults)
}

/// The text that a stack was made or last changed with.
pub(super) async fn template(account: &Account, name: &str) -> Result<String, AwsError> {
    let answer = account.cloudformation.get_template().stack_name(name).send().await;
    let answer = answer.map_err(|error| AwsError::of("read the template of", subject(name), &error))?;
    Ok(answer.template_body.unwrap_or_default())
}

/// What a stack is made or changed with.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) name: String,
    pub(super) template: String,
    pub(super) zones: String,
    pub(super) tags: BTreeMap<String, String>,
}

impl Order {
    /// Asks for it to be made. The token makes a second attempt, after an answer that was lost, the same one.
    pub(super) async fn create(self, account: &Account, writer: &Writer) -> Result<(), AwsError> {
        let Self { name, template, zones, tags } = self;
        let create = account
            .cloudformation
            .create_stack()
            .stack_name(&name)
            .template_body(template)
            .parameters(parameter(&zones))
            .set_tags(Some(self::tags(tags)))
            .client_request_token(token());
        let created = writer.perform(create.send()).await;
        created.map(drop).map_err(|error| AwsError::of("create", subject(&name), &error))
    }

    /// Asks for it to be changed.
    pub(super) async fn update(self, account: &Account, writer: &Writer) -> Result<(), AwsError> {
        let Self { name, template, zones, tags } = self;
        let update = account
            .cloudformation
            .update_stack()
            .stack_name(&name)
            .template_body(template)
            .parameters(parameter(&zones))
            .set_tags(Some(self::tags(tags)))
            .client_request_token(token());
        let updated = writer.perform(update.send()).await;
        match updated.map_err(|error| AwsError::of("update", subject(&name), &error)) {
            // Another text that means the same.
            Err(error) if error.text().contains("No updates are to be performed") => Ok(()),
            updated => updated.map(drop),
        }
    }
}

/// Asks for a stack to be taken away.
pub(super) async fn delete(account: &Account, name: &str, writer: &Writer) -> Result<(), AwsError> {
    let delete = account.cloudformation.delete_stack().stack_name(name).client_request_token(token());
    let deleted = writer.perform(delete.send()).await;
    deleted.map(drop).map_err(|error| AwsError::of("delete", subject(name), &error))
}

fn parameter(zones: &str) -> Parameter {
    Parameter::builder().parameter_key(ZONES).parameter_value(zones).build()
}

fn tags(tags: BTreeMap<String, String>) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// A token that no other request has.
fn token() -> String {
    let mut bytes = [0_u8; 16];
    // A token that is used again would be taken for the earlier request.
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    debug_assert_eq!(filled, Ok(bytes.len()), "the kernel gives out as few bytes as these at once");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
