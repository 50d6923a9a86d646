//! What a command can fail with, how it is printed, and its exit code.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use super::environment::EnvironmentError;
use super::exit::Exit;
use crate::engine::event::RunResult;
use crate::engine::lock::LockError;
use crate::engine::{Failure, Hint};
use crate::files::FileError;
use crate::report::{self, Output};
use crate::site::load::LoadError;
use crate::site::name::{ClusterName, SiteName};

/// Why a command did not do its work.
#[derive(Debug)]
pub(super) enum CommandError {
    /// The profile is invalid.
    Profile(Box<LoadError>),
    /// The surroundings cannot be made out.
    Environment(EnvironmentError),
    /// A file of this machine cannot be used.
    File(FileError),
    /// The lock is not to be had.
    Lock(LockError),
    /// No cluster of the site has that name.
    UnknownCluster(ClusterName, SiteName),
    /// No cluster is the one that is meant: the error, and what would be.
    NothingSelected(String, String),
    /// The profile forbids `down`.
    Protected(SiteName),
    /// The plan is not the expected one.
    OtherPlan {
        expected: String,
        found: String,
        /// What is different; `None` where the expected plan was not shown on this machine.
        differences: Option<Vec<String>>,
    },
    /// The profile was saved while a question about it was open.
    OtherProfile,
    /// There is no plan to compare with.
    NoPlan,
    /// What is said of clusters that go makes no sense where none goes.
    OnlyWithPrune,
    /// A question has to be answered and nobody can be asked.
    NobodyToAsk,
    /// No password can be asked for.
    NoPassword(io::Error),
    /// A new password was not typed twice.
    OtherPassword,
    /// The runtime did not start.
    Runtime(io::Error),
    /// An answer could not be had.
    Failed(Failure),
    /// What was typed cannot be done.
    Usage(Failure),
    /// Somebody stopped the command.
    Interrupted,
    /// Any of these, with the log that tells more.
    Logged(Box<Self>, PathBuf),
}

impl CommandError {
    pub(super) fn with_log(self, log: Option<PathBuf>) -> Self {
        match log {
            Some(log) => Self::Logged(Box::new(self), log),
            None => self,
        }
    }

    pub(super) fn result(&self) -> RunResult {
        match self {
            Self::Profile(_)
            | Self::UnknownCluster(..)
            | Self::NothingSelected(..)
            | Self::NobodyToAsk
            | Self::Environment(_)
            | Self::Protected(_)
            | Self::NoPassword(_)
            | Self::OtherPassword
            | Self::Usage(_)
            | Self::OnlyWithPrune => RunResult::Invalid,
            Self::Lock(LockError::Held(_)) => RunResult::Locked,
            Self::Interrupted => RunResult::Interrupted,
            Self::Logged(error, _) => error.result(),
            Self::OtherPlan { .. }
            | Self::OtherProfile
            | Self::NoPlan
            | Self::File(_)
            | Self::Lock(_)
            | Self::Failed(_)
            | Self::Runtime(_) => RunResult::Failed,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Runtime(_) => Exit::Unexpected,
            Self::Logged(error, _) => error.exit(),
            error => error.result().into(),
        }
    }

    /// Prints the error, its causes and what to do next to stderr; findings as JSON where that was asked for.
    pub(super) fn print(&self, output: Output) {
        match self {
            Self::Profile(error) => print_profile(error, output),
            Self::Logged(error, log) => {
                error.print(output);
                if !matches!(**error, Self::Profile(_) | Self::NobodyToAsk | Self::Interrupted) {
                    report::say(&format!("log: {}", log.display()));
                }
            }
            Self::Failed(failure) | Self::Usage(failure) => {
                report::error(&failure.to_string(), &failure.causes(), failure.hint());
            }
            Self::Environment(error) => print_chain(error, None),
            Self::File(error) => print_chain(error, None),
            Self::Runtime(error) => print_chain(error, None),
            Self::Lock(error) => print_chain(error, Some("wait for the other run to end, then run again")),
            Self::UnknownCluster(cluster, site) => {
                let hint = format!("`bridgehead status {site}` lists the clusters");
                report::error(&format!("site `{site}` has no cluster `{cluster}`"), &[], Some(&hint));
            }
            Self::NothingSelected(error, hint) => report::error(error, &[], Some(hint)),
            Self::Protected(site) => report::error(
                &format!("site `{site}` is protected"),
                &[],
                Some("set `protect = false` under `[site]` in its profile first"),
            ),
            Self::OtherPlan { expected, found, differences } => {
                print_other_plan(expected, found, differences.as_deref());
            }
            Self::OnlyWithPrune => {
                report::error("`--lost`, `--through-argocd` and `--with-others` need `--prune`", &[], None);
            }
            Self::OtherProfile => report::error(
                "the profile or the inventory was saved meanwhile; nothing was changed",
                &[],
                Some("run the command again: it shows what goes now"),
            ),
            Self::NoPlan => report::error(
                "the plan is incomplete, so it has no digest to compare; nothing was changed",
                &[],
                Some("`bridgehead plan` says what could not be looked at"),
            ),
            Self::NobodyToAsk => report::error(
                "this has to be confirmed, and there is no terminal to ask on",
                &[],
                Some("add --yes (with make: YES=1)"),
            ),
            Self::NoPassword(error) => report::error(
                "cannot ask for the password on a terminal",
                &[error.to_string()],
                Some("name a file that holds it: --password-file FILE"),
            ),
            Self::OtherPassword => {
                report::error("the two passwords are not the same; nothing was changed", &[], None);
            }
            Self::Interrupted => {
                report::error("stopped at once", &[], Some("run the same command again to continue"));
            }
        }
    }
}

fn print_other_plan(expected: &str, found: &str, differences: Option<&[String]>) {
    let error = format!("the plan is no longer the expected one: its digest is {found}, not {expected}");
    let nothing_shown = ["the expected plan was not shown on this machine".to_owned()];
    let hint = "look at it again with `bridgehead plan`; nothing was changed";
    report::error(&error, differences.unwrap_or(&nothing_shown), Some(hint));
}

/// Findings with their places; as rows for machines. Colours are taken out where they are not wanted.
fn print_profile(error: &LoadError, output: Output) {
    const WIDTH: usize = 100;
    match error {
        LoadError::Invalid(findings) if output == Output::Json => {
            report::say(&serde_json::to_string(&findings.rows()).unwrap_or_default());
        }
        LoadError::Invalid(findings) => report::say(findings.render(true, WIDTH).trim_end()),
        error => print_chain(error, None),
    }
}

fn print_chain<'a>(error: &'a dyn Error, mut hint: Option<&'a str>) {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        match cause.downcast_ref::<Hint>() {
            Some(Hint(text)) => hint = Some(text),
            None => causes.push(cause.to_string()),
        }
        source = cause.source();
    }
    report::error(&error.to_string(), &causes, hint);
}

macro_rules! from {
    ($($error:ty => $variant:expr),* $(,)?) => {
        $(impl From<$error> for CommandError {
            fn from(error: $error) -> Self {
                $variant(error)
            }
        })*
    };
}

from! {
    EnvironmentError => Self::Environment,
    FileError => Self::File,
    LockError => Self::Lock,
    LoadError => |error| Self::Profile(Box::new(error)),
    // A profile as it would be is read inside of flows.
    Failure => |failure: Failure| failure.downcast().map_or_else(Self::Failed, |error: LoadError| error.into()),
}
