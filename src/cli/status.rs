//! `status`: the site as it is.

use std::io::Write;

use clap::Args;

use super::Global;
use super::clusters::Clusters;
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use crate::flow;
use crate::flow::departed::Departed;
use crate::flow::status::Status as SiteStatus;
use crate::report::Output;
use crate::site::name::SiteName;

/// Show clusters, Argo CD, Applications, and what is not as the profile says
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bridgehead status local\n  bridgehead status local --exit-code --output json\n  bridgehead status home --label environment=prod --unhealthy"
)]
pub(super) struct Status {
    /// The site: a folder under sites/
    #[arg(env = SITE, hide_env_values = true)]
    site: SiteName,
    #[command(flatten)]
    clusters: Clusters,
    /// Only clusters that are not as they should be
    #[arg(long)]
    unhealthy: bool,
    /// Exit 3 when anything is not as the profile says, 4 when something could not be looked at
    #[arg(long)]
    exit_code: bool,
}

impl Status {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        Session::run(global, &self.site.clone(), Show::Nothing, async |session| {
            let Session { site, env, .. } = &*session;
            let clusters = self.clusters.of(site)?;
            let report = session.preview(clusters.clone(), &flow::up::tree(site, env)).await;
            let departed = match clusters {
                None => flow::departed::look(site, env, &report.facts).await,
                Some(_) => Departed::default(),
            };
            let mut status = SiteStatus::of(site, env, &report, departed).await;
            if let Some(clusters) = clusters {
                status.keep_only(&clusters);
            }
            if self.unhealthy {
                status.keep_unhealthy();
            }
            let mut stdout = std::io::stdout().lock();
            let _ = if session.output == Output::Json {
                writeln!(stdout, "{}", serde_json::to_string_pretty(&status).unwrap_or_default())
            } else {
                write!(stdout, "{status}")
            };
            Ok(match (status.is_complete(), status.has_drift()) {
                _ if !self.exit_code => Exit::Done,
                (false, _) => Exit::Failed,
                (true, true) => Exit::Changes,
                (true, false) => Exit::Done,
            })
        })
    }
}
