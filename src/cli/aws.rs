//! `aws`: what kubeconfigs of EKS clusters call for credentials.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;
use tokio::runtime::Runtime;

use super::error::CommandError;
use super::exit::Exit;
use crate::aws::{Place, Sessions, Token};
use crate::engine::Failure;

/// Clusters of Amazon EKS
#[derive(Debug, Subcommand)]
pub(super) enum Aws {
    /// Print a token for a cluster of EKS, as kubectl wants it from a credential plugin
    ///
    /// It is made of the AWS credentials of whoever runs this, and is accepted for 14 minutes.
    #[command(after_help = "Examples:
  bridgehead aws token --cluster-name prod-hub --region eu-west-1
  bridgehead aws token --cluster-name prod-hub --region eu-west-1 --profile ops")]
    Token {
        /// The cluster's name at EKS
        #[arg(long, value_name = "NAME")]
        cluster_name: String,
        /// Its region
        #[arg(long)]
        region: String,
        /// The profile of the AWS configuration [default: what the environment says]
        #[arg(long)]
        profile: Option<String>,
    },
}

impl Aws {
    pub(super) fn run(self) -> Result<Exit, CommandError> {
        let Self::Token { cluster_name, region, profile } = self;
        let runtime = Runtime::new().map_err(CommandError::Runtime)?;
        let token = runtime.block_on(async {
            let account = Sessions::default().get(&Place { region: region.clone(), profile }).await;
            Token::of(&account, &region, &cluster_name).await
        });
        let Token { token, expires } = token.map_err(Failure::from)?;
        let credential = json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": { "token": token.expose(), "expirationTimestamp": format!("{expires:.0}") },
        });
        writeln!(std::io::stdout().lock(), "{credential}").map_err(Failure::from)?;
        Ok(Exit::Done)
    }
}
