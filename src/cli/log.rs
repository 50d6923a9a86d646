//! The debug log that is always kept: one file a run, 0600, named when something fails.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::Timestamp;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::engine::event::Stamped;
use crate::files;
use crate::site::name::SiteName;

/// How many logs are kept.
const KEPT: usize = 50;

/// Starts logging; `None` where the log cannot be written, which must not stop a run.
pub(super) fn start(state: &Path, site: &SiteName, verbose: u8) -> Option<PathBuf> {
    let folder = state.join("log");
    files::make_folder(&folder).ok()?;
    remove_old(&folder);
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%S");
    let path = folder.join(format!("{time}-{site}-{}.log", std::process::id()));
    let file = files::open_log(&path).ok()?;
    // Bodies of requests can hold secrets; they are logged by these crates at the trace level only.
    let ours = EnvFilter::new("info,bridgehead=debug");
    let to_file = tracing_subscriber::fmt::layer().json().with_writer(Mutex::new(file)).with_filter(ours);
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let to_stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(level);
    tracing_subscriber::registry().with(to_file).with(to_stderr).try_init().ok()?;
    Some(path)
}

/// Logs an event.
pub(super) fn event(stamped: &Stamped) {
    let event = serde_json::to_string(stamped).unwrap_or_default();
    tracing::debug!(target: "bridgehead::event", "{event}");
}

/// The names begin with the time, so the first ones are the oldest.
fn remove_old(folder: &Path) {
    let Ok(entries) = folder.read_dir() else { return };
    let mut logs: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    logs.sort();
    for log in logs.iter().rev().skip(KEPT) {
        // A log that cannot be removed is found again by the next run.
        let _ = files::remove(log);
    }
}
