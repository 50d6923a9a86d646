//! Nodes as a cluster's API tells of them.

use k8s_openapi::api::core::v1::Node;

/// Why a node is not ready; `None` if it is.
pub(super) fn unready(node: &Node) -> Option<String> {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready");
    match ready {
        Some(condition) if condition.status == "True" => None,
        Some(condition) => Some(condition.message.clone().unwrap_or_else(|| "not ready".to_owned())),
        None => Some("its agent has not reported yet".to_owned()),
    }
}
