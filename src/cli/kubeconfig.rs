//! `kubeconfig`: how other tools reach the site's clusters.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use clap::Subcommand;

use super::Global;
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use crate::engine::Tree;
use crate::engine::event::RunResult;
use crate::engine::run::Mode;
use crate::flow;
use crate::report::{self, Output};
use crate::site::name::SiteName;

/// Kubeconfigs of the site's clusters
#[derive(Debug, Subcommand)]
pub(super) enum Kubeconfig {
    /// Print one kubeconfig of all the site's clusters; its contexts are called SITE/CLUSTER
    ///
    /// A name under `[kube.contexts]` in the profile goes before that; clusters of the provider `existing` keep the
    /// context that they have. It holds credentials: keep it where only you can read it.
    #[command(after_help = "Examples:\n  (umask 077; bridgehead kubeconfig show local > ~/.kube/local.yml)")]
    Show {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
    },
    /// Put the site's contexts into your own kubeconfig, which is kept as FILE.bak
    ///
    /// The file is `kube.kubeconfig` of the profile (default ~/.kube/config). What is not the site's stays as it is,
    /// but for comments, which are lost as with `kubectl config`. Clusters of the provider `existing` have their
    /// contexts there already.
    #[command(
        after_help = "Examples:\n  bridgehead kubeconfig merge local\n  bridgehead kubeconfig merge local --use"
    )]
    Merge {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
        /// Make the hub's context the current one
        #[arg(long = "use")]
        current: bool,
    },
    /// Take the site's contexts out of your own kubeconfig again; `down` does it too
    #[command(after_help = "Examples:\n  bridgehead kubeconfig remove local")]
    Remove {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
    },
    /// Save a kubeconfig of the site by itself, and print the line that makes a shell use it
    #[command(after_help = "Examples:\n  eval \"$(bridgehead kubeconfig export home)\"")]
    Export {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
    },
}

impl Kubeconfig {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self {
            Self::Show { site } => show(global, &site),
            Self::Merge { site, current } => {
                walk(global, &site, |session| flow::kubeconfig::merge(&session.site, &session.env, current))
            }
            Self::Remove { site } => walk(global, &site, |session| flow::kubeconfig::remove(&session.site)),
            Self::Export { site } => export(global, &site),
        }
    }
}

fn show(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Nothing, async |session| {
        let facts = session.look(&flow::up::clusters(&session.site, &session.env)).await.facts;
        let (document, silent) = flow::kubeconfig(&session.site, &facts)?;
        for cluster in silent {
            report::say(&format!("{cluster} does not answer and is left out"));
        }
        let text = if session.output == Output::Json {
            serde_json::to_string_pretty(&document).unwrap_or_default()
        } else {
            flow::kubeconfig::to_yaml(&document)
        };
        let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
        Ok(Exit::Done)
    })
}

fn walk(
    global: &Global,
    site: &SiteName,
    tree: impl FnOnce(&Arc<Session>) -> Tree,
) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Events, async |session| {
        let report = session.walk(Mode::Apply, None, &tree(&session)).await;
        Ok(session.conclude(&report))
    })
}

/// The only thing on stdout is the line: a shell runs it. A program that asked for events gets those.
fn export(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Events, async |session| {
        let tree = flow::kubeconfig::save(&session.site, &session.env);
        let report = session.walk(Mode::Apply, None, &tree).await;
        if report.result == RunResult::Converged && session.output != Output::Json {
            let _ = writeln!(std::io::stdout().lock(), "{}", line(&session.site.kube.saved));
        }
        Ok(session.conclude(&report))
    })
}

fn line(path: &Path) -> String {
    format!("export KUBECONFIG='{}'", path.display().to_string().replace('\'', "'\\''"))
}
