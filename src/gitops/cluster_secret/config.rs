//! The field `config` of a cluster Secret: the JSON from which Argo CD makes its connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::engine::{Access, Credentials};
use crate::site::secret::Secret;

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_token: Option<String>,
    tls_client_config: Tls,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_url: Option<String>,
}

/// `insecure` is always written, and always `false`.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

/// The JSON cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("the `config` of the cluster Secret for {server} does not say how to reach the cluster")]
pub(super) struct ConfigError {
    server: String,
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
        Credentials::Token(token) => Some(token.expose().clone()),
        Credentials::Certificate { certificate, key } => {
            tls.cert_data = Some(STANDARD.encode(certificate));
            tls.key_data = Some(STANDARD.encode(key.expose()));
            None
        }
        // A person's credentials are not given away: what is written without any cannot be read back as an access.
        Credentials::User(_) => None,
    };
    text(&Connection { bearer_token, tls_client_config: tls, proxy_url: access.proxy_url.clone() })
}

/// The access that the JSON describes.
pub(super) fn read(server: &str, config: &Secret<String>) -> Result<Access, ConfigError> {
    let failed = || ConfigError { server: server.to_owned() };
    let Connection { bearer_token, tls_client_config: tls, proxy_url } =
        serde_json::from_str(config.expose()).map_err(|_| failed())?;
    let credentials = match (bearer_token, tls.cert_data, tls.key_data) {
        (Some(token), _, _) => Credentials::Token(Secret::new(token)),
        (None, Some(certificate), Some(key)) => Credentials::Certificate {
            certificate: decode(&certificate).ok_or_else(failed)?,
            key: Secret::new(decode(&key).ok_or_else(failed)?),
        },
        _ => return Err(failed()),
    };
    let authority = tls.ca_data.map(|authority| decode(&authority).ok_or_else(failed)).transpose()?;
    let (server, tls_server_name) = (server.to_owned(), tls.server_name);
    Ok(Access { server, authority, tls_server_name, proxy_url, credentials })
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

    #[test]
    fn the_hub_is_reached_with_argo_cds_own_account() {
        assert_eq!(of_hub().expose(), r#"{"tlsClientConfig":{"insecure":false}}"#);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let token = Credentials::Token(Secret::new("token".to_owned()));
        let pair = Credentials::Certificate { certificate: "cert".into(), key: Secret::new("key".into()) };
        for credentials in [token, pair] {
            let direct = Access::new("https://10.0.0.5:6443", "ca", credentials);
            let public = Access { authority: None, ..direct.clone() };
            let proxied = Access {
                tls_server_name: Some("kubernetes".into()),
                proxy_url: Some("http://10.0.0.1:3128".into()),
                ..direct.clone()
            };
            for access in [direct, public, proxied] {
                assert_eq!(read(&access.server, &of(&access)).expect("it can be read"), access);
            }
        }
        let user = Credentials::User(Secret::new(serde_json::json!({ "token": "mine" })));
        let mine = of(&Access::new("https://10.0.0.5:6443", "ca", user));
        assert!(!mine.expose().contains("mine") && read("https://10.0.0.5:6443", &mine).is_err());
        assert!(read("https://10.0.0.5:6443", &of_hub()).is_err());
    }
}
