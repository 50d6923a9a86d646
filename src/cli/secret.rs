//! `secret`: the Secrets of a site by themselves.

use std::io::Write;

use clap::{Args, Subcommand};

use super::Global;
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use crate::engine::run::Mode;
use crate::flow;
use crate::flow::departed::Departed;
use crate::report::Output;
use crate::site::name::{SecretName, SiteName};

/// Secrets on the hub: those of the profile, and two for Argo CD Image Updater
#[derive(Debug, Subcommand)]
#[command(after_help = "Built in, unless the profile has a table [secrets.NAME] of the same name:
  argocd-image-updater-gitops-writeback   GITOPS_WRITEBACK_USERNAME, GITOPS_WRITEBACK_TOKEN
  argocd-image-updater-ghcr-pull          GHCR_USERNAME, GHCR_PULL_TOKEN")]
pub(super) enum Secret {
    /// Show which keys would change, never values; writes nothing
    #[command(after_help = "Examples:
  bridgehead secret plan home")]
    Plan(Which),
    /// Write them to the hub
    #[command(after_help = "Examples:
  bridgehead secret apply home
  GHCR_USERNAME=me GHCR_PULL_TOKEN=... bridgehead secret apply home argocd-image-updater-ghcr-pull")]
    Apply(Which),
}

/// Which Secrets.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The site: a folder under sites/
    #[arg(env = SITE, hide_env_values = true)]
    site: SiteName,
    /// Only this one
    name: Option<SecretName>,
}

impl Secret {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self {
            Self::Plan(which) => plan(global, &which),
            Self::Apply(which) => apply(global, &which),
        }
    }
}

fn plan(global: &Global, which: &Which) -> Result<Exit, CommandError> {
    Session::run(global, &which.site, Show::Events, async |session| {
        let tree = flow::secret::tree(&session.site, &session.env, which.name.as_ref())?;
        let report = session.walk(Mode::Plan, None, &tree).await;
        let exit = session.finish(&report);
        if session.output != Output::Json {
            let _ = write!(std::io::stdout().lock(), "{}", session.plan(&report, &Departed::default()));
        }
        Ok(exit)
    })
}

fn apply(global: &Global, which: &Which) -> Result<Exit, CommandError> {
    Session::run(global, &which.site, Show::Events, async |session| {
        let tree = flow::secret::tree(&session.site, &session.env, which.name.as_ref())?;
        let lock = session.lock()?;
        let report = session.walk(Mode::Apply, None, &tree).await;
        drop(lock);
        Ok(session.conclude(&report))
    })
}
