//! What is somebody else's, in the Argo CD and on the spokes of a site; and what is put back when `down` stops half way.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::{Api, Client};
use rustix::process::Signal;
use serde_json::json;

use super::mix::{Mix, SITE};
use crate::kit::process;
use crate::kit::wait::eventually;

const NOTHING: [&str; 0] = [];

#[tokio::test(flavor = "multi_thread")]
async fn what_others_made_stays_unless_it_is_asked_for() {
    let mix = Mix::up().await;
    let hub = mix.lab.client(SITE, "hub").await;
    let applications = applications(&hub);
    let theirs = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": { "name": "theirs" },
        "spec": { "project": "default", "destination": { "name": "a", "namespace": "default" },
                  "source": { "repoURL": "https://git.example/theirs.git", "path": "." } },
    });
    applications.create(&PostParams::default(), &serde_json::from_value(theirs).unwrap()).await.unwrap();
    let up = mix.spokes().await;
    for arguments in [&["down", SITE, "--yes", "--cluster", "a"][..], &["down", SITE, "--yes"]] {
        let refused = mix.refused(arguments);
        assert!(refused.contains("others use it: Application argocd/theirs"), "{refused}");
        assert!(refused.contains("--with-others"), "{refused}");
    }
    // Where nothing of theirs is, nobody is asked.
    mix.lab.ok(&["down", SITE, "--yes", "--cluster", "b"]);
    assert_eq!(super::unseen::differences("a", &up, &mix.spokes().await), NOTHING);
    assert!(applications.get_opt("theirs").await.unwrap().is_some());
    mix.lab.ok(&["down", SITE, "--yes", "--cluster", "a", "--with-others"]);
    assert!(applications.get_opt("theirs").await.unwrap().is_none());
    mix.lab.ok(&["down", SITE, "--yes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generator_goes_on_after_an_interruption() {
    let mix = Mix::up().await;
    let hub = mix.lab.client(SITE, "hub").await;
    // Nothing is deleted as long as Argo CD's controller stands still.
    let processes = process::below(&mix.lab.state(SITE).join("hub"));
    let controller =
        processes.iter().find(|each| each.name() == "argocd-application-controller").unwrap().pid;
    process::signal(controller, Signal::STOP);
    let down = mix.lab.start(&["down", SITE, "--yes", "--cluster", "b", "--output", "json"]);
    down.until_event("applying", "b/gitops/applications");
    let generators: Api<Deployment> = Api::namespaced(hub.clone(), "argocd");
    let replicas = async || {
        let generator = generators.get("argocd-applicationset-controller").await.unwrap();
        generator.spec.unwrap().replicas
    };
    eventually("the generator is paused", async || replicas().await == Some(0)).await;
    down.signal(Signal::INT);
    let outcome = down.finish();
    assert_eq!(outcome.code(), 130, "{}", outcome.stdout);
    assert_eq!(replicas().await, Some(1));
    assert!(outcome.stderr.contains("--cluster b"), "{}", outcome.stderr);
    process::signal(controller, Signal::CONT);
    mix.lab.ok(&["down", SITE, "--yes", "--cluster", "b"]);
    assert_eq!(super::unseen::differences("b", &mix.before, &mix.spokes().await), NOTHING);
    mix.lab.ok(&["down", SITE, "--yes"]);
}

fn applications(hub: &Client) -> Api<DynamicObject> {
    let kind = kube::core::GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    Api::namespaced_with(hub.clone(), "argocd", &ApiResource::from_gvk(&kind))
}
