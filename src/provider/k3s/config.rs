//! k3s' configuration file on a host.

use serde_json::{Map, Value};

use super::Role;
use crate::engine::facts::Join;
use crate::site::K3s;

/// What it begins with.
const HEADER: &str = "# Kept by bridgehead: change `[..k3s.config]` of the site's profile instead.\n";

/// The configuration of a host. A server's is the profile's; an agent needs to know only which cluster it joins.
pub(super) fn text(k3s: &K3s, role: Role, join: Option<&Join>) -> Result<String, serde_saphyr::ser::Error> {
    let mut config = match role {
        Role::Server => k3s.config.clone(),
        Role::Agent => Map::new(),
    };
    if let (Role::Agent, Some(Join { server, token })) = (role, join) {
        config.insert("server".to_owned(), Value::from(server.as_str()));
        config.insert("token".to_owned(), Value::from(token.expose().as_str()));
    }
    let body = if config.is_empty() { String::new() } else { serde_saphyr::to_string(&config)? };
    Ok(format!("{HEADER}{body}"))
}

/// The port of the API server: `https-listen-port`.
pub(super) fn port(k3s: &K3s) -> u16 {
    let given = k3s.config.get("https-listen-port").and_then(Value::as_u64);
    given.and_then(|port| port.try_into().ok()).unwrap_or(6443)
}

/// Names and addresses that the API server's certificate has besides its own: `tls-san`.
pub(super) fn names(k3s: &K3s) -> Vec<&str> {
    match k3s.config.get("tls-san") {
        Some(Value::String(names)) => names.split(',').map(str::trim).collect(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether pods of different hosts talk through VXLAN: `flannel-backend`.
pub(super) fn has_vxlan(k3s: &K3s) -> bool {
    k3s.config.get("flannel-backend").is_none_or(|backend| backend == "vxlan")
}

/// The name that a server gives its node: `node-name`.
pub(super) fn node_name(k3s: &K3s) -> Option<&str> {
    k3s.config.get("node-name").and_then(Value::as_str)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::site::K3sRelease;
    use crate::site::secret::Secret;

    /// A cluster without hosts.
    pub(in crate::provider::k3s) fn k3s(config: Value) -> K3s {
        let Value::Object(config) = config else { panic!("a table") };
        let release = K3sRelease::Version("v1.34.4+k3s1".to_owned());
        K3s { servers: vec![], agents: vec![], release, config, mirror: String::new(), images: false }
    }

    #[test]
    fn a_server_gets_the_profiles_keys_as_they_are() {
        let k3s = k3s(json!({
            "write-kubeconfig-mode": "0644", "tls-san": ["a.example", "172.31.0.10"], "disable": "traefik",
        }));
        let text = text(&k3s, Role::Server, None).unwrap();
        let back: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back, Value::Object(k3s.config.clone()));
        assert!(text.contains("\"0644\"") || text.contains("'0644'"), "a mode is no number: {text}");
        assert_eq!((names(&k3s), port(&k3s)), (vec!["a.example", "172.31.0.10"], 6443));
    }

    #[test]
    fn an_agent_gets_only_what_it_joins_with() {
        let join =
            Join { server: "https://10.0.0.1:6443".into(), token: Secret::new("K10a::server:b".into()) };
        let k3s = k3s(json!({ "disable": "traefik" }));
        let text = text(&k3s, Role::Agent, Some(&join)).unwrap();
        let back: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back, json!({ "server": "https://10.0.0.1:6443", "token": "K10a::server:b" }));
    }
}
