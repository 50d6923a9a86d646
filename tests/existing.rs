//! Clusters that somebody else made, as hub and as spoke: used as they are, and left as they were.

mod narrow;
mod spokes;
mod switch;
mod workloads;

use std::path::Path;

use bridgehead::files;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::kit::{Lab, profile, world};

/// The site whose clusters play those of somebody else.
const MADE: &str = "made";

/// A hub and a spoke of somebody else's. The address that the hub is told is one that nobody reaches here.
const MINE: &str = "[hub.existing]\ncontext = \"made/x\"\n[spokes.y]\nserver = \"https://y.example:6443\"\n[spokes.y.existing]\ncontext = \"made/y\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn clusters_of_somebody_else_are_used_and_left_as_they_were() {
    let lab = Lab::new();
    lab.write_profile(MADE, "[hub.local]\n[spokes.x.local]\n[spokes.y.local]\n");
    lab.ok(&["up", MADE]);
    lab.ok(&["kubeconfig", "merge", MADE]);
    for cluster in ["x", "y"] {
        forget_registration(&lab.client(MADE, cluster).await).await;
    }
    let file = lab.path("home/.kube/config");
    let personal = files::read(&file).unwrap();
    let before = objects(&lab).await;

    refusals_change_nothing(&lab);
    assert_eq!(world::differences(&before, &objects(&lab).await), Vec::<String>::new());

    a_hub_and_a_spoke(&lab).await;
    others_keep_argo_cd(&lab).await;
    lab.ok(&["down", "mine", "--yes"]);
    assert_eq!(world::differences(&before, &objects(&lab).await), Vec::<String>::new());
    assert_eq!(lab.ok(&["down", "mine", "--yes", "--output", "json"]).result(), "converged");
    assert_eq!(files::read(&file).unwrap(), personal, "contexts of existing clusters are nobody's to touch");

    a_spoke_with_a_credential_plugin(&lab, &file).await;
    spokes::they_come_and_go_by_command(&lab).await;
}

/// The objects of both clusters.
async fn objects(lab: &Lab) -> world::World {
    let mut all = world::World::new();
    for cluster in ["x", "y"] {
        let objects = world::objects(&lab.client(MADE, cluster).await).await;
        all.extend(objects.into_iter().map(|(name, object)| (format!("{cluster}: {name}"), object)));
    }
    all
}

/// Takes away what makes a cluster a spoke of the site that made it.
pub(crate) async fn forget_registration(client: &Client) {
    let now = DeleteParams::default();
    Api::<ClusterRoleBinding>::all(client.clone()).delete("argocd-manager-role-binding", &now).await.unwrap();
    Api::<ClusterRole>::all(client.clone()).delete("argocd-manager-role", &now).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "kube-system");
    secrets.delete("argocd-manager-long-lived-token", &now).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "kube-system");
    accounts.delete("argocd-manager", &now).await.unwrap();
}

/// Each of these fails with a clear text, before anything is changed.
fn refusals_change_nothing(lab: &Lab) {
    for (profile, said) in [
        (
            MINE.replace("server = \"https://y.example:6443\"\n", ""),
            "to the hub's Argo CD that is its own machine",
        ),
        (MINE.replace("made/x", "gone"), "has no context `gone`; it has made/hub, made/x, made/y"),
        (format!("[kube]\nkubeconfig = \"~/none\"\n{MINE}"), "/home/none`"),
    ] {
        lab.write_profile("mine", &profile);
        let refused = lab.bridgehead(&["up", "mine", "--yes"]);
        assert_eq!(refused.code(), 4, "{}", refused.stderr);
        assert!(refused.stderr.contains(said) && refused.stderr.contains("hint:"), "{}", refused.stderr);
    }
}

async fn a_hub_and_a_spoke(lab: &Lab) {
    lab.write_profile("mine", MINE);
    assert_eq!(lab.bridgehead(&["up", "mine"]).code(), 2, "somebody else's clusters are asked about");
    lab.ok(&["up", "mine", "--yes"]);
    let again = lab.ok(&["up", "mine", "--yes", "--output", "json"]);
    assert_eq!(again.events().last().unwrap()["changes"], 0);
    lab.ok(&["plan", "mine", "--exit-code"]);
    let list = lab.ok(&["cluster", "list", "mine"]).stdout;
    assert!(list.lines().nth(2).unwrap().starts_with("y        spoke  existing"), "{list}");
    let secrets: Api<Secret> = Api::namespaced(lab.client(MADE, "x").await, "argocd");
    let data = secrets.get("y").await.unwrap().data.unwrap();
    assert_eq!(data["server"].0, b"https://y.example:6443");
    let config: serde_json::Value = serde_json::from_slice(&data["config"].0).unwrap();
    assert_eq!(config["tlsClientConfig"]["insecure"], false);
    assert!(config["tlsClientConfig"]["caData"].is_string() && config["bearerToken"].is_string());
}

/// An Application of somebody else's lives in the site's Argo CD.
async fn others_keep_argo_cd(lab: &Lab) {
    let kind = kube::core::GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    let hub = lab.client(MADE, "x").await;
    let applications: Api<DynamicObject> = Api::namespaced_with(hub, "argocd", &ApiResource::from_gvk(&kind));
    let theirs = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": { "name": "theirs" },
        "spec": { "project": "default", "destination": { "name": "hub", "namespace": "default" },
                  "source": { "repoURL": "https://git.example/theirs.git", "path": "." } },
    });
    let theirs = serde_json::from_value(theirs).unwrap();
    applications.create(&PostParams::default(), &theirs).await.unwrap();
    let refused = lab.bridgehead(&["down", "mine", "--yes"]);
    assert_eq!(refused.code(), 4);
    assert!(refused.stderr.contains("others use it: Application argocd/theirs"), "{}", refused.stderr);
    lab.ok(&["plan", "mine", "--exit-code"]);
    applications.delete("theirs", &DeleteParams::default()).await.unwrap();
}

/// A hub of this machine, and one more spoke whose user is a program that prints a token. An addon gets there.
async fn a_spoke_with_a_credential_plugin(lab: &Lab, file: &Path) {
    with_a_plugin(lab, file);
    lab.write_profile("host", &profile::fleet(&[]));
    lab.ok(&["up", "host"]);
    let narrow = narrow::an_account(lab).await;
    let unknown = lab.bridgehead(&["cluster", "add", "host", "--context", "gone", "--name", "gpu"]);
    assert!(unknown.stderr.contains("has no context `gone`"), "{}", unknown.stderr);
    assert!(!files::read(&lab.profile("host")).unwrap().contains("gpu"));

    lab.ok(&["cluster", "add", "host", "--context", "plugin", "--name", "gpu", "--environment", "dev"]);
    let written = files::read(&lab.profile("host")).unwrap();
    assert!(
        written
            .contains("[spokes.gpu]\nenvironment = \"dev\"\n[spokes.gpu.existing]\ncontext = \"plugin\"\n"),
        "{written}"
    );
    lab.ok(&["up", "host", "--yes"]);
    lab.ok(&["plan", "host", "--exit-code"]);
    let shown = lab.ok(&["kubeconfig", "show", "host"]).stdout;
    assert!(shown.contains("command: \"") || shown.contains("command: /"), "exec stays exec:\n{shown}");
    let classes = Api::<k8s_openapi::api::scheduling::v1::PriorityClass>::all(lab.client(MADE, "x").await);
    let names: Vec<_> = classes
        .list(&ListParams::default())
        .await
        .unwrap()
        .into_iter()
        .filter_map(|class| class.metadata.name)
        .collect();
    assert!(names.iter().any(|name| !name.starts_with("system-")), "the addon is there: {names:?}");

    narrow::is_untouched_and_not_used(lab, &narrow).await;
    switch::asks_and_changes_one_label(lab).await;
    workloads::none_for_a_cluster_of_others(lab).await;

    lab.ok(&["cluster", "remove", "host", "gpu", "--yes"]);
    assert!(!files::read(&lab.profile("host")).unwrap().contains("gpu"));
    narrow::is_left_alone(lab, &narrow).await;
}

/// Adds a context `plugin` for the cluster x, whose user is a program with a secret argument.
fn with_a_plugin(lab: &Lab, file: &Path) {
    let shown: serde_json::Value = lab.ok(&["kubeconfig", "show", MADE, "--output", "json"]).document();
    let named =
        |list: &str| shown[list].as_array().unwrap().iter().find(|entry| entry["name"] == "made/x").unwrap();
    let user = &named("users")["user"];
    let status = json!({ "clientCertificateData": pem(&user["client-certificate-data"]), "clientKeyData": pem(&user["client-key-data"]) });
    let answer = json!({ "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status });
    files::replace(&lab.path("home/.kube/answer.json"), answer.to_string().as_bytes(), 0o600).unwrap();
    let script = "#!/bin/sh\ntest \"$1\" = canary && cat \"$(dirname \"$0\")/answer.json\"\n";
    files::replace(&lab.path("home/.kube/login"), script.as_bytes(), 0o700).unwrap();
    let plugin = json!({ "apiVersion": "client.authentication.k8s.io/v1", "command": "./login", "args": ["canary"], "interactiveMode": "IfAvailable" });
    let mut kubectl = lab.command("kubectl");
    kubectl
        .args(["config", "set-context", "plugin", "--cluster", "made/x", "--user", "plugin", "--kubeconfig"])
        .arg(file);
    assert_eq!(crate::kit::command::run(kubectl).code(), 0);
    let text = files::read(file).unwrap();
    let entry = format!("users:\n- {}\n", json!({ "name": "plugin", "user": { "exec": plugin } }));
    files::replace(file, text.replacen("users:\n", &entry, 1).as_bytes(), 0o600).unwrap();
}

fn pem(data: &serde_json::Value) -> String {
    use base64::Engine as _;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(data.as_str().unwrap()).unwrap())
        .unwrap()
}
