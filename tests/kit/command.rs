//! Commands: started, signalled, and what they did.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::process::signal;

/// Longer than any command of a test takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(6);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
}

impl Outcome {
    /// The exit code; 128 + the signal's number when a signal ended it, as a shell says it.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// The events of a run with `--output json`.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The events of one kind.
    pub(crate) fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == kind).collect()
    }

    /// How the last event says that the run ended.
    pub(crate) fn result(&self) -> String {
        let events = self.events();
        let last = events.last().unwrap_or_else(|| panic!("no events: {}", self.stderr));
        assert_eq!(last["event"], "finished", "{last}");
        last["result"].as_str().unwrap().to_owned()
    }

    /// The document that the command answered with.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A command at work.
pub(crate) struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    started: Instant,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = reader(child.stdout.take().unwrap());
        let stderr = reader(child.stderr.take().unwrap());
        Self { child, stdout, stderr, started: Instant::now() }
    }

    pub(crate) fn signal(&self, with: Signal) {
        signal(Pid::from_child(&self.child), with);
    }

    /// Waits for its end; one that does not end is killed and fails the test.
    pub(crate) fn finish(mut self) -> Outcome {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                panic!("did not end within {} s:\n{}", PATIENCE.as_secs(), self.stderr.join().unwrap());
            }
            pause();
        };
        let elapsed = self.started.elapsed();
        Outcome { status, stdout: self.stdout.join().unwrap(), stderr: self.stderr.join().unwrap(), elapsed }
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Outcome {
    Running::start(command).finish()
}

#[expect(clippy::disallowed_methods, reason = "a test looks at the world from outside")]
fn pause() {
    thread::sleep(Duration::from_millis(5));
}

fn reader(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
}
