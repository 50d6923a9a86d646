//! Calls of AWS's Query protocol, signed here: a crate of EC2's whole API would cost minutes of every build, for a handful
//! of questions.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_types::service_config::ServiceConfigKey;
use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use urlencoding::encode;

use super::session::host;
use super::{Account, AwsError};
use crate::engine::innermost;
use crate::engine::wait::pause;

/// How often a call is tried that AWS refuses for now.
const ATTEMPTS: u32 = 6;
/// The pause before the second attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A service that speaks the Query protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    /// As the SDKs call it, such as `EC2`.
    id: &'static str,
    /// In signatures and host names.
    name: &'static str,
    version: &'static str,
}

pub(super) const EC2: Service = Service { id: "EC2", name: "ec2", version: "2016-11-15" };
pub(super) const LOAD_BALANCING: Service =
    Service { id: "Elastic Load Balancing v2", name: "elasticloadbalancing", version: "2015-12-01" };

/// One question.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) service: Service,
    pub(super) action: &'a str,
    pub(super) parameters: Vec<(String, String)>,
    /// What it is about, in words: `list` and `the subnets of vpc-1`.
    pub(super) verb: &'a str,
    pub(super) subject: &'a str,
}

/// What went wrong with one attempt.
enum Attempt {
    /// It may go well the next time.
    Passing(AwsError),
    Final(AwsError),
}

/// How AWS says no: the Query protocol of most services, and EC2's own form.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    #[serde(default)]
    errors: Errors,
    error: Option<Fault>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Errors {
    error: Option<Fault>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fault {
    code: String,
    #[serde(default)]
    message: String,
}

impl Question<'_> {
    /// Asks, and asks again what AWS refuses for now.
    pub(super) async fn ask<T: DeserializeOwned>(&self, account: &Account) -> Result<T, AwsError> {
        let mut next = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.attempt(account).await {
                Ok(text) => return self.parse(&text),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Passing(_)) => pause(next).await,
            }
            next *= 2;
        }
        match self.attempt(account).await {
            Ok(text) => self.parse(&text),
            Err(Attempt::Final(error) | Attempt::Passing(error)) => Err(error),
        }
    }

    fn parse<T: DeserializeOwned>(&self, text: &str) -> Result<T, AwsError> {
        quick_xml::de::from_str(text)
            .map_err(|error| self.error(None, format!("an unexpected answer: {error}")))
    }

    fn error(&self, code: Option<String>, text: String) -> AwsError {
        AwsError::new(self.verb, self.subject, code, text)
    }

    async fn attempt(&self, account: &Account) -> Result<String, Attempt> {
        let request = self.signed(account).await.map_err(|error| {
            Attempt::Final(self.error(None, format!("no signature without credentials: {error}")))
        })?;
        let passing = |error: reqwest::Error| Attempt::Passing(self.error(None, innermost(&error)));
        let answer = account.http().map_err(passing)?.execute(request).await.map_err(passing)?;
        let status = answer.status();
        let text = answer.text().await.map_err(passing)?;
        if status.is_success() {
            return Ok(text);
        }
        let refusal = quick_xml::de::from_str::<Refusal>(&text).ok();
        let fault = refusal.and_then(|refusal| refusal.errors.error.or(refusal.error));
        let (code, text) =
            fault.map_or((None, format!("HTTP {status}")), |Fault { code, message }| (Some(code), message));
        let is_passing = status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || code.as_deref().is_some_and(|code| {
                ["RequestLimitExceeded", "Throttling", "ThrottlingException"].contains(&code)
            });
        let error = self.error(code, text);
        Err(if is_passing { Attempt::Passing(error) } else { Attempt::Final(error) })
    }

    /// The request with its signature (Signature Version 4).
    async fn signed(
        &self,
        account: &Account,
    ) -> Result<reqwest::Request, Box<dyn std::error::Error + Send + Sync>> {
        let config = account.config();
        let identity = Identity::from(account.credentials().await?);
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name(self.service.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let url = self.service.endpoint(account, &region);
        let body = self.body();
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let request =
            SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
        let (instructions, _) = sign(request, &params)?.into_parts();
        let mut request = hyper::Request::builder().method("POST").uri(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(body)?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.try_into()?)
    }

    fn body(&self) -> String {
        let own = [("Action", self.action), ("Version", self.service.version)];
        let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let pairs = own.iter().chain(&self.parameters);
        let pairs = pairs.map(|(key, value)| format!("{}={}", encode(key), encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

impl Service {
    /// Where it is: what is configured, by the SDK's rules, or AWS itself.
    fn endpoint(self, account: &Account, region: &str) -> String {
        let config = account.config();
        let key = ServiceConfigKey::builder()
            .service_id(self.id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok();
        let configured = config.service_config().zip(key).and_then(|(config, key)| config.load_config(key));
        let configured = configured.or_else(|| config.endpoint_url().map(ToOwned::to_owned));
        let url = configured.unwrap_or_else(|| format!("https://{}", host(self.name, region)));
        format!("{}/", url.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_refusal_are_read() {
        let ec2 = "<Response><Errors><Error><Code>InvalidGroup.NotFound</Code><Message>no</Message></Error></Errors><RequestID>1</RequestID></Response>";
        let query = "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>Throttling</Code><Message>slow</Message></Error></ErrorResponse>";
        let code = |text| {
            let refusal: Refusal = quick_xml::de::from_str(text).expect("it is one");
            refusal.errors.error.or(refusal.error).map(|fault| fault.code)
        };
        assert_eq!(code(ec2).as_deref(), Some("InvalidGroup.NotFound"));
        assert_eq!(code(query).as_deref(), Some("Throttling"));
    }

    #[test]
    fn a_form_has_no_reserved_characters() {
        assert_eq!(encode("a b&c=d/é~"), "a%20b%26c%3Dd%2F%C3%A9~");
    }
}
