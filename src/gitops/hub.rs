//! The hub's Argo CD as the steps on Applications talk to it, and whether a cluster answers at this moment.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use serde_json::{Value, json};

use super::Scope;
use crate::engine::facts::Presence;
use crate::engine::{Facts, Stop};
use crate::env::{Env, Looks};
use crate::k8s::{ApiError, ClientError, Kind, Object, api};
use crate::site::name::ClusterName;

/// How long a cluster may take to give a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3);

/// The namespace of Argo CD on the hub.
#[derive(Clone)]
pub(super) struct Hub {
    pub(super) client: Client,
    namespace: String,
    env: Arc<Env>,
}

impl Hub {
    /// The hub, whose access must be known.
    pub(super) async fn of(scope: &Scope, facts: &Facts) -> Result<Self, Stop> {
        Ok(Self::at(scope, scope.client(scope.hub(), facts).await?))
    }

    /// The hub of a teardown, or none if it is gone, given up, or destroyed with everything that it deployed. Which of
    /// these it is has been settled before anything is changed; a hub that is silent now is a failure.
    pub(super) async fn standing(scope: &Scope, facts: &Facts) -> Result<Option<Self>, Stop> {
        match facts.presence(scope.hub()) {
            None | Some(Presence::Seen) => Self::of(scope, facts).await.map(Some),
            Some(_) => Ok(None),
        }
    }

    fn at(scope: &Scope, client: Client) -> Self {
        Self { client, namespace: scope.namespace().to_owned(), env: Arc::clone(&scope.env) }
    }

    /// The looks that steps share.
    pub(super) fn looks(&self) -> &Looks {
        &self.env.looks
    }

    /// The namespace.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What a person calls an object here.
    pub(super) fn subject(&self, kind: &Kind, name: &str) -> String {
        kind.subject(Some(&self.namespace), name)
    }

    /// Changes some fields of an object, which may be gone by now.
    pub(super) async fn change(&self, kind: &Kind, name: &str, patch: &Value) -> Result<(), ApiError> {
        self.change_in(Some(&self.namespace), kind, name, patch).await
    }

    /// The same in any namespace.
    pub(super) async fn change_in(
        &self,
        namespace: Option<&str>,
        kind: &Kind,
        name: &str,
        patch: &Value,
    ) -> Result<(), ApiError> {
        match api::merge(&self.client, kind, namespace, name, patch).await {
            Err(error) if error.is_absent() => Ok(()),
            result => result,
        }
    }

    /// Changes some fields of an object by a JSON patch. Nothing happens where the object is gone, or not as the
    /// patch's tests say.
    pub(super) async fn patch(&self, kind: &Kind, name: &str, operations: &Value) -> Result<(), ApiError> {
        match api::patch(&self.client, kind, Some(&self.namespace), name, operations).await {
            Err(error) if error.is_absent() || error.is_outdated() => Ok(()),
            result => result,
        }
    }

    /// Gives an object that was seen other finalizers; one that has others by now is left as it is.
    pub(super) async fn set_finalizers(
        &self,
        kind: &Kind,
        seen: &ObjectMeta,
        finalizers: &[String],
    ) -> Result<(), ApiError> {
        api::set_finalizers(&self.client, kind, seen, finalizers).await
    }

    /// Deletes an object that was seen, and no other of its name.
    pub(super) async fn delete_seen(&self, kind: &Kind, seen: &ObjectMeta) -> Result<(), ApiError> {
        let named = json!({ "apiVersion": kind.api_version(), "kind": kind.name(), "metadata": seen });
        match Object::from_value(named) {
            Some(object) => api::delete_seen(&self.client, kind, &object).await,
            None => Ok(()),
        }
    }

    /// Deletes an object, which may be gone by now.
    pub(super) async fn delete(&self, kind: &Kind, name: &str) -> Result<(), ApiError> {
        api::delete(&self.client, kind, Some(&self.namespace), name).await
    }
}

/// What answers where a cluster is said to be.
pub(super) enum Life {
    /// An API server.
    Alive(Client),
    /// Nothing is there: nobody knows how to reach it, or its machine answers and has nothing at its port.
    Gone(String),
    /// Nothing is heard of it.
    Silent(String),
}

/// Asks a cluster for a sign of life.
///
/// # Errors
/// When the connection cannot even be set up.
pub(super) async fn life(scope: &Scope, facts: &Facts, cluster: &ClusterName) -> Result<Life, ClientError> {
    let Ok(access) = facts.access(cluster) else {
        return Ok(Life::Gone(format!("{cluster} is not there any more")));
    };
    let client = scope.env.clients.get(access).await?;
    let answer = tokio::time::timeout(SIGN_OF_LIFE, client.apiserver_version()).await;
    let server = &access.server;
    Ok(match answer {
        Ok(Ok(_) | Err(kube::Error::Api(_))) => Life::Alive(client),
        Ok(Err(error)) if is_refused(&error) => Life::Gone(format!("nothing answers at {server}")),
        Ok(Err(error)) => Life::Silent(format!("{server} does not answer: {}", innermost(&error))),
        Err(_) => Life::Silent(format!("{server} does not answer")),
    })
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

fn is_refused(error: &kube::Error) -> bool {
    let error = innermost(error).downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
