//! One supervisor per cluster: it outlives the command that started it, and its children do not outlive it.
//!
//! It starts the control plane, is the node agent, starts again what crashes, and tells its state on a socket.

mod keep;
mod serve;

use std::cell::{Cell, RefCell};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join;
use rustix::fs::Mode;
use rustix::process::{setsid, umask};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::configuration::{Configuration, ConfigurationError};
use super::control_plane::ControlPlane;
use super::layout::Layout;
use super::pki::{self, Pki, PkiError};
use super::processes::{self, EndError};
use super::state::State;
use crate::engine::Access;
use crate::engine::lock::{Lock, LockError};
use crate::engine::wait::pause;
use crate::files::{self, FileError};
use crate::k8s;
use crate::node::{self, Agent, AgentError, NodeConfig};
use crate::provider::api_server;
use keep::Kept;

/// What a supervisor says on its standard output once the cluster is started and the socket answers.
pub(super) const READY: &str = "ready";
/// The running executable, also after its file was replaced.
const EXECUTABLE: &str = "/proc/self/exe";
/// What the name of a log has besides that holds what was there before it began anew.
const PREVIOUS: &str = ".previous";
/// How long pods may take to end.
const AGENT_GRACE: Duration = Duration::from_secs(20);

/// Why a supervisor ended other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// There is another one, or there is no such cluster.
    #[error("cannot supervise the cluster in `{}`", .folder.display())]
    Lock {
        /// The cluster's folder.
        folder: PathBuf,
        /// What failed.
        source: LockError,
    },
    /// The system refused something that every supervisor needs.
    #[error("cannot {operation}")]
    System {
        /// What it was.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// What to run is not known.
    #[error("cannot start the cluster")]
    Configuration(#[source] ConfigurationError),
    /// A file of the cluster cannot be used.
    #[error("cannot start the cluster")]
    File(#[source] FileError),
    /// Its certificates cannot be used.
    #[error("cannot start the cluster")]
    Pki(#[source] PkiError),
    /// Processes of a killed predecessor are in the way.
    #[error("cannot start the cluster")]
    End(#[source] EndError),
    /// The node agent cannot work.
    #[error("cannot start the node agent")]
    Agent(#[source] AgentError),
}

fn refused(operation: &'static str) -> impl FnOnce(io::Error) -> SupervisorError {
    move |source| SupervisorError::System { operation, source }
}

/// The hidden command `supervise`: runs the cluster in `folder` until it is asked to stop.
///
/// # Errors
/// When the cluster cannot be started. What crashes later is started again.
pub fn run(folder: &Path) -> Result<(), SupervisorError> {
    // A session of its own: neither a closing terminal nor an interrupt of the command reaches it.
    let _ = setsid();
    umask(Mode::RWXG | Mode::RWXO);
    log();
    // One thread: children die with the thread that started them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(refused("start the runtime"))?;
    // Made before the lock and so dropped after it: once a connection ends, the lock is free.
    let tasks = LocalSet::new();
    let layout = Layout::new(folder.to_owned());
    let lock = Lock::take(&layout.lock())
        .map_err(|source| SupervisorError::Lock { folder: folder.to_owned(), source })?;
    let _mark = processes::mark(&layout).map_err(refused("mark the processes of the cluster"))?;
    tasks.block_on(&runtime, supervise(&layout, &lock))
}

/// Logs to the standard error, which is the supervisor's log.
fn log() {
    // While an API server starts, being refused is no news.
    let filter = EnvFilter::new("info,kube_client=off");
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(io::stderr).with_env_filter(filter);
    // If the command has chosen a subscriber already, that one will do.
    let _ = log.try_init();
}

async fn supervise(layout: &Layout, lock: &Lock) -> Result<(), SupervisorError> {
    let configuration = Configuration::read(layout).map_err(SupervisorError::Configuration)?;
    let stop = CancellationToken::new();
    let ended = ended(lock, &stop)?;
    let listener = serve::bind(layout).map_err(refused("listen on the supervisor's socket"))?;
    let pid = std::process::id().to_string();
    files::replace(&layout.pid(), pid.as_bytes(), 0o600).map_err(SupervisorError::File)?;

    processes::end(layout).await.map_err(SupervisorError::End)?;
    let cluster = Rc::new(Cluster::start(layout, &configuration)?);
    announce().map_err(refused("say that the cluster is started"))?;
    tracing::info!("the cluster is started");
    tokio::task::spawn_local(serve::serve(listener, Rc::clone(&cluster), stop.clone()));
    tokio::task::spawn_local(keep_logs_short(layout.clone()));
    ended.await;
    tracing::info!("the cluster is stopped");
    cluster.stop().await;
    // Whoever asked for the end is told by the end of the connection, so that comes last.
    let removed = serve::unbind(layout).and(files::remove(&layout.pid()));
    removed.map_err(SupervisorError::File)
}

/// Tells the command that started us that the socket answers.
fn announce() -> io::Result<()> {
    let mut output = io::stdout().lock();
    // Nobody may be listening any more; that is no reason not to run the cluster.
    match writeln!(output, "{READY}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Resolves when there is a reason to stop: a request, a signal, or the cluster's folder is gone.
fn ended(lock: &Lock, stop: &CancellationToken) -> Result<impl Future<Output = ()>, SupervisorError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(refused("listen for signals"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused("listen for signals"))?;
    Ok(async move {
        let removed = async {
            while lock.is_in_place() {
                pause(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = removed => tracing::warn!("the folder of the cluster was removed"),
        }
    })
}

/// The processes of a running cluster.
struct Cluster {
    configuration: Configuration,
    etcd: Kept,
    api_server: Kept,
    controller_manager: Kept,
    scheduler: Kept,
    agent: RefCell<Option<Agent>>,
    stopping: Cell<bool>,
}

impl Cluster {
    /// Starts what can be started at once; the rest follows when the API server is ready.
    fn start(layout: &Layout, configuration: &Configuration) -> Result<Self, SupervisorError> {
        let pki = Pki::new(layout, &configuration.nodes);
        let Configuration { ports, components, .. } = configuration;
        let plane = ControlPlane { layout, pki: &pki, ports: *ports, components };
        plane.write_kubeconfigs().map_err(SupervisorError::File)?;
        let admin = pki.access("admin.pem", ports.api_server()).map_err(SupervisorError::Pki)?;
        // The API server waits for etcd by itself. Controllers would give up on an API server that is not there.
        let ready = ready(admin).shared();
        let etcd = Kept::start(plane.etcd(), std::future::ready(()));
        let api_server = Kept::start(plane.api_server(), std::future::ready(()));
        let agent =
            Agent::start(node_config(layout, &pki, configuration)?).map_err(SupervisorError::Agent)?;
        Ok(Self {
            configuration: configuration.clone(),
            etcd,
            api_server,
            controller_manager: Kept::start(plane.controller_manager(), ready.clone()),
            scheduler: Kept::start(plane.scheduler(), ready),
            agent: RefCell::new(Some(agent)),
            stopping: Cell::new(false),
        })
    }

    fn state(&self) -> State {
        let processes = [&self.etcd, &self.api_server, &self.controller_manager, &self.scheduler];
        State {
            pid: std::process::id(),
            stopping: self.stopping.get(),
            fingerprint: self.configuration.fingerprint.clone(),
            processes: processes.map(Kept::process).to_vec(),
            services: self.agent.borrow().as_ref().map(Agent::services).unwrap_or_default(),
        }
    }

    /// Stops everything, each before what it needs.
    async fn stop(&self) {
        self.stopping.set(true);
        let agent = self.agent.take();
        if let Some(agent) = agent
            && tokio::time::timeout(AGENT_GRACE, agent.stop()).await.is_err()
        {
            tracing::warn!("pods did not end in time");
        }
        join(self.controller_manager.stop(), self.scheduler.stop()).await;
        self.api_server.stop().await;
        self.etcd.stop().await;
    }
}

/// Keeps the logs of all processes short, this one's too, for ever.
async fn keep_logs_short(layout: Layout) {
    const PERIOD: Duration = Duration::from_secs(10);
    loop {
        let names = files::names(&layout.logs()).unwrap_or_default();
        let processes = names.iter().filter_map(|name| name.strip_suffix(".log"));
        for process in processes.filter(|process| !process.ends_with(PREVIOUS)) {
            let previous = layout.log(&format!("{process}{PREVIOUS}"));
            if let Err(error) = files::keep_log_short(&layout.log(process), &previous) {
                tracing::warn!(error = &error as &dyn std::error::Error, "a log goes on growing");
            }
        }
        pause(PERIOD).await;
    }
}

/// Resolves when the API server is ready for controllers.
async fn ready(admin: Access) {
    let client = match k8s::connect(&admin).await {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the API server cannot be watched");
            return;
        }
    };
    loop {
        if api_server::unready(&client).await.is_none() {
            return;
        }
        pause(Duration::from_millis(50)).await;
    }
}

fn node_config(
    layout: &Layout,
    pki: &Pki,
    configuration: &Configuration,
) -> Result<node::Config, SupervisorError> {
    let ports = configuration.ports;
    let authority = pki.authority().map_err(SupervisorError::Pki)?;
    let node = |(index, name): (u16, &String)| {
        let kubelet = pki.pair(&pki::kubelet_file(name))?;
        Ok(NodeConfig {
            name: name.clone(),
            access: pki.access(&pki::node_file(name), ports.api_server())?,
            address: Ipv4Addr::LOCALHOST,
            port: ports.kubelet(index),
            client_authority: authority.clone(),
            certificate: kubelet.certificate,
            key: kubelet.key,
        })
    };
    let nodes: Result<Vec<NodeConfig>, PkiError> = (0..).zip(&configuration.nodes).map(node).collect();
    Ok(node::Config {
        nodes: nodes.map_err(SupervisorError::Pki)?,
        server: format!("https://127.0.0.1:{}", ports.api_server()),
        authority,
        folder: layout.node(),
        components: configuration.components.clone(),
        executable: EXECUTABLE.into(),
        service_ports: ports.services(),
        pod_ports: ports.pods(),
    })
}
