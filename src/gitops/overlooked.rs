//! Applications that Argo CD would keep for long, or for ever, although nothing holds them up.
//!
//! Argo CD deletes an Application when its own cache of the cluster has none of its objects any more. That cache has
//! been seen to keep an object that the cluster no longer has, after the cluster Secret was changed: Argo CD then
//! waits for it for ever. It is fed by a queue, which is replaced when the cache is made anew; an event that is under
//! way just then may be lost. And a deletion that failed, because the cluster did not answer, is only tried again after
//! minutes, however soon the cluster is back. What Argo CD's API calls "invalidate cache" is an annotation on the
//! cluster Secret; one on the Application makes it try again.

use jiff::{SignedDuration, Timestamp};
use kube::Client;

use super::application::{Application, REFRESH};
use super::fleet::{Fleet, Registered};
use super::hub::Hub;
use super::request::{Request, Requests};
use super::retire::{holding, remains};
use super::tracking::Found;
use crate::engine::{Change, Writer};
use crate::k8s::{ApiError, Kind};

/// How long Argo CD may take to notice; usually it is a second.
const PATIENCE: SignedDuration = SignedDuration::from_secs(20);

/// What Argo CD is to look at again.
#[derive(Debug, Clone)]
pub(super) struct Overlooked {
    secret: String,
    applications: Vec<String>,
    now: Timestamp,
}

impl Overlooked {
    /// Finds the Applications of a cluster that nothing holds up, or whose deletion has failed; `left` is what is there
    /// of those on their way out. As long as some kind cannot be listed, nobody knows that nothing is left: what Argo CD
    /// waits for may be of that kind.
    pub(super) fn among<'a>(
        registered: &Registered,
        applications: impl Iterator<Item = &'a Application>,
        left: &Found,
        now: Timestamp,
    ) -> Option<Self> {
        let secret = registered.secret.clone()?;
        let is_empty = |each: &Application| left.unlisted.is_empty() && holding(each, left).next().is_none();
        let overlooked = applications
            .filter(|each| is_late(each, registered, now) && (each.has_failed_to_go() || is_empty(each)));
        let applications: Vec<_> = overlooked.map(|each| each.name().to_owned()).collect();
        (!applications.is_empty()).then_some(Self { secret, applications, now })
    }

    /// Asks the cluster what is left, if Argo CD may be late for any of the Applications.
    pub(super) async fn look(
        hub: &Hub,
        client: &Client,
        fleet: &Fleet,
        registered: &Registered,
        applications: impl Iterator<Item = &Application> + Clone,
    ) -> Result<Option<Self>, ApiError> {
        if !applications.clone().any(|each| is_late(each, registered, fleet.now)) {
            return Ok(None);
        }
        let left = remains(hub, client, applications.clone()).await?;
        Ok(Self::among(registered, applications, &left, fleet.now))
    }

    /// What is to be changed.
    pub(super) fn change(&self, hub: &Hub) -> Change {
        let applications = self.applications.join(", ");
        let detail = format!("Argo CD has to look again at what is left of {applications}");
        Change::ask(hub.subject(&Kind::SECRET, &self.secret), detail)
    }

    /// Makes Argo CD read the cluster anew, and then think of the Applications again.
    pub(super) fn requests(&self) -> impl Iterator<Item = Request> {
        let asked = self.now.to_string();
        let cluster = Request::annotate(Kind::SECRET, &self.secret, REFRESH, &asked);
        let applications = self.applications.iter();
        let applications =
            applications.map(|name| Request::annotate(Kind::APPLICATION, name, REFRESH, "normal"));
        std::iter::once(cluster).chain(applications)
    }

    /// The same at once.
    pub(super) async fn ask(&self, hub: &Hub, writer: &Writer) -> Result<(), ApiError> {
        let mut requests = Requests::to(hub);
        self.requests().for_each(|request| requests.push(request));
        requests.carry_out(writer).await
    }
}

/// Whether an Application has been on its way out for long, and its cluster has not been looked at since.
fn is_late(application: &Application, registered: &Registered, now: Timestamp) -> bool {
    let Some(deleted) = &application.metadata.deletion_timestamp else { return false };
    let asked = registered.annotations.get(REFRESH).and_then(|asked| asked.parse::<Timestamp>().ok());
    now.duration_since(deleted.0) > PATIENCE && asked.is_none_or(|asked| asked < deleted.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::gitops::tracking::{ObjectName, Tracked};

    fn deleted() -> Timestamp {
        "2026-01-01T10:00:00Z".parse().expect("valid")
    }

    /// An Application on its way out, with these conditions.
    fn leaving(conditions: &[&str]) -> Application {
        let conditions: Vec<_> =
            conditions.iter().map(|kind| json!({ "type": kind, "message": "so" })).collect();
        let metadata = json!({ "name": "a", "deletionTimestamp": deleted() });
        let value = json!({ "metadata": metadata, "spec": {}, "status": { "conditions": conditions } });
        serde_json::from_value(value).expect("it is an Application")
    }

    /// A cluster of which Argo CD was asked to look again.
    fn registered(asked: Option<&str>) -> Registered {
        Registered {
            name: "dev".to_owned(),
            server: "https://dev".to_owned(),
            secret: Some("dev".to_owned()),
            labels: BTreeMap::new(),
            annotations: asked.map(|asked| (REFRESH.to_owned(), asked.to_owned())).into_iter().collect(),
            cluster: None,
            ours: true,
        }
    }

    #[test]
    fn argo_cd_is_told_once_and_not_at_once() {
        let (deleted, leaving) = (deleted(), leaving(&[]));
        let after = |seconds| deleted + SignedDuration::from_secs(seconds);
        assert!(!is_late(&leaving, &registered(None), after(5)));
        assert!(is_late(&leaving, &registered(None), after(30)));
        assert!(is_late(&leaving, &registered(Some("2026-01-01T09:00:00Z")), after(30)));
        assert!(!is_late(&leaving, &registered(Some("2026-01-01T10:00:25Z")), after(30)));
    }

    #[test]
    fn a_deletion_that_failed_is_tried_again_whatever_is_left() {
        let kind = String::from("Thing");
        let object = ObjectName { group: String::new(), kind, namespace: None, name: "one".to_owned() };
        let held = Tracked { application: "a".to_owned(), object, stays: false, held: None };
        let left = Found { objects: vec![held], unlisted: Vec::new() };
        let now = deleted() + SignedDuration::from_secs(30);
        let asks = |left: &Found, conditions: &[&str]| {
            Overlooked::among(&registered(None), std::iter::once(&leaving(conditions)), left, now).is_some()
        };
        assert!(asks(&Found::default(), &[]));
        assert!(!asks(&left, &[]), "it waits for what is left");
        assert!(asks(&left, &["DeletionError"]));
    }
}
