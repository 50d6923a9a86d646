//! `addon`: switched by label.

use std::collections::BTreeSet;
use std::io::Write;

use clap::{Args, Subcommand};

use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use super::{Global, confirm};
use crate::engine::event::RunResult;
use crate::engine::run::Mode;
use crate::engine::{Stop, Tree};
use crate::flow;
use crate::flow::addon::{Addon as AddonRow, Cell, Edited, Removal, Removals};
use crate::report::{self, Output};
use crate::site::Site;
use crate::site::name::{AddonName, ClusterName, SiteName};

/// Addons: what each cluster has, and switching one on or off
#[derive(Debug, Subcommand)]
pub(super) enum Addon {
    /// Show clusters and addons: what the profile says, what the label says, what is there
    #[command(after_help = "Examples:
  bridgehead addon list local
  bridgehead addon list local --output json")]
    List {
        /// The site: a folder under sites/
        site: SiteName,
    },
    /// Switch an addon on: edit the profile, apply the label, wait until its objects are there
    #[command(after_help = "Examples:
  bridgehead addon on local namespace_quota                 on every cluster
  bridgehead addon on local namespace_quota --cluster dev")]
    On(Switch),
    /// Switch an addon off: say what goes, edit the profile, apply the label, prove that it is gone
    #[command(after_help = "Examples:
  bridgehead addon off local namespace_quota --cluster dev
  bridgehead addon off local namespace_quota --keep          what it deployed goes on running")]
    Off {
        #[command(flatten)]
        switch: Switch,
        /// Leave its objects running
        #[arg(long)]
        keep: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// What to switch and where.
#[derive(Debug, Args)]
pub(super) struct Switch {
    /// The site: a folder under sites/
    site: SiteName,
    /// The addon: the label enable_<ADDON>
    addon: AddonName,
    /// Only on this cluster (repeatable)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
}

impl Addon {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self {
            Self::List { site } => list(global, &site),
            Self::On(switch) => on(global, &switch),
            Self::Off { switch, keep: true, .. } => keep(global, &switch),
            Self::Off { switch, yes, .. } => off(global, &switch, yes),
        }
    }
}

impl Switch {
    fn edit(&self, session: &Session, on: bool) -> Result<Edited, CommandError> {
        session.select(&self.cluster)?;
        Ok(flow::addon::edit(&session.site, &session.env, &self.cluster, &self.addon, on)?)
    }
}

fn list(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Nothing, async |session| {
        let facts = session.look(&flow::addon::known(&session.site, &session.env)).await.facts;
        let addons =
            flow::addon::list(&session.site, &session.env, &facts).await.map_err(Stop::into_failure)?;
        let mut stdout = std::io::stdout().lock();
        let _ = if session.output == Output::Json {
            writeln!(stdout, "{}", serde_json::to_string_pretty(&addons).unwrap_or_default())
        } else {
            write!(stdout, "{}", matrix(&session.site, &addons))
        };
        Ok(Exit::Done)
    })
}

fn on(global: &Global, switch: &Switch) -> Result<Exit, CommandError> {
    Session::run(global, &switch.site, Show::Events, async |session| {
        let tree = switch.edit(&session, true)?.on(&session.env);
        walk(&session, &tree, &format!("addon on {} {}", switch.site, switch.addon)).await
    })
}

fn keep(global: &Global, switch: &Switch) -> Result<Exit, CommandError> {
    Session::run(global, &switch.site, Show::Events, async |session| {
        let tree = switch.edit(&session, false)?.keep(&session.env);
        walk(&session, &tree, &format!("addon off {} {} --keep", switch.site, switch.addon)).await
    })
}

fn off(global: &Global, switch: &Switch, yes: bool) -> Result<Exit, CommandError> {
    Session::run(global, &switch.site, Show::Events, async |session| {
        let edited = switch.edit(&session, false)?;
        let facts = session.look(&flow::addon::known(&session.site, &session.env)).await.facts;
        let removals =
            flow::addon::removals(&session.site, &session.env, &facts, &switch.addon, &edited.clusters)
                .await?;
        report::say(&what_goes(&switch.addon, &removals));
        if !yes && !removals.applications.is_empty() && !confirm::ask("Go on? Type yes:", "yes")? {
            return Ok(session.finish_as(RunResult::Declined, 0, None));
        }
        let tree = edited.off(&session.env, &removals);
        walk(&session, &tree, &format!("addon off {} {}", switch.site, switch.addon)).await
    })
}

async fn walk(session: &Session, tree: &Tree, command: &str) -> Result<Exit, CommandError> {
    let lock = session.lock()?;
    let report = session.walk(Mode::Apply, None, tree).await;
    drop(lock);
    session.say_how_to_continue(&report, command);
    Ok(session.finish(&report))
}

/// The Applications that go, and what goes with them.
fn what_goes(addon: &AddonName, removals: &Removals) -> String {
    let unseen = removals.unseen.iter().map(|unseen| format!("\nnot known: {unseen}"));
    if removals.applications.is_empty() {
        return format!("nothing of {addon} is deployed{}", unseen.collect::<String>());
    }
    let mut text = format!("switching {addon} off removes:");
    for removal in &removals.applications {
        let Removal { cluster, application, objects, .. } = removal;
        text.push_str(&format!("\n  {cluster}: Application {application}"));
        if !removal.cascades {
            text.push_str(" (its set leaves its objects behind; they are uninstalled all the same)");
        }
        text.extend(objects.iter().map(|object| format!("\n    - {object}")));
        text.extend(removal.stays.iter().map(|object| format!("\n    stays: {object}")));
        if let Some(namespace) = &removal.namespace {
            text.push_str(&format!("\n    stays: Namespace {namespace}, which others may use too"));
        }
    }
    text.extend(unseen);
    text
}

/// Clusters and addons: what the profile says, what the label says, what is there.
fn matrix(site: &Site, addons: &[AddonRow]) -> String {
    const WIDTH: usize = 26;
    let mut text = format!("{:<28}", "ADDON");
    text.extend(site.clusters().map(|cluster| format!("{:<WIDTH$}", cluster.name)));
    for row in addons {
        text.truncate(text.trim_end().len());
        text.push_str(&format!("\n{:<28}", row.addon));
        text.extend(row.clusters.iter().map(|cell| format!("{:<WIDTH$}", cell_text(cell))));
    }
    let cells = addons.iter().flat_map(|row| &row.clusters);
    let unseen = cells.flat_map(|cell| cell.unseen.iter().map(|unseen| (&cell.cluster, unseen)));
    let unseen: BTreeSet<_> = unseen.collect();
    let unseen = unseen.iter().map(|(cluster, unseen)| format!("\n{cluster}: {unseen}"));
    format!("{}{}\n", text.trim_end(), unseen.collect::<String>())
}

fn cell_text(cell: &Cell) -> String {
    let label = cell.label.as_deref() == Some("true");
    let mut text = match (cell.profile, label) {
        (true, true) => "on".to_owned(),
        (false, false) => "off".to_owned(),
        (true, false) => "profile on, label off".to_owned(),
        (false, true) => "profile off, label on".to_owned(),
    };
    let unsettled = cell.applications.iter().filter(|application| application.reason.is_some()).count();
    match (cell.applications.len(), unsettled) {
        (0, _) => {}
        (_, 0) => text.push_str(", healthy"),
        (all, unsettled) => text.push_str(&format!(", {unsettled} of {all} unhealthy")),
    }
    match &cell.left_behind {
        None => text.push_str(", no answer"),
        Some(left) if left.is_empty() => {}
        Some(left) => {
            let objects: usize = left.iter().map(|left| left.objects.len()).sum();
            text.push_str(&format!(", {objects} left behind"));
        }
    }
    text
}
