//! `k3s`: the parts of `up` that are about clusters of k3s.

use std::io::Write;

use clap::Subcommand;

use super::Global;
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use crate::engine::Tree;
use crate::engine::run::Mode;
use crate::flow;
use crate::report::{self, Output};
use crate::site::name::SiteName;

/// Clusters of k3s on hosts that are reached over SSH
#[derive(Debug, Subcommand)]
pub(super) enum K3s {
    /// Install k3s on the site's hosts, and wait until its nodes are ready
    #[command(after_help = "Examples:
  bridgehead k3s install home
  bridgehead k3s install home --ask-pass     the hosts want a password")]
    Install {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
    },
    /// Show every host: its unit, version and node
    #[command(after_help = "Examples:
  bridgehead k3s status home
  bridgehead k3s status home --output json

Exit code 4: a host cannot be looked at.")]
    Status {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
    },
    /// Print the config.yaml that every host gets, without the token
    #[command(after_help = "Examples:
  bridgehead k3s config home")]
    Config {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
    },
    /// Save a kubeconfig of the site's clusters for other tools
    ///
    /// It goes to ~/.kube/SITE.yml, which `down` removes, or to where --k3s-kubeconfig says.
    #[command(after_help = "Examples:
  bridgehead k3s kubeconfig home
  bridgehead k3s kubeconfig home --k3s-kubeconfig ./home.yml")]
    Kubeconfig {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
    },
}

impl K3s {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self {
            Self::Install { site } => install(global, &site),
            Self::Status { site } => status(global, &site),
            Self::Config { site } => config(global, &site),
            Self::Kubeconfig { site } => kubeconfig(global, &site),
        }
    }
}

fn install(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Events, async |session| {
        let tree = flow::k3s::install(&session.site, &session.env)?;
        let lock = session.lock()?;
        let report = session.walk(Mode::Apply, None, &tree).await;
        drop(lock);
        let exit = session.conclude(&report);
        if exit == Exit::Done {
            let site = &session.site.name;
            report::say(&format!(
                "next: bridgehead up {site}, or bridgehead k3s kubeconfig {site} for kubectl"
            ));
        }
        Ok(exit)
    })
}

fn status(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Nothing, async |session| {
        let walk = async |tree: &Tree| session.look(tree).await.facts;
        let clusters = flow::k3s::status(&session.site, &session.env, walk).await?;
        let mut stdout = std::io::stdout().lock();
        let _ = if session.output == Output::Json {
            writeln!(stdout, "{}", serde_json::to_string_pretty(&clusters).unwrap_or_default())
        } else {
            write!(stdout, "{clusters}")
        };
        Ok(if clusters.are_known() { Exit::Done } else { Exit::Failed })
    })
}

fn config(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Nothing, async |session| {
        let mut stdout = std::io::stdout().lock();
        for (host, text) in flow::k3s::configurations(&session.site)? {
            let _ = writeln!(stdout, "# /etc/rancher/k3s/config.yaml on {host}\n{text}---");
        }
        Ok(Exit::Done)
    })
}

fn kubeconfig(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Events, async |session| {
        let tree = flow::kubeconfig::save(&session.site, &session.env);
        let report = session.walk(Mode::Apply, None, &tree).await;
        Ok(session.conclude(&report))
    })
}
