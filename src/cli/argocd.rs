//! `argocd`: the parts of `up` that are about Argo CD, its password, and the way to it.

mod password;
mod port_forward;
mod status;

use clap::Subcommand;

use super::Global;
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use crate::engine::run::Mode;
use crate::flow;
use crate::site::name::SiteName;

/// Argo CD on the hub
#[derive(Debug, Subcommand)]
pub(super) enum ArgoCd {
    /// Install Argo CD on a hub that is up, and wait until it works
    #[command(after_help = "Examples:
  bridgehead argocd install home")]
    Install {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
    },
    Status(status::Status),
    Password(password::Password),
    PortForward(port_forward::PortForward),
}

impl ArgoCd {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self {
            Self::Install { site } => install(global, &site),
            Self::Status(command) => command.run(global),
            Self::Password(command) => command.run(global),
            Self::PortForward(command) => command.run(global),
        }
    }
}

fn install(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Events, async |session| {
        let lock = session.lock()?;
        let report = session.walk(Mode::Apply, None, &flow::up::argocd(&session.site, &session.env)).await;
        drop(lock);
        Ok(session.conclude(&report))
    })
}
