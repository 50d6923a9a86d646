//! The few calls that we make to an API server, each error naming what was asked.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIResource, APIResourceList, ListMeta, ObjectMeta};
use kube::Client;
use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, Preconditions};
use kube::client::Body;
use kube::core::{Request, Status};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use super::FIELD_MANAGER;
use super::kind::{Kind, KindName};
use super::object::Object;
use super::plugin;
use crate::engine::Hint;

/// A call to an API server failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server answered that it will not.
    #[error("the API server refused to {operation} {subject}")]
    Refused {
        /// What was asked of it.
        operation: &'static str,
        /// About what.
        subject: String,
        /// Its answer.
        source: Box<Status>,
    },
    /// There was no answer, or one that cannot be read.
    #[error("cannot {operation} {subject}")]
    Failed {
        /// What was asked.
        operation: &'static str,
        /// About what.
        subject: String,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is not an object.
    #[error("the API server's answer about {subject} is not an object")]
    Malformed {
        /// What was asked about.
        subject: String,
    },
    /// An object was to be deleted, and is another one by now.
    #[error("{subject} was replaced since it was looked at: what is there now was not deleted")]
    Replaced {
        /// The object.
        subject: String,
        /// What to do about it.
        source: Hint,
    },
    /// The server does not serve a kind of object.
    #[error("the API server does not know the kind {kind} of {api_version}")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// The API version.
        api_version: String,
    },
}

impl ApiError {
    /// Names a failed call of `kube`.
    #[must_use]
    pub fn of(operation: &'static str, subject: impl Into<String>, error: kube::Error) -> Self {
        let subject = subject.into();
        match error {
            kube::Error::Api(source) => Self::Refused { operation, subject, source },
            // These two only repeat what they wrap.
            kube::Error::Service(source) => {
                Self::Failed { operation, subject, source: plugin::without_secrets(source) }
            }
            kube::Error::HyperError(source) => Self::Failed { operation, subject, source: source.into() },
            source => Self::Failed { operation, subject, source: source.into() },
        }
    }

    pub(super) fn unknown_kind(name: KindName<'_>) -> Self {
        Self::UnknownKind { kind: name.kind.to_owned(), api_version: name.api_version.to_owned() }
    }

    /// What the server answered, if it did.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether the object is not as it was when it was seen: it has another version, or a `test` of a patch failed. An
    /// object that is refused for what it would say has causes.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.status().is_some_and(|status| {
            let is_refused = status.details.as_ref().is_some_and(|details| !details.causes.is_empty());
            status.code == 409 || status.code == 422 && !is_refused
        })
    }

    /// Whether the object, its namespace or its kind is not there. By the code: an answer about a kind that is not
    /// served has no reason (`404 page not found`).
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::UnknownKind { .. }) || self.status().is_some_and(|status| status.code == 404)
    }
}

/// The objects of a kind that have the given labels; none where the kind or the namespace is not there.
///
/// # Errors
/// When the server does not answer or does not allow it.
pub async fn list(
    client: &Client,
    kind: &Kind,
    namespace: Option<&str>,
    labels: &str,
) -> Result<Vec<Object>, ApiError> {
    let items: Vec<Value> = list_of(client, kind, namespace, labels).await?;
    // The items of a list do not say what they are.
    let typed = items.into_iter().filter_map(|mut item| {
        item["apiVersion"] = kind.api_version().into();
        item["kind"] = kind.name().into();
        Object::from_value(item)
    });
    Ok(typed.collect())
}

/// As [`list`], but only those fields of the objects that `T` has.
///
/// # Errors
/// When the server does not answer or does not allow it, or an object is not a `T`.
pub async fn list_of<T: DeserializeOwned>(
    client: &Client,
    kind: &Kind,
    namespace: Option<&str>,
    labels: &str,
) -> Result<Vec<T>, ApiError> {
    let mut page = ListParams::default().labels(labels).limit(PAGE);
    let mut items = Vec::new();
    loop {
        let request = Request::new(kind.path(namespace)).list(&page);
        let answer = send::<List<T>>(client, request).await;
        let list = match answer.map_err(|error| ApiError::of("list", kind.name(), error)) {
            Ok(list) => list,
            Err(error) if error.is_absent() => return Ok(items),
            Err(error) => return Err(error),
        };
        items.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(items),
        }
    }
}

/// How many objects are asked for at once: what `kubectl` asks for.
const PAGE: u32 = 500;

#[derive(Deserialize)]
struct List<T> {
    #[serde(default)]
    metadata: ListMeta,
    items: Vec<T>,
}

/// One object, if it is there.
///
/// # Errors
/// When the server does not answer or does not allow it.
pub async fn get(
    client: &Client,
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
) -> Result<Option<Object>, ApiError> {
    let request = Request::new(kind.path(namespace)).get(name, &GetParams::default());
    let answer = send(client, request).await;
    match answer.map_err(|error| ApiError::of("read", kind.subject(namespace, name), error)) {
        Ok(object) => Ok(Object::from_value(object)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

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

/// The resources that a server has of an API version; none where it does not serve that.
///
/// # Errors
/// When the server does not answer.
pub async fn resources(client: &Client, api_version: &str) -> Result<Vec<APIResource>, ApiError> {
    let list: Result<APIResourceList, _> = if api_version.contains('/') {
        client.list_api_group_resources(api_version).await
    } else {
        client.list_core_api_resources(api_version).await
    };
    match list.map_err(|error| ApiError::of("list the resources of", api_version, error)) {
        Ok(list) => Ok(list.resources),
        Err(error) if error.is_absent() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What time it is by the clock of the server, which wrote the times in its objects. Where something on the way takes
/// the answer's date off, it is what this machine says.
///
/// # Errors
/// When the server does not answer.
pub async fn time(client: &Client) -> Result<Timestamp, ApiError> {
    let request = hyper::Request::get("/version").body(Body::empty()).map_err(kube::Error::HttpError);
    let answer = async { client.send(request?).await }.await;
    let answer = answer.map_err(|error| ApiError::of("read", "the server's clock", error))?;
    let date = answer.headers().get(hyper::header::DATE).and_then(|date| date.to_str().ok());
    let time = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    Ok(time.map_or_else(Timestamp::now, |time| time.timestamp()))
}

async fn send<T: DeserializeOwned>(
    client: &Client,
    request: Result<hyper::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<T, kube::Error> {
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}
