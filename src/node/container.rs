//! The life of one container as a process: start, probes, restart.

use std::convert::Infallible;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, Probe};
use tokio::time::Instant;

use super::argocd::Role;
use super::launch::{Launch, LaunchError, compose};
use super::leftovers;
use super::probe::{Prober, seconds};
use super::sources::SourceError;
use super::status::{now, running, terminated, waiting};
use super::worker::{Slot, Worker};
use crate::engine::wait::pause;
use crate::files;
use crate::node::process::Child;

/// Between two tries to start what refers to something absent.
const RETRY: Backoff =
    Backoff { next: Duration::from_millis(100), longest: Duration::from_secs(5), growth: 1.25 };

/// Between two starts of what keeps ending.
const RESTART: Backoff =
    Backoff { next: Duration::from_secs(1), longest: Duration::from_mins(1), growth: 2.0 };

/// What ran for so long is started again at once.
const STABLE: Duration = Duration::from_mins(1);

/// How often a container that is not ready yet is probed, whatever its probe says: its start is what people
/// wait for.
const IMPATIENCE: Duration = Duration::from_millis(100);

/// One container of a pod.
pub(super) struct Runner<'a> {
    pub(super) worker: &'a Worker,
    pub(super) container: &'a Container,
    pub(super) slot: Slot,
    pub(super) role: &'static Role,
    /// When to start it again: `Always`, `OnFailure` or `Never`.
    pub(super) restart: &'a str,
}

/// Growing pauses.
#[derive(Debug, Clone)]
struct Backoff {
    next: Duration,
    longest: Duration,
    growth: f64,
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = now.mul_f64(self.growth).min(self.longest);
        now
    }
}

impl Runner<'_> {
    /// Runs the container until the pod ends, or until it ends and is not to be started again.
    pub(super) async fn run(&self) {
        let mut backoff = RESTART;
        while let Some(launch) = self.launch().await {
            let started = Instant::now();
            let Some(end) = self.live(launch).await else { return };
            let code = end.exit_code;
            if self.restart == "Never" || (self.restart == "OnFailure" && code == 0) {
                self.worker.update(self.slot, |status| {
                    status.ready = false;
                    status.state = Some(terminated(end));
                });
                return;
            }
            let delay = if started.elapsed() < STABLE {
                backoff.next()
            } else {
                backoff = RESTART;
                Duration::ZERO
            };
            tracing::info!(pod = self.worker.name, container = self.container.name, code, ?delay, "ended");
            let message = format!("back-off {}s restarting failed container", delay.as_secs());
            self.worker.update(self.slot, |status| {
                status.ready = false;
                status.started = Some(false);
                status.container_id = None;
                status.last_state = Some(terminated(end));
                status.state = Some(waiting("CrashLoopBackOff", Some(message)));
            });
            if self.worker.pause(delay).await {
                return;
            }
        }
    }

    /// Composes the program, as often as it takes; nothing if the pod ends before.
    async fn launch(&self) -> Option<Launch> {
        let mut backoff = RETRY;
        loop {
            let composed = tokio::select! {
                biased;
                () = self.worker.ended() => return None,
                composed = compose(self.worker, self.container, self.role) => composed,
            };
            let error = match composed {
                Ok(launch) => return Some(launch),
                Err(error) => error,
            };
            let reason = match &error {
                LaunchError::Source(SourceError::Api { .. }) => "ContainerCreating",
                LaunchError::Source(_) => "CreateContainerConfigError",
                LaunchError::Ports(_) | LaunchError::File(_) => "CreateContainerError",
            };
            self.worker.wait_with(self.slot, reason, &error);
            if self.worker.pause(backoff.next()).await {
                return None;
            }
        }
    }

    /// Runs the program once; nothing if the pod's end ended it.
    async fn live(&self, launch: Launch) -> Option<ContainerStateTerminated> {
        let log = &launch.program.log;
        if let Err(error) = files::rename(log, &self.worker.previous_log(&self.container.name))
            && !error.is_absent()
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the previous log is lost");
        }
        let started_at = Some(now());
        let mut child = match launch.program.spawn(&self.worker.node.host.executable) {
            Ok(child) => child,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "container not started");
                let (reason, message) = (Some("StartError".into()), Some(error.to_string()));
                return Some(ContainerStateTerminated {
                    exit_code: 128,
                    reason,
                    message,
                    started_at,
                    finished_at: Some(now()),
                    ..ContainerStateTerminated::default()
                });
            }
        };
        let id = format!("proc://{}", child.pid().as_raw_nonzero());
        self.started(&launch, &id);
        let prober = Prober { container: self.container, ports: &launch.lease.ports };
        let status = tokio::select! {
            status = child.wait() => {
                self.clean_up();
                status.ok()
            }
            () = self.probe(&prober) => {
                tracing::info!(pod = self.worker.name, container = self.container.name, "liveness probe failed");
                Some(self.end(&mut child, Some(self.grace())).await)
            }
            () = self.worker.ended() => {
                self.end(&mut child, None).await;
                return None;
            }
        };
        Some(ContainerStateTerminated { container_id: Some(id), started_at, ..end_of(status) })
    }

    fn started(&self, launch: &Launch, id: &str) {
        tracing::debug!(pod = self.worker.name, container = self.container.name, id, "started");
        self.worker.listen(&launch.lease.ports);
        self.worker.update(self.slot, |status| {
            status.restart_count += i32::from(status.last_state.is_some());
            status.ready = self.container.readiness_probe.is_none();
            status.started = Some(true);
            status.container_id = Some(id.to_owned());
            status.state = Some(running());
        });
    }

    /// Probes the container as long as it runs; returns when its liveness probe has failed for good.
    async fn probe(&self, prober: &Prober<'_>) {
        let readiness = async {
            match &self.container.readiness_probe {
                Some(probe) => self.readiness(prober, probe).await,
                None => std::future::pending().await,
            }
        };
        let liveness = async {
            match &self.container.liveness_probe {
                Some(probe) => liveness(prober, probe).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            never = readiness => match never {},
            () = liveness => {}
        }
    }

    async fn readiness(&self, prober: &Prober<'_>, probe: &Probe) -> Infallible {
        let period = Duration::from_secs(seconds(probe.period_seconds, 10));
        let threshold = seconds(probe.failure_threshold, 3);
        let mut failures = 0;
        let mut ready = false;
        loop {
            if prober.succeeds(probe).await {
                failures = 0;
                ready = true;
            } else {
                failures += 1;
                ready &= failures < threshold;
            }
            self.worker.update(self.slot, |status| status.ready = ready);
            pause(if ready { period } else { period.min(IMPATIENCE) }).await;
        }
    }

    fn grace(&self) -> Duration {
        let own =
            self.container.liveness_probe.as_ref().and_then(|probe| probe.termination_grace_period_seconds);
        let spec = self.worker.pod.spec.as_ref();
        let grace = own.or_else(|| spec?.termination_grace_period_seconds).unwrap_or(30);
        Duration::from_secs(grace.try_into().unwrap_or_default())
    }

    /// Ends the process politely, then by force: after `grace`, or sooner if the pod is to end sooner.
    async fn end(&self, child: &mut Child, grace: Option<Duration>) -> ExitStatus {
        use rustix::process::Signal;
        child.signal(Signal::TERM);
        let asked = Instant::now();
        let mut ending = self.worker.ending.clone();
        let status = loop {
            let asked_of_pod = ending.borrow_and_update().map(|ending| ending.grace);
            let grace = asked_of_pod.into_iter().chain(grace).min().unwrap_or_default();
            tokio::select! {
                status = child.wait() => break status,
                () = pause(grace.saturating_sub(asked.elapsed())) => {
                    child.signal(Signal::KILL);
                    break child.wait().await;
                }
                Ok(()) = ending.changed() => {}
            }
        };
        self.clean_up();
        status.unwrap_or_else(|_| ExitStatus::from_raw(9))
    }

    /// Ends what the program has started and left behind.
    fn clean_up(&self) {
        leftovers::end(&self.worker.root(&self.container.name));
    }
}

/// Returns when the probe has failed as often as it may.
async fn liveness(prober: &Prober<'_>, probe: &Probe) {
    pause(Duration::from_secs(seconds(probe.initial_delay_seconds, 0))).await;
    let period = Duration::from_secs(seconds(probe.period_seconds, 10));
    let mut failures = 0;
    loop {
        failures = if prober.succeeds(probe).await { 0 } else { failures + 1 };
        if failures >= seconds(probe.failure_threshold, 3) {
            return;
        }
        pause(period).await;
    }
}

/// How a process ended, in a kubelet's terms.
fn end_of(status: Option<ExitStatus>) -> ContainerStateTerminated {
    let signal = status.and_then(|status| status.signal());
    let code = status.and_then(|status| status.code());
    let exit_code = code.or(signal.map(|signal| 128 + signal)).unwrap_or(255);
    let reason = if exit_code == 0 { "Completed" } else { "Error" };
    ContainerStateTerminated {
        exit_code,
        signal,
        reason: Some(reason.into()),
        finished_at: Some(now()),
        ..ContainerStateTerminated::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let mut backoff = RESTART;
        let pauses = (0..8).map(|_| backoff.next().as_secs()).collect::<Vec<_>>();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn ends_are_told_as_a_kubelet_does() {
        let killed = end_of(Some(ExitStatus::from_raw(9)));
        assert_eq!((killed.exit_code, killed.signal), (137, Some(9)));
        let failed = end_of(Some(ExitStatus::from_raw(1 << 8)));
        assert_eq!((failed.exit_code, failed.reason.as_deref()), (1, Some("Error")));
    }
}
