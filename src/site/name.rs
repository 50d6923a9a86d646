//! Names that are known to be valid wherever they are used.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// It is longer than the things that are named after it allow.
    #[error("{kind} has at most {most} characters, this one has {length}")]
    TooLong {
        /// What the name is for, with its article.
        kind: &'static str,
        /// The most that is allowed.
        most: usize,
        /// What was given.
        length: usize,
    },
    /// It has a character in it that is not allowed there.
    #[error("{kind} {rule}")]
    Characters {
        /// What the name is for, with its article.
        kind: &'static str,
        /// What is allowed.
        rule: &'static str,
    },
}

const DNS_LABEL: &str =
    "is made of lower-case letters, digits and `-`, and begins and ends with a letter or digit (RFC 1123)";
const KEY: &str = "is made of lower-case letters, digits and `_`, and begins with a letter";

fn dns_label(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && edge(text.as_bytes().first())
        && edge(text.as_bytes().last())
}

fn key(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
}

const ALIAS: &str = "is made of letters, digits, `.`, `_` and `-`, and begins with a letter or digit";

fn alias(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $most:literal, $valid:ident, $rule:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                match text.len() {
                    0 => Err(NameError::Empty($kind)),
                    length if length > $most => Err(NameError::TooLong { kind: $kind, most: $most, length }),
                    _ if !$valid(text) => Err(NameError::Characters { kind: $kind, rule: $rule }),
                    _ => Ok(Self(text.to_owned())),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}

name!(
    /// The name of a site: a folder under `sites/`, and the value of the label `bridgehead/site`.
    SiteName, "a site name", 40, dns_label, DNS_LABEL
);
name!(
    /// The name of a cluster: its Secret's name and a label value. Applications are named `workload-<cluster>`.
    ClusterName, "a cluster name", 40, dns_label, DNS_LABEL
);
name!(
    /// The name of an addon: `enable_<addon>` is a label key, whose name part has at most 63 characters.
    AddonName, "an addon name", 56, key, KEY
);
name!(
    /// The name of a repository table `[repos.<name>]`: the prefix of its annotation keys.
    RepositoryName, "a repository name", 40, key, KEY
);
name!(
    /// The alias of a host in the inventory: the name of its table `[vms.<host>]`.
    HostName, "a host's alias", 63, alias, ALIAS
);
name!(
    /// The name of a project of Argo CD: that of its AppProject.
    ProjectName, "the name of a project", 63, dns_label, DNS_LABEL
);
name!(
    /// The name of a Secret that a profile declares: that of the object in the cluster.
    SecretName, "the name of a Secret", 63, dns_label, DNS_LABEL
);
