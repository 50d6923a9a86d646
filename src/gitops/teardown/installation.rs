//! The steps that take Argo CD itself away, from a hub that stays.

use std::time::Duration;

use kube::Client;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::Scope;
use crate::gitops::argocd::KINDS;
use crate::gitops::hub::Hub;
use crate::k8s::{ApiError, Kind, Object, api, marked_by};
use crate::site::name::ClusterName;

/// What Argo CD's own programs make beside their release, in its namespace.
const MADE_BY_ARGO_CD: [&str; 2] = ["argocd-initial-admin-secret", "argocd-redis"];

const BEING_DELETED: &str = "it is being deleted";

/// What a step takes away, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Everything with the site's mark.
    Release,
    /// The definitions of Argo CD's kinds, and its namespace.
    Foundation,
}

/// The steps `<hub>/argocd/install` and `<hub>/argocd/namespace` of a teardown.
pub(super) struct Uninstalled {
    scope: Scope,
    what: What,
}

impl Uninstalled {
    pub(super) fn release(scope: &Scope) -> Self {
        Self { scope: scope.clone(), what: What::Release }
    }

    pub(super) fn foundation(scope: &Scope) -> Self {
        Self { scope: scope.clone(), what: What::Foundation }
    }

    async fn left(&self, client: &Client) -> Result<Vec<(Kind, Object)>, ApiError> {
        let mark = marked_by(&self.scope.site.name);
        match self.what {
            What::Release => release(client, &mark, self.scope.namespace()).await,
            What::Foundation => foundation(client, &mark).await,
        }
    }
}

async fn marked(client: &Client, kinds: &[Kind], mark: &str) -> Result<Vec<(Kind, Object)>, ApiError> {
    let lists = kinds.iter().map(|kind| async move {
        let objects = api::list(client, kind, None, mark).await?;
        Ok::<_, ApiError>(objects.into_iter().map(|object| (kind.clone(), object)).collect::<Vec<_>>())
    });
    Ok(futures::future::try_join_all(lists).await?.concat())
}

async fn foundation(client: &Client, mark: &str) -> Result<Vec<(Kind, Object)>, ApiError> {
    marked(client, &[Kind::CUSTOM_RESOURCE_DEFINITION, Kind::NAMESPACE], mark).await
}

async fn release(client: &Client, mark: &str, namespace: &str) -> Result<Vec<(Kind, Object)>, ApiError> {
    let (mut left, foundation) = futures::try_join!(marked(client, &KINDS, mark), foundation(client, mark))?;
    let has = |kind: &Kind| foundation.iter().any(|(found, _)| found == kind);
    // The rest of a namespace of ours goes with it.
    if has(&Kind::CUSTOM_RESOURCE_DEFINITION) && !has(&Kind::NAMESPACE) {
        for name in MADE_BY_ARGO_CD {
            let secret = api::get(client, &Kind::SECRET, Some(namespace), name).await?;
            left.extend(secret.map(|secret| (Kind::SECRET, secret)));
        }
    }
    Ok(left)
}

fn difference(kind: &Kind, object: &Object) -> Change {
    let subject = object.to_string();
    if object.get(&["metadata", "deletionTimestamp"]).is_none() {
        let delete = Change::delete(subject);
        return if *kind == Kind::NAMESPACE { delete.with_detail("with everything in it") } else { delete };
    }
    Change::wait(subject, remaining(object).unwrap_or(BEING_DELETED))
}

/// What holds up a namespace or a definition, as the API server tells it.
fn remaining(object: &Object) -> Option<&str> {
    let conditions = object.get(&["status", "conditions"])?.as_array()?;
    let is_about_rest = |kind: &str| kind.ends_with("Remaining") || kind == "Terminating";
    let told = conditions.iter().filter(|condition| condition["status"] == "True");
    let mut told = told.filter(|condition| condition["type"].as_str().is_some_and(is_about_rest));
    told.next()?["message"].as_str()
}

impl Step for Uninstalled {
    type Work = (Client, Vec<(Kind, Object)>);

    fn id(&self) -> StepId {
        let path = if self.what == What::Release { "argocd/install" } else { "argocd/namespace" };
        StepId::of(self.scope.hub(), path)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.scope.hub())
    }

    fn purpose(&self) -> &'static str {
        match self.what {
            What::Release => "Argo CD and everything else with the site's mark are gone from the hub",
            What::Foundation => "Argo CD's kinds and its namespace are gone",
        }
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Self::Work>, Stop> {
        let Some(hub) = Hub::standing(&self.scope, facts).await? else { return Ok(Observed::default()) };
        let left = self.left(&hub.client).await?;
        let changes = left.iter().map(|(kind, object)| difference(kind, object)).collect();
        Ok(Observed::differs(changes, (hub.client, left)))
    }

    async fn apply(
        &self,
        (client, left): Self::Work,
        _facts: &Facts,
        writer: &Writer,
    ) -> Result<(), Failure> {
        for (kind, object) in left {
            if !difference(&kind, &object).is_wait() {
                writer.perform(api::delete_seen(&client, &kind, &object)).await?;
            }
        }
        Ok(())
    }

    /// The namespace's pods are given time to stop.
    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}
