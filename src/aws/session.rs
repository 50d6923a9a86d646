//! Connections to AWS, made once for every region and profile.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, Connector, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::sync::OnceCell;

use super::{AwsError, Identity};

/// How long one attempt of a call may take. The SDK itself would wait for ever.
const ATTEMPT: Duration = Duration::from_secs(30);
/// How often a call is tried: throttling of a busy account passes within this many attempts.
const ATTEMPTS: u32 = 8;
/// How long before their end credentials are renewed. `CloudFormation` goes on with the session that it was called with,
/// which should outlive what it does (AWS `CloudFormation` User Guide, "service role").
const EARLY: Duration = Duration::from_mins(15);

/// Where calls go, and by whose credentials.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Such as `eu-west-1`.
    pub region: String,
    /// A profile of the AWS configuration; `None`: what the SDK's chain finds.
    pub profile: Option<String>,
}

/// The connections of one command.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<BTreeMap<Place, Arc<Session>>>);

/// What all clusters of a place share: credentials, and connections that are kept open.
#[derive(Debug, Default)]
struct Session {
    config: OnceCell<SdkConfig>,
    identity: OnceCell<Identity>,
    http: OnceLock<reqwest::Client>,
}

/// The services of AWS, as one cluster uses them.
#[derive(Debug, Clone)]
pub struct Account {
    session: Arc<Session>,
    config: SdkConfig,
    /// EKS.
    pub eks: aws_sdk_eks::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// `CloudFormation`.
    pub cloudformation: aws_sdk_cloudformation::Client,
}

impl Sessions {
    /// The services at a place. Nothing is called yet.
    pub async fn get(&self, place: &Place) -> Account {
        let session = {
            let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(sessions.entry(place.clone()).or_default())
        };
        let config = session.config.get_or_init(|| load(place)).await.clone();
        Account {
            eks: aws_sdk_eks::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            session,
            config,
        }
    }
}

impl Account {
    /// Who we are. It is asked once.
    ///
    /// # Errors
    /// When there are no credentials, or AWS does not accept them.
    pub async fn identity(&self) -> Result<&Identity, AwsError> {
        let ask = async || {
            let answer = aws_sdk_sts::Client::new(&self.config).get_caller_identity().send().await;
            let answer = answer.map_err(|error| AwsError::of("ask", "AWS who is calling", &error))?;
            Ok(Identity::new(answer.account().unwrap_or_default(), answer.arn().unwrap_or_default()))
        };
        self.session.identity.get_or_try_init(ask).await
    }

    /// The connections of calls that no SDK makes.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn http(&self) -> Result<&reqwest::Client, reqwest::Error> {
        if let Some(client) = self.session.http.get() {
            return Ok(client);
        }
        // The first one stands; a second one is refused, which is no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(ATTEMPT).build()?;
        Ok(self.session.http.get_or_init(|| client))
    }

    /// The credentials that calls are signed with.
    ///
    /// # Errors
    /// When there are none, or they cannot be renewed.
    pub(super) async fn credentials(&self) -> Result<Credentials, Box<dyn Error + Send + Sync>> {
        let provider = self.config.credentials_provider().ok_or("none are configured")?;
        Ok(provider.provide_credentials().await?)
    }

    /// What calls are made with.
    pub(super) fn config(&self) -> &SdkConfig {
        &self.config
    }
}

async fn load(place: &Place) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new(place.region.clone()))
        .http_client(http_client())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .identity_cache(IdentityCache::lazy().buffer_time(EARLY).build());
    if let Some(profile) = &place.profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

/// The host of a service of AWS in a region. China has a domain of its own.
pub(super) fn host(service: &str, region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{service}.{region}.{domain}")
}

/// TLS as everywhere else in this program, through the proxy that the environment names.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build()
    })
}
