//! Tokens of service accounts, bound to the pod, and the kubeconfig through which a program finds API server and
//! token outside of a container.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::{
    BoundObjectReference, TokenRequest, TokenRequestSpec, TokenRequestStatus,
};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount, ServiceAccountTokenProjection};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::sources::while_forbidden;
use crate::site::secret::Secret;

/// A token was not given.
#[derive(Debug, thiserror::Error)]
#[error("cannot get a token of ServiceAccount {account}")]
pub(super) struct TokenError {
    account: String,
    source: kube::Error,
}

/// A token and when the next one is asked for.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) value: Secret<String>,
    renewal: Timestamp,
}

/// The answer, of which only the status matters.
#[derive(serde::Deserialize)]
struct Answer {
    status: TokenRequestStatus,
}

impl Token {
    /// Asks for a token for a pod.
    pub(super) async fn request(
        client: &Client,
        pod: &Pod,
        projection: &ServiceAccountTokenProjection,
    ) -> Result<Self, TokenError> {
        let namespace = pod.namespace().unwrap_or_default();
        let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref());
        let account = account.unwrap_or("default");
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), &namespace);
        let (parameters, request) = (PostParams::default(), request(pod, projection));
        let ask = || accounts.create_subresource::<_, Answer>("token", account, &parameters, &request);
        let answer = while_forbidden(ask).await;
        let answer =
            answer.map_err(|source| TokenError { account: format!("{namespace}/{account}"), source })?;
        let renewal = renewal(Timestamp::now(), answer.status.expiration_timestamp.0);
        Ok(Self { value: Secret::new(answer.status.token), renewal })
    }

    /// Whether it is time for the next one.
    pub(super) fn is_due(&self) -> bool {
        Timestamp::now() >= self.renewal
    }
}

fn request(pod: &Pod, projection: &ServiceAccountTokenProjection) -> TokenRequest {
    let spec = TokenRequestSpec {
        audiences: projection.audience.iter().cloned().collect(),
        expiration_seconds: projection.expiration_seconds,
        bound_object_ref: Some(BoundObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Pod".into()),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
        }),
    };
    TokenRequest { spec, ..TokenRequest::default() }
}

/// After three quarters of its life: programs read the file again only every minute or so.
fn renewal(now: Timestamp, end: Timestamp) -> Timestamp {
    let life = now.duration_until(end).max(SignedDuration::ZERO);
    now + life * 3 / 4
}

/// A kubeconfig of one context that reads its token from a file, as JSON, which is YAML as well.
pub(super) fn kubeconfig(server: &str, authority: &str, namespace: &str, token: &Path) -> String {
    use base64::Engine as _;
    let authority = base64::engine::general_purpose::STANDARD.encode(authority);
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "clusters": [{ "name": "pod", "cluster": { "server": server, "certificate-authority-data": authority } }],
        "users": [{ "name": "pod", "user": { "tokenFile": token } }],
        "contexts": [{
            "name": "pod",
            "context": { "cluster": "pod", "user": "pod", "namespace": namespace },
        }],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_well_before_its_end() {
        let now = Timestamp::from_second(1_000).unwrap();
        assert_eq!(renewal(now, Timestamp::from_second(4_600).unwrap()).as_second(), 3_700);
        assert_eq!(renewal(now, Timestamp::from_second(500).unwrap()), now, "a clock that is ahead");
    }
}
