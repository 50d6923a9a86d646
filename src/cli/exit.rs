//! The exit codes, which scripts rely on.

use std::process::ExitCode;

use crate::engine::event::RunResult;

/// How a command ended, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done, nothing to do, or the question was declined.
    Done = 0,
    /// Something that should not happen: a bug.
    Unexpected = 1,
    /// Wrong usage, an invalid profile, or nobody to ask.
    Usage = 2,
    /// Changes or drift, under `--exit-code`.
    Changes = 3,
    /// A step failed or something was left over; running again continues.
    Failed = 4,
    /// The world did not catch up in time.
    TimedOut = 5,
    /// Another run holds the lock.
    Locked = 6,
    /// Somebody stopped the run.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<RunResult> for Exit {
    fn from(result: RunResult) -> Self {
        match result {
            RunResult::Converged | RunResult::Planned | RunResult::Declined => Self::Done,
            RunResult::Failed => Self::Failed,
            RunResult::TimedOut => Self::TimedOut,
            RunResult::Locked => Self::Locked,
            RunResult::Invalid => Self::Usage,
            RunResult::Interrupted => Self::Interrupted,
        }
    }
}
