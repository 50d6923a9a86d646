//! A tree as text, for people who want to know what a flow does and in which order.

use std::fmt::{self, Write};

use super::{Planted, Tree, When};

/// How a tree reads from top to bottom: what stands side by side is said to, gates and cleanups as well.
#[derive(Debug)]
pub struct Outline(String);

impl Tree {
    /// The tree as text.
    #[must_use]
    pub fn outline(&self) -> Outline {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = write_part(&mut text, self, 0);
        Outline(text)
    }
}

impl fmt::Display for Outline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn write_part(text: &mut String, tree: &Tree, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    match tree {
        Tree::Step(Planted(step)) => {
            let path = format!("{indent}{}", step.id());
            writeln!(text, "{path:<44}  {}", step.purpose())
        }
        Tree::Gate { step, .. } => writeln!(text, "{indent}(waits for {step})"),
        Tree::Seq(parts) => parts.iter().try_for_each(|part| write_part(text, part, depth)),
        Tree::Par(parts) => write_beside(text, parts, depth, "side by side:"),
        Tree::Each(parts) => write_beside(text, parts, depth, "side by side, each for itself:"),
        Tree::Guarded { body, cleanup, when } => {
            write_part(text, body, depth)?;
            let title = match when {
                When::Always => "in any case, then:",
                When::Failed => "if that fails or is interrupted:",
            };
            writeln!(text, "{indent}{title}")?;
            write_part(text, cleanup, depth + 1)
        }
    }
}

/// What is not there, or stands alone, needs no title.
fn write_beside(text: &mut String, parts: &[Tree], depth: usize, title: &str) -> fmt::Result {
    let parts: Vec<_> = parts.iter().filter(|part| !part.is_empty()).collect();
    if let [only] = parts.as_slice() {
        return write_part(text, only, depth);
    }
    if !parts.is_empty() {
        writeln!(text, "{}{title}", "  ".repeat(depth))?;
    }
    for (number, part) in parts.into_iter().enumerate() {
        // A line between branches of more than one step.
        if number > 0 && !matches!(part, Tree::Step(_)) {
            writeln!(text, "{}-", "  ".repeat(depth + 1))?;
        }
        write_part(text, part, depth + 1)?;
    }
    Ok(())
}

impl Tree {
    fn is_empty(&self) -> bool {
        match self {
            Self::Step(_) | Self::Gate { .. } => false,
            Self::Seq(parts) | Self::Par(parts) | Self::Each(parts) => parts.iter().all(Self::is_empty),
            Self::Guarded { body, cleanup, .. } => body.is_empty() && cleanup.is_empty(),
        }
    }
}
