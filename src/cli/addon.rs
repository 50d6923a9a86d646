//! `addon`: switched by label.

mod list;
mod told;
mod waves;

use std::io::Write;

use clap::{Args, Subcommand};

pub(super) use told::what_goes;
use told::{what_comes, what_else};

use super::clusters::Clusters;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use super::{Global, confirm};
use crate::engine::crowd::some;
use crate::engine::event::RunResult;
use crate::engine::{Facts, Stop};
use crate::flow;
use crate::flow::addon::Edited;
use crate::report::{self, Output};
use crate::site::name::{AddonName, ClusterName, SiteName};

/// Addons: what each cluster has, and switching one on or off
#[derive(Debug, Subcommand)]
pub(super) enum Addon {
    /// Show clusters and addons: what the profile says, what the label says, what is there
    #[command(after_help = "Examples:
  bridgehead addon list local
  bridgehead addon list home --label environment=dev --unhealthy
  bridgehead addon list local --output json")]
    List(List),
    /// Switch an addon on: say what comes, edit the profile, apply the label, wait until its objects are there
    ///
    /// Only that label changes. What else the profile says and `up` has not applied yet stays as it is.
    #[command(after_help = "Examples:
  bridgehead addon on local namespace_quota                 on every cluster
  bridgehead addon on local namespace_quota --cluster dev
  bridgehead addon on home keda --label environment=dev --wave 25")]
    On(Switch),
    /// Switch an addon off: say what goes, edit the profile, apply the label, prove that it is gone
    ///
    /// Only that label changes. What else the profile says and `up` has not applied yet stays as it is.
    #[command(after_help = "Examples:
  bridgehead addon off local namespace_quota --cluster dev
  bridgehead addon off local namespace_quota --keep          what it deployed goes on running")]
    Off {
        #[command(flatten)]
        switch: Switch,
        /// Leave its objects running
        #[arg(long)]
        keep: bool,
    },
}

/// What to show.
#[derive(Debug, Args)]
pub(super) struct List {
    /// The site: a folder under sites/
    site: SiteName,
    #[command(flatten)]
    clusters: Clusters,
    /// Only what is not as it should be
    #[arg(long)]
    unhealthy: bool,
}

/// What to switch and where.
#[derive(Debug, Args)]
pub(super) struct Switch {
    /// The site: a folder under sites/
    site: SiteName,
    /// The addon: the label enable_<ADDON>
    addon: AddonName,
    #[command(flatten)]
    clusters: Clusters,
    /// Switch so many clusters, or so much of them (25%), at a time; each wave has to get there before the next begins
    #[arg(long, value_name = "N|PERCENT")]
    wave: Option<waves::Size>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Addon {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self {
            Self::List(list) => list.run(global),
            Self::On(switch) => on(global, &switch),
            Self::Off { switch, keep: true } => keep(global, &switch),
            Self::Off { switch, keep: false } => off(global, &switch),
        }
    }
}

impl Switch {
    /// The edit, its waves, and how the clusters that it is about are reached.
    async fn edit(
        &self,
        session: &Session,
        on: bool,
    ) -> Result<(Edited, Vec<Vec<ClusterName>>, Facts), CommandError> {
        let clusters = self.clusters.of(&session.site)?;
        let edited = flow::addon::edit(&session.site, &session.env, clusters.as_ref(), &self.addon, on)?;
        let waves = waves::of(&edited, self.wave);
        let facts = session.look(&edited.found(&session.env)).await.facts;
        Ok((edited, waves, facts))
    }

    /// Says what is about to happen, and what else is pending, and asks whether that is meant if there is anything to
    /// ask about. The edit is then made anew, from the profile as it is after the answer.
    async fn agreed(
        &self,
        session: &Session,
        edited: Edited,
        facts: &Facts,
        (what, is_worth_asking): (String, bool),
    ) -> Result<Option<Edited>, CommandError> {
        let site = &edited.site;
        report::say(&what);
        let pending = flow::addon::pending(site, &session.env, facts, &self.addon).await;
        if let Some(line) = what_else(&site.name, &pending.map_err(Stop::into_failure)?) {
            report::say(&line);
        }
        let asks = is_worth_asking && !self.yes && !flow::is_disposable(site);
        if asks && !confirm::ask("Go on? Type yes:", "yes")? {
            return Ok(None);
        }
        Ok(Some(edited.again()?))
    }
}

impl List {
    fn run(self, global: &Global) -> Result<Exit, CommandError> {
        Session::run(global, &self.site.clone(), Show::Nothing, async |session| {
            let Session { site, env, .. } = &*session;
            let clusters = self.clusters.of(site)?;
            // The hub is the one that is asked.
            let asked = clusters.clone().map(|mut asked| {
                asked.insert(site.hub.name.clone());
                asked
            });
            let facts = session.preview(asked, &flow::addon::found(site, env)).await.facts;
            let addons = flow::addon::list(site, env, &facts, clusters.as_ref()).await;
            let mut addons = addons.map_err(Stop::into_failure)?;
            if self.unhealthy {
                for addon in &mut addons {
                    addon.clusters.retain(|cell| !cell.is_as_it_should_be());
                }
                addons.retain(|addon| !addon.clusters.is_empty());
            }
            let mut stdout = std::io::stdout().lock();
            let _ = if session.output == Output::Json {
                writeln!(stdout, "{}", serde_json::to_string_pretty(&addons).unwrap_or_default())
            } else {
                write!(stdout, "{}", list::text(&addons, self.unhealthy))
            };
            Ok(Exit::Done)
        })
    }
}

fn on(global: &Global, switch: &Switch) -> Result<Exit, CommandError> {
    Session::run(global, &switch.site, Show::Events, async |session| {
        let _lock = session.lock()?;
        let (edited, waves, facts) = switch.edit(&session, true).await?;
        let coming =
            flow::addon::coming(&edited.site, &session.env, &facts, &switch.addon, &edited.clusters).await?;
        let asks = coming.iter().any(|coming| coming.label.as_deref() != Some("true"));
        let what = (what_comes(&switch.addon, &coming) + &waves::told(&waves), asks);
        let Some(edited) = switch.agreed(&session, edited, &facts, what).await? else {
            return Ok(declined(&session));
        };
        waves::walk(&session, edited, &waves, |edited| edited.on(&session.env)).await
    })
}

fn keep(global: &Global, switch: &Switch) -> Result<Exit, CommandError> {
    Session::run(global, &switch.site, Show::Events, async |session| {
        let _lock = session.lock()?;
        let (edited, waves, facts) = switch.edit(&session, false).await?;
        let what = format!(
            "switching {} off on {}; what it deployed there goes on running",
            switch.addon,
            some(edited.clusters.iter())
        ) + &waves::told(&waves);
        let Some(edited) = switch.agreed(&session, edited, &facts, (what, true)).await? else {
            return Ok(declined(&session));
        };
        waves::walk(&session, edited, &waves, |edited| edited.keep(&session.env)).await
    })
}

fn off(global: &Global, switch: &Switch) -> Result<Exit, CommandError> {
    Session::run(global, &switch.site, Show::Events, async |session| {
        let _lock = session.lock()?;
        let (edited, waves, facts) = switch.edit(&session, false).await?;
        let removals =
            flow::addon::removals(&edited.site, &session.env, &facts, &switch.addon, &edited.clusters)
                .await?;
        let what =
            (what_goes(&switch.addon, &removals) + &waves::told(&waves), !removals.applications.is_empty());
        let Some(edited) = switch.agreed(&session, edited, &facts, what).await? else {
            return Ok(declined(&session));
        };
        waves::walk(&session, edited, &waves, |edited| edited.off(&session.env, &removals)).await
    })
}

fn declined(session: &Session) -> Exit {
    session.finish_as(RunResult::Declined, 0, None)
}
