//! What a run left out, at its end: grouped by cause, so that fifty dead clusters are one line and not fifty.

use crate::engine::crowd::by_cause;
use crate::engine::run::Report;

/// One line for each cause, with the clusters that it kept the run from, and one for what was not tried because of
/// them. A run of which a single step failed has just said so.
#[must_use]
pub fn left_out(report: &Report) -> Vec<String> {
    if report.failed.len() < 2 && report.skipped.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<_> = by_cause(&report.failed).iter().map(|line| format!("not done: {line}")).collect();
    match report.skipped.len() {
        0 => {}
        1 => lines.push("not tried: 1 step that comes after".to_owned()),
        count => lines.push(format!("not tried: {count} steps that come after")),
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::event::RunResult;
    use crate::engine::run::Failed;
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
        let names: Vec<_> = (100..250).map(|number| format!("c{number}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), &["refused"][..])).collect();
        let lines = left_out(&report(&many, 0));
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].contains("c100, c101,")
                && lines[0].ends_with("c199 and 50 more: provision/context: refused")
        );
    }
}
