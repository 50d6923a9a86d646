//! Looking at objects.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIResource, APIResourceList, ListMeta};
use kube::Client;
use kube::api::{GetParams, ListParams};
use kube::client::Body;
use kube::core::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ApiError, send};
use crate::k8s::kind::Kind;
use crate::k8s::object::Object;

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
    let request = Request::new(kind.path(namespace));
    pages(client, kind, labels, |page| request.list(page)).await
}

/// The names of the objects of a kind: nothing else of them is sent but their metadata.
///
/// # Errors
/// When the server does not answer or does not allow it.
pub async fn names(client: &Client, kind: &Kind, namespace: Option<&str>) -> Result<Vec<String>, ApiError> {
    let request = Request::new(kind.path(namespace));
    let items = pages::<Named>(client, kind, "", |page| request.list_metadata(page)).await?;
    Ok(items.into_iter().map(|item| item.metadata.name).collect())
}

/// All pages of a list.
async fn pages<T: DeserializeOwned>(
    client: &Client,
    kind: &Kind,
    labels: &str,
    list: impl Fn(&ListParams) -> Result<hyper::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Vec<T>, ApiError> {
    let mut page = ListParams::default().labels(labels).limit(PAGE);
    let mut items = Vec::new();
    loop {
        let request = list(&page);
        let answer = send::<List<T>>(client, request).await;
        let list = match answer.map_err(|error| ApiError::of("list", kind.name(), error)) {
            Ok(list) => list,
            Err(error) if error.is_absent() => return Ok(items),
            Err(error) => return Err(error),
        };
        items.extend(list.items.into_iter().flatten());
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
    /// `null` where only metadata was asked for and there is none.
    items: Option<Vec<T>>,
}

#[derive(Deserialize)]
struct Named {
    metadata: NameOnly,
}

#[derive(Deserialize)]
struct NameOnly {
    name: String,
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

/// What tells a cluster from any other: the UID of its namespace `kube-system`, which is there as long as the cluster is.
///
/// # Errors
/// When the server does not answer or does not allow it.
pub async fn cluster_uid(client: &Client) -> Result<Option<String>, ApiError> {
    let namespace = get(client, &Kind::NAMESPACE, None, "kube-system").await?;
    let uid = namespace.as_ref().and_then(|namespace| namespace.text(&["metadata", "uid"]));
    Ok(uid.map(ToOwned::to_owned))
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
