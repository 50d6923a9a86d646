//! What the commands share that work on a site: its profile, surroundings, reporter, log, lock and signals.

use std::collections::BTreeSet;
use std::future::Future;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::CommandError;
use super::exit::Exit;
use super::{Global, descriptors, environment, log, review, typed};
use crate::engine::StepId;
use crate::engine::event::{Event, Events, RunResult, Subject};
use crate::engine::guard::Guard;
use crate::engine::lock::Lock;
use crate::engine::run::{Mode, Plan, Report, Run};
use crate::engine::tree::Tree;
use crate::env::Env;
use crate::files;
use crate::flow::departed::Departed;
use crate::flow::lease::HubLease;
use crate::report::{self, Output};
use crate::site::name::{ClusterName, SiteName};
use crate::site::{Site, load};

/// A command at work on a site.
pub(super) struct Session {
    pub(super) site: Arc<Site>,
    pub(super) env: Arc<Env>,
    pub(super) output: Output,
    events: Events,
    cancel: CancellationToken,
    at_once: NonZeroU16,
    patience: Option<Duration>,
    lease: Arc<HubLease>,
    log: Option<PathBuf>,
    started: Instant,
}

/// How the events of a session are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// To the person or machine that asked.
    Events,
    /// Not at all: the command answers with a document.
    Nothing,
}

impl Session {
    /// Opens a session, does the command's work in it, and ends the events with `finished`.
    pub(super) fn run<F>(
        global: &Global,
        name: &SiteName,
        show: Show,
        work: impl FnOnce(Arc<Self>) -> F,
    ) -> Result<Exit, CommandError>
    where
        F: Future<Output = Result<Exit, CommandError>>,
    {
        let output = global.output();
        let env = Arc::new(environment::read(global)?);
        let log = log::start(&env.state, name, global.verbose);
        let events = events(name, output, show);
        let started = Instant::now();
        let finish = |error: CommandError| {
            let seconds = started.elapsed().as_secs_f64();
            events.send(Event::Finished { result: error.result(), changes: 0, seconds, digest: None });
            error.with_log(log.clone())
        };
        let site = load::load(env.root.as_deref(), name, &global.overrides.resolve())
            .map_err(CommandError::from)
            .map_err(finish)?;
        let site = Arc::new(site);
        let limit = descriptors::raise();
        let mut at_once = global.concurrency;
        if let Some(possible) = descriptors::at_once(&site, limit) {
            at_once = at_once.min(possible);
            env.clients.keep_none();
            report::say(&descriptors::warning(limit, at_once));
        }
        let session = Arc::new(Self {
            lease: Arc::new(HubLease::new(&site, &env, environment::operator(&env))),
            site,
            env,
            output,
            events: events.clone(),
            cancel: CancellationToken::new(),
            at_once,
            patience: global.timeout,
            log: log.clone(),
            started,
        });
        let runtime = Runtime::new().map_err(CommandError::Runtime).map_err(finish)?;
        let result = runtime.block_on(async {
            let interrupted = interrupted(session.cancel.clone(), show);
            let result = tokio::select! {
                // Signals are listened for before anything else happens.
                biased;
                error = interrupted => Err(error),
                result = work(Arc::clone(&session)) => result,
            };
            session.env.hosts.close().await;
            result
        });
        runtime.shutdown_background();
        result.map_err(finish)
    }

    /// Takes the site's lock, for commands that change something.
    pub(super) fn lock(&self) -> Result<Lock, CommandError> {
        let folder = self.env.site_folder(&self.site.name);
        files::make_folder(&folder)?;
        Ok(Lock::take(&folder.join("lock"))?)
    }

    /// Walks a flow's tree, showing its events.
    pub(super) async fn walk(
        &self,
        mode: Mode,
        selection: Option<BTreeSet<ClusterName>>,
        tree: &Tree,
    ) -> Report {
        let run = Run { selection, ..self.run_in(mode) };
        run.walk(tree).await
    }

    /// Carries out what was confirmed, and nothing else; `None`: nobody was asked.
    pub(super) async fn carry_out(
        &self,
        selection: Option<BTreeSet<ClusterName>>,
        tree: &Tree,
        confirmed: Option<Plan>,
    ) -> Report {
        let run = Run { selection, confirmed: confirmed.map(Arc::new), ..self.run_in(Mode::Apply) };
        run.walk(tree).await
    }

    /// Walks a flow's tree without showing anything, for commands that answer with a document.
    pub(super) async fn look(&self, tree: &Tree) -> Report {
        self.preview(None, tree).await
    }

    /// Looks at what [`Self::carry_out`] would do, without showing anything.
    pub(super) async fn preview(&self, selection: Option<BTreeSet<ClusterName>>, tree: &Tree) -> Report {
        let events = Events::new(self.site.name.clone(), log::event);
        let run = Run { selection, events, fault: None, ..self.run_in(Mode::Plan) };
        run.walk(tree).await
    }

    /// A run of the whole site that shows its events; whatever may change something keeps other operators away.
    fn run_in(&self, mode: Mode) -> Run {
        self.env.forget();
        Run {
            guard: (mode == Mode::Apply).then(|| self.guard()),
            at_once: self.at_once,
            patience: self.patience,
            writes: self.env.looks.writes(),
            cancel: self.cancel.clone(),
            fault: environment::fault(),
            ..Run::new(mode, self.events.clone())
        }
    }

    /// What other operators are kept away with while this one changes something.
    fn guard(&self) -> Arc<dyn Guard> {
        Arc::clone(&self.lease) as Arc<dyn Guard>
    }

    /// Says something about a step of the hub that its run could not say.
    pub(super) fn remark(&self, step: &str, message: String) {
        let hub = &self.site.hub.name;
        let subject = Subject { step: StepId::of(hub, step), cluster: Some(hub.clone()) };
        self.events.send(Event::Progress { subject, message });
    }

    /// Resolves when somebody wants the command to end.
    pub(super) async fn interrupted(&self) {
        self.cancel.cancelled().await;
    }

    /// Sends the last event and turns the report into an exit code.
    pub(super) fn finish(&self, report: &Report) -> Exit {
        let digest = report.plan().and_then(|plan| review::keep(&self.env, &self.site.name, &plan).ok());
        self.finish_as(report.result, report.count(), digest)
    }

    /// Tells machines what left the profile.
    pub(super) fn tell_departed(&self, departed: &Departed) {
        if !departed.is_empty() {
            self.events.send(Event::Departed { subjects: departed.lines() });
        }
    }

    /// A plan for people, with its digest, and what left the profile.
    pub(super) fn plan(&self, report: &Report, departed: &Departed) -> String {
        let plan = report.plan();
        let digest = plan.and_then(|plan| review::keep(&self.env, &self.site.name, &plan).ok());
        report::plan(report, digest.as_deref(), &departed.lines(), departed.unseen())
    }

    /// Says how a run that did not converge goes on, sends the last event, and turns the report into an exit code.
    pub(super) fn conclude(&self, report: &Report) -> Exit {
        self.say_how_to_continue(report);
        self.finish(report)
    }

    /// Sends the last event for a run that ended without or before its report.
    pub(super) fn finish_as(&self, result: RunResult, changes: usize, digest: Option<String>) -> Exit {
        let seconds = self.started.elapsed().as_secs_f64();
        self.events.send(Event::Finished { result, changes, seconds, digest });
        result.into()
    }

    /// Says on stderr how a run that did not converge goes on: by the command as it was typed.
    fn say_how_to_continue(&self, report: &Report) {
        if matches!(report.result, RunResult::Converged | RunResult::Planned) {
            return;
        }
        for line in report::left_out(report) {
            report::say(&line);
        }
        let made = report.changes.len();
        if made > 0 {
            let steps = if made == 1 { "step" } else { "steps" };
            report::say(&format!(
                "left behind: what {made} {steps} changed stays as it is; nothing was undone"
            ));
        }
        report::say(&format!("to continue: {}", typed::command()));
        if let Some(log) = &self.log {
            report::say(&format!("log: {}", log.display()));
        }
    }
}

fn events(name: &SiteName, output: Output, show: Show) -> Events {
    match show {
        Show::Nothing => Events::new(name.clone(), log::event),
        Show::Events => {
            let reporter = report::reporter(output);
            Events::new(name.clone(), move |stamped| {
                log::event(stamped);
                reporter(stamped);
            })
        }
    }
}

/// The first signal stops the run before its next step; the second one ends the command.
async fn interrupted(cancel: CancellationToken, show: Show) -> CommandError {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals' default applies, which ends the process.
        return std::future::pending().await;
    };
    either(&mut interrupt, &mut terminate).await;
    cancel.cancel();
    if show == Show::Events {
        report::say("stopping before the next step; once more to stop at once");
    }
    either(&mut interrupt, &mut terminate).await;
    CommandError::Interrupted
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
