//! The log as k3s writes it, a line each on the standard error.

use std::fmt::Display;
use std::io::{self, Write};

use jiff::Timestamp;
use tracing_subscriber::EnvFilter;

pub(crate) fn info(message: impl Display) {
    write("info", message);
}

pub(crate) fn warning(message: impl Display) {
    write("warning", message);
}

pub(crate) fn error(message: impl Display) {
    write("error", message);
}

pub(crate) fn fatal(message: impl Display) {
    write("fatal", message);
}

fn write(level: &str, message: impl Display) {
    let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    // Whoever read it may be gone; that is no reason to end.
    let _ = writeln!(io::stderr(), "time=\"{time}\" level={level} msg={:?}", message.to_string());
}

/// What the node agent has to say goes to the same place.
pub(crate) fn trace() {
    let filter = EnvFilter::new("info,kube_client=off");
    tracing_subscriber::fmt().with_ansi(false).with_writer(io::stderr).with_env_filter(filter).init();
}
