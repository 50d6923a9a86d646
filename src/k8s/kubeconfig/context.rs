//! A context of a kubeconfig as an access.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::AuthInfo;
use serde::Deserialize as _;
use serde_json::Value;

use super::file::{KubeconfigError, KubeconfigFile};
use super::yaml::Node;
use crate::engine::{Access, Credentials};
use crate::files;
use crate::site::secret::Secret;

/// How many names of contexts are told to somebody who looks for one.
const NAMED: usize = 12;

/// The keys of a user that name files.
const FILES: [&str; 3] = ["client-certificate", "client-key", "tokenFile"];

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
    let (cluster_file, cluster) = look.named(found, "clusters", "cluster")?;
    let (user_file, user) = look.named(found, "users", "user")?;
    let text = |key: &str| cluster.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if cluster.get("insecure-skip-tls-verify") == Some(&true.into()) {
        let what = "says `insecure-skip-tls-verify`: whoever is in between could read and change everything";
        return look.unusable(what);
    }
    let server = text("server").map(|server| server.trim_end_matches('/').to_owned());
    let Some(server) = server else { return look.unusable("has a cluster without `server`") };
    Ok(Access {
        server,
        authority: look.authority(cluster_file, &text)?,
        tls_server_name: text("tls-server-name").map(ToOwned::to_owned),
        proxy_url: text("proxy-url").map(ToOwned::to_owned),
        credentials: look.credentials(user_file, user)?,
    })
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

    /// What a context names under a key.
    fn named(
        &self,
        context: &Node,
        list: &str,
        key: &str,
    ) -> Result<(&'a KubeconfigFile, Value), KubeconfigError> {
        let name = context.get("context").and_then(|context| context.get(key)).and_then(Node::text);
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return self.unusable(&format!("names no {key}"));
        };
        match self.find(list, name).and_then(|(file, entry)| Some((file, entry.get(key)?.to_json()))) {
            Some((file, found @ Value::Object(_))) => Ok((file, found)),
            _ => self.unusable(&format!("names the {key} `{name}`, which is not there")),
        }
    }

    fn authority<'b>(
        &self,
        file: &KubeconfigFile,
        text: &impl Fn(&str) -> Option<&'b str>,
    ) -> Result<Option<String>, KubeconfigError> {
        if let Some(data) = text("certificate-authority-data") {
            let authority = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            return match authority {
                Some(authority) => Ok(Some(authority)),
                None => {
                    self.unusable("has a cluster whose `certificate-authority-data` is not base64 of PEM")
                }
            };
        }
        let read = |name: &str| files::read(&beside(file, name));
        Ok(text("certificate-authority").map(read).transpose()?)
    }

    fn credentials(&self, file: &KubeconfigFile, mut user: Value) -> Result<Credentials, KubeconfigError> {
        if let Some(provider) = user.get("auth-provider").filter(|provider| !provider.is_null()) {
            let name = provider["name"].as_str().unwrap_or_default();
            let what = format!(
                "has a user with the `auth-provider` `{name}`, which Kubernetes gave up in 1.26: use the `exec` plugin that took its place"
            );
            return self.unusable(&what);
        }
        for key in FILES {
            absolute(&mut user[key], file, |_| true);
        }
        // A command without a slash is looked for in the search path.
        if user.get("exec").is_some_and(Value::is_object) {
            absolute(&mut user["exec"]["command"], file, |command| command.contains('/'));
        }
        if let Some(user) = user.as_object_mut() {
            user.retain(|_, value| !value.is_null());
        }
        if AuthInfo::deserialize(&user).is_err() {
            return self.unusable("has a user that is malformed");
        }
        Ok(Credentials::User(Secret::new(user)))
    }

    fn unusable<T>(&self, what: &str) -> Result<T, KubeconfigError> {
        let (path, context) = (self.path.to_owned(), self.context.to_owned());
        Err(KubeconfigError::Context { path, context, what: what.to_owned() })
    }
}

/// A file that a kubeconfig names.
fn beside(file: &KubeconfigFile, name: &str) -> std::path::PathBuf {
    let folder = file.path().parent().unwrap_or(Path::new(""));
    let path = folder.join(name);
    std::path::absolute(&path).unwrap_or(path)
}

fn absolute(value: &mut Value, file: &KubeconfigFile, is_path: impl Fn(&str) -> bool) {
    if let Some(name) = value.as_str().filter(|name| !name.is_empty() && is_path(name)) {
        *value = beside(file, name).to_string_lossy().into_owned().into();
    }
}
