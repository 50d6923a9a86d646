//! Many clusters at the same step: told as counts, and not as a line for each.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::engine::crowd::{FEW, cause, path};
use crate::engine::event::{Event, Stamped, Subject};
use crate::site::name::ClusterName;

/// How often the counts of a step are told.
const PERIOD: SignedDuration = SignedDuration::from_secs(2);

/// What becomes of an event's own line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It is told.
    Own,
    /// It is only counted.
    Counted,
    /// These counts are told in its place, by step.
    Counts(Vec<(String, String)>),
}

/// Counts what becomes of each step of all clusters.
#[derive(Default)]
pub(super) struct Crowd {
    clusters: BTreeSet<ClusterName>,
    /// By the step's path without the cluster.
    steps: BTreeMap<String, Counts>,
}

/// What has become of one step of all clusters.
#[derive(Default)]
struct Counts {
    clusters: BTreeSet<ClusterName>,
    at_work: BTreeSet<ClusterName>,
    done: usize,
    failed: usize,
    skipped: usize,
    /// When it was told last; `None`: never.
    told: Option<Timestamp>,
    is_news: bool,
    /// The causes of failures that were told in full. Whom they meet besides is named at the end of the run.
    causes: BTreeSet<String>,
}

impl Crowd {
    pub(super) fn line(&mut self, stamped: &Stamped) -> Line {
        if let Event::Finished { .. } = stamped.event {
            return Line::Counts(self.news());
        }
        let Some((subject, cluster)) =
            subject(&stamped.event).and_then(|subject| Some((subject, subject.cluster.as_ref()?)))
        else {
            return Line::Own;
        };
        self.clusters.insert(cluster.clone());
        let path = path(subject.step.as_str(), Some(cluster.as_str()));
        let counts = self.steps.entry(path.to_owned()).or_default();
        counts.note(&stamped.event, cluster);
        // A step that only one cluster has is no crowd.
        let is_crowd = self.clusters.len() > FEW && counts.clusters.len() > 1;
        if !is_crowd || counts.is_new_cause(&stamped.event, path) {
            return Line::Own;
        }
        if counts.at_work.contains(cluster) {
            return Line::Counted;
        }
        counts.is_news = true;
        let due = counts.told.is_none_or(|told| stamped.time.duration_since(told) >= PERIOD);
        if !due {
            return Line::Counted;
        }
        counts.told = Some(stamped.time);
        Line::Counts(vec![(path.to_owned(), counts.tell())])
    }

    /// The counts that have changed since they were told.
    fn news(&mut self) -> Vec<(String, String)> {
        let news = self.steps.iter_mut().filter(|(_, counts)| counts.is_news);
        news.map(|(path, counts)| (path.clone(), counts.tell())).collect()
    }
}

impl Counts {
    fn note(&mut self, event: &Event, cluster: &ClusterName) {
        self.clusters.insert(cluster.clone());
        match event {
            Event::Observing(_) | Event::Applying { .. } | Event::Progress { .. } => {
                self.at_work.insert(cluster.clone());
                return;
            }
            Event::Failed { .. } => self.failed += 1,
            Event::Skipped { .. } => self.skipped += 1,
            _ => self.done += 1,
        }
        self.at_work.remove(cluster);
    }

    /// Whether an event is a failure of a kind that was not told yet.
    fn is_new_cause(&mut self, event: &Event, path: &str) -> bool {
        matches!(event, Event::Failed { causes, .. } if self.causes.insert(cause(path, causes)))
    }

    fn tell(&mut self) -> String {
        self.is_news = false;
        let counts = [
            (self.done, "done"),
            (self.at_work.len(), "at work"),
            (self.failed, "failed"),
            (self.skipped, "not tried"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        counts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
    }
}

fn subject(event: &Event) -> Option<&Subject> {
    match event {
        Event::Observing(subject)
        | Event::Unchanged(subject)
        | Event::Planned { subject, .. }
        | Event::Blocked { subject, .. }
        | Event::Applying { subject, .. }
        | Event::Progress { subject, .. }
        | Event::Applied { subject, .. }
        | Event::Failed { subject, .. }
        | Event::Skipped { subject, .. } => Some(subject),
        Event::Departed { .. } | Event::Finished { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::StepId;
    use crate::engine::event::RunResult;

    fn at(second: i64, event: Event) -> Stamped {
        let time = Timestamp::from_second(second).expect("it is in range");
        Stamped { event, site: "home".parse().expect("valid"), time }
    }

    fn of(number: usize) -> Subject {
        let cluster: ClusterName = format!("c{number}").parse().expect("valid");
        Subject { step: StepId::of(&cluster, "registration/secret"), cluster: Some(cluster) }
    }

    fn failed(number: usize) -> Event {
        Event::Failed { subject: of(number), error: "no".to_owned(), causes: Vec::new(), hint: None }
    }

    #[test]
    fn many_clusters_at_one_step_are_counted_and_each_cause_is_told_once() {
        let mut crowd = Crowd::default();
        for number in 0..30 {
            crowd.line(&at(0, Event::Observing(of(number))));
        }
        let told = |text: &str| Line::Counts(vec![("registration/secret".to_owned(), text.to_owned())]);
        assert_eq!(crowd.line(&at(1, Event::Unchanged(of(0)))), told("1 done, 29 at work"));
        assert_eq!(crowd.line(&at(2, Event::Unchanged(of(1)))), Line::Counted);
        assert_eq!(crowd.line(&at(2, failed(2))), Line::Own);
        assert_eq!(crowd.line(&at(2, failed(5))), Line::Counted, "of the same cause");
        assert_eq!(crowd.line(&at(3, Event::Unchanged(of(3)))), told("3 done, 25 at work, 2 failed"));
        assert_eq!(crowd.line(&at(3, Event::Unchanged(of(4)))), Line::Counted);
        let end = Event::Finished { result: RunResult::Failed, changes: 0, seconds: 3.0, digest: None };
        assert_eq!(crowd.line(&at(3, end)), told("4 done, 24 at work, 2 failed"));
    }

    #[test]
    fn a_few_clusters_have_their_own_lines() {
        let mut crowd = Crowd::default();
        let lines = (0..FEW).map(|number| crowd.line(&at(0, Event::Unchanged(of(number)))));
        assert!(lines.collect::<Vec<_>>().iter().all(|line| *line == Line::Own));
    }
}
