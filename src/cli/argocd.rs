//! `argocd`: the parts of `up` that are about Argo CD, and its password.

use std::io::Write;

use clap::Subcommand;

use super::Global;
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
    Install {
        /// The site: a folder under sites/
        site: SiteName,
    },
    /// Print the password that Argo CD made up for `admin`, and nothing else
    Password {
        /// The site: a folder under sites/
        site: SiteName,
    },
}

impl ArgoCd {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self {
            Self::Install { site } => install(global, &site),
            Self::Password { site } => password(global, &site),
        }
    }
}

fn install(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Events, async |session| {
        let lock = session.lock()?;
        let report = session.walk(Mode::Apply, None, &flow::up::argocd(&session.site, &session.env)).await;
        drop(lock);
        session.say_how_to_continue(&report, &format!("argocd install {}", session.site.name));
        Ok(session.finish(&report))
    })
}

fn password(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Nothing, async |session| {
        let facts = session.look(&flow::up::clusters(&session.site, &session.env)).await.facts;
        let password = flow::argocd::password(&session.site, &session.env, &facts).await?;
        let _ = writeln!(std::io::stdout().lock(), "{}", password.expose());
        Ok(Exit::Done)
    })
}
