//! A plan as text, for stdout.

use std::fmt::Write;

use crate::engine::ChangeKind;
use crate::engine::crowd::{FEW, by_cause};
use crate::engine::event::RunResult;
use crate::engine::run::Report;

/// What a run would change, step by step, with the digest for `--expect`; and what left the profile and stays all the same.
#[must_use]
pub fn plan(report: &Report, digest: Option<&str>, departed: &[String], unseen: &[String]) -> String {
    let mut text = String::new();
    for (step, changes) in &report.changes {
        let _ = writeln!(text, "{step}");
        for change in changes {
            let sign = match change.kind {
                ChangeKind::Create => '+',
                ChangeKind::Update => '~',
                ChangeKind::Delete => '-',
                ChangeKind::Wait => '.',
            };
            let _ = writeln!(text, "  {sign} {change}");
        }
    }
    for (step, fact) in &report.blocked {
        let _ = writeln!(text, "{step}\n  ? known after the {fact}");
    }
    if report.failed.len() > FEW {
        text.extend(by_cause(&report.failed).iter().map(|line| format!("not known: {line}\n")));
    } else {
        for (step, failed) in &report.failed {
            let _ = writeln!(text, "{step}\n  ! {}", failed.error);
        }
    }
    if report.is_unchanged() && !departed.is_empty() {
        text.push_str("No changes.\n");
    } else if report.is_unchanged() {
        text.push_str("No changes: the world is as the profile says.\n");
    } else if report.result == RunResult::Planned {
        let changes = match report.count() {
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        let later = match report.blocked.len() {
            0 => String::new(),
            1 => "; 1 step is known later".to_owned(),
            count => format!("; {count} steps are known later"),
        };
        let digest = digest.map_or_else(String::new, |digest| format!(" Digest: {digest}"));
        let _ = writeln!(text, "\n{changes}{later}.{digest}");
    } else {
        let why = if report.failed.is_empty() {
            "it was stopped"
        } else {
            "what depends on what failed is not known"
        };
        let _ = writeln!(text, "\nThis plan is incomplete: {why}.");
    }
    write_departed(&mut text, departed, unseen);
    text
}

pub(super) fn write_departed(text: &mut String, departed: &[String], unseen: &[String]) {
    if !departed.is_empty() {
        text.push_str("\nNo longer in the profile, but still there (`up --prune` removes them):\n");
    }
    for thing in departed {
        let _ = writeln!(text, "  {thing}");
    }
    for why in unseen {
        let _ = writeln!(text, "\nCould not look for what is no longer in the profile: {why}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::run::Failed;
    use crate::engine::{Facts, StepId};

    fn report(result: RunResult, failed: &[(&str, &str)]) -> Report {
        let failed = failed.iter().map(|(step, error)| {
            let error = (*error).to_owned();
            (StepId::site(step), Failed { cluster: None, error, causes: Vec::new(), hint: None })
        });
        Report {
            facts: Facts::default(),
            changes: BTreeMap::new(),
            blocked: BTreeMap::new(),
            failed: failed.collect(),
            skipped: BTreeMap::new(),
            result,
            seconds: 0.0,
        }
    }

    #[test]
    fn what_could_not_be_looked_at_is_not_unchanged() {
        let nothing = report(RunResult::Planned, &[]);
        assert_eq!(plan(&nothing, None, &[], &[]), "No changes: the world is as the profile says.\n");
        let departed = plan(&nothing, None, &["cluster b (https://b)".to_owned()], &[]);
        assert!(departed.starts_with("No changes.\n") && departed.ends_with("\n  cluster b (https://b)\n"));
        let failed = report(RunResult::Failed, &[("preflight", "cannot reach pi")]);
        assert_eq!(
            plan(&failed, None, &[], &[]),
            "site/preflight\n  ! cannot reach pi\n\nThis plan is incomplete: what depends on what failed is not known.\n"
        );
        assert!(failed.plan().is_none() && nothing.plan().is_some());
        assert!(
            plan(&report(RunResult::Interrupted, &[]), None, &[], &[]).contains("incomplete: it was stopped")
        );
    }
}
