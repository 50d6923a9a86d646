//! The provider `k3s`: which hosts, which release, what configuration.

use std::net::IpAddr;

use hyper::Uri;
use semver::Version;
use serde_json::{Map, Value};
use toml::Spanned;

use super::{Check, inventory};
use crate::site::finding::{Finding, nearest};
use crate::site::inventory::Host;
use crate::site::profile::K3sTable;
use crate::site::{K3S_CHANNELS, K3S_RELEASES, K3S_VERSION, K3s, K3sRelease, Provider};

/// The key of k3s's configuration that says on which port its API server listens.
const PORT: &str = "https-listen-port";

/// Keys of k3s's configuration that we write, and why a profile cannot.
const OWN: &[(&str, &str)] = &[
    ("server", "bridgehead tells every host where to join"),
    ("token", "k3s makes a token, and bridgehead hands it from host to host"),
    ("token-file", "k3s makes a token, and bridgehead hands it from host to host"),
    ("agent-token", "k3s makes a token, and bridgehead hands it from host to host"),
    ("agent-token-file", "k3s makes a token, and bridgehead hands it from host to host"),
    ("data-dir", "bridgehead knows, and takes away, the data of k3s at its default place"),
    ("write-kubeconfig", "bridgehead reads the kubeconfig at its default place"),
    ("etcd-s3-secret-key", "a profile holds no secrets"),
    ("vpn-auth", "a profile holds no secrets"),
];

impl Check<'_> {
    /// `target` is the host that is meant where no server is named.
    pub(super) fn k3s(&mut self, table: &K3sTable, target: Option<&Spanned<String>>) -> Option<Provider> {
        let named = table.servers.as_ref();
        let servers = match (named, target) {
            (Some(named), _) => {
                self.count(named);
                named.get_ref().iter().map(|alias| self.host(alias, "a server")).collect()
            }
            (None, Some(target)) => vec![self.host(target, "a server")],
            // What is missing has been found.
            (None, None) => vec![None],
        };
        let agents: Vec<_> = table.agents.iter().map(|alias| self.host(alias, "an agent")).collect();
        let release = self.release(table);
        let mirror = match &table.mirror {
            Some(typed) => self.origin(typed),
            None => Some(K3S_RELEASES.to_owned()),
        };
        let sha256: Vec<_> = table.sha256.iter().map(|typed| self.sha256(typed)).collect();
        let config = self.config(table);
        Some(Provider::K3s(K3s {
            servers: servers.into_iter().collect::<Option<_>>()?,
            agents: agents.into_iter().collect::<Option<_>>()?,
            release: release?,
            config: config?,
            mirror: mirror?,
            sha256: sha256.into_iter().collect::<Option<_>>()?,
            images: table.images,
        }))
    }

    fn count(&mut self, servers: &Spanned<Vec<Spanned<String>>>) {
        let message = match servers.get_ref().len() {
            1 => return,
            0 => "a cluster has at least one server",
            count if count % 2 == 0 => {
                "a cluster has an odd number of servers: half of an even one is no majority"
            }
            _ => "a cluster of several servers is not built yet",
        };
        self.found::<()>(
            Finding::new(servers.span(), message).with_help("name one server; others can be agents"),
        );
    }

    /// The host of an alias, which nothing else is on.
    pub(super) fn host(&mut self, alias: &Spanned<String>, part: &'static str) -> Option<Host> {
        let host = self.known_host(alias)?;
        if let Some(other) = self.used.insert(host.name.clone(), part) {
            let message = format!("the host `{}` is {other} already", host.name);
            return self
                .found(Finding::new(alias.span(), message).with_help("a host is in one cluster, once"));
        }
        Some(host)
    }

    /// The host of an alias. `None` without a finding where the inventory's own findings say why.
    pub(super) fn known_host(&mut self, alias: &Spanned<String>) -> Option<Host> {
        let name = alias.get_ref();
        let Some(host) = self.hosts.get(name) else {
            let help = match nearest(name, self.hosts.keys().map(String::as_str)) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("add a table `[vms.{name}]` with its `ansible_host` to inventory.toml"),
            };
            let message = format!("the inventory has no host `{name}`");
            return self.found(Finding::new(alias.span(), message).with_help(help));
        };
        host.clone()
    }

    fn release(&mut self, table: &K3sTable) -> Option<K3sRelease> {
        let server = table.channel_server.as_ref();
        if let (Some(version), Some(channel)) = (&table.version, &table.channel) {
            let message = "a release is named by its version or by a channel, not by both";
            let later = version.span().start.max(channel.span().start);
            let span = if later == channel.span().start { channel.span() } else { version.span() };
            return self.found(Finding::new(span, message).with_help("keep one of them"));
        }
        if let (Some(server), None) = (server, &table.channel) {
            let help = "name a channel, such as `channel = \"stable\"`, or take it out";
            self.found::<()>(Finding::new(server.span(), "there is no channel to ask for").with_help(help));
        }
        match (&table.version, &table.channel) {
            (Some(typed), _) if is_release(typed.get_ref()) => {
                Some(K3sRelease::Version(typed.get_ref().clone()))
            }
            (Some(typed), _) => {
                let help = format!("a release is called like `{K3S_VERSION}`");
                self.found(Finding::new(typed.span(), "this is no release of k3s").with_help(help))
            }
            (None, Some(typed)) if is_channel(typed.get_ref()) => {
                let server = match server {
                    Some(typed) => self.origin(typed)?,
                    None => K3S_CHANNELS.to_owned(),
                };
                Some(K3sRelease::Channel { name: typed.get_ref().clone(), server })
            }
            (None, Some(typed)) => {
                let help = "a channel is called like `stable`, `latest` or `v1.34`";
                self.found(Finding::new(typed.span(), "this is no channel of k3s").with_help(help))
            }
            (None, None) => Some(K3sRelease::Version(K3S_VERSION.to_owned())),
        }
    }

    fn config(&mut self, table: &K3sTable) -> Option<Map<String, Value>> {
        let mut is_valid = true;
        for typed in table.config.keys() {
            // k3s appends to a key that ends in `+`.
            let key = typed.get_ref().trim_end_matches('+');
            if let Some((_, reason)) = OWN.iter().find(|(own, _)| *own == key) {
                is_valid = false;
                let message = format!("`{key}` cannot be set in a profile: {reason}");
                self.found::<()>(Finding::new(typed.span(), message).with_help("take it out"));
            }
        }
        let is_port = |value: &Value| value.as_i64().is_some_and(|port| inventory::port(port).is_ok());
        for (typed, _) in table.config.iter().filter(|(key, value)| key.get_ref() == PORT && !is_port(value))
        {
            is_valid = false;
            self.found::<()>(Finding::new(typed.span(), inventory::HostError::Port.to_string()));
        }
        is_valid
            .then(|| table.config.iter().map(|(key, value)| (key.get_ref().clone(), value.clone())).collect())
    }

    /// Where something comes from that runs as root on every host: nobody on the way may be able to change it.
    fn origin(&mut self, typed: &Spanned<String>) -> Option<String> {
        let url = self.url(typed, &["https", "http"])?;
        if url.starts_with("https://") || is_of_this_machine(&url) {
            return Some(url);
        }
        let message = "only this machine itself may be asked without TLS";
        let help = "begin it with `https://`: what comes from there runs as root on every host";
        self.found(Finding::new(typed.span(), message).with_help(help))
    }

    fn sha256(&mut self, typed: &Spanned<String>) -> Option<String> {
        let sum = typed.get_ref().to_lowercase();
        if sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(sum);
        }
        self.found(Finding::new(typed.span(), "a SHA-256 has 64 hexadecimal digits"))
    }

    /// An URL without its last `/`, of one of the schemes.
    pub(super) fn url(&mut self, typed: &Spanned<String>, schemes: &[&str]) -> Option<String> {
        let text = typed.get_ref().trim_end_matches('/');
        let url = text.parse::<Uri>().ok();
        let url = url.filter(|url| url.scheme_str().is_some_and(|scheme| schemes.contains(&scheme)));
        let message = match url.as_ref().and_then(Uri::authority) {
            None => format!("this is not a URL that begins with `{}://`", schemes.join("://` or `")),
            Some(authority) if authority.as_str().contains('@') => {
                "a profile holds no secrets: take user and password out of the URL".to_owned()
            }
            Some(_) => return Some(text.to_owned()),
        };
        self.found(Finding::new(typed.span(), message))
    }
}

/// Whether a URL without user and password leads to loopback.
fn is_of_this_machine(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return false };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whether it is `vX.Y.Z+k3sN`, as k3s tags its releases.
fn is_release(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = text.strip_prefix('v').and_then(|text| text.split_once("+k3s"));
    parts.is_some_and(|(version, build)| {
        Version::parse(version).is_ok_and(|version| version.pre.is_empty()) && number(build)
    })
}

fn is_channel(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().next().is_some_and(letter) && text.bytes().all(|byte| letter(byte) || b".-".contains(&byte))
}
