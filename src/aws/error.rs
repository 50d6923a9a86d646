//! A call to AWS that failed, in words, with what to do about it where that is known.

use std::error::Error;
use std::fmt;

use aws_sdk_eks::error::{ProvideErrorMetadata, SdkError};

use crate::engine::{Hint, innermost};

/// A call failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}")]
pub struct AwsError {
    action: String,
    source: Said,
}

/// What AWS, or the way there, has said.
#[derive(Debug, thiserror::Error)]
#[error("{text}{}", .code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
struct Said {
    text: String,
    code: Option<String>,
    source: Option<Hint>,
}

/// What came of a call that may be refused for a reason that says something of the world.
pub trait Answer<T> {
    /// The answer; `None` if what was asked for is not there.
    ///
    /// # Errors
    /// When the call failed otherwise.
    fn if_present(self) -> Result<Option<T>, AwsError>;
}

impl<T> Answer<T> for Result<T, AwsError> {
    fn if_present(self) -> Result<Option<T>, AwsError> {
        match self {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AwsError {
    /// A call of the SDK failed; `verb` and `subject` say what it was to do, such as `create` and `role x`.
    pub fn of<E, R>(verb: &str, subject: impl fmt::Display, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: fmt::Debug,
    {
        let text = match (error.code(), error.message()) {
            (Some(_), Some(message)) => message.to_owned(),
            (Some(_), None) => "AWS says no more".to_owned(),
            (None, _) => innermost(error),
        };
        Self::new(verb, subject, error.code().map(ToOwned::to_owned), text)
    }

    /// A call failed, with the code that AWS gave, if it did, and what was said.
    pub(super) fn new(verb: &str, subject: impl fmt::Display, code: Option<String>, text: String) -> Self {
        let source = hint(code.as_deref(), &text).map(|hint| Hint(hint.to_owned()));
        Self { action: format!("{verb} {subject}"), source: Said { text, code, source } }
    }

    /// What AWS calls the error, such as `ResourceNotFoundException`; `None` if it was not AWS that refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.source.code.as_deref()
    }

    /// What was said.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// Whether AWS has answered that the subject is not there.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        let code = self.code().unwrap_or_default();
        ["ResourceNotFoundException", "NoSuchEntity", "NoSuchEntityException"].contains(&code)
            || (code.starts_with("Invalid") && code.ends_with(".NotFound"))
            || (code == "ValidationError" && self.text().ends_with("does not exist"))
    }

    /// Whether somebody, perhaps an earlier attempt of ours, has made the subject already.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        let code = self.code().unwrap_or_default();
        [
            "AlreadyExistsException",
            "EntityAlreadyExists",
            "EntityAlreadyExistsException",
            "ResourceInUseException",
        ]
        .contains(&code)
    }

    /// Whether AWS does not know a role yet that has just been made, or does not let its service use it yet. IAM is
    /// eventually consistent and has no call that says when it is through (IAM User Guide, "Changes that I make are not
    /// always immediately visible"); these are the texts that are known.
    #[must_use]
    pub fn is_propagation(&self) -> bool {
        const TEXTS: [&str; 6] = [
            "does not exist",
            "Error in role params",
            "could not be assumed because the trusted entity is not correct",
            "doesn't have the Amazon EKS Managed Policies",
            "IAM role's policy must include",
            "nvalid principal",
        ];
        let is_parameter = ["InvalidParameterException", "ClientException", "MalformedPolicyDocument"]
            .contains(&self.code().unwrap_or_default());
        is_parameter && TEXTS.iter().any(|text| self.text().contains(text))
    }
}

/// What to do about errors that every call may meet.
fn hint(code: Option<&str>, text: &str) -> Option<&'static str> {
    let credentials =
        "log in again (such as with `aws sso login`), then run the same command again: it goes on";
    match code {
        Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "UnrecognizedClientException") => {
            Some(credentials)
        }
        Some("InvalidClientTokenId" | "SignatureDoesNotMatch" | "IncompleteSignature") => {
            Some("AWS does not accept these credentials: `aws sts get-caller-identity` says more")
        }
        Some("AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation") => Some(
            "the identity that is used may not do this: see the README for the permissions that it takes",
        ),
        Some("ResourceLimitExceeded" | "ResourceLimitExceededException" | "LimitExceeded") => Some(
            "a quota of the account is reached: raise it in Service Quotas, or take away what is not needed",
        ),
        None if text.contains("credentials") => Some(
            "no credentials were found: `aws sts get-caller-identity` with the same profile says whether there are any",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, text: &str) -> AwsError {
        AwsError::new("describe", "cluster x", Some(code.to_owned()), text.to_owned())
    }

    #[test]
    fn only_what_aws_says_is_not_there_is_absent() {
        assert!(error("ResourceNotFoundException", "No cluster found for name: x.").is_absence());
        assert!(error("ValidationError", "Stack with id x does not exist").is_absence());
        assert!(error("InvalidGroup.NotFound", "x").is_absence());
        for (code, text) in [
            ("AccessDeniedException", "no"),
            ("ValidationError", "1 validation error detected"),
            ("ExpiredToken", "it does not exist any more"),
        ] {
            assert!(!error(code, text).is_absence(), "{code}");
        }
    }

    #[test]
    fn only_known_texts_mean_that_a_role_is_not_through_yet() {
        let text = "Role with arn: arn:aws:iam::1:role/x, could not be assumed because it does not exist";
        assert!(error("InvalidParameterException", text).is_propagation());
        assert!(!error("InvalidParameterException", "unsupported Kubernetes version").is_propagation());
        assert!(!error("ResourceNotFoundException", text).is_propagation());
    }

    #[test]
    fn credentials_that_have_ended_are_told_apart_from_rights() {
        use crate::engine::Failure;
        let hint = |code| Failure::from(error(code, "no")).hint().map(ToOwned::to_owned).unwrap_or_default();
        assert!(hint("ExpiredToken").contains("log in again"));
        assert!(hint("AccessDeniedException").contains("may not do this"));
        assert_eq!(hint("InvalidParameterException"), "");
    }
}
