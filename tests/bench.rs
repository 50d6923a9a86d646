//! `make bench`: measures on real servers, side by side with what people use otherwise, and writes `docs/bench.md`.
//!
//! Figures are medians. Ratios compare commands that took turns within one run, so that a machine's changing
//! speed falls on both.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the benchmarks")]

#[path = "bench/crowd.rs"]
mod crowd;
#[expect(dead_code, reason = "the tests use what the benchmarks do not")]
#[path = "k3s/farm.rs"]
mod farm;
#[path = "bench/fleet.rs"]
mod fleet;
#[path = "bench/hosts.rs"]
mod hosts;
#[expect(dead_code, reason = "the tests use what the benchmarks do not")]
mod kit;
#[path = "bench/manifest.rs"]
mod manifest;
#[path = "bench/table.rs"]
mod table;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bridgehead::files;
use kit::lab::REPOSITORY;
use table::{median, row};

/// How often each thing is measured.
const ROUNDS: usize = 5;
/// How often a start is measured, which is short.
const STARTS: usize = 20;

#[tokio::main]
async fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut page = String::from(
        "# Measurements\n\nWritten by `make bench`. Medians; ratios are of commands that took turns in one run.\n\n",
    );
    page.push_str(&machine());
    page.push_str("\n| what | bridgehead | other | ratio |\n|---|---|---|---|\n");
    if is_long() {
        page.push_str(&crowd::rows().await);
    } else {
        page.push_str(&start());
        page.push_str(&manifest::rows().await);
        page.push_str(&fleet::rows().await);
        page.push_str(&hosts::rows());
    }
    let path = Path::new(REPOSITORY).join(if is_long() { "docs/bench-fleet.md" } else { "docs/bench.md" });
    files::make_folder(path.parent().unwrap()).unwrap();
    files::replace(&path, page.as_bytes(), 0o644).unwrap();
}

/// Whether the rows of a large fleet are measured, which take long, and not the others.
#[expect(clippy::disallowed_methods, reason = "a measurement is started from outside")]
fn is_long() -> bool {
    std::env::var("BRIDGEHEAD_BENCH").is_ok_and(|rows| rows == "fleet")
}

fn machine() -> String {
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let memory = read("/proc/meminfo");
    let kib: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = std::thread::available_parallelism().unwrap();
    let gib = kib / 1024 / 1024;
    format!(
        "Machine: {cores} cores ({}), {gib} GiB, Linux {}.\n",
        model.trim_matches([' ', '\t', ':']),
        kernel.trim()
    )
}

fn read(path: &str) -> String {
    files::read(Path::new(path)).unwrap()
}

fn timed(mut command: Command) -> f64 {
    let started = Instant::now();
    assert!(command.output().unwrap().status.success());
    started.elapsed().as_secs_f64()
}

fn start() -> String {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let help = |program: &str| {
            let mut command = Command::new(program);
            command.arg("--help");
            timed(command)
        };
        ours.push(help(env!("CARGO_BIN_EXE_bridgehead")));
        theirs.push(help("kubectl"));
    }
    row("`--help`", median(ours), Some(("kubectl", median(theirs))))
}

#[expect(clippy::disallowed_methods, reason = "a measurement looks at the world from outside")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
