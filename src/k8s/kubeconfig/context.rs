//! A context of a kubeconfig as an access.

use std::path::Path;

use hyper::Uri;
use jiff::Timestamp;
use serde_json::Value;

use super::file::{KubeconfigError, KubeconfigFile};
use super::user::{beside, nobody, settle};
use super::yaml::Node;
use super::{PLUGIN_EXTENSION, data};
use crate::engine::{Access, Credentials};
use crate::files;
use crate::site::secret::Secret;

/// How many names of contexts are told to somebody who looks for one.
const NAMED: usize = 12;

/// What a proxy can speak (client-go, `parseProxyURL`); where `socks5` is meant, some write `socks5h`.
const PROXIES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// The endpoint and the credentials that a context names. What several files say counts in their order, the first
/// of a name only. Files that it names are relative to its own.
///
/// # Errors
/// When the context, or something that it names, is not there or cannot be used.
pub fn access(path: &Path, files: &[KubeconfigFile], context: &str) -> Result<Access, KubeconfigError> {
    if files.is_empty() {
        return Err(KubeconfigError::Absent(path.to_owned()));
    }
    let look = Look { path, files, context };
    let Some((_, found)) = look.find("contexts", context) else {
        return Err(KubeconfigError::NoContext {
            path: path.to_owned(),
            context: context.to_owned(),
            there: look.there(),
        });
    };
    let (cluster_file, cluster) = look.cluster(found)?;
    let text = |key: &str| cluster.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if cluster.get("insecure-skip-tls-verify") == Some(&true.into()) {
        let what = "says `insecure-skip-tls-verify`: whoever is in between could read and change everything";
        return look.unusable(what);
    }
    let Some(server) = text("server") else { return look.unusable("has a cluster without `server`") };
    let (user, authority) = (look.user(found)?, look.authority(cluster_file, &text)?);
    let is_secret = authority.is_some()
        || ["client-certificate", "client-certificate-data"].iter().any(|key| user.get(key).is_some());
    let server = url(server, if is_secret { "https" } else { "http" });
    if !server
        .parse::<Uri>()
        .is_ok_and(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some())
    {
        return look.unusable("has a cluster whose `server` is no URL of http or https");
    }
    // Like `kubectl`: whoever listens on the way would have what is shown there.
    let user = if server.starts_with("https:") { user } else { nobody() };
    let extensions = cluster.get("extensions").and_then(Value::as_array).into_iter().flatten();
    let plugin_config = extensions
        .filter(|extension| extension["name"] == PLUGIN_EXTENSION)
        .map(|extension| &extension["extension"])
        .next();
    Ok(Access {
        server,
        authority,
        tls_server_name: text("tls-server-name").map(ToOwned::to_owned),
        proxy_url: text("proxy-url").map(|proxy| look.proxy(proxy)).transpose()?,
        plugin_config: plugin_config.cloned().map(Secret::new),
        credentials: Credentials::User(Secret::new(user)),
    })
}

/// A server's URL, which may be written without its scheme.
fn url(server: &str, scheme: &str) -> String {
    let server = server.trim().trim_end_matches('/');
    if server.contains("://") { server.to_owned() } else { format!("{scheme}://{server}") }
}

struct Look<'a> {
    path: &'a Path,
    files: &'a [KubeconfigFile],
    context: &'a str,
}

impl<'a> Look<'a> {
    fn find(&self, list: &str, name: &str) -> Option<(&'a KubeconfigFile, &'a Node)> {
        self.files.iter().find_map(|file| file.find(list, name).map(|entry| (file, entry)))
    }

    /// Which contexts there are.
    fn there(&self) -> String {
        let names: Vec<_> = self.files.iter().flat_map(KubeconfigFile::contexts).collect();
        match names.len() {
            0 => "it has none".to_owned(),
            all if all > NAMED => format!("it has {} and {} more", names[..NAMED].join(", "), all - NAMED),
            _ => format!("it has {}", names.join(", ")),
        }
    }

    fn cluster(&self, context: &Node) -> Result<(&'a KubeconfigFile, Value), KubeconfigError> {
        let Some(name) = named(context, "cluster") else { return self.unusable("names no cluster") };
        match self
            .find("clusters", name)
            .and_then(|(file, entry)| Some((file, entry.get("cluster")?.to_json())))
        {
            Some((file, found @ Value::Object(_))) => Ok((file, found)),
            _ => self.unusable(&format!("names the cluster `{name}`, which is not there")),
        }
    }

    /// Like `kubectl`, a user that is not named, not there or empty is nobody in particular.
    fn user(&self, context: &Node) -> Result<Value, KubeconfigError> {
        let found = named(context, "user").and_then(|name| self.find("users", name));
        match found.and_then(|(file, entry)| Some((file, entry.get("user")?.to_json()))) {
            None | Some((_, Value::Null)) => Ok(nobody()),
            Some((file, user @ Value::Object(_))) => {
                settle(user, file, Timestamp::now()).or_else(|what| self.unusable(&what))
            }
            Some(_) => self.unusable("has a user that is malformed"),
        }
    }

    fn authority<'b>(
        &self,
        file: &KubeconfigFile,
        text: &impl Fn(&str) -> Option<&'b str>,
    ) -> Result<Option<String>, KubeconfigError> {
        let (what, authority) = if let Some(data) = text("certificate-authority-data") {
            ("`certificate-authority-data` is not base64 of PEM", data::decode(data))
        } else if let Some(name) = text("certificate-authority") {
            ("`certificate-authority` is not PEM", Some(files::read_bytes(&beside(file, name))?))
        } else {
            return Ok(None);
        };
        // What stands between certificates may be in any encoding.
        let authority = authority.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match authority.filter(|authority| authority.contains("-----BEGIN ")) {
            Some(authority) => Ok(Some(authority)),
            None => self.unusable(&format!("has a cluster whose {what}")),
        }
    }

    fn proxy(&self, proxy: &str) -> Result<String, KubeconfigError> {
        match proxy.parse::<Uri>() {
            Ok(url) if url.scheme_str().is_some_and(|scheme| PROXIES.contains(&scheme)) => {
                Ok(proxy.to_owned())
            }
            _ => self.unusable("has a cluster whose `proxy-url` is no URL of http, https or socks5"),
        }
    }

    fn unusable<T>(&self, what: &str) -> Result<T, KubeconfigError> {
        let (path, context) = (self.path.to_owned(), self.context.to_owned());
        Err(KubeconfigError::Context { path, context, what: what.to_owned() })
    }
}

/// What a context names under a key.
fn named<'a>(context: &'a Node, key: &str) -> Option<&'a str> {
    let name = context.get("context")?.get(key).filter(|name| !name.is_null())?.text();
    name.filter(|name| !name.is_empty())
}
