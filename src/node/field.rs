//! Fields of a pod that its containers may refer to (the downward API).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// The value of a field; nothing where the pod has no such field.
pub(super) fn field(pod: &Pod, address: Ipv4Addr, path: &str) -> Option<String> {
    let (metadata, spec) = (&pod.metadata, pod.spec.as_ref()?);
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        let map = entries(pod, map)?;
        return Some(map.get(key).cloned().unwrap_or_default());
    }
    match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "spec.nodeName" => spec.node_name.clone(),
        "spec.serviceAccountName" => spec.service_account_name.clone(),
        "status.hostIP" | "status.hostIPs" => Some(Ipv4Addr::LOCALHOST.to_string()),
        "status.podIP" | "status.podIPs" => Some(address.to_string()),
        _ => Some(lines(entries(pod, path)?)),
    }
}

fn entries<'a>(pod: &'a Pod, path: &str) -> Option<&'a BTreeMap<String, String>> {
    match path {
        "metadata.labels" => Some(pod.labels()),
        "metadata.annotations" => Some(pod.annotations()),
        _ => None,
    }
}

/// A whole map, as files of the downward API show it.
fn lines(entries: &BTreeMap<String, String>) -> String {
    entries.iter().fold(String::new(), |mut lines, (key, value)| {
        let _ = writeln!(lines, "{key}={value:?}");
        lines
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let pod = serde_json::json!({
            "metadata": { "name": "web-0", "namespace": "shop", "labels": { "tier": "front" } },
            "spec": { "containers": [], "nodeName": "node-0" },
        });
        let pod = serde_json::from_value::<Pod>(pod).unwrap();
        let field = |path| field(&pod, Ipv4Addr::new(10, 128, 0, 7), path);
        assert_eq!(field("metadata.name").as_deref(), Some("web-0"));
        assert_eq!(field("metadata.labels['tier']").as_deref(), Some("front"));
        assert_eq!(field("metadata.labels['none']").as_deref(), Some(""));
        assert_eq!(field("metadata.labels").as_deref(), Some("tier=\"front\"\n"));
        assert_eq!(field("status.podIP").as_deref(), Some("10.128.0.7"));
        assert_eq!(field("spec.unknown"), None);
    }
}
