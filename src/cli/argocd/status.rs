//! `argocd status`: Argo CD on the hub as it is.

use std::io::Write;

use clap::Args;

use crate::cli::Global;
use crate::cli::environment::SITE;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::session::{Session, Show};
use crate::flow;
use crate::flow::argocd::status::Status as ArgoCdStatus;
use crate::report::Output;
use crate::site::name::SiteName;

/// Show Argo CD's workloads, its version and address, and its Applications
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bridgehead argocd status local
  bridgehead argocd status local --output json")]
pub(in crate::cli) struct Status {
    /// The site: a folder under sites/
    #[arg(env = SITE, hide_env_values = true)]
    site: SiteName,
}

impl Status {
    pub(in crate::cli) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        Session::run(global, &self.site, Show::Nothing, async |session| {
            // Applications belong to clusters by how Argo CD reaches them.
            let facts = session.look(&flow::up::clusters(&session.site, &session.env)).await.facts;
            let status = ArgoCdStatus::of(&session.site, &session.env, &facts).await?;
            let mut stdout = std::io::stdout().lock();
            let _ = if session.output == Output::Json {
                writeln!(stdout, "{}", serde_json::to_string_pretty(&status).unwrap_or_default())
            } else {
                write!(stdout, "{status}")
            };
            Ok(Exit::Done)
        })
    }
}
