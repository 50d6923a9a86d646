//! `down` of one spoke, and of a site with a dead spoke and a hub whose pods nobody looks after.

mod departed;
pub(crate) mod mix;
mod others;
mod silent;
mod unseen;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams};
use kube::{Api, ResourceExt};
use rustix::process::Signal;

use crate::kit::wait::eventually;
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

    // Taken out by hand: nothing of it goes before that is asked for.
    lab.write_profile("fleet", &profile::fleet(&["staging"]));
    lab.ok(&["up", "fleet"]);
    assert_eq!(registered(&lab).await, ["dev", "hub", "staging"]);
    lab.ok(&["up", "fleet", "--prune"]);
    assert_eq!(registered(&lab).await, ["hub", "staging"]);
    assert!(!lab.state("fleet").join("dev").exists());

    process::kill_below(&lab.state("fleet").join("staging"));
    process::signal(process::supervisor(&lab.state("fleet").join("hub")), Signal::STOP);
    // Nothing outlives them: both are destroyed here with everything in them, and that is said.
    let down = lab.ok(&["down", "fleet", "--output", "json"]);
    let told = down.events_of("applied").into_iter().find(|event| event["step"] == "site/presence");
    let told = told.unwrap().to_string();
    assert!(told.contains("all clusters of the site are destroyed with everything in them"), "{told}");
    assert!(lab.processes().is_empty(), "{:?}", lab.processes());
    assert!(!lab.state("fleet").exists());
    lab.ok(&["down", "fleet"]);
    assert!(!lab.state("fleet").exists(), "a `down` of nothing left something");
}

/// Argo CD may miss that the last object of an Application went, and then waits for it for ever. It is made to miss
/// it here: its controller stands still while the objects go.
#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_is_told_to_look_again_when_nothing_is_left() {
    let lab = Lab::new();
    let fleet = profile::fleet(&["dev"]);
    lab.write_profile("fleet", fleet.split("[repos.workload]").next().unwrap());
    lab.ok(&["up", "fleet"]);
    let processes = process::below(&lab.state("fleet").join("hub"));
    let is_controller = |process: &process::Process| process.name() == "argocd-application-controller";
    let controller = processes.into_iter().find(is_controller).unwrap().pid;
    process::signal(controller, Signal::STOP);

    let down = lab.start(&["down", "fleet", "--cluster", "dev", "--output", "json"]);
    let is_leaving = async || applications_leaving(&lab).await == ["priority-classes-dev"];
    eventually("the Application is on its way out", is_leaving).await;
    let classes = Api::<PriorityClass>::all(lab.client("fleet", "dev").await);
    for class in classes.list(&ListParams::default()).await.unwrap() {
        if class.annotations().contains_key("argocd.argoproj.io/tracking-id") {
            classes.delete(&class.name_any(), &DeleteParams::background()).await.unwrap();
        }
    }
    let secrets: Api<Secret> = Api::namespaced(lab.client("fleet", "hub").await, "argocd");
    let is_asked = async || {
        let secret = secrets.get("dev").await.unwrap();
        secret.annotations().contains_key("argocd.argoproj.io/refresh")
    };
    eventually("Argo CD is asked to look again", is_asked).await;
    process::signal(controller, Signal::CONT);
    let down = down.finish();
    assert_eq!(down.code(), 0, "{}{}", down.stdout, down.stderr);
    assert_eq!(registered(&lab).await, ["hub"]);
    lab.ok(&["down", "fleet"]);
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
    all_applications(lab).await.into_iter().map(|application| application.name_any()).collect()
}

async fn applications_leaving(lab: &Lab) -> Vec<String> {
    let leaving = all_applications(lab).await.into_iter();
    let leaving = leaving.filter(|application| application.metadata.deletion_timestamp.is_some());
    leaving.map(|application| application.name_any()).collect()
}

async fn all_applications(lab: &Lab) -> Vec<DynamicObject> {
    let kind = kube::core::GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    let hub = lab.client("fleet", "hub").await;
    let applications: Api<DynamicObject> = Api::namespaced_with(hub, "argocd", &ApiResource::from_gvk(&kind));
    applications.list(&ListParams::default()).await.unwrap().items
}
