//! `kubeconfig`: how other tools reach the site's clusters.

use std::io::Write;

use clap::Subcommand;

use super::Global;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use crate::flow;
use crate::report::{self, Output};
use crate::site::name::SiteName;

/// A kubeconfig of the site's clusters
#[derive(Debug, Subcommand)]
pub(super) enum Kubeconfig {
    /// Print one kubeconfig of all the site's clusters; its contexts are called SITE/CLUSTER
    ///
    /// It holds credentials: keep it where only you can read it, as in
    /// `(umask 077; bridgehead kubeconfig show local > ~/.kube/local.yml)`.
    Show {
        /// The site: a folder under sites/
        site: SiteName,
    },
}

impl Kubeconfig {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let Self::Show { site } = self;
        Session::run(global, &site, Show::Nothing, async |session| {
            let facts = session.look(&flow::up::clusters(&session.site, &session.env)).await.facts;
            let (document, silent) = flow::kubeconfig(&session.site, &facts)?;
            for cluster in silent {
                report::say(&format!("{cluster} does not answer and is left out"));
            }
            let text = if session.output == Output::Json {
                serde_json::to_string_pretty(&document).unwrap_or_default()
            } else {
                flow::yaml(&document)?
            };
            let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
            Ok(Exit::Done)
        })
    }
}
