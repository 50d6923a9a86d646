//! `down` of one spoke, and of a site with a dead spoke and a hub whose pods nobody looks after.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use rustix::process::Signal;

use crate::kit::{Lab, process, profile};

#[tokio::test(flavor = "multi_thread")]
async fn spokes_go_one_by_one_and_dead_ones_do_not_hang_the_rest() {
    let lab = Lab::new();
    lab.write_profile("fleet", &profile::fleet(&["dev", "staging"]));
    lab.ok(&["up", "fleet"]);

    lab.ok(&["down", "fleet", "--cluster", "dev"]);
    assert_eq!(registered(&lab).await, ["hub", "staging"]);
    let left = applications(&lab).await;
    assert!(left.contains(&"workload-staging".to_owned()), "{left:?}");
    assert!(!left.iter().any(|name| name.ends_with("-dev")), "{left:?}");
    assert!(!lab.state("fleet").join("dev").exists());

    let hub_alone = lab.bridgehead(&["down", "fleet", "--cluster", "hub"]);
    assert_ne!(hub_alone.code(), 0);
    assert!(hub_alone.stderr.contains("is the hub"), "{}", hub_alone.stderr);

    lab.ok(&["up", "fleet"]);
    assert_eq!(registered(&lab).await, ["dev", "hub", "staging"]);

    process::kill_below(&lab.state("fleet").join("staging"));
    process::signal(process::supervisor(&lab.state("fleet").join("hub")), Signal::STOP);
    lab.ok(&["down", "fleet"]);
    assert!(lab.processes().is_empty(), "{:?}", lab.processes());
    assert!(!lab.state("fleet").exists());
    lab.ok(&["down", "fleet"]);
    assert!(!lab.state("fleet").exists(), "a `down` of nothing left something");
}

/// The clusters that Argo CD knows.
async fn registered(lab: &Lab) -> Vec<String> {
    let secrets: Api<Secret> = Api::namespaced(lab.client("fleet", "hub").await, "argocd");
    let clusters = ListParams::default().labels("argocd.argoproj.io/secret-type=cluster");
    let mut names: Vec<_> = secrets
        .list(&clusters)
        .await
        .unwrap()
        .into_iter()
        .filter_map(|secret| secret.metadata.name)
        .collect();
    names.sort();
    names
}

async fn applications(lab: &Lab) -> Vec<String> {
    let kind = kube::core::GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    let hub = lab.client("fleet", "hub").await;
    let applications: Api<DynamicObject> = Api::namespaced_with(hub, "argocd", &ApiResource::from_gvk(&kind));
    let all = applications.list(&ListParams::default()).await.unwrap();
    all.into_iter().filter_map(|application| application.metadata.name).collect()
}
