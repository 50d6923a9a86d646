//! One run at a time, and a run that is interrupted goes on when it is run again.

use std::path::PathBuf;

use bridgehead::engine::lock::{Lock, LockError};
use rustix::process::{Pid, Signal};

use crate::kit::command::Running;
use crate::kit::wait::eventually;
use crate::kit::{Lab, process};

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_goes_on_when_it_is_run_again() {
    let lab = Lab::new();
    lab.write_profile("here", "[hub.local]\n");
    let running = at_work(&lab).await;
    another_run_is_refused(&lab);

    running.signal(Signal::INT);
    let interrupted = running.finish();
    assert_eq!((interrupted.code(), interrupted.result().as_str()), (130, "interrupted"));
    assert!(interrupted.stderr.contains("stopping before the next step"), "{}", interrupted.stderr);
    assert!(interrupted.stderr.contains("to continue: bridgehead up here"), "{}", interrupted.stderr);
    let skipped = interrupted.events_of("skipped");
    assert!(skipped.iter().any(|event| event["step"] == "hub/argocd/install"), "{skipped:?}");
    assert!(!lab.processes().is_empty(), "what was done stays");

    let supervisor = pid(&lab);
    let resumed = lab.ok(&["up", "here", "--output", "json"]);
    assert_eq!(resumed.result(), "converged");
    assert_eq!(pid(&lab), supervisor, "what was done was done again");
    assert_eq!(lab.bridgehead(&["plan", "here", "--exit-code"]).code(), 0);

    a_second_interrupt_ends_a_run_at_once(&lab).await;
    lab.ok(&["down", "here"]);
    assert_eq!(lab.processes(), []);
}

/// A run that has started the hub's supervisor.
async fn at_work(lab: &Lab) -> Running {
    let running = lab.start(&["up", "here", "--output", "json"]);
    let file = pid_file(lab);
    eventually("the supervisor is started", async || file.exists()).await;
    running
}

fn pid_file(lab: &Lab) -> PathBuf {
    lab.state("here").join("hub/supervisor.pid")
}

fn pid(lab: &Lab) -> String {
    bridgehead::files::read(&pid_file(lab)).unwrap()
}

fn another_run_is_refused(lab: &Lab) {
    for command in ["up", "down"] {
        let refused = lab.bridgehead(&[command, "here", "--output", "json"]);
        assert_eq!((refused.code(), refused.result().as_str()), (6, "locked"), "{command}");
        assert!(refused.stderr.contains("another run holds the lock"), "{}", refused.stderr);
    }
    // Looking is always allowed.
    assert_eq!(lab.bridgehead(&["plan", "here"]).code(), 0);
}

/// With a supervisor that does not answer, even looking takes a while.
async fn a_second_interrupt_ends_a_run_at_once(lab: &Lab) {
    let supervisor = Pid::from_raw(pid(lab).parse().unwrap()).unwrap();
    process::signal(supervisor, Signal::STOP);
    let running = lab.start(&["up", "here", "--output", "json"]);
    let lock = lab.state("here").join("lock");
    eventually("the run is at work", async || matches!(Lock::take(&lock), Err(LockError::Held(_)))).await;
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    let outcome = running.finish();
    assert_eq!((outcome.code(), outcome.result().as_str()), (130, "interrupted"));
    assert!(outcome.stderr.contains("stopped at once"), "{}", outcome.stderr);
    process::signal(supervisor, Signal::CONT);
}
