//! How one Application is taken away: with everything that it deployed, or without.

use std::collections::BTreeSet;

use kube::Client;
use serde_json::json;

use super::application::{Application, RESOURCES_FINALIZER, SKIP_RECONCILE, termination};
use super::hub::Hub;
use super::tracking::{Found, Tracked, Tracking};
use crate::engine::{Change, Writer};
use crate::k8s::{ApiError, Kind};

/// Every finalizer of Argo CD has this in it.
const ARGOCD: &str = "argocd.argoproj.io";
/// How many of the objects that are left are named.
const NAMED: usize = 3;

/// What becomes of what an Application deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Objects {
    /// Argo CD deletes it first.
    Go,
    /// It stays, or is gone with its cluster already; the text says which.
    Stay(String),
}

/// What is left to do until an Application is gone; `remains` are the objects that hold it up.
pub(super) fn difference(hub: &Hub, application: &Application, objects: &Objects, remains: &Found) -> Change {
    let namespace = application.metadata.namespace.as_deref().unwrap_or(hub.namespace());
    let subject = Kind::APPLICATION.subject(Some(namespace), application.name());
    match objects {
        Objects::Stay(why) if !application.is_deleting() => Change::delete(subject)
            .with_detail(format!("without removing what it deployed: {why}{}", deployed(application)))
            .with_content(&"orphan"),
        Objects::Go if !application.is_deleting() => {
            let stays = application.made_namespace().map(|name| format!(" but the namespace {name}"));
            Change::delete(subject)
                .with_detail("with everything that it deployed".to_owned() + &stays.unwrap_or_default())
                .with_content(&"cascade")
        }
        Objects::Stay(why) if finalizers(application, objects).is_some() => {
            Change::update(subject, format!("let it go without removing what it deployed: {why}"))
                .with_content(&"orphan")
        }
        Objects::Go if application.is_skipped() => Change::ask(
            subject,
            format!("take off its annotation {SKIP_RECONCILE}, so that Argo CD deletes it"),
        ),
        Objects::Go if application.is_retrying() => {
            Change::ask(subject, "end the sync that it is in the middle of")
        }
        _ => Change::wait(subject, reason(application, remains)),
    }
}

/// What an Application deployed, as Argo CD remembers it.
fn deployed(application: &Application) -> String {
    let objects: Vec<_> = application.resources().map(|resource| resource.object().to_string()).collect();
    if objects.is_empty() { String::new() } else { format!("; that is {}", objects.join(", ")) }
}

/// Takes an Application away. Its ApplicationSet must be paused, or have let go of it: otherwise it comes back.
pub(super) async fn retire(
    hub: &Hub,
    application: &Application,
    objects: &Objects,
    writer: &Writer,
) -> Result<(), ApiError> {
    let (kind, seen) = (Kind::APPLICATION, &application.metadata);
    if let Some(finalizers) = finalizers(application, objects) {
        writer.perform(hub.set_finalizers(&kind, seen, &finalizers)).await?;
    }
    // One that is left alone by its controller would be so for ever.
    if application.is_skipped() && *objects == Objects::Go {
        let patch = json!({ "metadata": { "annotations": { SKIP_RECONCILE: null } } });
        writer.perform(hub.change_in(seen.namespace.as_deref(), &kind, application.name(), &patch)).await?;
    }
    // Argo CD finishes a sync, and all its retries, before it deletes anything.
    if let Some(status) = termination(application).filter(|_| *objects == Objects::Go) {
        let patch = json!({ "status": status });
        writer.perform(hub.change_in(seen.namespace.as_deref(), &kind, application.name(), &patch)).await?;
    }
    if !application.is_deleting() {
        writer.perform(hub.delete_seen(&kind, seen)).await?;
    }
    Ok(())
}

/// The finalizers that an Application must have so that its deletion does what it should, where it has others.
pub(super) fn finalizers(application: &Application, objects: &Objects) -> Option<Vec<String>> {
    let present: Vec<_> = application.metadata.finalizers.iter().flatten().cloned().collect();
    let wanted: Vec<_> = match objects {
        Objects::Go if application.cascades() || application.is_deleting() => present.clone(),
        Objects::Go => present.iter().cloned().chain([RESOURCES_FINALIZER.to_owned()]).collect(),
        Objects::Stay(_) => present.iter().filter(|name| !name.contains(ARGOCD)).cloned().collect(),
    };
    (wanted != present).then_some(wanted)
}

/// The objects that hold up Applications on their way out, asked from their cluster.
pub(super) async fn remains<'a>(
    hub: &Hub,
    client: &Client,
    applications: impl Iterator<Item = &'a Application>,
) -> Result<Found, ApiError> {
    let leaving = applications.filter(|application| application.is_deleting());
    let names: BTreeSet<_> = leaving.map(|application| application.name().to_owned()).collect();
    if names.is_empty() {
        return Ok(Found::default());
    }
    Tracking::of(hub).await?.objects(client, &names).await
}

/// The objects of an Application that it waits for.
pub(super) fn holding<'a>(
    application: &'a Application,
    remains: &'a Found,
) -> impl Iterator<Item = &'a Tracked> {
    remains.objects.iter().filter(|tracked| tracked.application == application.name() && !tracked.stays)
}

fn reason(application: &Application, remains: &Found) -> String {
    let mine: Vec<_> = holding(application, remains).collect();
    let mut reason = application.reason().unwrap_or_else(|| "it is being deleted".to_owned());
    for unlisted in &remains.unlisted {
        reason.push_str(&format!("; {unlisted}"));
    }
    if mine.is_empty() {
        return reason;
    }
    let named: Vec<_> = mine.iter().take(NAMED).map(|tracked| tracked.left()).collect();
    let more = mine.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{reason}; left are {}{more}", named.join(", "))
}

impl Tracked {
    /// The object, and what holds it.
    fn left(&self) -> String {
        match self.held.as_deref() {
            Some([]) | None => self.object.to_string(),
            Some(finalizers) => format!("{} (held by {})", self.object, finalizers.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn application(metadata: &Value) -> Application {
        let value = json!({ "metadata": metadata, "spec": {} });
        serde_json::from_value(value).expect("it is an Application")
    }

    #[test]
    fn one_that_would_leave_its_objects_behind_is_told_to_take_them_along() {
        let preserved = application(&json!({ "name": "a" }));
        assert_eq!(finalizers(&preserved, &Objects::Go), Some(vec![RESOURCES_FINALIZER.to_owned()]));
        let cascading = json!({ "name": "a", "finalizers": [format!("{RESOURCES_FINALIZER}/background")] });
        assert_eq!(finalizers(&application(&cascading), &Objects::Go), None);
    }

    #[test]
    fn one_whose_cluster_is_gone_is_let_go_of_by_argo_cd_only() {
        let held = json!({ "name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers":
            [RESOURCES_FINALIZER, "post-delete-finalizer.argocd.argoproj.io", "example.com/theirs"] });
        let stay = Objects::Stay("it is gone".to_owned());
        assert_eq!(finalizers(&application(&held), &stay), Some(vec!["example.com/theirs".to_owned()]));
    }
}
