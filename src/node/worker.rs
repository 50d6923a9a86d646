//! The life of one pod on a node, from its first sight to its deletion.
//!
//! Containers with a program of ours run as processes; all others are as good as their specification: running and
//! ready at once, or completed where the pod belongs to a Job.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec};
use kube::ResourceExt;
use tokio::sync::{Notify, watch};

use super::argocd::role;
use super::container::Runner;
use super::pods::Node;
use super::report;
use super::services::Backend;
use super::sources::Look;
use super::status::{self, Containers};
use super::volumes::Volumes;
use crate::engine::wait::pause;
use crate::files;

/// Between two tries of a request to the API server, and of filling volumes.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// How a pod is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// How long its programs have to end by themselves.
    pub(super) grace: Duration,
    /// What becomes of it.
    pub(super) fate: Fate,
}

/// What becomes of a pod that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The API server waits for us to say that it has ended.
    Delete,
    /// The API server has forgotten it.
    Forget,
    /// The agent stops, and another one will run it again.
    Keep,
}

/// Which container of a pod.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    Init(usize),
    Main(usize),
}

/// One pod.
pub(super) struct Worker {
    pub(super) node: Arc<Node>,
    /// As it was at first sight: what runs here does not change afterwards.
    pub(super) pod: Pod,
    pub(super) uid: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    pub(super) folder: PathBuf,
    pub(super) volumes: Volumes,
    /// Whether any of its containers has a program of ours.
    pub(super) is_real: bool,
    pub(super) ending: watch::Receiver<Option<Ending>>,
    containers: Mutex<Containers>,
    pub(super) changed: Notify,
}

impl Worker {
    pub(super) fn new(node: Arc<Node>, pod: Pod, ending: watch::Receiver<Option<Ending>>) -> Self {
        let uid = pod.uid().unwrap_or_default();
        let known = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()?.parse().ok());
        let address = node.host.address(&uid, known);
        let folder = node.pod_folder(&uid);
        let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let is_real = containers.any(|container| role(&pod, container).is_some());
        let volumes = Volumes::new(node.client.clone(), pod.clone(), address, folder.join("volumes"));
        Self {
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
            containers: Mutex::new(Containers::of(&pod)),
            changed: Notify::new(),
            node,
            pod,
            uid,
            address,
            folder,
            volumes,
            is_real,
            ending,
        }
    }

    /// Runs the pod until it is to end, and then ends it.
    pub(super) async fn run(self: Arc<Self>) {
        if self.is_real {
            self.node.host.services.set_backend(&self.uid, Some(self.backend()));
        }
        tokio::select! {
            // What needs no time is known before anything is told.
            biased;
            () = self.live() => {}
            () = report::changes(&self) => {}
        }
        self.node.host.services.set_backend(&self.uid, None);
        let fate = self.ending.borrow().map_or(Fate::Keep, |ending| ending.fate);
        if fate == Fate::Delete {
            report::end(&self.node, &self.pod).await;
        }
        if fate != Fate::Keep {
            self.node.host.release(&self.uid);
            remove(self.folder.clone()).await;
        }
    }

    fn spec(&self) -> &PodSpec {
        static NONE: std::sync::LazyLock<PodSpec> = std::sync::LazyLock::new(PodSpec::default);
        self.pod.spec.as_ref().unwrap_or(&NONE)
    }

    async fn live(&self) {
        if self.is_real && !self.fill_volumes().await {
            return;
        }
        for (index, container) in self.spec().init_containers.iter().flatten().enumerate() {
            if !self.initialize(Slot::Init(index), container).await {
                return;
            }
        }
        let restart = self.spec().restart_policy.as_deref().unwrap_or("Always");
        let containers = self.spec().containers.iter().enumerate();
        join_all(containers.map(|(index, container)| async move {
            let slot = Slot::Main(index);
            match role(&self.pod, container) {
                Some(role) => Runner { worker: self, container, slot, role, restart }.run().await,
                None => self.pretend(slot),
            }
        }))
        .await;
        self.ended().await;
    }

    /// Runs an init container until it has done its work; `false` if the pod ends before.
    async fn initialize(&self, slot: Slot, container: &Container) -> bool {
        if status::is_complete(slot.of(&mut self.containers())) {
            return true;
        }
        match role(&self.pod, container).filter(|_| self.is_real) {
            Some(role) => Runner { worker: self, container, slot, role, restart: "OnFailure" }.run().await,
            None => self.update(slot, |status| status.state = Some(status::completed())),
        }
        self.update(slot, |status| status.ready = status::is_complete(status));
        self.ending.borrow().is_none()
    }

    /// A container without a program of ours.
    fn pretend(&self, slot: Slot) {
        let owners = self.pod.owner_references();
        let is_job = owners.iter().any(|owner| owner.kind == "Job");
        self.update(slot, |status| {
            status.ready = !is_job;
            status.started = Some(!is_job);
            status.container_id = Some(format!("none://{}", self.uid));
            status.state = Some(if is_job { status::completed() } else { status::running() });
        });
    }

    /// Fills the volumes, as often as it takes; `false` if the pod ends before.
    async fn fill_volumes(&self) -> bool {
        loop {
            let look = Look::new(self.node.client.clone());
            let filled = tokio::select! {
                biased;
                () = self.ended() => return false,
                filled = self.volumes.refresh(&look) => filled,
            };
            let Err(error) = filled else { return true };
            for slot in (0..self.spec().containers.len()).map(Slot::Main) {
                self.wait_with(slot, "ContainerCreating", &error);
            }
            if self.pause(RETRY).await {
                return false;
            }
        }
    }

    /// Changes what is known of a container, and has it told if that is news.
    pub(super) fn update(&self, slot: Slot, change: impl FnOnce(&mut ContainerStatus)) {
        let ready = {
            let mut containers = self.containers();
            let status = slot.of(&mut containers);
            let before = status.clone();
            change(status);
            if *status == before {
                return;
            }
            containers.ready()
        };
        let ready = ready && self.ending.borrow().is_none();
        self.node.host.services.update_backend(&self.uid, |backend| backend.ready = ready);
        self.changed.notify_one();
    }

    /// Has Services choose other pods from now on.
    pub(super) fn unready(&self) {
        self.node.host.services.update_backend(&self.uid, |backend| backend.ready = false);
    }

    /// Says why a container does not start.
    pub(super) fn wait_with(&self, slot: Slot, reason: &str, error: &dyn std::error::Error) {
        let message = std::iter::successors(error.source(), |error| error.source())
            .fold(error.to_string(), |message, source| format!("{message}: {source}"));
        tracing::debug!(pod = self.name, reason, message, "waiting");
        self.update(slot, |status| status.state = Some(status::waiting(reason, Some(message))));
    }

    /// The ports that a container listens on now.
    pub(super) fn listen(&self, ports: &BTreeMap<u16, u16>) {
        self.node.host.services.update_backend(&self.uid, |backend| backend.ports.extend(ports));
    }

    /// Pauses; `true` at once when the pod is to end.
    pub(super) async fn pause(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.ended() => true,
            () = pause(duration) => false,
        }
    }

    /// Returns when the pod is to end.
    pub(super) async fn ended(&self) {
        let mut ending = self.ending.clone();
        // Without a sender nobody is left who could want it to run.
        let _ = ending.wait_for(Option::is_some).await;
    }

    /// Where a container's root is.
    pub(super) fn root(&self, container: &str) -> PathBuf {
        self.folder.join("roots").join(container)
    }

    /// Where a container's output goes.
    pub(super) fn log(&self, container: &str) -> PathBuf {
        self.folder.join(format!("{container}.log"))
    }

    /// Where the output of a container's previous run is, or an earlier part of a long one.
    pub(super) fn previous_log(&self, container: &str) -> PathBuf {
        self.folder.join(format!("{container}.previous.log"))
    }

    fn backend(&self) -> Backend {
        let ports = self.spec().containers.iter().flat_map(|container| container.ports.iter().flatten());
        let names = ports.filter_map(|port| Some((port.name.clone()?, port.container_port.try_into().ok()?)));
        Backend {
            namespace: self.namespace.clone(),
            labels: self.pod.labels().clone(),
            names: names.collect(),
            ..Backend::default()
        }
    }

    /// What is known of the containers.
    pub(super) fn containers(&self) -> MutexGuard<'_, Containers> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn of(self, containers: &mut Containers) -> &mut ContainerStatus {
        match self {
            Self::Init(index) => &mut containers.init[index],
            Self::Main(index) => &mut containers.main[index],
        }
    }
}

/// Removes a pod's folder, which may hold whole repositories, without keeping others waiting.
async fn remove(folder: PathBuf) {
    let removed = tokio::task::spawn_blocking(move || files::remove_folder(&folder)).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(error = &error as &dyn std::error::Error, "pod folder not removed");
    }
}
