//! `argocd port-forward`: a way to Argo CD for as long as the command runs.

use clap::Args;

use crate::cli::Global;
use crate::cli::environment::SITE;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::session::{Session, Show};
use crate::engine::Failure;
use crate::site::name::SiteName;
use crate::{flow, report};

/// Lead a port of this machine to Argo CD, until Ctrl-C
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bridgehead argocd port-forward home\n  bridgehead argocd port-forward home --port 9090"
)]
pub(in crate::cli) struct PortForward {
    /// The site: a folder under sites/
    #[arg(env = SITE, hide_env_values = true)]
    site: SiteName,
    /// The port of 127.0.0.1; 0: one that is free
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
}

impl PortForward {
    pub(in crate::cli) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        Session::run(global, &self.site.clone(), Show::Nothing, async |session| {
            let hub = flow::argocd::hub(&session.site, &session.env);
            let facts = session.look(&hub).await.facts;
            let forward = flow::argocd::forward::open(&session.site, &session.env, &facts, self.port).await?;
            let scheme = if forward.is_insecure() { "http" } else { "https" };
            report::say(&format!("Argo CD is at {scheme}://{} until Ctrl-C", forward.address()));
            let tell = |failure: &Failure| {
                let why = [vec![failure.to_string()], failure.causes()].concat().join(": ");
                report::say(&format!("a connection failed: {why}"));
            };
            tokio::select! {
                () = forward.carry(tell) => {}
                () = session.interrupted() => {}
            }
            Ok(Exit::Done)
        })
    }
}
