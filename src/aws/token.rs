//! The token that a cluster of EKS knows a caller by: a presigned question to STS who is calling, which the cluster asks
//! in the caller's place (the format is that of aws-iam-authenticator, `pkg/token`).

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::Account;
use super::session::host;
use crate::site::secret::Secret;

/// How long a cluster accepts it, less a minute for clocks that differ. What the signature itself says is ignored there.
const LIFE: Duration = Duration::from_mins(14);
/// What the signature says, as every other client does.
const EXPIRES: Duration = Duration::from_mins(1);
/// The header that binds it to one cluster.
const CLUSTER: &str = "x-k8s-aws-id";

/// A token for one cluster.
#[derive(Debug)]
pub struct Token {
    /// The token.
    pub token: Secret<String>,
    /// When the cluster stops accepting it.
    pub expires: Timestamp,
}

/// No token can be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The chain of credentials has none.
    #[error("there are no AWS credentials to make a token from")]
    Credentials(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// They cannot sign.
    #[error("a token for the cluster {0} cannot be signed")]
    Signing(String, #[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Token {
    /// A token for the cluster that AWS knows by this name. Nothing is sent, unless the credentials have to be asked for.
    ///
    /// # Errors
    /// When there are no credentials.
    pub async fn of(account: &Account, region: &str, cluster: &str) -> Result<Self, TokenError> {
        let identity = Identity::from(account.credentials().await.map_err(TokenError::Credentials)?);
        let now = SystemTime::now();
        let url = presigned(&identity, region, cluster, now)
            .map_err(|error| TokenError::Signing(cluster.to_owned(), error))?;
        let token = Secret::new(format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url)));
        let expires = Timestamp::try_from(now + LIFE).unwrap_or(Timestamp::MAX);
        Ok(Self { token, expires })
    }
}

/// The regional endpoint of STS: clusters ask no other one. It is never sent to from here, so that no endpoint that is
/// configured for calls takes its place.
fn endpoint(region: &str) -> String {
    format!("https://{}/?Action=GetCallerIdentity&Version=2011-06-15", host("sts", region))
}

fn presigned(
    identity: &Identity,
    region: &str,
    cluster: &str,
    now: SystemTime,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name("sts")
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let url = endpoint(region);
    let headers = std::iter::once((CLUSTER, cluster));
    let request = SignableRequest::new("GET", &url, headers, SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(request, &params)?.into_parts();
    let mut request = hyper::Request::builder().uri(url).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.uri().to_string())
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;

    use super::*;

    #[test]
    fn the_url_has_what_a_cluster_wants_and_nothing_else() {
        let identity = Credentials::new("AKIDEXAMPLE", "secret", Some("a+b/c=".to_owned()), None, "test");
        let url =
            presigned(&identity.into(), "eu-west-1", "demo-hub", SystemTime::UNIX_EPOCH).expect("signed");
        let (place, query) = url.split_once('?').expect("it has a query");
        assert_eq!(place, "https://sts.eu-west-1.amazonaws.com/");
        let mut keys: Vec<_> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
        keys.sort_unstable();
        let wanted = [
            "Action",
            "Version",
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-Security-Token",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
        ];
        assert_eq!(keys, wanted);
        assert!(query.contains("X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"), "{query}");
        assert!(query.contains("X-Amz-Security-Token=a%2Bb%2Fc%3D"), "{query}");
        assert!(!query.contains("secret&"), "{query}");
    }
}
