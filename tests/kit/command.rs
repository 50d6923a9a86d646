//! Commands: started, watched, signalled, and what they did.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bridgehead::files;
use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::process::{signal, state_of};
use super::wait::until;

/// Longer than any command of a test takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(6);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
    /// The most memory that it had, in KiB.
    pub(crate) memory: u64,
}

impl Outcome {
    /// The exit code; 128 + the signal's number when a signal ended it, as a shell says it.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// The events of a run with `--output json`.
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.stdout)
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
    stdin: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
    started: Instant,
}

impl Running {
    /// Starts a command that has nothing to read.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self::spawn(command)
    }

    /// Starts a command to which something will be typed.
    pub(super) fn with_input(mut command: Command) -> Self {
        command.stdin(Stdio::piped());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Stream::read(child.stdout.take().unwrap());
        let stderr = Stream::read(child.stderr.take().unwrap());
        Self { stdin: child.stdin.take(), child, stdout, stderr, started: Instant::now() }
    }

    /// Waits until its standard output has something, which must be before its end.
    fn until_it_writes(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        until(what, || {
            // Asked first: what was written by its end has been read by then.
            let ended = self.stdout.is_at_its_end();
            let said = self.stdout.so_far();
            assert!(is_it(&said) || !ended, "it ended without {what}:\n{said}{}", self.stderr.so_far());
            is_it(&said)
        });
    }

    /// Waits until it has sent an event about a step.
    pub(crate) fn until_event(&self, kind: &str, step: &str) {
        self.until_it_writes(&format!("{kind} {step}"), |said| {
            let whole = said.rfind('\n').map_or("", |end| &said[..end]);
            events(whole).iter().any(|event| event["event"] == kind && event["step"] == step)
        });
    }

    /// Waits until it asks.
    pub(super) fn until_asked(&self, question: &str) {
        self.until_it_writes(question, |said| said.contains(question));
    }

    /// Types an answer.
    pub(super) fn answer(&mut self, answer: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{answer}").unwrap();
    }

    pub(crate) fn signal(&self, with: Signal) {
        signal(Pid::from_child(&self.child), with);
    }

    /// Waits until it is stopped, as by a fault; whether it is, and has not ended instead.
    pub(crate) fn is_stopped_in_the_end(&self) -> bool {
        let pid = Pid::from_child(&self.child);
        let mut state = 'R';
        until("it is stopped, or has ended", || {
            state = state_of(pid);
            matches!(state, 'T' | 'Z')
        });
        state == 'T'
    }

    /// Waits for its end; one that does not end is killed and fails the test.
    pub(crate) fn finish(mut self) -> Outcome {
        let mut memory = 0;
        let status = loop {
            memory = peak(Pid::from_child(&self.child)).unwrap_or(memory);
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                panic!("did not end within {} s:\n{}", PATIENCE.as_secs(), self.stderr.so_far());
            }
            pause();
        };
        let elapsed = self.started.elapsed();
        Outcome { status, stdout: self.stdout.finish(), stderr: self.stderr.finish(), elapsed, memory }
    }
}

/// The most memory that a process has had so far, in KiB (`VmHWM` in `proc_pid_status(5)`); `None` once it has ended.
fn peak(pid: Pid) -> Option<u64> {
    let status = files::read(Path::new(&format!("/proc/{}/status", pid.as_raw_nonzero()))).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Outcome {
    Running::start(command).finish()
}

#[expect(clippy::disallowed_methods, reason = "a test looks at the world from outside")]
fn pause() {
    thread::sleep(Duration::from_millis(5));
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a command writes, while it runs.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let reader = thread::spawn({
            let bytes = Arc::clone(&bytes);
            move || {
                let mut piece = vec![0; 64 << 10];
                loop {
                    match from.read(&mut piece).unwrap() {
                        0 => return,
                        count => bytes.lock().unwrap().extend(&piece[..count]),
                    }
                }
            }
        });
        Self { bytes, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn is_at_its_end(&self) -> bool {
        self.reader.is_finished()
    }

    fn finish(self) -> String {
        self.reader.join().unwrap();
        String::from_utf8(std::mem::take(&mut self.bytes.lock().unwrap())).unwrap()
    }
}
