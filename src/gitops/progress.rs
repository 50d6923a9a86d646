//! What is left until Applications are synced and healthy: what to wait for, what to ask Argo CD for once more, and
//! what only a person can do.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use kube::Client;

use super::application::{Application, Held, REFRESH, Retry, Standing};
use super::application_set::ApplicationSet;
use super::expected::Expected;
use super::fleet::{Fleet, Registered};
use super::hub::Hub;
use super::request::{Request, Requests};
use crate::engine::{Change, Failure, Observed, Writer};
use crate::k8s::{ApiError, Kind, api, unready};

/// How many Applications are asked for at once why they are not healthy.
const AT_ONCE: usize = 8;

type Reasons = BTreeMap<String, String>;

/// What is left of some Applications, as it is collected.
pub(super) struct Progress<'a> {
    hub: &'a Hub,
    fleet: &'a Fleet,
    changes: Vec<Change>,
    work: Work,
}

/// What to do about it.
pub(super) struct Work {
    requests: Requests,
    held: Vec<(String, Held)>,
}

/// Argo CD does nothing more by itself.
#[derive(Debug, thiserror::Error)]
#[error("Argo CD will do nothing more by itself about {}", .0.join("; "))]
pub(super) struct Unattended(Vec<String>);

impl<'a> Progress<'a> {
    pub(super) fn new(hub: &'a Hub, fleet: &'a Fleet) -> Self {
        let work = Work { requests: Requests::to(hub), held: Vec::new() };
        Self { hub, fleet, changes: Vec::new(), work }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// What keeps a set from making Applications at all.
    pub(super) fn set(&mut self, set: &ApplicationSet) {
        let subject = self.hub.subject(&Kind::APPLICATION_SET, set.name());
        match set.error() {
            Some(error) => self.changes.push(Change::wait(subject, error)),
            None if set.is_seen() => {}
            None => self.changes.push(Change::wait(subject, "its controller has not looked at it yet")),
        }
    }

    /// What a set has not made yet for a cluster, or not taken away yet.
    pub(super) fn expected(&mut self, expected: &Expected<'_>, cluster: &Registered) {
        if expected.is_missing() {
            let subject = self.hub.subject(&Kind::APPLICATION_SET, expected.set().name());
            self.changes
                .push(Change::wait(subject, format!("it has no Application for {} yet", cluster.name)));
        }
        for application in expected.leaving() {
            self.leaving(application, cluster);
        }
    }

    /// An Application that its set takes away by itself.
    pub(super) fn leaving(&mut self, application: &Application, cluster: &Registered) {
        let subject = self.hub.subject(&Kind::APPLICATION, application.name());
        if application.is_deleting() && application.is_skipped() {
            return self.application(application, &Reasons::new());
        }
        let reason = application.reason().filter(|_| application.is_deleting());
        let reason =
            reason.unwrap_or_else(|| format!("it will be deleted: {} is no longer selected", cluster.name));
        self.changes.push(Change::wait(subject, reason));
    }

    /// What is left of Applications.
    pub(super) async fn applications(&mut self, applications: Vec<&Application>, client: Option<&Client>) {
        let reasons = self.reasons(&applications, client).await;
        for application in applications {
            self.application(application, &reasons);
        }
    }

    /// Why Applications are not healthy, by their names, as their cluster says it: Argo CD does not. A cluster that
    /// cannot be asked leaves it at what Argo CD says.
    async fn reasons(&self, applications: &[&Application], client: Option<&Client>) -> Reasons {
        let Some(client) = client else { return Reasons::new() };
        let unhealthy =
            applications.iter().filter(|each| matches!(self.fleet.standing(each), Standing::Unhealthy(_)));
        let asked: Vec<_> = unhealthy.map(|each| reason(client, each)).collect();
        let reasons: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        reasons.into_iter().flatten().collect()
    }

    fn application(&mut self, application: &Application, reasons: &Reasons) {
        let name = application.name();
        let subject = self.hub.subject(&Kind::APPLICATION, name);
        let change = match self.fleet.standing(application) {
            Standing::Settled => return,
            Standing::Waiting(reason) => Change::wait(subject, reason),
            Standing::Unhealthy(reason) => Change::wait(subject, reasons.get(name).unwrap_or(&reason)),
            Standing::Stuck(reason, Retry::Comparison) => {
                self.work.requests.push(Request::annotate(Kind::APPLICATION, name, REFRESH, "hard"));
                Change::ask(subject, format!("compare again: {reason}"))
            }
            Standing::Stuck(reason, Retry::Sync) => {
                self.work.requests.push(Request::sync(application));
                Change::ask(subject, format!("sync again: {reason}"))
            }
            Standing::Held(held) => return self.held(subject, held),
        };
        self.changes.push(change);
    }

    /// What only a person can do.
    pub(super) fn held(&mut self, subject: String, held: Held) {
        self.changes.push(Change::ask(&subject, format!("{}: {}", held.reason, held.remedy)));
        self.work.held.push((subject, held));
    }

    /// Something else that is left.
    pub(super) fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Something else to ask for.
    pub(super) fn ask(&mut self, change: Change, requests: impl IntoIterator<Item = Request>) {
        self.changes.push(change);
        requests.into_iter().for_each(|request| self.work.requests.push(request));
    }

    /// All that is left, and what to do about it.
    pub(super) fn observed(self) -> Observed<Work> {
        Observed::differs(self.changes, self.work)
    }
}

impl Work {
    /// Asks Argo CD for what it has given up on. What only a person can do fails, with what that is.
    pub(super) async fn carry_out(self, writer: &Writer) -> Result<(), Failure> {
        self.requests.carry_out(writer).await?;
        if self.held.is_empty() {
            return Ok(());
        }
        let remedies: Vec<_> = self.held.iter().map(|(_, held)| held.remedy.clone()).collect();
        let held = self.held.iter().map(|(subject, held)| format!("{subject}: {}", held.reason));
        Err(Failure::from(Unattended(held.collect())).with_hint(remedies.join("\n")))
    }
}

async fn reason(client: &Client, application: &Application) -> Option<(String, String)> {
    let reason = unready_workload(client, application).await.ok()??;
    Some((application.name().to_owned(), reason))
}

/// What keeps the first workload of an Application that has not rolled out from doing so.
async fn unready_workload(client: &Client, application: &Application) -> Result<Option<String>, ApiError> {
    let kinds = [Kind::DEPLOYMENT, Kind::STATEFUL_SET, Kind::DAEMON_SET];
    for resource in application.resources() {
        let Some(kind) = kinds.iter().find(|kind| kind.name() == resource.kind) else { continue };
        let Some(namespace) = resource.namespace.as_deref() else { continue };
        let Some(workload) = api::get(client, kind, Some(namespace), &resource.name).await? else { continue };
        if let Some(Change { subject, detail, .. }) =
            unready(client, namespace, &[workload]).await?.into_iter().next()
        {
            return Ok(Some(format!("{subject}: {}", detail.unwrap_or_default())));
        }
    }
    Ok(None)
}
