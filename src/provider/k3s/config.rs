//! k3s' configuration file on a host.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::engine::facts::Join;
use crate::site::K3s;
use crate::site::secret::Secret;

/// What it begins with.
const HEADER: &str = "# Kept by bridgehead: change `[..k3s.config]` of the site's profile instead.\n";

/// Where a server has the token that is for agents alone: with it a host cannot become a server. It never leaves the
/// host but as a part of what agents join with.
pub(super) const AGENT_TOKEN: &str = "/etc/rancher/k3s/agent-token";

const TOKEN_FILE: &str = "agent-token-file";
const NAMES: &str = "tls-san";

/// What a server's configuration has besides what the profile says. A server that is there already keeps what it has:
/// k3s would have to start anew for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    /// Whether agents have a token of their own.
    pub(super) agent_token: bool,
    /// The address that has to be in its certificate.
    pub(super) address: Option<String>,
}

impl Own {
    /// Of a server that is reached at `address`, with its configuration and its own addresses as they are. An address
    /// that the host does not know of itself is in no certificate unless it is told so.
    pub(super) fn of(address: &str, present: Option<&Secret<String>>, addresses: &BTreeSet<IpAddr>) -> Self {
        let address = Some(address.to_owned()).filter(|address| address.parse::<IpAddr>().is_ok());
        let Some(present) = present.map(parse) else { return Self { agent_token: true, address } };
        let is_known = |address: &String| {
            let is_own = address.parse().is_ok_and(|address| addresses.contains(&address));
            is_own && !list(present.get(NAMES)).contains(&address.as_str())
        };
        Self {
            agent_token: present.contains_key(TOKEN_FILE),
            address: address.filter(|address| !is_known(address)),
        }
    }
}

/// The configuration of a server: what the profile says, and what is ours.
pub(super) fn server(k3s: &K3s, own: &Own) -> Result<String, serde_saphyr::ser::Error> {
    let mut config = k3s.config.clone();
    if own.agent_token {
        config.insert(TOKEN_FILE.to_owned(), json!(AGENT_TOKEN));
    }
    if let Some(address) = &own.address
        && !names(k3s).contains(&address.as_str())
    {
        let names: Vec<_> = names(k3s).into_iter().chain([address.as_str()]).collect();
        config.insert(NAMES.to_owned(), json!(names));
    }
    text(&config)
}

/// The configuration of an agent, which needs to know only which cluster it joins.
pub(super) fn agent(join: Option<&Join>) -> Result<String, serde_saphyr::ser::Error> {
    let mut config = Map::new();
    if let Some(Join { server, token }) = join {
        config.insert("server".to_owned(), json!(server));
        config.insert("token".to_owned(), json!(token.expose()));
    }
    text(&config)
}

fn text(config: &Map<String, Value>) -> Result<String, serde_saphyr::ser::Error> {
    let body = if config.is_empty() { String::new() } else { serde_saphyr::to_string(config)? };
    Ok(format!("{HEADER}{body}"))
}

/// What differs between two configurations, with the values of what is no secret.
pub(super) fn difference(present: &Secret<String>, wanted: &str) -> String {
    let (present, wanted) = (parse(present), parse(&Secret::new(wanted.to_owned())));
    let keys: BTreeSet<_> = present.keys().chain(wanted.keys()).collect();
    let differences = keys.into_iter().filter_map(|key| match (present.get(key), wanted.get(key)) {
        (before, after) if before == after => None,
        _ if key.contains("token") || key.contains("secret") => Some(format!("another `{key}`")),
        (Some(before), Some(after)) => Some(format!("{key}: {before} -> {after}")),
        (None, Some(after)) => Some(format!("{key}: {after}")),
        (_, None) => Some(format!("no {key}")),
    });
    let differences: Vec<_> = differences.collect();
    if differences.is_empty() { "other content".to_owned() } else { differences.join(", ") }
}

fn parse(text: &Secret<String>) -> Map<String, Value> {
    // A file that cannot be read is not ours, and is written anew.
    serde_saphyr::from_str(text.expose()).unwrap_or_default()
}

/// The port of the API server: `https-listen-port`.
pub(super) fn port(k3s: &K3s) -> u16 {
    let given = k3s.config.get("https-listen-port").and_then(Value::as_u64);
    given.and_then(|port| port.try_into().ok()).unwrap_or(6443)
}

/// Names and addresses that the API server's certificate has besides its own: `tls-san`.
pub(super) fn names(k3s: &K3s) -> Vec<&str> {
    list(k3s.config.get(NAMES))
}

fn list(value: Option<&Value>) -> Vec<&str> {
    match value {
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

    /// A cluster without hosts.
    pub(in crate::provider::k3s) fn k3s(config: Value) -> K3s {
        let Value::Object(config) = config else { panic!("a table") };
        let release = K3sRelease::Version("v1.34.4+k3s1".to_owned());
        K3s {
            servers: vec![],
            agents: vec![],
            release,
            config,
            mirror: String::new(),
            sha256: vec![],
            images: false,
        }
    }

    #[test]
    fn a_server_gets_the_profiles_keys_as_they_are() {
        let k3s = k3s(json!({
            "write-kubeconfig-mode": "0644", "tls-san": ["a.example", "172.31.0.10"], "disable": "traefik",
        }));
        let text = server(&k3s, &Own { agent_token: false, address: None }).unwrap();
        let back: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back, Value::Object(k3s.config.clone()));
        assert!(text.contains("\"0644\"") || text.contains("'0644'"), "a mode is no number: {text}");
        assert_eq!((names(&k3s), port(&k3s)), (vec!["a.example", "172.31.0.10"], 6443));
    }

    #[test]
    fn an_agent_gets_only_what_it_joins_with() {
        let join = Join { server: "https://10.0.0.1:6443".into(), token: Secret::new("K10a::node:b".into()) };
        let text = agent(Some(&join)).unwrap();
        let back: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back, json!({ "server": "https://10.0.0.1:6443", "token": "K10a::node:b" }));
    }

    #[test]
    fn a_new_server_has_what_an_old_one_is_not_restarted_for() {
        let k3s = k3s(json!({ "tls-san": "a.example" }));
        let addresses = ["10.0.0.5".parse().unwrap()].into();
        let own = |address: &str, present: Option<&str>| {
            Own::of(address, present.map(|text| Secret::new(text.to_owned())).as_ref(), &addresses)
        };
        let new = own("10.0.0.5", None);
        let text = server(&k3s, &new).unwrap();
        assert!(
            text.contains(AGENT_TOKEN) && text.contains("10.0.0.5") && text.contains("a.example"),
            "{text}"
        );
        assert_eq!(own("10.0.0.5", Some(&text)), new, "it keeps what it has");
        let old = own("10.0.0.5", Some("tls-san: a.example\n"));
        assert_eq!(old, Own { agent_token: false, address: None });
        // This one it cannot have worked with.
        assert_eq!(own("192.0.2.7", Some("")).address.as_deref(), Some("192.0.2.7"));
        assert_eq!(own("pi.example", None).address, None);
    }

    #[test]
    fn a_difference_is_told_with_values_that_are_no_secret() {
        let present = Secret::new("tls-san: a\ntoken: x\ndebug: true\n".to_owned());
        let wanted = "tls-san: [b]\ntoken: y\nnode-name: pi\n";
        let told = difference(&present, wanted);
        assert_eq!(told, "no debug, node-name: \"pi\", tls-san: \"a\" -> [\"b\"], another `token`");
    }
}
