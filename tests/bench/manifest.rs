//! Argo CD's manifest onto a fresh API server: the steps of `up` against `kubectl`.

use std::time::Duration;

use bridgehead::files;
use serde_json::Value;

use crate::kit::command::run;
use crate::kit::{Lab, Outcome};
use crate::table::{median, row};
use crate::{ROUNDS, pause};

const HUB: &str = "[hub.local]\n";

/// The seconds that a step took, of a run's events.
fn seconds(outcome: &Outcome, step: &str) -> f64 {
    let applied = outcome.events_of("applied");
    applied.iter().find(|event| event["step"] == step).unwrap()["seconds"].as_f64().unwrap()
}

/// Argo CD's manifest onto a fresh API server: the step against `kubectl apply`, each on a hub of its own.
pub(crate) async fn rows() -> String {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let lab = Lab::new();
        lab.write_profile("bench", HUB);
        let outcome = lab.ok(&["up", "bench", "--output", "json"]);
        ours.push(seconds(&outcome, "hub/argocd/definitions") + seconds(&outcome, "hub/argocd/install"));
        lab.ok(&["down", "bench"]);
        // The run is killed where the manifest would be applied: what remains is a hub that waits for it.
        let fault = [("BRIDGEHEAD_FAULT", "before:1:hub/argocd/definitions")];
        lab.bridgehead_with(&["up", "bench"], &fault);
        theirs.push(kubectl_apply(&lab).await);
        lab.ok(&["down", "bench"]);
    }
    row(
        "Argo CD's manifest onto a fresh API server",
        median(ours),
        Some(("kubectl apply --server-side", median(theirs))),
    )
}

async fn kubectl_apply(lab: &Lab) -> f64 {
    let kubeconfig = lab.path("kubeconfig");
    let text = lab.ok(&["kubeconfig", "show", "bench"]).stdout;
    files::replace(&kubeconfig, text.as_bytes(), 0o600).unwrap();
    let components: Value =
        serde_json::from_str(&lab.ok(&["components", "--output", "json"]).stdout).unwrap();
    let manifest =
        components.as_array().unwrap().iter().find(|row| row["name"] == "argocd-install.yaml").unwrap();
    // The node agent has had its moments: both start from a hub that is at rest.
    pause(Duration::from_secs(3)).await;
    let mut command = lab.command("kubectl");
    command.arg("--kubeconfig").arg(kubeconfig);
    command.args(["-n", "argocd", "apply", "--server-side", "-f", manifest["path"].as_str().unwrap()]);
    let outcome = run(command);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    outcome.elapsed.as_secs_f64()
}
