//! The hub's Argo CD as the steps on Applications talk to it.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use serde_json::{Value, json};

use super::Scope;
use crate::engine::facts::Presence;
use crate::engine::{Facts, Stop};
use crate::env::{Env, Looks};
use crate::k8s::{ApiError, Kind, Object, api};

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
