//! Two sites side by side, of an ordinary user: neither notices what happens to the other.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use rustix::process::Signal;

use crate::kit::process::Process;
use crate::kit::wait::eventually;
use crate::kit::{Lab, process, site, world};

const ONE: &str = "[hub.local]\nnodes = 2\n";
const TWO: &str = "[hub.local]\n[spokes.dev]\nenvironment = \"dev\"\n[spokes.dev.local]\n";

#[tokio::test(flavor = "multi_thread")]
async fn two_sites_of_an_ordinary_user_do_not_disturb_each_other() {
    let lab = Lab::of_an_ordinary_user(&[("one", ONE), ("two", TWO)]);
    let (one, two) = (lab.start(&["up", "one"]), lab.start(&["up", "two"]));
    for outcome in [one.finish(), two.finish()] {
        assert_eq!(outcome.code(), 0, "{}", outcome.stderr);
    }
    both_are_up(&lab);
    after_a_reboot_everything_is_back(&lab).await;
    they_go_away_separately(&lab);
}

/// Process ids, by which one notices that something was started again.
fn pids(processes: &[Process]) -> BTreeSet<i32> {
    processes.iter().map(|process| process.pid.as_raw_nonzero().get()).collect()
}

fn both_are_up(lab: &Lab) {
    let user = lab.path("state").metadata().unwrap().uid();
    assert_ne!(user, 0, "root is no ordinary user");
    for (site, number) in [("one", 12), ("two", 17)] {
        assert_eq!(lab.bridgehead(&["plan", site, "--exit-code"]).code(), 0, "{site}");
        let processes = lab.processes_of(site);
        assert!(processes.len() >= number - 1, "{site}: {processes:?}");
        for process in &processes {
            let folder = format!("/proc/{}", process.pid.as_raw_nonzero());
            assert_eq!(std::path::Path::new(&folder).metadata().unwrap().uid(), user, "{process:?}");
        }
    }
    let blocks = [("one", "hub"), ("two", "hub"), ("two", "dev")];
    let ports: Vec<u16> = blocks.iter().flat_map(|(site, cluster)| site::ports(lab, site, cluster)).collect();
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len(), "blocks of ports overlap");
    let passwords = ["one", "two"].map(|site| lab.ok(&["argocd", "password", site]).stdout);
    assert_ne!(passwords[0], passwords[1]);
}

async fn after_a_reboot_everything_is_back(lab: &Lab) {
    let maps = Api::<ConfigMap>::namespaced(lab.client("two", "dev").await, "default");
    let metadata = ObjectMeta { name: Some("before-the-reboot".into()), ..ObjectMeta::default() };
    let map = ConfigMap { metadata, ..ConfigMap::default() };
    maps.create(&PostParams::default(), &map).await.unwrap();
    let (password, others) = (lab.ok(&["argocd", "password", "two"]).stdout, lab.processes_of("one"));

    for process in lab.processes_of("two") {
        process::signal(process.pid, Signal::KILL);
    }
    eventually("nothing of it runs", async || lab.processes_of("two").is_empty()).await;
    assert_eq!(lab.bridgehead(&["plan", "two", "--exit-code"]).code(), 3);
    assert_eq!(lab.bridgehead(&["plan", "one", "--exit-code"]).code(), 0);

    let up = lab.ok(&["up", "two", "--output", "json"]);
    let applied: BTreeSet<_> =
        up.events_of("applied").iter().map(|event| event["step"].as_str().unwrap().to_owned()).collect();
    assert!(
        applied.contains("hub/provision/supervisor") && !applied.contains("hub/argocd/install"),
        "{applied:?}"
    );
    let maps = Api::<ConfigMap>::namespaced(lab.client("two", "dev").await, "default");
    assert!(maps.get_opt("before-the-reboot").await.unwrap().is_some(), "its data is lost");
    assert_eq!(lab.ok(&["argocd", "password", "two"]).stdout, password);
    assert_eq!(lab.bridgehead(&["plan", "two", "--exit-code"]).code(), 0);
    assert_eq!(pids(&lab.processes_of("one")), pids(&others), "the other site was disturbed");
}

fn they_go_away_separately(lab: &Lab) {
    let others = lab.processes_of("two");
    lab.ok(&["down", "one"]);
    assert_eq!(lab.processes_of("one"), []);
    assert!(!lab.state("one").exists());
    assert_eq!(pids(&lab.processes_of("two")), pids(&others), "the other site was disturbed");
    assert_eq!(lab.bridgehead(&["plan", "two", "--exit-code"]).code(), 0);
    lab.ok(&["down", "two"]);
    assert_eq!(lab.processes(), []);
    let left: Vec<_> =
        world::files(&lab.path("state")).into_iter().filter(|name| !name.contains("/log/")).collect();
    assert_eq!(left, ["bridgehead", "bridgehead/log"]);
}
