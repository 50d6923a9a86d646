//! Two operators, each on a machine of their own: the Lease on the hub keeps the second one away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use crate::kit::Lab;
use crate::kit::wait::pause;

const PROFILE: &str = "[hub.local]\n";
const EDITED: &str = "[hub.local]\n[hub.labels]\ntier = \"gold\"\n";
const NAME: &str = "bridgehead-shared";

#[tokio::test(flavor = "multi_thread")]
async fn a_second_operator_is_told_who_is_at_work() {
    let lab = Lab::new();
    lab.write_profile("shared", PROFILE);
    lab.ok(&["up", "shared"]);
    let leases: Api<Lease> = Api::namespaced(lab.client("shared", "hub").await, "kube-system");
    assert!(leases.get_opt(NAME).await.unwrap().is_none(), "a run gives its Lease back");

    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": NAME },
        "spec": { "holderIdentity": "ops@elsewhere", "leaseDurationSeconds": 30,
                  "acquireTime": "2026-01-01T10:00:00.000000Z", "renewTime": "2026-01-01T10:00:00.000000Z" },
    });
    leases.create(&PostParams::default(), &serde_json::from_value(lease).unwrap()).await.unwrap();
    lab.write_profile("shared", EDITED);
    let is_alive = Arc::new(AtomicBool::new(true));
    let other = tokio::spawn(renew(leases.clone(), Arc::clone(&is_alive)));
    let refused = lab.bridgehead(&["up", "shared", "--output", "json"]);
    assert_eq!((refused.code(), refused.result().as_str()), (6, "locked"), "{}", refused.stderr);
    let said = refused.stdout + &refused.stderr;
    assert!(said.contains("ops@elsewhere") && said.contains("2026-01-01T10:00:00"), "{said}");
    assert_eq!(lab.bridgehead(&["plan", "shared", "--exit-code"]).code(), 3, "nothing was changed");

    // The other one dies: its Lease is taken over once it has ended, and given back.
    is_alive.store(false, Ordering::Relaxed);
    other.await.unwrap();
    lab.ok(&["up", "shared"]);
    assert_eq!(lab.bridgehead(&["plan", "shared", "--exit-code"]).code(), 0);
    assert!(leases.get_opt(NAME).await.unwrap().is_none());
}

/// What a run on another machine does.
async fn renew(leases: Api<Lease>, is_alive: Arc<AtomicBool>) {
    let mut second = 0;
    while is_alive.load(Ordering::Relaxed) {
        second = (second + 1) % 60;
        let now = json!({ "spec": { "renewTime": format!("2026-01-01T10:01:{second:02}.000000Z") } });
        leases.patch(NAME, &PatchParams::default(), &Patch::Merge(now)).await.unwrap();
        pause().await;
    }
}
