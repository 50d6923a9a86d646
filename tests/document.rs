//! The document of the home lab, followed word for word on real hosts: its site, its make targets in its order.

mod away;
mod home;

use bridgehead::files;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::{Api, Client, ResourceExt};
use rustix::process::Signal;

use crate::kit::wait::{eventually, until};
use crate::kit::world::{self, World, differences};
use home::{Home, THEIRS};

#[tokio::test]
async fn the_home_lab_comes_and_goes_as_its_document_says() {
    let home = Home::new();
    let bare = home.hosts["argocd"].world();
    let gpu = home.gpu_cluster().await;

    k3s_is_installed(&home);
    both_clusters_are_in_the_kubeconfig(&home);
    argo_cd_is_installed(&home);
    its_password_lets_in_and_is_changed(&home);
    let theirs = settled(&gpu).await;
    the_gpu_cluster_is_registered(&home).await;
    the_inventory_is_rendered(&home);
    secrets_are_applied(&home).await;
    home.make(&["up", "YES=1"]);
    an_addon_reaches_hub_and_spoke(&home, &gpu).await;
    nothing_is_left_to_do(&home);
    all_of_it_goes(&home, &bare);
    is_left_alone(&gpu, &theirs).await;

    the_same_is_one_command(&home, &gpu).await;
    away::nothing_is_lost_while_the_hub_is_away(&home, &gpu).await;
    all_of_it_goes(&home, &bare);
    is_left_alone(&gpu, &theirs).await;
}

/// The objects of a cluster, once nothing changes any more by itself.
async fn settled(client: &Client) -> World {
    let mut before = World::new();
    eventually("the cluster is settled", async || {
        let now = world::objects(client).await;
        let same = now == before;
        before = now;
        same
    })
    .await;
    before
}

/// The cluster of somebody else has what it had, and the namespace that Argo CD made for workloads, which it never
/// takes away.
async fn is_left_alone(gpu: &Client, before: &World) {
    let mut after = settled(gpu).await;
    after.retain(|name, _| name != "Namespace /workload" && !name.contains(" workload/"));
    assert_eq!(differences(before, &after), Vec::<String>::new());
}

fn k3s_is_installed(home: &Home) {
    home.make(&["check"]);
    let plan = home.try_make(&["plan"]);
    let hint =
        "hint: it is that of the inventory's RKE2 server: bridgehead rke2 kubeconfig tirosh-home --merge";
    assert!(plan.code() != 0 && plan.stderr.contains(hint), "{}", plan.stderr);
    let config = home.make(&["k3s/config"]).stdout;
    assert!(config.contains("tls-san:") && config.contains("k3s.internal.tirosh.ai"), "{config}");
    home.make(&["k3s/install"]);
    let status = home.make(&["k3s/status"]).stdout;
    let row = status.lines().nth(1).unwrap_or_default().split_whitespace().collect::<Vec<_>>();
    let address = home.hosts["argocd"].address.as_str();
    assert_eq!(row[..6], ["hub", "argocd", address, "server", "v1.34.4+k3s1", "Ready"], "{status}");
}

/// What was in the kubeconfig stays, and is still what is used where nothing is said.
fn both_clusters_are_in_the_kubeconfig(home: &Home) {
    home.make(&["k3s/kubeconfig/merge"]);
    assert_eq!(home.contexts(), ["tirosh-home/k3s", "work"]);
    assert_eq!(files::read(&home.lab.path("home/.kube/config.bak")).unwrap(), THEIRS);
    let kubectl = |context: &str| home.shell(&format!("kubectl --context {context} get nodes --output name"));
    assert_eq!(kubectl("tirosh-home/k3s").stdout, "node/argocd\n");

    let export =
        "eval \"$($MAKE k3s/kubeconfig/export)\"; kubectl get nodes --output name; echo \"$KUBECONFIG\"";
    let saved = home.lab.path("home/.kube/tirosh-home.yml");
    assert_eq!(home.shell(export).stdout, format!("node/argocd\n{}\n", saved.display()));

    home.make(&["rke2/kubeconfig/merge"]);
    assert_eq!(home.contexts(), ["tirosh-home/k3s", "tirosh-home/rke2/gpu", "work"]);
    assert_eq!(kubectl("tirosh-home/rke2/gpu").stdout, "node/rke2-gpu\n");
    assert_eq!(home.shell("kubectl config current-context").stdout, "work\n");
    assert!(home.lab.path("home/.kube/tirosh-home-rke2.yml").is_file());
}

fn argo_cd_is_installed(home: &Home) {
    home.make(&["argocd/install"]);
    let status = home.make(&["argocd/status"]).stdout;
    assert!(status.starts_with("Argo CD v3.2.11: https://gitops.internal.tirosh.ai\n"), "{status}");
    for workload in ["argocd-application-controller", "argocd-repo-server", "argocd-server"] {
        let row = status.lines().find(|line| line.contains(workload));
        assert!(row.is_some_and(|row| row.contains("1/1")), "{status}");
    }
}

/// Whoever has no way to the ingress goes through a port of their own machine.
fn its_password_lets_in_and_is_changed(home: &Home) {
    let made_up = home.make(&["argocd/password"]).stdout;
    let made_up = made_up.trim_end();
    let forward = home.start(&["argocd/port-forward"]);
    until("the made-up password is let in", || home.login(made_up).status.success());
    let answers = [("New password of admin: ", "a new password"), ("The same again: ", "a new password")];
    home.make_at_terminal(&["argocd/password/update"], &answers);
    until("the new password is let in", || home.login("a new password").status.success());
    assert!(home.login(made_up).stderr.contains("Invalid username or password"));
    forward.signal(Signal::TERM);
    forward.finish();
    let gone = home.try_make(&["argocd/password"]);
    assert!(
        gone.code() != 0 && gone.stderr.contains("argocd password update tirosh-home"),
        "{}",
        gone.stderr
    );
}

async fn the_gpu_cluster_is_registered(home: &Home) {
    home.make(&["argocd/cluster/add"]);
    let hub = home.client("tirosh-home/k3s").await;
    let secrets = Api::<Secret>::namespaced(hub, "argocd");
    let secret = secrets.get("tirosh-home-rke2-gpu").await.unwrap();
    assert_eq!(secret.labels()["environment"], "tirosh-home-rke2-gpu");
    let server = format!("https://{}:6443", home.hosts["rke2-gpu"].address);
    assert_eq!(secret.data.unwrap()["server"].0, server.as_bytes());
    let list = home.bridgehead(&["cluster", "list", "tirosh-home"]).stdout;
    let rows = list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>();
    assert_eq!(rows[2][..4], ["tirosh-home-rke2-gpu", "spoke", "existing", &server], "{list}");
}

fn the_inventory_is_rendered(home: &Home) {
    let rendered = home.make(&["site/inventory/render"]).stdout;
    for host in ["argocd", "rke2-gpu"] {
        assert!(rendered.contains(host) && rendered.contains(&home.hosts[host].address), "{rendered}");
    }
}

async fn secrets_are_applied(home: &Home) {
    const NAME: &str = "argocd-image-updater-ghcr-pull";
    let only = format!("KUBERNETES_SECRET={NAME}");
    let missing = home.try_make(&["kubernetes/secret/apply", &only]);
    assert!(missing.stderr.contains("missing: GHCR_PULL_TOKEN, GHCR_USERNAME"), "{}", missing.stderr);
    let variables = [("GHCR_USERNAME", "somebody"), ("GHCR_PULL_TOKEN", "canary")];
    let plan = home.make_with(&["kubernetes/secret/plan", &only], &variables);
    assert!(plan.stdout.contains(&format!("create Secret argocd/{NAME}")), "{}", plan.stdout);
    home.make_with(&["kubernetes/secret/apply", &only], &variables);
    let secrets = Api::<Secret>::namespaced(home.client("tirosh-home/k3s").await, "argocd");
    let secret = secrets.get(NAME).await.unwrap();
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/dockerconfigjson"));
}

/// Argo CD on the hub has read the repository, and has brought the addon to both.
async fn an_addon_reaches_hub_and_spoke(home: &Home, gpu: &Client) {
    home.make(&["addon/on", "ADDON=priority_classes", "YES=1"]);
    has_the_addon(home, gpu).await;
    let list = home.make(&["addon/list"]).stdout;
    assert!(list.contains("priority_classes"), "{list}");
}

async fn has_the_addon(home: &Home, gpu: &Client) {
    for client in [home.client("tirosh-home/k3s").await, gpu.clone()] {
        let class = Api::<PriorityClass>::all(client).get("workload-high").await.unwrap();
        assert_eq!(class.value, 100_000);
        let tracked = &class.annotations()["argocd.argoproj.io/tracking-id"];
        assert!(tracked.starts_with("priority-classes-"), "{tracked}");
    }
    Api::<Deployment>::namespaced(gpu.clone(), "workload").get("demo").await.unwrap();
}

fn nothing_is_left_to_do(home: &Home) {
    let again = home.make(&["up", "YES=1", "OUTPUT=json"]);
    assert_eq!(again.events_of("applied"), Vec::<serde_json::Value>::new(), "{}", again.stdout);
    home.bridgehead(&["plan", "tirosh-home", "--exit-code"]);
    let status = home.make(&["status"]).stdout;
    assert!(status.ends_with("No drift: the world is as the profile says.\n"), "{status}");
}

/// The hub's host is as it was, and of the kubeconfig the site's own entries are gone.
fn all_of_it_goes(home: &Home, bare: &World) {
    let asked = home.try_make(&["down"]);
    assert!(asked.code() != 0 && asked.stderr.contains("--yes"), "{}", asked.stderr);
    home.make(&["down", "YES=1"]);
    assert_eq!(differences(bare, &home.hosts["argocd"].world()), Vec::<String>::new());
    assert_eq!(home.contexts(), ["tirosh-home/rke2/gpu", "work"]);
    assert!(!home.lab.state("tirosh-home").exists());
    assert!(!home.lab.path("home/.kube/tirosh-home.yml").exists(), "the way to a hub that is gone");
    assert!(home.lab.path("home/.kube/tirosh-home-rke2.yml").is_file(), "the way to a cluster that stays");
}

async fn the_same_is_one_command(home: &Home, gpu: &Client) {
    let up = home.make(&["up", "YES=1"]);
    assert!(up.stdout.contains("argocd login gitops.internal.tirosh.ai"), "{}", up.stdout);
    home.make(&["k3s/kubeconfig/merge"]);
    has_the_addon(home, gpu).await;
    nothing_is_left_to_do(home);
}
