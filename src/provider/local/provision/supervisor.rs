//! The step `<cluster>/provision/supervisor`: one runs with the wanted configuration, and its API serves.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::engine::facts::ClusterFacts;
use crate::engine::{Access, Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files::{self, FileError};
use crate::provider::api_server;
use crate::provider::local::LocalCluster;
use crate::provider::local::configuration::{Configuration, ConfigurationError};
use crate::provider::local::layout::Layout;
use crate::provider::local::pki::Pki;
use crate::provider::local::ports::Ports;
use crate::provider::local::processes;
use crate::provider::local::state::{self, Process, State, StateError, last_lines};
use crate::provider::local::supervisor::READY;
use crate::site::name::ClusterName;

/// How long a supervisor may take to start the cluster's processes.
const START: Duration = Duration::from_secs(30);

/// Why there is no supervisor, or none of use.
#[derive(Debug, thiserror::Error)]
enum SupervisorStepError {
    #[error("cannot start the supervisor of {cluster} through `{}`", .executable.display())]
    Spawn { cluster: ClusterName, executable: PathBuf, source: io::Error },
    #[error("cannot start the supervisor of {cluster}")]
    Log { cluster: ClusterName, source: FileError },
    #[error("the supervisor of {0} ended: {1}")]
    Ended(ClusterName, String),
    #[error("{process} of {cluster} keeps ending ({exit}): {lines}")]
    KeepsEnding { cluster: ClusterName, process: String, exit: String, lines: String },
}

pub(in crate::provider::local) struct StartSupervisor {
    cluster: LocalCluster,
    /// Whether this run has started it. A process that kept crashing before deserves a fresh start; one that does
    /// so after that will not get better by waiting.
    started: AtomicBool,
}

impl StartSupervisor {
    pub(in crate::provider::local) fn new(cluster: LocalCluster) -> Self {
        Self { cluster, started: AtomicBool::new(false) }
    }

    fn name(&self) -> String {
        format!("supervisor of {}", self.cluster.name)
    }

    /// What is wrong with the supervisor that runs, if one does.
    fn difference(&self, told: Result<Option<State>, StateError>) -> Result<Option<Change>, Stop> {
        // What a machine chooses for itself (ports, certificates) is no part of the plan.
        let nodes = &self.cluster.nodes;
        let restart = |why: String| {
            Ok(Some(Change::update(self.name(), format!("restart, {why}")).with_content(nodes)))
        };
        let state = match told {
            Ok(Some(state)) => state,
            Ok(None) if self.started.load(Ordering::Relaxed) => return Err(self.ended().into()),
            Ok(None) => return Ok(Some(Change::create(self.name()).with_content(nodes))),
            Err(StateError::Connection { folder, source }) => {
                return Err(StateError::Connection { folder, source }.into());
            }
            Err(error) => return restart(error.to_string()),
        };
        if state.stopping {
            return restart("it is about to end".to_owned());
        }
        // Where the files of the wanted one are not there yet, an earlier step has said so.
        let Ok(wanted) = self.wanted() else {
            return restart("its files are not there".to_owned());
        };
        let differences = wanted.differences(&state.fingerprint);
        if !differences.is_empty() {
            return restart(format!("other {}", differences.join(", ")));
        }
        match state.failing() {
            Some(process) if self.started.load(Ordering::Relaxed) => {
                let log = process.log.display();
                let hint = format!("its log is {log}; `down` and `up` make the cluster anew");
                Err(Failure::from(self.keeps_ending(process)).with_hint(hint).into())
            }
            Some(process) => restart(self.keeps_ending(process).to_string()),
            None => Ok(None),
        }
    }

    fn ended(&self) -> Failure {
        let log = self.cluster.layout.log("supervisor");
        let lines = last_lines(&log).join(" | ");
        let error = SupervisorStepError::Ended(self.cluster.name.clone(), lines);
        Failure::from(error).with_hint(format!("its log is {}", log.display()))
    }

    fn keeps_ending(&self, process: &Process) -> SupervisorStepError {
        SupervisorStepError::KeepsEnding {
            cluster: self.cluster.name.clone(),
            process: process.name.clone(),
            exit: process.exit.clone().unwrap_or_default(),
            lines: process.last_lines.join(" | "),
        }
    }

    fn wanted(&self) -> Result<Configuration, ConfigurationError> {
        let LocalCluster { layout, nodes, components, env, .. } = &self.cluster;
        Configuration::wanted(layout, nodes, components, &env.executable)
    }
}

/// How this machine's user reaches the API, if files and ports are there.
pub(in crate::provider::local) fn access(cluster: &LocalCluster) -> Option<Access> {
    let LocalCluster { layout, nodes, .. } = cluster;
    let port = Ports::read(layout).ok().flatten()?.api_server();
    Pki::new(layout, nodes).access("admin.pem", port).ok()
}

/// What a supervisor is started with; why it cannot be known is for the run that would start one.
pub(in crate::provider::local) type Work = Result<Configuration, ConfigurationError>;

impl Step for StartSupervisor {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster.name, "provision/supervisor")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "its supervisor runs, and the API serves"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed<Work>, Stop> {
        let told = state::ask(&self.cluster.layout).await;
        // Its API may still serve, but nothing that is asked of it there would happen to a pod.
        let is_silent = matches!(told, Err(StateError::Silent(_)));
        let mut changes: Vec<Change> = self.difference(told)?.into_iter().collect();
        let work = (!changes.is_empty()).then(|| self.wanted());
        let Some(access) = access(&self.cluster).filter(|_| !is_silent) else {
            return Ok(Observed { facts: Facts::default(), changes, work });
        };
        let client = self.cluster.env.clients.get(&access).await?;
        if let Some(reason) = api_server::unserving(&client).await {
            if changes.is_empty() {
                changes.push(Change::wait(format!("API server of {}", self.cluster.name), reason));
            }
            return Ok(Observed { facts: Facts::default(), changes, work });
        }
        let version = client.apiserver_version().await?.git_version;
        let learnt = ClusterFacts { access: Some(access), version: Some(version), ..ClusterFacts::default() };
        Ok(Observed { facts: Facts::of(&self.cluster.name, learnt), changes, work })
    }

    async fn apply(&self, work: Work, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let layout = &self.cluster.layout;
        let wanted = work.map_err(with_hint)?;
        writer.perform(async { wanted.write(layout) }).await?;
        writer.perform(end(layout)).await?;
        writer.perform(async { files::remove(&layout.leaving()) }).await?;
        let started = writer.perform(start(&self.cluster)).await?;
        self.started.store(started, Ordering::Relaxed);
        if started { Ok(()) } else { Err(self.ended()) }
    }
}

fn with_hint(error: ConfigurationError) -> Failure {
    let is_component = matches!(error, ConfigurationError::Component { .. });
    let failure = Failure::from(error);
    if is_component { failure.with_hint("`bridgehead components fetch` gets it") } else { failure }
}

/// Ends the supervisor that runs and everything that it has left, if there is any.
async fn end(layout: &Layout) -> Result<(), Failure> {
    // One that does not answer is ended by force, like what a killed one has left.
    let _ = state::stop(layout).await;
    Ok(processes::end(layout).await?)
}

/// Starts a supervisor and returns whether it says that the cluster is started.
async fn start(cluster: &LocalCluster) -> Result<bool, SupervisorStepError> {
    let LocalCluster { name, layout, env, .. } = cluster;
    let output = files::open_log(&layout.log("supervisor"))
        .map_err(|source| SupervisorStepError::Log { cluster: name.clone(), source })?;
    let mut child = Command::new(&env.executable)
        .arg("supervise")
        .arg(layout.folder())
        .current_dir(layout.folder())
        // It outlives this command, and what the environment of this command holds may be secret.
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(output)
        .spawn()
        .map_err(|source| SupervisorStepError::Spawn {
            cluster: name.clone(),
            executable: env.executable.clone(),
            source,
        })?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let _ = tokio::time::timeout(START, output.read_line(&mut line)).await;
    }
    Ok(line.trim() == READY)
}
