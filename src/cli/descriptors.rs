//! How many files this process may have open: each connection is one.

use std::num::NonZeroU16;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::env::REQUESTS;
use crate::site::Site;

/// As many as anybody needs. Programs that we start inherit the limit, and some of them close every file that they might
/// have open, one by one: where the system sets no limit to speak of, that takes minutes.
const ENOUGH: u64 = 1 << 16;

/// What a run takes without any cluster.
const BASE: u64 = 128;

/// Raises the limit as far as the system lets anybody; how many it is now.
pub(super) fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let Some(now) = current.filter(|now| *now < wanted) else { return current.unwrap_or(ENOUGH) };
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        Err(_) => now,
    }
}

/// How many connections to a cluster stay open in a run: one for each identity that it is asked with, and one more each
/// when two steps ask at the same time.
const KEPT: u64 = 4;

/// How many clusters can be worked on at once where no connection stays open, and `None` where all that a run of this site
/// opens may stay open.
pub(super) fn at_once(site: &Site, limit: u64) -> Option<NonZeroU16> {
    let clusters = site.clusters().count() as u64;
    if limit >= BASE + clusters * KEPT {
        return None;
    }
    // The hub is asked by everybody.
    let spare = limit.saturating_sub(BASE + REQUESTS as u64) / KEPT;
    let spare = u16::try_from(spare).unwrap_or(u16::MAX);
    Some(NonZeroU16::new(spare).unwrap_or(NonZeroU16::MIN))
}

/// What to tell the person where that is so.
pub(super) fn warning(limit: u64, at_once: NonZeroU16) -> String {
    format!(
        "warning: a process may have only {limit} files open here: {at_once} clusters are worked on at once, with a \
         connection for each request, which takes longer. Raise the hard limit, as with `ulimit -Hn 65536`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load;

    #[test]
    fn a_low_limit_is_kept_to() {
        let spokes: String = (0..300).map(|number| format!("[spokes.c{number}.local]\n")).collect();
        let text = format!("[hub.local]\n{spokes}");
        let site = load::from_text(None, &"home".parse().expect("valid"), &text, &load::Overrides::default());
        let site = site.expect("valid");
        let at_once = |limit| at_once(&site, limit).map(NonZeroU16::get);
        assert_eq!(
            [at_once(ENOUGH), at_once(2048), at_once(256), at_once(64)],
            [None, None, Some(28), Some(1)]
        );
    }
}
