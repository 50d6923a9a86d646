//! The pods of one node: watched, each with a worker, and looked after every few seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::host::Host;
use super::report;
use super::sources::Look;
use super::worker::{Ending, Fate, Worker};
use crate::engine::wait::pause;
use crate::files;

/// How long a watch lasts. Connections that are silent for a minute are given up.
pub(super) const WATCH_SECONDS: u32 = 50;

/// Between two tries to reach the API server, which starts at the same time as the agent.
pub(super) const RETRY: Duration = Duration::from_millis(100);

/// How long programs may take when the agent stops.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// How long programs of a pod may take that the API server has forgotten: a kubelet's shortest grace period.
const FORGOTTEN_GRACE: Duration = Duration::from_secs(2);

/// How often volumes are brought up to date.
const REFRESH: Duration = Duration::from_secs(5);

/// A node and its pods.
pub(super) struct Node {
    pub(super) name: String,
    /// The address of its kubelet API.
    pub(super) address: Ipv4Addr,
    /// The port of its kubelet API.
    pub(super) port: u16,
    pub(super) client: Client,
    pub(super) host: Arc<Host>,
    pub(super) stopped: CancellationToken,
    pods: Mutex<BTreeMap<String, Entry>>,
}

struct Entry {
    worker: Arc<Worker>,
    ending: watch::Sender<Option<Ending>>,
}

impl Node {
    pub(super) fn new(
        name: String,
        (address, port): (Ipv4Addr, u16),
        client: Client,
        host: Arc<Host>,
        stopped: CancellationToken,
    ) -> Self {
        Self { name, address, port, client, host, stopped, pods: Mutex::default() }
    }

    /// Where what belongs to a pod is kept.
    pub(super) fn pod_folder(&self, uid: &str) -> PathBuf {
        self.pods_folder().join(uid)
    }

    fn pods_folder(&self) -> PathBuf {
        self.host.folder.join("pods").join(&self.name)
    }

    /// The pod of a name.
    pub(super) fn worker(&self, namespace: &str, name: &str) -> Option<Arc<Worker>> {
        let pods = self.pods();
        let entry =
            pods.values().find(|entry| entry.worker.namespace == namespace && entry.worker.name == name)?;
        Some(Arc::clone(&entry.worker))
    }

    /// Runs the node's pods until the agent stops, and then ends their programs.
    pub(super) async fn run_pods(self: &Arc<Self>) {
        let pods = Api::<Pod>::all(self.client.clone());
        let mine = format!("spec.nodeName={}", self.name);
        let mut events = pin!(watcher(pods, watcher::Config::default().fields(&mine).timeout(WATCH_SECONDS)));
        let mut workers = JoinSet::new();
        let mut listed = BTreeSet::new();
        loop {
            let event = tokio::select! {
                () = self.stopped.cancelled() => break,
                Some(_) = workers.join_next() => continue,
                event = events.next() => event,
            };
            match event {
                Some(Ok(Event::Init)) => listed.clear(),
                Some(Ok(Event::InitApply(pod))) => {
                    listed.insert(pod.uid().unwrap_or_default());
                    self.apply(pod, &mut workers);
                }
                Some(Ok(Event::InitDone)) => self.retain(&listed),
                Some(Ok(Event::Apply(pod))) => self.apply(pod, &mut workers),
                Some(Ok(Event::Delete(pod))) => self.forget(&pod.uid().unwrap_or_default()),
                Some(Err(error)) => {
                    tracing::debug!(node = self.name, %error, "pods not watched");
                    pause(RETRY).await;
                }
                None => break,
            }
        }
        for entry in self.pods().values() {
            entry.end(STOP_GRACE, Fate::Keep);
        }
        while workers.join_next().await.is_some() {}
    }

    fn apply(self: &Arc<Self>, pod: Pod, workers: &mut JoinSet<()>) {
        let uid = pod.uid().unwrap_or_default();
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
        let grace = Duration::from_secs(grace.try_into().unwrap_or_default());
        let is_ending = pod.metadata.deletion_timestamp.is_some();
        let mut pods = self.pods();
        if let Some(entry) = pods.get(&uid) {
            if is_ending {
                entry.end(grace, Fate::Delete);
            }
            let labels = pod.metadata.labels.unwrap_or_default();
            self.host.services.update_backend(&uid, |backend| backend.labels = labels);
        } else if is_ending {
            // What is left of it is the API server's, unless it waits for us.
            if !grace.is_zero() {
                let node = Arc::clone(self);
                workers.spawn(async move { report::end(&node, &pod).await });
            }
        } else if !is_over(&pod) {
            let (sender, receiver) = watch::channel(None);
            let worker = Arc::new(Worker::new(Arc::clone(self), pod, receiver));
            workers.spawn(Arc::clone(&worker).run());
            pods.insert(uid, Entry { worker, ending: sender });
        }
    }

    fn forget(&self, uid: &str) {
        if let Some(entry) = self.pods().remove(uid) {
            entry.end(FORGOTTEN_GRACE, Fate::Forget);
        }
    }

    /// Ends what the API server does not list, and removes what an earlier agent kept of it.
    fn retain(&self, listed: &BTreeSet<String>) {
        let gone = self.pods().keys().filter(|uid| !listed.contains(*uid)).cloned().collect::<Vec<_>>();
        for uid in &gone {
            self.forget(uid);
        }
        for name in files::names(&self.pods_folder()).unwrap_or_default() {
            if !listed.contains(&name) && !gone.contains(&name) {
                let folder = self.pod_folder(&name);
                tokio::task::spawn_blocking(move || files::remove_folder(&folder));
            }
        }
    }

    /// Keeps volumes up to date and logs short, for ever.
    pub(super) async fn look_after_pods(&self) {
        loop {
            pause(REFRESH).await;
            let workers = self.pods().values().map(|entry| Arc::clone(&entry.worker)).collect::<Vec<_>>();
            let look = Look::new(self.client.clone());
            for worker in workers.iter().filter(|worker| worker.is_real) {
                if let Err(error) = worker.volumes.refresh(&look).await {
                    tracing::debug!(pod = worker.name, error = &error as &dyn std::error::Error, "volumes");
                }
                for container in worker.pod.spec.iter().flat_map(|spec| &spec.containers) {
                    let (log, previous) = (worker.log(&container.name), worker.previous_log(&container.name));
                    let _ = files::keep_log_short(&log, &previous);
                }
            }
        }
    }

    fn pods(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Asks the pod to end, or to end sooner than it was asked before.
    fn end(&self, grace: Duration, fate: Fate) {
        self.ending.send_if_modified(|ending| {
            let wanted = Ending { grace: ending.map_or(grace, |ending| ending.grace.min(grace)), fate };
            ending.replace(wanted) != Some(wanted)
        });
        self.worker.unready();
    }
}

/// Whether a pod has run to its end.
fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}
