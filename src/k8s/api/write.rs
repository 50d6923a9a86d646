//! Changing objects.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::Request;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{ApiError, send};
use crate::engine::Hint;
use crate::k8s::FIELD_MANAGER;
use crate::k8s::kind::Kind;
use crate::k8s::object::Object;

/// Server-side apply of a whole object; what others say otherwise is taken over.
///
/// # Errors
/// When the server does not answer or does not allow it.
pub async fn apply(client: &Client, kind: &Kind, object: &Object) -> Result<(), ApiError> {
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    // Only the metadata is sent back: nobody reads the answer, and encoding a large one takes the server's time.
    let request = Request::new(kind.path(object.namespace())).patch_metadata(
        object.name(),
        &parameters,
        &Patch::Apply(object.fields()),
    );
    let answer = send::<IgnoredAny>(client, request).await;
    answer.map(|_| ()).map_err(|error| ApiError::of("apply", object.to_string(), error))
}

/// What [`apply`] would make of an object.
///
/// # Errors
/// When the server does not answer or does not allow it.
pub async fn try_apply(client: &Client, kind: &Kind, object: &Object) -> Result<Object, ApiError> {
    let parameters = PatchParams::apply(FIELD_MANAGER).force().dry_run();
    let request = Request::new(kind.path(object.namespace())).patch(
        object.name(),
        &parameters,
        &Patch::Apply(object.fields()),
    );
    let answer = send(client, request).await;
    let answer = answer.map_err(|error| ApiError::of("apply", object.to_string(), error))?;
    Object::from_value(answer).ok_or_else(|| ApiError::Malformed { subject: object.to_string() })
}

/// Changes some fields of an object by a merge patch, without owning the others.
///
/// # Errors
/// When the server does not answer or does not allow it.
pub async fn merge(
    client: &Client,
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
    patch: &Value,
) -> Result<(), ApiError> {
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let request = Request::new(kind.path(namespace)).patch_metadata(name, &parameters, &Patch::Merge(patch));
    let answer = send::<IgnoredAny>(client, request).await;
    answer.map(|_| ()).map_err(|error| ApiError::of("change", kind.subject(namespace, name), error))
}

/// Changes some fields of an object by a JSON patch, whose `test` operations say what must still be as it was seen.
/// Whether it was: [`ApiError::is_outdated`].
///
/// # Errors
/// When the server does not answer or does not allow it, or the object is not as it was seen.
pub async fn patch(
    client: &Client,
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
    operations: &Value,
) -> Result<(), ApiError> {
    let subject = || kind.subject(namespace, name);
    let patch = serde_json::from_value(operations.clone());
    let patch = patch.map_err(|_| ApiError::Malformed { subject: subject() })?;
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let request =
        Request::new(kind.path(namespace)).patch_metadata(name, &parameters, &Patch::<()>::Json(patch));
    let answer = send::<IgnoredAny>(client, request).await;
    answer.map(|_| ()).map_err(|error| ApiError::of("change", subject(), error))
}

/// Gives an object that was seen other finalizers, in place of those that it had then. It may be gone already.
///
/// # Errors
/// When it was replaced or has other finalizers by now, or the server does not answer or does not allow it.
pub async fn set_finalizers(
    client: &Client,
    kind: &Kind,
    seen: &ObjectMeta,
    finalizers: &[String],
) -> Result<(), ApiError> {
    let (namespace, name) = (seen.namespace.as_deref(), seen.name.as_deref().unwrap_or_default());
    let operations = json!([
        { "op": "test", "path": "/metadata/uid", "value": seen.uid },
        { "op": "test", "path": "/metadata/finalizers", "value": seen.finalizers },
        { "op": "add", "path": "/metadata/finalizers", "value": finalizers },
    ]);
    match patch(client, kind, namespace, name, &operations).await {
        Err(error) if !error.is_absent() => Err(error),
        _ => Ok(()),
    }
}

/// Deletes an object that may be gone already; what it owns goes after it.
///
/// # Errors
/// When the server does not answer or does not allow it.
pub async fn delete(
    client: &Client,
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
) -> Result<(), ApiError> {
    delete_with(client, kind, namespace, name, &DeleteParams::background()).await
}

/// Deletes an object that was seen, and no other that may have its name by now. It may be gone already; what it owns
/// goes after it.
///
/// # Errors
/// When it was replaced, or the server does not answer or does not allow it.
pub async fn delete_seen(client: &Client, kind: &Kind, seen: &Object) -> Result<(), ApiError> {
    let uid = seen.text(&["metadata", "uid"]).map(ToOwned::to_owned);
    let preconditions = Some(Preconditions { uid, resource_version: None });
    let parameters = DeleteParams { preconditions, ..DeleteParams::background() };
    let deleted = delete_with(client, kind, seen.namespace(), seen.name(), &parameters).await;
    deleted.map_err(|error| match error.status() {
        // A namespace that is being emptied is a conflict, too.
        Some(status) if status.code == 409 && status.message.contains("UID in") => {
            let source = Hint("run the command again: it looks at what is there now".to_owned());
            ApiError::Replaced { subject: kind.subject(seen.namespace(), seen.name()), source }
        }
        _ => error,
    })
}

async fn delete_with(
    client: &Client,
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
    parameters: &DeleteParams,
) -> Result<(), ApiError> {
    let request = Request::new(kind.path(namespace)).delete(name, parameters);
    let answer = send::<IgnoredAny>(client, request).await;
    match answer.map_err(|error| ApiError::of("delete", kind.subject(namespace, name), error)) {
        Ok(_) => Ok(()),
        Err(error) if error.is_absent() => Ok(()),
        Err(error) => Err(error),
    }
}
