//! Definitions of further kinds, which the server accepts a moment before it serves what they define.

use kube::Client;

use crate::engine::Change;
use crate::k8s::api::{self, ApiError};
use crate::k8s::object::Object;

/// What is left until the kind of a definition is served; nothing for an object that is no definition.
///
/// A controller that starts earlier than that looks for its kinds again only after 10 seconds.
pub(super) async fn unserved(client: &Client, live: &Object) -> Result<Option<Change>, ApiError> {
    let version = live.get(&["spec", "versions"]).and_then(|versions| versions[0]["name"].as_str());
    let (Some(group), Some(version), Some(kind)) =
        (live.text(&["spec", "group"]), version, live.text(&["spec", "names", "kind"]))
    else {
        return Ok(None);
    };
    let served = api::resources(client, &format!("{group}/{version}")).await?;
    let is_served = served.iter().any(|resource| resource.kind == kind);
    Ok((!is_served).then(|| Change::wait(live.to_string(), "the API server does not serve this kind yet")))
}
