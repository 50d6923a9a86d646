//! The hub cannot be asked, for each of the reasons that a home lab has, while a spoke that outlives it has what its
//! Argo CD deployed: `down` takes nothing away, and `status` does not say that all is well.

use kube::Client;

use super::home::Home;
use super::settled;
use crate::kit::world::differences;

pub(super) async fn nothing_is_lost_while_the_hub_is_away(home: &Home, gpu: &Client) {
    let hub = &home.hosts["argocd"];
    let deployed = settled(gpu).await;
    // A service that does not run is something that `up` mends; a host that cannot be asked is not known.
    for (unit, code) in [("k3s", 3), ("ssh", 4)] {
        hub.ok(&format!("systemctl stop {unit}"));
        is_refused(home);
        let status = home.lab.bridgehead(&["status", "tirosh-home", "--exit-code"]);
        assert_eq!(status.code(), code, "{unit}: {}", status.stdout);
        assert!(!status.stdout.contains("No drift: the world"), "{unit}: {}", status.stdout);
        hub.ok(&format!("systemctl start {unit}"));
    }
    hub.cut();
    is_refused(home);
    hub.start();
    hub.wait();
    assert_eq!(differences(&deployed, &settled(gpu).await), Vec::<String>::new());
}

fn is_refused(home: &Home) {
    let refused = home.lab.bridgehead(&["down", "tirosh-home", "--yes", "--output", "json"]);
    assert_eq!(refused.code(), 4, "{}", refused.stdout);
    assert!(refused.stdout.contains("--lost hub"), "{}", refused.stdout);
    let written =
        refused.events_of("applied").iter().filter_map(|event| event["writes"].as_u64()).sum::<u64>();
    assert_eq!(written, 0, "{}", refused.stdout);
}
