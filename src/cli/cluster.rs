//! `cluster`: which clusters a site has, one more, one less.

use std::collections::BTreeSet;
use std::io::Write;

use clap::{Args, Subcommand};

use super::clusters::all_known;
use super::down::{Unreached, show};
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use super::{Global, confirm};
use crate::engine::event::RunResult;
use crate::engine::run::Mode;
use crate::flow;
use crate::flow::cluster::Edited;
use crate::report::Output;
use crate::site::name::{ClusterName, SiteName};

/// The clusters of a site: list them, register one that exists, let one go
#[derive(Debug, Subcommand)]
pub(super) enum Cluster {
    /// Register a context of your kubeconfig as a spoke, and write it into the profile
    ///
    /// Without --context, the spokes of the provider `existing` are registered that the profile has already, such as
    /// the one that `argocd.cluster_context` and `argocd.cluster_name` mean.
    #[command(after_help = "Examples:
  bridgehead cluster add home
  bridgehead cluster add home --context admin@gpu --name gpu --environment prod")]
    Add(Add),
    /// Show the clusters: name, role, provider, server, environment
    #[command(after_help = "Examples:
  bridgehead cluster list local")]
    List {
        /// The site: a folder under sites/
        site: SiteName,
    },
    /// Take a spoke down, as `down --cluster` does, and out of the profile
    #[command(after_help = "Examples:
  bridgehead cluster remove home gpu")]
    Remove {
        /// The site: a folder under sites/
        site: SiteName,
        /// The spoke
        name: ClusterName,
        #[command(flatten)]
        unreached: Unreached,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// What to register.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The site: a folder under sites/
    site: SiteName,
    /// The context of your kubeconfig that leads to the cluster
    #[arg(long, value_name = "CONTEXT", requires = "name")]
    context: Option<String>,
    /// What to call the cluster
    #[arg(long, value_name = "NAME")]
    name: Option<ClusterName>,
    /// Its environment [default: its name]
    #[arg(long, value_name = "ENVIRONMENT", requires = "context")]
    environment: Option<String>,
}

impl Cluster {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self {
            Self::Add(add) => add.run(global),
            Self::List { site } => list(global, &site),
            Self::Remove { site, name, unreached, yes } => remove(global, &site, &name, &unreached, yes),
        }
    }
}

impl Add {
    fn run(self, global: &Global) -> Result<Exit, CommandError> {
        Session::run(global, &self.site.clone(), Show::Events, async |session| {
            let lock = session.lock()?;
            let (site, env) = (&session.site, &session.env);
            let edited = match (&self.context, &self.name) {
                (Some(context), Some(name)) => {
                    flow::cluster::add(site, env, name, context, self.environment.as_deref()).await?
                }
                (_, name) => {
                    all_known(&session.site, name.as_slice())?;
                    flow::cluster::register(site, env, name.as_ref())?
                }
            };
            let report = session.walk(Mode::Apply, Some(edited.clusters), &edited.tree).await;
            drop(lock);
            Ok(session.conclude(&report))
        })
    }
}

fn list(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Nothing, async |session| {
        let facts = session.look(&flow::up::clusters(&session.site, &session.env)).await.facts;
        let rows = flow::cluster::list(&session.site, &facts);
        let mut stdout = std::io::stdout().lock();
        let _ = if session.output == Output::Json {
            writeln!(stdout, "{}", serde_json::to_string_pretty(&rows).unwrap_or_default())
        } else {
            write!(stdout, "{rows}")
        };
        Ok(Exit::Done)
    })
}

fn remove(
    global: &Global,
    site: &SiteName,
    name: &ClusterName,
    unreached: &Unreached,
    yes: bool,
) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Events, async |session| {
        if session.site.protect {
            return Err(CommandError::Protected(site.clone()));
        }
        all_known(&session.site, std::slice::from_ref(name))?;
        let request = unreached.request(&session.site, Some(BTreeSet::from([name.clone()])))?;
        let lock = session.lock()?;
        let Edited { tree, .. } = flow::cluster::remove(&session.site, &session.env, name, &request)?;
        let mut confirmed = None;
        if !yes && (!flow::is_disposable(&session.site) || unreached.leaves_something()) {
            confirm::somebody()?;
            let checks = flow::down::checks(&session.site, &session.env, &request);
            match show(&session, &checks, &tree).await {
                Ok(plan) => confirmed = Some(plan),
                Err(exit) => return Ok(exit),
            }
            if !(unreached.are_confirmed()? && confirm::ask("Go on? Type yes:", "yes")?) {
                return Ok(session.finish_as(RunResult::Declined, 0, None));
            }
        }
        let report = session.carry_out(None, &tree, confirmed).await;
        drop(lock);
        Ok(session.conclude(&report))
    })
}
