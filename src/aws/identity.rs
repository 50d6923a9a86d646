//! Who we are at AWS.

/// The identity behind the credentials (STS, `GetCallerIdentity`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account's twelve digits.
    pub account: String,
    /// `aws`, `aws-cn` or `aws-us-gov`: a part of every ARN.
    pub partition: String,
    /// The ARN of the caller.
    pub arn: String,
}

impl Identity {
    pub(super) fn new(account: &str, arn: &str) -> Self {
        let partition = arn.split(':').nth(1).filter(|partition| !partition.is_empty());
        Self {
            account: account.to_owned(),
            partition: partition.unwrap_or("aws").to_owned(),
            arn: arn.to_owned(),
        }
    }

    /// The name of the role that is assumed, if one is. The ARN of a session has no path, so that the role's own ARN has
    /// to be asked for by name (IAM User Guide, "IAM identifiers").
    #[must_use]
    pub fn assumed_role(&self) -> Option<&str> {
        let resource = self.arn.splitn(6, ':').nth(5)?;
        resource.strip_prefix("assumed-role/")?.split('/').next()
    }

    /// Whether the caller is the account itself, to which a cluster gives no access.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.arn.ends_with(":root")
    }

    /// The ARN of something global of the account, such as `role/x`, or of AWS's own with an account of `aws`.
    #[must_use]
    pub fn iam(&self, account: &str, resource: &str) -> String {
        format!("arn:{}:iam::{account}:{resource}", self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_of_a_session_is_named() {
        let of = |arn| Identity::new("1", arn);
        let session = of("arn:aws-cn:sts::1:assumed-role/operator/me@example");
        assert_eq!((session.assumed_role(), session.partition.as_str()), (Some("operator"), "aws-cn"));
        assert_eq!(session.iam("aws", "policy/P"), "arn:aws-cn:iam::aws:policy/P");
        assert_eq!(of("arn:aws:iam::1:user/path/me").assumed_role(), None);
        assert!(of("arn:aws:iam::1:root").is_root() && !session.is_root());
    }
}
