//! Tokens by which agents join: `K10<SHA-256 of the CA bundle>::<user>:<password>`, or the password alone.
//! <https://docs.k3s.io/cli/token#token-format>

use sha2::{Digest, Sha256};

use crate::fatal::Fatal;

const PREFIX: &str = "K10";

/// A token as somebody gave it.
#[derive(Debug)]
pub(crate) struct Token {
    /// Of the bundle of certificate authorities, where the token names one.
    pub(crate) hash: Option<String>,
    pub(crate) password: String,
}

impl Token {
    pub(crate) fn parse(text: &str) -> Result<Self, Fatal> {
        if text.is_empty() {
            return Err(Fatal::new("token must not be empty"));
        }
        let Some(full) = text.strip_prefix(PREFIX) else {
            return Ok(Self { hash: None, password: text.to_owned() });
        };
        let (hash, credentials) = full.split_once("::").unwrap_or(("", full));
        if !hash.is_empty() && hash.len() != 64 {
            return Err(Fatal::new("invalid token CA hash length"));
        }
        let password = credentials.split_once(':').map(|(_, password)| password).unwrap_or_default();
        if password.is_empty() {
            return Err(Fatal::new("invalid token format"));
        }
        let hash = Some(hash.to_owned()).filter(|hash| !hash.is_empty());
        Ok(Self { hash, password: password.to_owned() })
    }

    /// Refuses a server that is not the one that the token was made for.
    pub(crate) fn expect(&self, bundle: &str) -> Result<(), Fatal> {
        match (&self.hash, hash(bundle)) {
            (Some(wanted), found) if *wanted != found => Err(Fatal::new(format!(
                "token CA hash does not match the Cluster CA certificate hash: {wanted} != {found}"
            ))),
            _ => Ok(()),
        }
    }
}

/// The full form of a token.
pub(crate) fn full(bundle: &str, user: &str, password: &str) -> String {
    format!("{PREFIX}{}::{user}:{password}", hash(bundle))
}

fn hash(bundle: &str) -> String {
    Sha256::digest(bundle).iter().map(|byte| format!("{byte:02x}")).collect()
}
