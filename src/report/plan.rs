//! A plan as text, for stdout.

use std::fmt::Write;

use crate::engine::run::Report;
use crate::engine::step::ChangeKind;

/// What a run would change, step by step, with the digest for `--expect`.
#[must_use]
pub fn plan(report: &Report) -> String {
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
    if report.is_unchanged() {
        text.push_str("No changes: the world is as the profile says.\n");
    } else {
        let changes = match report.count() {
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        let later = match report.blocked.len() {
            0 => String::new(),
            1 => "; 1 step is known later".to_owned(),
            count => format!("; {count} steps are known later"),
        };
        let _ = writeln!(text, "\n{changes}{later}. Digest: {}", report.digest());
    }
    text
}
