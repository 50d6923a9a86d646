//! What a run left out, at its end: grouped by cause, so that fifty dead clusters are one line and not fifty.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::run::{Failed, Report};

/// How many clusters of a group are named.
const NAMED: usize = 8;

/// One line for each cause, with the clusters that it kept the run from, and one for what was not tried because of
/// them. A run of which a single step failed has just said so.
#[must_use]
pub fn left_out(report: &Report) -> Vec<String> {
    if report.failed.len() < 2 && report.skipped.is_empty() {
        return Vec::new();
    }
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (step, failed) in &report.failed {
        let who = failed.cluster.as_ref().map_or("the site", |cluster| cluster.as_str());
        groups.entry(cause(failed, step.as_str())).or_default().insert(who);
    }
    let mut lines: Vec<_> =
        groups.into_iter().map(|(cause, who)| format!("not done: {}: {cause}", names(&who))).collect();
    match report.skipped.len() {
        0 => {}
        1 => lines.push("not tried: 1 step that comes after".to_owned()),
        count => lines.push(format!("not tried: {count} steps that come after")),
    }
    lines
}

/// The innermost cause says what is the same for many clusters; without one, the step that failed.
fn cause(failed: &Failed, step: &str) -> String {
    let first_line = |text: &str| text.lines().next().unwrap_or_default().trim_end_matches(':').to_owned();
    let step = failed.cluster.as_ref().map_or(step, |cluster| {
        step.strip_prefix(cluster.as_str()).map_or(step, |rest| rest.trim_start_matches('/'))
    });
    match failed.causes.last() {
        Some(cause) => format!("{step}: {}", first_line(cause)),
        None => format!("{step} failed"),
    }
}

fn names(who: &BTreeSet<&str>) -> String {
    let named = who.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match who.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::RunResult;
    use crate::engine::{Facts, StepId};

    fn report(failed: &[(&str, &[&str])], skipped: usize) -> Report {
        let failed = failed.iter().map(|(cluster, causes)| {
            let causes = causes.iter().map(|cause| (*cause).to_owned()).collect();
            let cluster = Some(cluster.parse().expect("valid"));
            let failed = Failed { cluster, error: "it failed".to_owned(), causes, hint: None };
            let cluster = failed.cluster.as_ref().expect("it has one");
            (StepId::of(cluster, "provision/context"), failed)
        });
        Report {
            facts: Facts::default(),
            changes: BTreeMap::new(),
            blocked: BTreeMap::new(),
            failed: failed.collect(),
            skipped: (0..skipped).map(|number| (StepId::site(&number.to_string()), String::new())).collect(),
            result: RunResult::Failed,
            seconds: 0.0,
        }
    }

    #[test]
    fn what_was_left_out_is_grouped_by_cause() {
        assert_eq!(left_out(&report(&[("a", &["refused"])], 0)), Vec::<String>::new());
        let both = report(&[("a", &["x", "refused"]), ("b", &["refused"]), ("c", &[])], 5);
        let expected = [
            "not done: c: provision/context failed",
            "not done: a, b: provision/context: refused",
            "not tried: 5 steps that come after",
        ];
        assert_eq!(left_out(&both), expected);
        let names: Vec<_> = (10..30).map(|number| format!("c{number}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), &["refused"][..])).collect();
        assert_eq!(
            left_out(&report(&many, 0)),
            ["not done: c10, c11, c12, c13, c14, c15, c16, c17 and 12 more: provision/context: refused"]
        );
    }
}
