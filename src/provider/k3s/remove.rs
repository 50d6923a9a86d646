//! The step `<cluster>/remove/<host>/k3s`: nothing of k3s is left on the host but what was there before it came.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Member;
use super::look::TRACES;
use super::mark::Mark;
use crate::engine::facts::Presence;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::name::ClusterName;
use crate::ssh::quote;

const UNINSTALL: &str = include_str!("remove/uninstall.sh");

/// How long the units may take to stop, and the files to go.
const PATIENCE: Duration = Duration::from_mins(10);

/// Something withstands.
#[derive(Debug, thiserror::Error)]
#[error("this is still on {host}: {names}")]
struct Remaining {
    host: String,
    names: String,
}

pub(super) struct Uninstall(Member);

/// What a host has of ours.
pub(super) enum Installed {
    /// Without a mark, nothing.
    Nothing,
    /// Only what an interrupted run left that was about to make the mark, which is the first thing that comes.
    MarkBegun,
    /// The mark, and what is left of k3s.
    Marked(Mark, BTreeSet<String>),
}

impl Uninstall {
    pub(super) fn new(member: &Member) -> Self {
        Self(member.clone())
    }

    async fn installed(&self) -> Result<Installed, Failure> {
        let Member { cluster, .. } = &self.0;
        let look = self.0.host_look(true).await?;
        let hub = cluster.hub().await;
        let site = &cluster.site.name;
        // A mark of another cluster or of another hub has the same name, and stays with what it stands for.
        let is_ours =
            |mark: &Mark| mark.is_of(site, &cluster.name) && !mark.is_of_another_hub(hub.as_deref());
        Ok(match look.marks.iter().find(|mark| mark.site == site.as_str()) {
            Some(mark) if is_ours(mark) => Installed::Marked(mark.clone(), &look.traces - &mark.before),
            None if Mark::was_begun(&look.traces) => Installed::MarkBegun,
            Some(_) | None => Installed::Nothing,
        })
    }

    /// Processes, mounts and links come and go while the cluster runs: they are told, and decide nothing.
    fn changes(&self, installed: &Installed) -> Vec<Change> {
        let none = BTreeSet::new();
        let remaining = match installed {
            Installed::Nothing => return Vec::new(),
            Installed::MarkBegun => &none,
            Installed::Marked(_, remaining) => remaining,
        };
        let mut kinds = BTreeMap::<_, Vec<_>>::new();
        for trace in remaining {
            let (kind, name) = trace.split_once(' ').unwrap_or((trace, ""));
            kinds.entry(kind).or_default().push(name);
        }
        let named = kinds.into_iter().map(|(kind, names)| match kind {
            "paths" | "units" => names.join(", "),
            "processes" => "processes".to_owned(),
            "mounts" => "mounts of containers".to_owned(),
            "namespaces" => "network namespaces of pods".to_owned(),
            "links" => format!("network links {}", names.join(", ")),
            _ => "packet filter chains".to_owned(),
        });
        let named = named.collect::<Vec<_>>().join("; ");
        let k3s = (!named.is_empty()).then(|| Change::delete(self.0.subject_of("k3s")).with_detail(named));
        k3s.into_iter().chain([Change::delete(self.0.subject_of("mark"))]).collect()
    }

    async fn take_away(&self, installed: Installed, writer: &Writer) -> Result<(), Failure> {
        let said = match installed {
            Installed::Nothing => return Ok(()),
            Installed::MarkBegun => String::new(),
            Installed::Marked(mark, _) => self.uninstall(&mark, writer).await?,
        };
        // The mark goes last: without it nobody would know what is ours.
        if let Installed::Marked(_, remaining) = self.installed().await?
            && !remaining.is_empty()
        {
            return Err(self.still_there(&remaining, &said));
        }
        let script = Mark::removal(&self.0.cluster.site.name);
        writer.perform(self.0.run("remove the mark", &script)).await?;
        Ok(())
    }

    /// Takes k3s off the host; what the host says against it.
    async fn uninstall(&self, mark: &Mark, writer: &Writer) -> Result<String, Failure> {
        let before: Vec<_> = mark.before.iter().map(String::as_str).collect();
        let script = format!("{TRACES}\nbefore={}\n{UNINSTALL}", quote(&before.join("\n")));
        let connection = self.0.connection().await?;
        let uninstall = connection.run_for(PATIENCE, "take k3s away", &script);
        Ok(writer.perform(uninstall).await?.success()?.stderr)
    }

    fn still_there(&self, remaining: &BTreeSet<String>, said: &str) -> Failure {
        let names =
            remaining.iter().map(|trace| trace.split_once(' ').map_or(trace.as_str(), |(_, name)| name));
        let names = names.collect::<Vec<_>>().join(", ");
        let failure = Failure::from(Remaining { host: self.0.host.name.to_string(), names });
        match said.lines().last() {
            Some(line) => failure.with_hint(format!("the last thing that the host said: {line}")),
            None => failure,
        }
    }
}

impl Step for Uninstall {
    type Work = Installed;

    fn id(&self) -> StepId {
        self.0.step("remove", "k3s")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "k3s is gone from the host, with its mark"
    }

    /// A host of a cluster that the person takes for lost may not answer either: then it stays as it is.
    async fn observe(&self, facts: &Facts) -> Result<Observed<Installed>, Stop> {
        let is_lost = facts.presence(&self.0.cluster.name) == Some(&Presence::Lost);
        match self.installed().await {
            Ok(installed) => Ok(Observed::differs(self.changes(&installed), installed)),
            Err(_) if is_lost => Ok(Observed::default()),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn apply(&self, installed: Installed, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        self.take_away(installed, writer).await
    }
}
