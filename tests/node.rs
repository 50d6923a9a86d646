//! The node agent: Argo CD's pods are processes, and what happens to them is what Kubernetes says of them.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use rustix::process::{Pid, Signal};
use serde_json::json;

use crate::kit::process::Process;
use crate::kit::wait::eventually;
use crate::kit::{Lab, process};

const REPO_SERVER: &str = "argocd-repo-server";

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_processes() {
    let lab = Lab::new();
    lab.write_profile("node", "[hub.local]\n");
    lab.ok(&["up", "node"]);
    let world = World { client: lab.client("node", "hub").await, lab };

    programs_have_the_rights_of_their_own_accounts(&world).await;
    a_killed_program_is_started_again(&world).await;
    a_stopped_program_is_not_ready(&world).await;
    a_rollout_hands_over_and_brings_new_settings(&world).await;
    two_replicas_are_two_processes(&world).await;
}

struct World {
    lab: Lab,
    client: Client,
}

impl World {
    async fn pods(&self, name: &str) -> Vec<Pod> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), "argocd");
        let selected = ListParams::default().labels(&format!("app.kubernetes.io/name={name}"));
        let pods = pods.list(&selected).await.unwrap().items;
        pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
    }

    async fn pod(&self, name: &str) -> Pod {
        let mut pods = self.pods(name).await;
        assert_eq!(pods.len(), 1, "{name}");
        pods.remove(0)
    }

    async fn available(&self, deployment: &str) -> i32 {
        let deployments = Api::<Deployment>::namespaced(self.client.clone(), "argocd");
        let status = deployments.get(deployment).await.unwrap().status.unwrap_or_default();
        status.available_replicas.unwrap_or_default()
    }

    async fn change(&self, deployment: &str, patch: serde_json::Value) {
        let deployments = Api::<Deployment>::namespaced(self.client.clone(), "argocd");
        deployments.patch(deployment, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// What `plan` and `status` say of `hub/argocd/ready`.
    fn unready(&self) -> (String, String) {
        let told = |arguments: &[&str]| {
            let text = self.lab.bridgehead(arguments).stdout;
            let lines = text.lines().skip_while(|line| !line.contains("hub/argocd/ready"));
            lines.take(3).collect::<Vec<_>>().join("\n")
        };
        (told(&["plan", "node"]), told(&["status", "node"]))
    }
}

/// The container's process: the container id says which.
fn process_of(pod: &Pod) -> Option<Process> {
    let container = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    container.state.as_ref()?.running.as_ref()?;
    let id = container.container_id.as_ref()?.strip_prefix("proc://")?;
    let pid = Pid::from_raw(id.parse().unwrap()).unwrap();
    process::all().into_iter().find(|process| process.pid == pid)
}

fn restarts(pod: &Pod) -> i32 {
    pod.status.as_ref().unwrap().container_statuses.as_ref().unwrap()[0].restart_count
}

async fn programs_have_the_rights_of_their_own_accounts(world: &World) {
    for (name, may_list_secrets) in [
        ("argocd-application-controller", true),
        ("argocd-server", true),
        (REPO_SERVER, false),
        ("argocd-redis", false),
    ] {
        let pod = world.pod(name).await;
        let process = process_of(&pod).unwrap();
        let Some(file) = process.environment().remove("KUBECONFIG") else {
            assert_eq!(pod.spec.unwrap().automount_service_account_token, Some(false), "{name}");
            continue;
        };
        let client = identity(Path::new(&file)).await;
        let who = Api::<SelfSubjectReview>::all(client.clone());
        let who = who.create(&PostParams::default(), &SelfSubjectReview::default()).await.unwrap();
        let user = who.status.unwrap().user_info.unwrap();
        assert_eq!(user.username.unwrap(), format!("system:serviceaccount:argocd:{name}"));
        let attributes = ResourceAttributes {
            verb: Some("list".into()),
            resource: Some("secrets".into()),
            namespace: Some("argocd".into()),
            ..ResourceAttributes::default()
        };
        let spec =
            SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let review = Api::all(client).create(&PostParams::default(), &review).await.unwrap();
        assert_eq!(review.status.unwrap().allowed, may_list_secrets, "{name}");
    }
}

async fn identity(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap()
        .try_into()
        .unwrap()
}

async fn a_killed_program_is_started_again(world: &World) {
    let before = world.pod(REPO_SERVER).await;
    let killed = process_of(&before).unwrap();
    process::signal(killed.pid, Signal::KILL);
    eventually("its Deployment is unavailable", async || world.available(REPO_SERVER).await == 0).await;
    eventually("its Deployment is available again", async || world.available(REPO_SERVER).await == 1).await;
    let after = world.pod(REPO_SERVER).await;
    assert_eq!(after.metadata.uid, before.metadata.uid, "the same pod");
    assert_eq!(restarts(&after), restarts(&before) + 1);
    assert_ne!(process_of(&after).unwrap().pid, killed.pid);
    let pods = Api::<Pod>::namespaced(world.client.clone(), "argocd");
    let previous = LogParams { previous: true, tail_lines: Some(5), ..LogParams::default() };
    let log = pods.logs(after.metadata.name.as_ref().unwrap(), &previous).await.unwrap();
    assert!(!log.is_empty(), "what the killed one said can still be read");
    eventually("nothing differs", async || {
        world.lab.bridgehead(&["plan", "node", "--exit-code"]).code() == 0
    })
    .await;
}

async fn a_stopped_program_is_not_ready(world: &World) {
    let process = process_of(&world.pod(REPO_SERVER).await).unwrap();
    process::signal(process.pid, Signal::STOP);
    eventually("its Deployment is unavailable", async || world.available(REPO_SERVER).await == 0).await;
    let (plan, status) = world.unready();
    for told in [&plan, &status] {
        assert!(told.contains("Deployment argocd/argocd-repo-server"), "{told}");
        assert!(told.contains("container argocd-repo-server runs and is not ready"), "{told}");
    }
    process::signal(process.pid, Signal::CONT);
    eventually("its Deployment is available again", async || world.available(REPO_SERVER).await == 1).await;
    assert_eq!(process_of(&world.pod(REPO_SERVER).await).unwrap().pid, process.pid, "the same process");
}

async fn a_rollout_hands_over_and_brings_new_settings(world: &World) {
    let old = process_of(&world.pod(REPO_SERVER).await).unwrap();
    let variable = "ARGOCD_REPO_SERVER_PARALLELISM_LIMIT";
    assert_eq!(old.environment().get(variable), None);
    let settings = Api::<ConfigMap>::namespaced(world.client.clone(), "argocd");
    let limit = json!({"data": {"reposerver.parallelism.limit": "7"}});
    let patch = Patch::Merge(limit);
    settings.patch("argocd-cmd-params-cm", &PatchParams::default(), &patch).await.unwrap();
    let restart = json!({"kubectl.kubernetes.io/restartedAt": "2024-01-01T00:00:00Z"});
    world.change(REPO_SERVER, json!({"spec": {"template": {"metadata": {"annotations": restart}}}})).await;

    let mut new = None;
    eventually("a new process takes over", async || {
        assert!(world.available(REPO_SERVER).await > 0, "a rollout leaves nobody to answer");
        let pods = world.pods(REPO_SERVER).await;
        new = if pods.len() == 1 { process_of(&pods[0]).filter(|new| new.pid != old.pid) } else { None };
        new.is_some()
    })
    .await;
    assert_eq!(new.unwrap().environment().get(variable).map(String::as_str), Some("7"));
    eventually("the old process ends", async || {
        !process::all().iter().any(|process| process.pid == old.pid && process.name() == REPO_SERVER)
    })
    .await;
    // Neither was ours to change back.
    assert_eq!(world.lab.ok(&["plan", "node", "--exit-code"]).code(), 0);
}

async fn two_replicas_are_two_processes(world: &World) {
    world.change(REPO_SERVER, json!({"spec": {"replicas": 2}})).await;
    eventually("both are available", async || world.available(REPO_SERVER).await == 2).await;
    let pods = world.pods(REPO_SERVER).await;
    let processes: BTreeSet<_> =
        pods.iter().map(|pod| process_of(pod).unwrap().pid.as_raw_nonzero()).collect();
    assert_eq!(processes.len(), 2);
    world.change(REPO_SERVER, json!({"spec": {"replicas": 1}})).await;
    eventually("one is left", async || {
        let names = world.lab.processes().into_iter().filter(|process| process.name() == REPO_SERVER);
        names.count() == 1
    })
    .await;
}
