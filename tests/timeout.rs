//! A wait that has no end: it is given up in time, says what it waited for, and the next run goes on from there.

use bridgehead::engine::StepId;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use rustix::process::Signal;

use crate::kit::wait::eventually;
use crate::kit::{Lab, process};

/// A cluster whose controllers stand still never gets the token of a ServiceAccount. This takes the two minutes that
/// a user would wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_given_up_names_what_it_waited_for() {
    let lab = Lab::new();
    lab.write_profile("slow", "[hub.local]\n[spokes.dev]\nenvironment = \"dev\"\n[spokes.dev.local]\n");
    let account = StepId::of(&"dev".parse().unwrap(), "registration/account");
    let fault = format!("before:1:{account}");
    lab.bridgehead_with(&["up", "slow", "--cluster", "dev"], &[("BRIDGEHEAD_FAULT", &fault)]);
    let accounts = Api::<ServiceAccount>::namespaced(lab.client("slow", "dev").await, "default");
    let is_working = async || accounts.get_opt("default").await.unwrap().is_some();
    eventually("the controllers work", is_working).await;
    let processes = process::below(&lab.state("slow").join("dev"));
    let is_controllers = |process: &process::Process| process.name() == "kube-controller-manager";
    let controllers = processes.into_iter().find(is_controllers).unwrap().pid;
    process::signal(controllers, Signal::STOP);

    let slow = lab.bridgehead(&["up", "slow", "--output", "json"]);
    assert_eq!((slow.code(), slow.result().as_str()), (5, "timed_out"), "{}", slow.stderr);
    let failed = slow.events_of("failed");
    let error = |event: &serde_json::Value| event["error"].as_str().unwrap().to_owned();
    let waited = failed.iter().find(|event| event["step"] == account.as_str()).map(error).unwrap();
    let reason =
        "wait for Secret kube-system/argocd-manager-long-lived-token: the controller manager fills in";
    assert!(waited.contains("within 120 s") && waited.contains(reason), "{waited}");
    assert!(slow.stderr.contains("to continue: bridgehead up slow"), "{}", slow.stderr);
    let done = slow.events_of("applied");
    assert!(done.iter().any(|event| event["step"] == "hub/argocd/ready"), "the rest went on: {done:?}");

    process::signal(controllers, Signal::CONT);
    lab.ok(&["up", "slow"]);
    assert_eq!(lab.bridgehead(&["plan", "slow", "--exit-code"]).code(), 0);
    lab.ok(&["down", "slow"]);
}
