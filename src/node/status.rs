//! The status of a pod, composed from its containers' as a kubelet does it. Pure.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

/// What is known of a pod's containers, in the order of its specification.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Containers {
    pub(super) init: Vec<ContainerStatus>,
    pub(super) main: Vec<ContainerStatus>,
}

impl Containers {
    /// How it stands with a pod that this agent sees for the first time. What an earlier agent ran is over.
    pub(super) fn of(pod: &Pod) -> Self {
        let known = pod.status.clone().unwrap_or_default();
        let spec = pod.spec.as_ref();
        let init = spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
        let main = spec.iter().flat_map(|spec| &spec.containers);
        let known_init = known.init_container_statuses.unwrap_or_default();
        let known_main = known.container_statuses.unwrap_or_default();
        Self {
            init: init.map(|container| first(container, &known_init, "PodInitializing")).collect(),
            main: main.map(|container| first(container, &known_main, "ContainerCreating")).collect(),
        }
    }

    /// Whether every container is ready.
    pub(super) fn ready(&self) -> bool {
        self.main.iter().all(|status| status.ready)
    }

    fn initialized(&self) -> bool {
        self.init.iter().all(is_complete)
    }

    fn phase(&self) -> &'static str {
        let ended = |status: &ContainerStatus| exit_code(status).is_some();
        if !self.main.is_empty() && self.main.iter().all(ended) {
            return if self.main.iter().all(is_complete) { "Succeeded" } else { "Failed" };
        }
        let begun = |status: &ContainerStatus| {
            let state = status.state.as_ref();
            status.last_state.is_some() || state.is_some_and(|state| state.waiting.is_none())
        };
        if self.main.iter().any(begun) { "Running" } else { "Pending" }
    }
}

fn first(container: &Container, known: &[ContainerStatus], reason: &str) -> ContainerStatus {
    let image = container.image.clone().unwrap_or_default();
    let known = known.iter().find(|status| status.name == container.name).cloned();
    let mut status = known.unwrap_or_else(|| ContainerStatus {
        name: container.name.clone(),
        image_id: format!("local/{image}"),
        image,
        ..ContainerStatus::default()
    });
    if is_complete(&status) {
        return status;
    }
    if let Some(running) = status.state.take().and_then(|state| state.running) {
        let lost = ContainerStateTerminated {
            container_id: status.container_id.take(),
            exit_code: 255,
            reason: Some("Unknown".into()),
            started_at: running.started_at,
            finished_at: Some(now()),
            ..ContainerStateTerminated::default()
        };
        status.last_state = Some(terminated(lost));
    }
    status.ready = false;
    status.started = Some(false);
    status.state = Some(waiting(reason, None));
    status
}

fn exit_code(status: &ContainerStatus) -> Option<i32> {
    Some(status.state.as_ref()?.terminated.as_ref()?.exit_code)
}

/// Whether a container has done what it was for.
pub(super) fn is_complete(status: &ContainerStatus) -> bool {
    exit_code(status) == Some(0)
}

/// The present time.
pub(super) fn now() -> Time {
    Time(jiff::Timestamp::now())
}

/// A container that waits.
pub(super) fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: Some(reason.into()), message };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

/// A container that runs.
pub(super) fn running() -> ContainerState {
    let running = ContainerStateRunning { started_at: Some(now()) };
    ContainerState { running: Some(running), ..ContainerState::default() }
}

/// A container that has ended.
pub(super) fn terminated(terminated: ContainerStateTerminated) -> ContainerState {
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

/// A container that has done what it was for at once.
pub(super) fn completed() -> ContainerState {
    terminated(ContainerStateTerminated {
        reason: Some("Completed".into()),
        started_at: Some(now()),
        finished_at: Some(now()),
        ..ContainerStateTerminated::default()
    })
}

/// The status of a pod; times of what did not change come from the `previous` one.
pub(super) fn compose(containers: &Containers, address: Ipv4Addr, previous: &PodStatus) -> PodStatus {
    let host = Ipv4Addr::LOCALHOST.to_string();
    let phase = containers.phase();
    let unready = containers.main.iter().filter(|status| !status.ready).map(|status| status.name.as_str());
    let reason = match phase {
        "Succeeded" => ("PodCompleted", String::new()),
        "Failed" => ("PodFailed", String::new()),
        _ => {
            let unready = unready.collect::<Vec<_>>().join(" ");
            ("ContainersNotReady", format!("containers with unready status: [{unready}]"))
        }
    };
    let ready = containers.ready();
    let incomplete = containers.init.iter().filter(|status| !is_complete(status));
    let incomplete = incomplete.map(|status| status.name.as_str()).collect::<Vec<_>>().join(" ");
    let initializing = format!("containers with incomplete status: [{incomplete}]");
    PodStatus {
        phase: Some(phase.into()),
        conditions: Some(vec![
            condition(
                "Initialized",
                containers.initialized(),
                ("ContainersNotInitialized", initializing),
                previous,
            ),
            condition("ContainersReady", ready, reason.clone(), previous),
            condition("Ready", ready, reason, previous),
        ]),
        host_ip: Some(host.clone()),
        host_ips: Some(vec![HostIP { ip: host }]),
        pod_ip: Some(address.to_string()),
        pod_ips: Some(vec![PodIP { ip: address.to_string() }]),
        start_time: previous.start_time.clone().or_else(|| Some(now())),
        init_container_statuses: Some(containers.init.clone()).filter(|init| !init.is_empty()),
        container_statuses: Some(containers.main.clone()),
        ..PodStatus::default()
    }
}

fn condition(kind: &str, is: bool, (reason, message): (&str, String), previous: &PodStatus) -> PodCondition {
    let status = if is { "True" } else { "False" };
    let known = previous.conditions.iter().flatten().find(|condition| condition.type_ == kind);
    let unchanged = known.filter(|known| known.status == status);
    PodCondition {
        type_: kind.into(),
        status: status.into(),
        reason: Some(reason.into()).filter(|_| !is),
        message: Some(message).filter(|message| !is && !message.is_empty()),
        last_transition_time: unchanged
            .and_then(|known| known.last_transition_time.clone())
            .or_else(|| Some(now())),
        ..PodCondition::default()
    }
}

/// A strategic merge patch that brings a pod to this status, if it still is that pod. Conditions of others stay.
pub(super) fn patch(uid: &str, status: &PodStatus) -> Value {
    let mut status = json!(status);
    // Conditions are merged field by field: what does not hold any more has to be taken out.
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        for field in ["reason", "message"] {
            if condition.get(field).is_none() {
                condition[field] = Value::Null;
            }
        }
    }
    json!({ "metadata": { "uid": uid }, "status": status })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(status: &Value) -> Pod {
        let spec = json!({ "containers": [{ "name": "main", "image": "argocd" }] });
        serde_json::from_value(json!({ "metadata": {}, "spec": spec, "status": status })).unwrap()
    }

    #[test]
    fn a_pod_is_pending_then_running_then_ready() {
        let mut containers = Containers::of(&pod(&json!({})));
        let address = Ipv4Addr::new(10, 128, 0, 1);
        let pending = compose(&containers, address, &PodStatus::default());
        assert_eq!(pending.phase.as_deref(), Some("Pending"));
        containers.main[0].state = Some(running());
        let unready = compose(&containers, address, &pending);
        assert_eq!(unready.phase.as_deref(), Some("Running"));
        assert_eq!(
            unready.conditions.as_ref().unwrap()[2].message.as_deref(),
            Some("containers with unready status: [main]")
        );
        containers.main[0].ready = true;
        let ready = compose(&containers, address, &unready);
        assert_eq!(ready.conditions.as_ref().unwrap()[2].status, "True");
        assert_eq!(compose(&containers, address, &ready), ready, "nothing changes without a reason");
        let patch = patch("1", &ready);
        assert_eq!(patch["status"]["conditions"][2]["message"], Value::Null);
    }

    #[test]
    fn a_container_of_an_earlier_agent_is_lost() {
        let state = json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } });
        let status = json!({ "name": "main", "image": "", "imageID": "", "ready": true, "restartCount": 2,
            "containerID": "proc://7", "state": state });
        let containers = Containers::of(&pod(&json!({ "containerStatuses": [status] })));
        let main = &containers.main[0];
        assert_eq!((main.ready, main.restart_count), (false, 2));
        let lost = main.last_state.as_ref().unwrap().terminated.as_ref().unwrap();
        assert_eq!((lost.exit_code, lost.container_id.as_deref()), (255, Some("proc://7")));
        assert_eq!(containers.phase(), "Running");
    }
}
