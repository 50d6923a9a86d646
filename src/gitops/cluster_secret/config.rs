//! The field `config` of a cluster Secret: the JSON from which Argo CD makes its connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::engine::{Access, Credentials};
use crate::site::secret::Secret;

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_token: Option<String>,
    tls_client_config: Tls,
}

/// `insecure` is always written, and always `false`.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tls {
    insecure: bool,
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
    text(&Config::default())
}

/// For any other cluster: its authority is pinned.
pub(super) fn of(access: &Access) -> Secret<String> {
    let mut tls = Tls { ca_data: Some(STANDARD.encode(&access.authority)), ..Tls::default() };
    let bearer_token = match &access.credentials {
        Credentials::Token(token) => Some(token.expose().clone()),
        Credentials::Certificate { certificate, key } => {
            tls.cert_data = Some(STANDARD.encode(certificate));
            tls.key_data = Some(STANDARD.encode(key.expose()));
            None
        }
    };
    text(&Config { bearer_token, tls_client_config: tls })
}

/// The access that the JSON describes.
pub(super) fn read(server: &str, config: &Secret<String>) -> Result<Access, ConfigError> {
    let failed = || ConfigError { server: server.to_owned() };
    let Config { bearer_token, tls_client_config: tls } =
        serde_json::from_str(config.expose()).map_err(|_| failed())?;
    let credentials = match (bearer_token, tls.cert_data, tls.key_data) {
        (Some(token), _, _) => Credentials::Token(Secret::new(token)),
        (None, Some(certificate), Some(key)) => Credentials::Certificate {
            certificate: decode(&certificate).ok_or_else(failed)?,
            key: Secret::new(decode(&key).ok_or_else(failed)?),
        },
        _ => return Err(failed()),
    };
    let authority = tls.ca_data.and_then(|authority| decode(&authority)).ok_or_else(failed)?;
    Ok(Access { server: server.to_owned(), authority, credentials })
}

fn text(config: &Config) -> Secret<String> {
    Secret::new(serde_json::to_string(config).expect("a struct of texts is JSON"))
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
            let access =
                Access { server: "https://10.0.0.5:6443".into(), authority: "ca".into(), credentials };
            assert_eq!(read(&access.server, &of(&access)).expect("it can be read"), access);
        }
        assert!(read("https://10.0.0.5:6443", &of_hub()).is_err());
    }
}
