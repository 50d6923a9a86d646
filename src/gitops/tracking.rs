//! Which objects of a cluster an Application deployed, asked from the cluster itself.
//!
//! Argo CD writes on every object (but not on CRDs, which it never deletes) which Application it belongs to. So
//! what an Application left behind is found even when the Application is gone.

mod found;
mod kinds;
mod mark;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{AsyncReadExt as _, StreamExt, stream};
use kube::Client;
use kube::api::ListParams;
use kube::core::Request;

pub use found::ObjectName;
pub(super) use found::{Found, Tracked, Unlisted};
pub(super) use kinds::is_tracked;
use kinds::{Listable, listable};
use mark::List;
pub(super) use mark::Tracking;

use super::hub::Hub;
use crate::k8s::{ApiError, Kind, api};

/// How many kinds are listed at once.
const AT_ONCE: usize = 16;
/// How long a cluster may take until it begins to answer a question. Where it has to ask somebody else first, such as a
/// conversion webhook, it may itself wait for a minute.
const ANSWER: Duration = Duration::from_secs(10);

impl Tracking {
    /// Reads how a hub's Argo CD does it.
    pub(super) async fn of(hub: &Hub) -> Result<Self, ApiError> {
        let kind = Kind::CONFIG_MAP;
        let settings = api::get(&hub.client, &kind, Some(hub.namespace()), "argocd-cm").await?;
        let setting = |key| settings.as_ref().and_then(|settings| settings.text(&["data", key]));
        Ok(Self::from_settings(
            setting("application.resourceTrackingMethod"),
            setting("application.instanceLabelKey"),
            setting("installationID"),
        ))
    }

    /// The objects of a cluster that belong to the named Applications.
    pub(super) async fn objects(
        &self,
        client: &Client,
        applications: &BTreeSet<String>,
    ) -> Result<Found, ApiError> {
        if applications.is_empty() {
            return Ok(Found::default());
        }
        let (kinds, mut unlisted) = listable(client).await?;
        let looks: Vec<_> = kinds.iter().map(|kind| self.objects_of(client, kind, applications)).collect();
        let looks: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        let (mut objects, mut listed) = (Vec::new(), 0_usize);
        let mut refusal = None;
        for look in looks {
            match look {
                Ok(found) => {
                    listed += 1;
                    objects.extend(found);
                }
                Err((kind, error)) => match partial(&error) {
                    Some(reason) => {
                        unlisted.push(Unlisted { kind: kind.to_string(), reason });
                        refusal = Some(error);
                    }
                    None => return Err(error),
                },
            }
        }
        if let Some(error) = refusal.filter(|_| listed == 0) {
            return Err(error);
        }
        objects.sort();
        unlisted.sort();
        Ok(Found { objects, unlisted })
    }

    async fn objects_of<'a>(
        &self,
        client: &Client,
        kind: &'a Listable,
        applications: &BTreeSet<String>,
    ) -> Result<Vec<Tracked>, (&'a Listable, ApiError)> {
        let items = match list(client, kind).await {
            Ok(list) => list.items.unwrap_or_default(),
            // The kind went away since it was discovered.
            Err(error) if error.is_absent() => Vec::new(),
            Err(error) => return Err((kind, error)),
        };
        let tracked = items.into_iter().filter_map(|item| self.tracked(kind, item.metadata));
        Ok(tracked.filter(|tracked| applications.contains(&tracked.application)).collect())
    }
}

/// Why a cluster does not list one kind, where that says nothing of the others: a part of it does not work.
fn partial(error: &ApiError) -> Option<String> {
    match error.status() {
        Some(status) if status.code == 401 => None,
        Some(status) => Some(status.message.clone()),
        None => error.is_late().then(|| format!("it does not answer within {} s", ANSWER.as_secs())),
    }
}

async fn list(client: &Client, kind: &Listable) -> Result<List, ApiError> {
    let failed = |error| ApiError::of("list", &kind.kind, error);
    let request = Request::new(kind.path()).list_metadata(&ListParams::default());
    let request = request.map_err(kube::Error::BuildRequest).map_err(failed)?;
    let mut answer = in_time(&kind.kind, client.request_stream(request)).await?;
    let mut text = Vec::new();
    let read = answer.read_to_end(&mut text).await.map_err(kube::Error::ReadEvents);
    read.and_then(|_| serde_json::from_slice(&text).map_err(kube::Error::SerdeError)).map_err(failed)
}

/// What a cluster answers to a question for a list, unless it takes too long.
async fn in_time<T>(subject: &str, answer: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(answer) => answer.map_err(|error| ApiError::of("list", subject, error)),
        Err(_) => Err(ApiError::Late { operation: "list", subject: subject.to_owned(), within: ANSWER }),
    }
}
