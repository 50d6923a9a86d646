//! The field `config` of a cluster Secret: the JSON from which Argo CD makes its connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::engine::{Access, Credentials as Identity};
use crate::site::secret::Secret;

#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Connection {
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_token: Option<String>,
    tls_client_config: Tls,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_url: Option<String>,
}

/// `insecure` is always written, and always `false`.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Tls {
    insecure: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cert_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_data: Option<String>,
}

/// What we never write, and read in Secrets that others made.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Others {
    username: String,
    password: String,
    aws_auth_config: Option<IgnoredAny>,
    exec_provider_config: Option<IgnoredAny>,
}

/// The JSON cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the `config` of the cluster Secret for {server} does not say how to reach the cluster: {why}")]
pub(in crate::gitops) struct ConfigError {
    server: String,
    why: &'static str,
}

/// What Argo CD presents at a cluster, as its Secret says.
#[derive(Debug, PartialEq)]
pub(in crate::gitops) enum Credentials {
    /// Something that this machine can present as well.
    Portable(Box<Access>),
    /// Something that this machine cannot present, or should not; and why.
    Bound(&'static str),
}

/// For the cluster that Argo CD runs in: it uses its own account there.
pub(super) fn of_hub() -> Secret<String> {
    text(&Connection::default())
}

/// For any other cluster: its authority is pinned, unless it shows a certificate that everybody trusts.
pub(super) fn of(access: &Access) -> Secret<String> {
    let mut tls = Tls {
        server_name: access.tls_server_name.clone(),
        ca_data: access.authority.as_ref().map(|authority| STANDARD.encode(authority)),
        ..Tls::default()
    };
    let bearer_token = match &access.credentials {
        Identity::Token(token) => Some(token.expose().clone()),
        Identity::Certificate { certificate, key } => {
            tls.cert_data = Some(STANDARD.encode(certificate));
            tls.key_data = Some(STANDARD.encode(key.expose()));
            None
        }
        // A person's credentials are not given away: what is written without any cannot be read back as an access.
        Identity::User(_) => None,
    };
    text(&Connection { bearer_token, tls_client_config: tls, proxy_url: access.proxy_url.clone() })
}

/// What the JSON says, in the order in which Argo CD reads it.
pub(super) fn read(server: &str, config: &str) -> Result<Credentials, ConfigError> {
    let failed = |why| ConfigError { server: server.to_owned(), why };
    let malformed = |_| failed("it is not JSON of that kind");
    let others: Others = serde_json::from_str(config).map_err(malformed)?;
    let Connection { bearer_token, tls_client_config: tls, proxy_url } =
        serde_json::from_str(config).map_err(malformed)?;
    if others.aws_auth_config.is_some() {
        return Ok(Credentials::Bound("they are the AWS identity of Argo CD's own pods"));
    }
    if others.exec_provider_config.is_some() {
        return Ok(Credentials::Bound("they come from a program in Argo CD's own pods"));
    }
    if tls.insecure {
        return Ok(Credentials::Bound("the Secret says not to check whose the server is"));
    }
    let decoded =
        |base64: &str| decode(base64).ok_or_else(|| failed("a certificate or key is not base64 of PEM"));
    let bearer_token = bearer_token.filter(|token| !token.is_empty());
    let credentials = match (bearer_token, tls.cert_data, tls.key_data) {
        (Some(token), _, _) => Identity::Token(Secret::new(token)),
        (None, Some(certificate), Some(key)) => {
            Identity::Certificate { certificate: decoded(&certificate)?, key: Secret::new(decoded(&key)?) }
        }
        _ if !others.username.is_empty() => {
            Identity::User(Secret::new(json!({ "username": others.username, "password": others.password })))
        }
        _ => return Err(failed("it has no credentials")),
    };
    let authority = tls.ca_data.as_deref().map(decoded).transpose()?;
    let tls_server_name = tls.server_name;
    let access = Access { authority, tls_server_name, proxy_url, ..Access::new(server, "", credentials) };
    Ok(Credentials::Portable(Box::new(access)))
}

fn text(connection: &Connection) -> Secret<String> {
    Secret::new(serde_json::to_string(connection).expect("a struct of texts is JSON"))
}

fn decode(base64: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(base64).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "https://10.0.0.5:6443";

    #[test]
    fn the_hub_is_reached_with_argo_cds_own_account() {
        assert_eq!(of_hub().expose(), r#"{"tlsClientConfig":{"insecure":false}}"#);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let token = Identity::Token(Secret::new("token".to_owned()));
        let pair = Identity::Certificate { certificate: "cert".into(), key: Secret::new("key".into()) };
        for credentials in [token, pair] {
            let direct = Access::new(SERVER, "ca", credentials);
            let public = Access { authority: None, ..direct.clone() };
            let proxied = Access {
                tls_server_name: Some("kubernetes".into()),
                proxy_url: Some("http://10.0.0.1:3128".into()),
                ..direct.clone()
            };
            for access in [direct, public, proxied] {
                let read = read(&access.server, of(&access).expose()).expect("it can be read");
                assert_eq!(read, Credentials::Portable(Box::new(access)));
            }
        }
        let user = Identity::User(Secret::new(json!({ "token": "mine" })));
        let mine = of(&Access::new(SERVER, "ca", user));
        assert!(!mine.expose().contains("mine") && read(SERVER, mine.expose()).is_err());
        assert!(read(SERVER, of_hub().expose()).is_err());
    }

    #[test]
    fn what_only_argo_cd_can_present_is_told_apart() {
        for config in [
            r#"{"awsAuthConfig":{"clusterName":"dev"},"tlsClientConfig":{"insecure":false}}"#,
            r#"{"execProviderConfig":{"command":"argocd-k8s-auth","args":["gcp"]}}"#,
            r#"{"bearerToken":"token","tlsClientConfig":{"insecure":true}}"#,
        ] {
            assert!(matches!(read(SERVER, config), Ok(Credentials::Bound(_))), "{config}");
        }
        let basic = read(SERVER, r#"{"username":"a","password":"b"}"#).expect("it can be read");
        assert!(matches!(basic, Credentials::Portable(access) if access.authority.is_none()));
        assert!(read(SERVER, "{}").is_err() && read(SERVER, "token").is_err());
    }
}
