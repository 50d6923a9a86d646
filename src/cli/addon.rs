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
use crate::engine::{Facts, Stop, Tree};
use crate::flow;
use crate::flow::addon::{Addon as AddonRow, Cell, Coming, Edited, Pending, Removal, Removals};
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
    /// Switch an addon on: say what comes, edit the profile, apply the label, wait until its objects are there
    ///
    /// Only that label changes. What else the profile says and `up` has not applied yet stays as it is.
    #[command(after_help = "Examples:
  bridgehead addon on local namespace_quota                 on every cluster
  bridgehead addon on local namespace_quota --cluster dev")]
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
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Addon {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self {
            Self::List { site } => list(global, &site),
            Self::On(switch) => on(global, &switch),
            Self::Off { switch, keep: true } => keep(global, &switch),
            Self::Off { switch, keep: false } => off(global, &switch),
        }
    }
}

impl Switch {
    /// The edit, and how the clusters that it is about are reached.
    async fn edit(&self, session: &Session, on: bool) -> Result<(Edited, Facts), CommandError> {
        session.select(&self.cluster)?;
        let edited = flow::addon::edit(&session.site, &session.env, &self.cluster, &self.addon, on)?;
        let facts = session.look(&edited.found(&session.env)).await.facts;
        Ok((edited, facts))
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

fn list(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Nothing, async |session| {
        let facts = session.look(&flow::addon::found(&session.site, &session.env)).await.facts;
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
        let _lock = session.lock()?;
        let (edited, facts) = switch.edit(&session, true).await?;
        let coming =
            flow::addon::coming(&edited.site, &session.env, &facts, &switch.addon, &edited.clusters).await?;
        let asks = coming.iter().any(|coming| coming.label.as_deref() != Some("true"));
        let what = (what_comes(&switch.addon, &coming), asks);
        let Some(edited) = switch.agreed(&session, edited, &facts, what).await? else {
            return Ok(declined(&session));
        };
        Ok(walk(&session, &edited.on(&session.env)).await)
    })
}

fn keep(global: &Global, switch: &Switch) -> Result<Exit, CommandError> {
    Session::run(global, &switch.site, Show::Events, async |session| {
        let _lock = session.lock()?;
        let (edited, facts) = switch.edit(&session, false).await?;
        let clusters: Vec<_> = edited.clusters.iter().map(ClusterName::as_str).collect();
        let what = format!(
            "switching {} off on {}; what it deployed there goes on running",
            switch.addon,
            clusters.join(", ")
        );
        let Some(edited) = switch.agreed(&session, edited, &facts, (what, true)).await? else {
            return Ok(declined(&session));
        };
        Ok(walk(&session, &edited.keep(&session.env)).await)
    })
}

fn off(global: &Global, switch: &Switch) -> Result<Exit, CommandError> {
    Session::run(global, &switch.site, Show::Events, async |session| {
        let _lock = session.lock()?;
        let (edited, facts) = switch.edit(&session, false).await?;
        let removals =
            flow::addon::removals(&edited.site, &session.env, &facts, &switch.addon, &edited.clusters)
                .await?;
        let what = (what_goes(&switch.addon, &removals), !removals.applications.is_empty());
        let Some(edited) = switch.agreed(&session, edited, &facts, what).await? else {
            return Ok(declined(&session));
        };
        Ok(walk(&session, &edited.off(&session.env, &removals)).await)
    })
}

fn declined(session: &Session) -> Exit {
    session.finish_as(RunResult::Declined, 0, None)
}

async fn walk(session: &Session, tree: &Tree) -> Exit {
    let report = session.walk(Mode::Apply, None, tree).await;
    session.conclude(&report)
}

/// What the profile says besides, and what stays as it is; `None` if it says nothing else.
fn what_else(site: &SiteName, pending: &[Pending]) -> Option<String> {
    let on = |pending: &Pending| match pending.entries {
        0 => format!("{} is not registered", pending.cluster),
        1 => format!("1 on {}", pending.cluster),
        entries => format!("{entries} on {}", pending.cluster),
    };
    let list: Vec<_> = pending.iter().map(on).collect();
    let list = list.join(", ");
    (!pending.is_empty())
        .then(|| format!("other changes of the profile stay pending ({list}): see `bridgehead plan {site}`"))
}

/// The Applications that come, cluster by cluster.
fn what_comes(addon: &AddonName, coming: &[Coming]) -> String {
    let mut text = format!("switching {addon} on brings:");
    for coming in coming {
        let Coming { cluster, label, is_registered, sets, unmoved } = coming;
        let mut say = |what: &str| text.push_str(&format!("\n  {cluster}: {what}"));
        if !is_registered {
            say("nothing yet: it is not registered in Argo CD");
            continue;
        }
        if label.as_deref() == Some("true") {
            say("it is on already");
        }
        for set in sets {
            let applications: Vec<_> = set.applications.iter().map(String::as_str).collect();
            let applications = match applications.as_slice() {
                [] => "Applications".to_owned(),
                names => format!("Application {}", names.join(", ")),
            };
            say(&format!("{applications}, of the ApplicationSet {}", set.name));
        }
        for set in unmoved {
            say(&format!("nothing of the ApplicationSet {set}, which also requires other labels"));
        }
        if sets.is_empty() && unmoved.is_empty() {
            say(&format!("nothing known yet: no ApplicationSet selects clusters by enable_{addon}"));
        }
    }
    text
}

/// The Applications that go, and what goes with them.
pub(super) fn what_goes(addon: &AddonName, removals: &Removals) -> String {
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
    let heading = site.clusters().map(|cluster| cluster.name.to_string());
    let rows = addons.iter().map(|row| (row.addon.to_string(), row.clusters.iter().map(cell_text).collect()));
    let rows: Vec<(_, Vec<_>)> =
        std::iter::once(("ADDON".to_owned(), heading.collect())).chain(rows).collect();
    let name_width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let width = rows.iter().flat_map(|(_, cells)| cells).map(String::len).max().unwrap_or_default();
    let line = |(name, cells): &(String, Vec<String>)| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:<width$}")).collect();
        format!("{name:<name_width$}{cells}").trim_end().to_owned()
    };
    let text = rows.iter().map(line).collect::<Vec<_>>().join("\n");
    let cells = addons.iter().flat_map(|row| &row.clusters);
    let unseen = cells.flat_map(|cell| cell.unseen.iter().map(|unseen| (&cell.cluster, unseen)));
    let unseen: BTreeSet<_> = unseen.collect();
    let unseen = unseen.iter().map(|(cluster, unseen)| format!("\n{cluster}: {unseen}"));
    format!("{text}{}\n", unseen.collect::<String>())
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
        None => text.push_str(", not seen"),
        Some(left) if left.is_empty() => {}
        Some(left) => {
            let objects: usize = left.iter().map(|left| left.objects.len()).sum();
            text.push_str(&format!(", {objects} left behind"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{Cluster, load};

    #[test]
    fn columns_are_apart_however_long_a_name_is() {
        const LONG: &str = "aws_crossplane_upbound_provider";
        let name = "home".parse().expect("valid");
        let text = "[hub.local]\n[spokes.dev.local]\n";
        let site = load::from_text(None, &name, text, &load::Overrides::default()).expect("valid");
        let cell = |cluster: &Cluster| Cell {
            cluster: cluster.name.clone(),
            profile: true,
            label: Some("true".to_owned()),
            applications: Vec::new(),
            left_behind: Some(Vec::new()),
            unseen: Vec::new(),
        };
        let row = |addon: &str| AddonRow {
            addon: addon.parse().expect("valid"),
            sets: Vec::new(),
            clusters: site.clusters().map(cell).collect(),
        };
        let table = matrix(&site, &[row(LONG), row("keda")]);
        let expected = [
            format!("ADDON{}hub  dev\n", " ".repeat(LONG.len() - 3)),
            format!("{LONG}  on   on\n"),
            format!("keda{}on   on\n", " ".repeat(LONG.len() - 2)),
        ];
        assert_eq!(table, expected.concat());
    }
}
