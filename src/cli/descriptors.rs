//! How many files this process may have open: each connection is one.

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

/// What to tell the person where a run of this site may run out of files: every cluster may have as many connections as
/// its API server gets requests at once.
pub(super) fn warning(site: &Site, limit: u64) -> Option<String> {
    let clusters = site.clusters().count() as u64;
    let needed = BASE + clusters * REQUESTS as u64;
    (limit < needed).then(|| {
        format!(
            "warning: a process may have only {limit} files open here, and {clusters} clusters may take {needed}: \
             raise the hard limit (`ulimit -Hn`), or work on fewer at once (--concurrency {})",
            (limit.saturating_sub(BASE) / REQUESTS as u64).max(1)
        )
    })
}
