//! `rke2`: the kubeconfig of the site's RKE2 server.

use clap::Subcommand;

use super::Global;
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use crate::engine::run::Mode;
use crate::flow;
use crate::site::name::SiteName;

/// The site's RKE2 server, which somebody else installed
#[derive(Debug, Subcommand)]
pub(super) enum Rke2 {
    /// Fetch the kubeconfig of the inventory's RKE2 server and save it as ~/.kube/SITE-rke2.yml
    ///
    /// The server is the host whose `workloads` holds `rke2`; the context is called as `kube.contexts.rke2_..` says.
    #[command(after_help = "Examples:
  bridgehead rke2 kubeconfig home
  bridgehead rke2 kubeconfig home --merge     and into your own kubeconfig")]
    Kubeconfig {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
        /// Put it into your own kubeconfig, too, which is kept as FILE.bak
        #[arg(long)]
        merge: bool,
    },
}

impl Rke2 {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let Self::Kubeconfig { site, merge } = self;
        Session::run(global, &site, Show::Events, async |session| {
            let tree = flow::rke2::kubeconfig(&session.site, &session.env, merge).await?;
            let report = session.walk(Mode::Apply, None, &tree).await;
            Ok(session.conclude(&report))
        })
    }
}
