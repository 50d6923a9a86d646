//! Many clusters are told as counts and groups, and not as a line for each.

use std::collections::{BTreeMap, BTreeSet};

use super::run::Failed;
use super::step::StepId;
use crate::site::name::ClusterName;

/// Up to so many clusters each has its own lines.
pub const FEW: usize = 20;

/// Names in a line: the first few of many.
pub fn some(names: impl ExactSizeIterator<Item = impl ToString>) -> String {
    const SHOWN: usize = 8;
    first(names, SHOWN)
}

/// Names in a line, of which somebody will want every one.
#[must_use]
pub fn all(names: &BTreeSet<&str>) -> String {
    /// More fill a screen, and the log has them.
    const SHOWN: usize = 100;
    first(names.iter(), SHOWN)
}

/// Names in a line, so many of them, and how many more there are.
pub fn first(names: impl ExactSizeIterator<Item = impl ToString>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let shown: Vec<_> = names.take(most).map(|name| name.to_string()).collect();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// The path of a step without its cluster.
#[must_use]
pub fn path<'a>(step: &'a str, cluster: Option<&str>) -> &'a str {
    cluster.and_then(|cluster| step.strip_prefix(cluster)?.strip_prefix('/')).unwrap_or(step)
}

/// What is the same about a failure on many clusters: the step, and the innermost cause.
#[must_use]
pub fn cause(path: &str, causes: &[String]) -> String {
    let first_line = |text: &str| text.lines().next().unwrap_or_default().trim_end_matches(':').to_owned();
    match causes.last() {
        Some(cause) => format!("{path}: {}", first_line(cause)),
        None => format!("{path} failed"),
    }
}

/// What failed, a line for each cause with everybody whom it met.
#[must_use]
pub fn by_cause(failed: &BTreeMap<StepId, Failed>) -> Vec<String> {
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (step, failed) in failed {
        let cluster = failed.cluster.as_ref().map(ClusterName::as_str);
        let cause = cause(path(step.as_str(), cluster), &failed.causes);
        groups.entry(cause).or_default().insert(cluster.unwrap_or("the site"));
    }
    groups.into_iter().map(|(cause, who)| format!("{}: {cause}", all(&who))).collect()
}
