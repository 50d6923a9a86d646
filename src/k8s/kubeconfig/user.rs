//! Who a kubeconfig's user is: credentials that can be used from anywhere on this machine.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use kube::config::AuthInfo;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::data;
use super::file::KubeconfigFile;
use crate::files;

/// The keys of a user that name files.
const FILES: [&str; 2] = ["client-certificate", "client-key"];

/// The keys of a user that hold files in base64, each with the key that would name such a file.
const DATA: [&str; 2] = ["client-certificate-data", "client-key-data"];

/// A user's entry with absolute paths, and without what says nothing.
///
/// # Errors
/// What cannot be used, as what the context has.
pub(super) fn settle(mut user: Value, file: &KubeconfigFile, now: Timestamp) -> Result<Value, String> {
    if let Some(entries) = user.as_object_mut() {
        entries.retain(|_, value| !value.is_null() && value != "");
    }
    if let Some(provider) = user.as_object_mut().and_then(|entries| entries.remove("auth-provider")) {
        user["token"] = token_of(&provider, now)?.into();
    }
    if let Some(token) = token_in(&user, file)? {
        user["token"] = token.into();
    }
    if let Some(entries) = user.as_object_mut() {
        entries.remove("tokenFile");
    }
    for key in FILES {
        absolute(&mut user, key, file, |_| true);
    }
    for key in DATA {
        let Some(text) = user.get(key) else { continue };
        let bytes = text.as_str().and_then(data::decode);
        let bytes = bytes.ok_or_else(|| format!("has a user whose `{key}` is not base64"))?;
        user[key] = STANDARD.encode(bytes).into();
    }
    if let Some(plugin) = user.get_mut("exec").filter(|plugin| plugin.is_object()) {
        // A command without a slash is looked for in the search path.
        absolute(plugin, "command", file, |command| command.contains('/'));
    }
    AuthInfo::deserialize(&user).map_err(|_| "has a user that is malformed".to_owned())?;
    Ok(user)
}

/// Nobody in particular: `system:anonymous`, or whoever a proxy such as `kubectl proxy` makes of the request.
pub(super) fn nobody() -> Value {
    json!({})
}

/// A file that a kubeconfig names.
pub(super) fn beside(file: &KubeconfigFile, name: &str) -> std::path::PathBuf {
    let folder = file.path().parent().unwrap_or(Path::new(""));
    let path = folder.join(name);
    std::path::absolute(&path).unwrap_or(path)
}

fn absolute(of: &mut Value, key: &str, file: &KubeconfigFile, is_path: impl Fn(&str) -> bool) {
    let Some(value) = of.get_mut(key) else { return };
    if let Some(name) = value.as_str().filter(|name| !name.is_empty() && is_path(name)) {
        *value = beside(file, name).to_string_lossy().into_owned().into();
    }
}

/// What is in the file of a token, which goes before a token; where it cannot be read, that one has to do. (client-go,
/// `transport.NewCachedFileTokenSource`.)
fn token_in(user: &Value, file: &KubeconfigFile) -> Result<Option<String>, String> {
    let Some(name) = user.get("tokenFile").and_then(Value::as_str) else { return Ok(None) };
    match files::read(&beside(file, name)) {
        Ok(text) if !text.trim().is_empty() => Ok(Some(text.trim().to_owned())),
        _ if user.get("token").is_some() => Ok(None),
        Ok(_) => Err(format!("has a user whose `tokenFile` `{name}` is empty")),
        Err(_) => Err(format!("has a user whose `tokenFile` `{name}` cannot be read")),
    }
}

/// The token that a login left behind. Of the plugins that once were part of Kubernetes only `oidc` is left (client-go,
/// `plugin/pkg/client/auth`); those of clouds went with 1.26. An ended token is not renewed here: many issuers let a
/// refresh token be used once, and then the one in the kubeconfig would be worth nothing to `kubectl`.
fn token_of(provider: &Value, now: Timestamp) -> Result<String, String> {
    let name = provider["name"].as_str().unwrap_or_default();
    if name != "oidc" {
        return Err(format!(
            "has a user with the `auth-provider` `{name}`, which Kubernetes gave up in 1.26: use the `exec` plugin that took its place"
        ));
    }
    let token = provider["config"]["id-token"].as_str().unwrap_or_default();
    let told = |what: &str| {
        format!(
            "has a user with the `auth-provider` `oidc`, whose `id-token` {what}: log in again; if it has a `refresh-token`, any request of `kubectl` renews both"
        )
    };
    if token.is_empty() {
        return Err(told("is not there"));
    }
    let claims =
        token.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok());
    let claims = claims.and_then(|claims| serde_json::from_slice::<Value>(&claims).ok());
    let Some(claims) = claims else { return Err(told("is no JSON Web Token")) };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a time may be written as a fraction, which is not needed"
    )]
    let end = claims["exp"].as_f64().and_then(|seconds| Timestamp::from_second(seconds as i64).ok());
    match end {
        Some(end) if end > now => Ok(token.to_owned()),
        Some(end) => Err(told(&format!("ended at {end}"))),
        None => Err(told("does not say when it ends")),
    }
}
