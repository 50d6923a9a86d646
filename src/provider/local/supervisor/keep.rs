//! Keeps one program running until it is told to stop.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::EXECUTABLE;
use crate::engine::wait::pause;
use crate::node::process::{Child, Program};
use crate::provider::local::state::{Process, last_lines};

/// How long a program may take to end when asked to.
const GRACE: Duration = Duration::from_secs(5);
/// A program that ran this long was not started in vain.
const STEADY: Duration = Duration::from_secs(10);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// A program that is kept running.
pub(super) struct Kept {
    process: Rc<RefCell<Process>>,
    stop: CancellationToken,
    task: RefCell<Option<JoinHandle<()>>>,
}

impl Kept {
    /// Starts a program once `after` resolves, and again whenever it ends.
    pub(super) fn start(program: Program, after: impl Future<Output = ()> + 'static) -> Self {
        let name = program.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let process = Process { name, log: program.log.clone(), ..Process::default() };
        let process = Rc::new(RefCell::new(process));
        let stop = CancellationToken::new();
        let keeper = Keeper { program, process: Rc::clone(&process), stop: stop.clone() };
        let task = tokio::task::spawn_local(async move {
            tokio::select! {
                () = after => keeper.keep().await,
                () = keeper.stop.cancelled() => {}
            }
        });
        Self { process, stop, task: RefCell::new(Some(task)) }
    }

    /// What is to be told of it.
    pub(super) fn process(&self) -> Process {
        let process = self.process.borrow().clone();
        Process { last_lines: last_lines(&process.log), ..process }
    }

    /// Ends it and returns when it is gone.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let task = self.task.take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

struct Keeper {
    program: Program,
    process: Rc<RefCell<Process>>,
    stop: CancellationToken,
}

impl Keeper {
    async fn keep(&self) {
        loop {
            let started = Instant::now();
            let exit = match self.program.spawn(Path::new(EXECUTABLE)) {
                Err(error) => chain(&error),
                Ok(child) => match self.run(child).await {
                    Some(exit) => exit,
                    None => return,
                },
            };
            let delay = self.ended(exit, started.elapsed());
            tokio::select! {
                () = pause(delay) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Runs a started program to its end; `None` if that was asked for.
    async fn run(&self, mut child: Child) -> Option<String> {
        self.process.borrow_mut().pid = u32::try_from(child.pid().as_raw_nonzero().get()).ok();
        let exit = tokio::select! {
            exit = child.wait() => Some(exit),
            () = self.stop.cancelled() => None,
        };
        if exit.is_none() {
            let _ = child.stop(GRACE).await;
        }
        self.process.borrow_mut().pid = None;
        exit.map(|exit| exit.map_or_else(|error| error.to_string(), |status| status.to_string()))
    }

    /// Takes note of an end, and says how long to wait before the next start.
    fn ended(&self, exit: String, ran: Duration) -> Duration {
        let mut process = self.process.borrow_mut();
        tracing::warn!(process = process.name, exit, "a process ended and is started again");
        process.exit = Some(exit);
        process.restarts += 1;
        process.failures = if ran < STEADY { process.failures + 1 } else { 1 };
        let doublings = (process.failures - 1).min(16);
        (FIRST_DELAY * 2_u32.pow(doublings)).min(LONGEST_DELAY)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
