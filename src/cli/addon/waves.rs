//! Many clusters in waves: a wave has to get there before the next one begins.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::typed;
use crate::engine::Tree;
use crate::engine::crowd::some;
use crate::engine::run::{Mode, Report};
use crate::flow::addon::Edited;
use crate::report;
use crate::site::name::ClusterName;

/// How many clusters are switched at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Clusters(NonZeroUsize),
    /// Of all that are meant: 1 to 100.
    Percent(usize),
}

impl std::str::FromStr for Size {
    type Err = &'static str;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let size = match typed.strip_suffix('%') {
            Some(percent) => {
                percent.parse().ok().filter(|percent| (1..=100).contains(percent)).map(Self::Percent)
            }
            None => typed.parse().ok().map(Self::Clusters),
        };
        size.ok_or("a wave is a number of clusters, or a percentage of them from 1% to 100%")
    }
}

impl Size {
    fn of(self, clusters: usize) -> usize {
        match self {
            Self::Clusters(count) => count.get(),
            Self::Percent(percent) => (clusters * percent).div_ceil(100).max(1),
        }
    }
}

/// The waves in their order; without a size a single one. The hub, which everything hangs on, is in the last.
pub(super) fn of(edited: &Edited, size: Option<Size>) -> Vec<Vec<ClusterName>> {
    let Some(size) = size else { return vec![edited.clusters.clone()] };
    let hub = &edited.site.hub.name;
    let (hub, spokes): (Vec<_>, Vec<_>) = edited.clusters.iter().cloned().partition(|name| name == hub);
    let clusters = [spokes, hub].concat();
    clusters.chunks(size.of(clusters.len())).map(<[_]>::to_vec).collect()
}

/// What a person is told of them; nothing of a single one.
pub(super) fn told(waves: &[Vec<ClusterName>]) -> String {
    if waves.len() < 2 {
        return String::new();
    }
    let of = |(index, wave): (usize, &Vec<_>)| format!("\n  wave {}: {}", index + 1, some(wave.iter()));
    let waves: String = waves.iter().enumerate().map(of).collect();
    format!("\nin waves; the next one begins when all clusters of the one before are there:{waves}")
}

/// Switches wave by wave, each as the profile is when its turn comes. What was not reached is not in the profile.
pub(super) async fn walk(
    session: &Session,
    edited: Edited,
    waves: &[Vec<ClusterName>],
    tree: impl Fn(Edited) -> Tree,
) -> Result<Exit, CommandError> {
    if waves.len() < 2 {
        let report = session.walk(Mode::Apply, None, &tree(edited)).await;
        return Ok(session.conclude(&report));
    }
    let mut so_far: Option<Report> = None;
    for (index, wave) in waves.iter().enumerate() {
        let (number, rest) = (index + 1, &waves[index + 1..]);
        session.remark("waves", format!("wave {number} of {}: {}", waves.len(), some(wave.iter())));
        let part = edited.wave(wave, rest.is_empty())?;
        let report = session.walk(Mode::Apply, None, &tree(part)).await;
        let is_there = report.is_converged();
        let report = match so_far {
            Some(before) => before.then(report),
            None => report,
        };
        if !is_there {
            report::say(&stopped(&report, (number, waves.len()), wave, rest));
            let exit = session.conclude(&report);
            report::say(&format!("to go back: {}", typed::opposite()));
            return Ok(exit);
        }
        so_far = Some(report);
    }
    Ok(so_far.map_or(Exit::Done, |report| session.conclude(&report)))
}

/// Which wave did not get there because of whom, and what was not begun.
fn stopped(
    report: &Report,
    (number, all): (usize, usize),
    wave: &[ClusterName],
    rest: &[Vec<ClusterName>],
) -> String {
    let failed: BTreeSet<_> = report.failed.values().filter_map(|failed| failed.cluster.as_ref()).collect();
    let mut behind: Vec<_> = wave.iter().filter(|name| failed.contains(name)).cloned().collect();
    if behind.is_empty() {
        behind = wave.to_vec();
    }
    let mut text = format!("wave {number} of {all} did not get there: {}", some(behind.iter()));
    let rest = rest.concat();
    if !rest.is_empty() {
        text.push_str(&format!("; not begun, and as before: {}", some(rest.iter())));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_a_number_or_a_percentage() {
        let size = |typed: &str, clusters| typed.parse::<Size>().map(|size| size.of(clusters));
        for (typed, expected) in [("25", 25), ("10%", 20), ("1%", 2), ("100%", 200)] {
            assert_eq!(size(typed, 200), Ok(expected), "{typed}");
        }
        assert_eq!((size("10%", 3), size("34%", 3)), (Ok(1), Ok(2)));
        for typed in ["", "0", "-1", "0%", "101%", "%", "ten"] {
            assert!(size(typed, 3).is_err(), "{typed}");
        }
    }
}
