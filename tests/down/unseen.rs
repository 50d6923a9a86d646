//! `down` of a site whose spokes are somebody else's clusters, while something of it cannot be seen from this machine:
//! nothing is lost, nothing is half done, and the next `down` is complete.

use bridgehead::files;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use rustix::process::Signal;

use super::mix::{MADE, Mix, SITE};
use crate::kit::process;
use crate::kit::world::{self, World};

const NOTHING: [&str; 0] = [];

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_stops_it_before_the_first_write() {
    let mix = Mix::up().await;
    let up = mix.spokes().await;

    mix.lead_a_nowhere();
    let refused = mix.refused(&["down", SITE, "--yes"]);
    assert!(refused.contains("a: ") && refused.contains("Connection refused"), "{refused}");
    assert!(refused.contains("--lost a") && refused.contains("--through-argocd a"), "{refused}");
    assert!(!refused.contains("\\n  b: ") && !refused.contains("\\n  hub: "), "{refused}");
    addons_of_a_are_not_seen(&mix, "Connection refused");
    let without_context = mix.kubeconfig.replace("name: made/a", "name: made/other");
    files::replace(&mix.file(), without_context.as_bytes(), 0o600).unwrap();
    let refused = mix.refused(&["down", SITE, "--yes", "--cluster", "a"]);
    assert!(refused.contains("has no context `made/a`"), "{refused}");
    addons_of_a_are_not_seen(&mix, "has no context `made/a`");
    mix.mend();

    let server = mix.api_server("a");
    process::signal(server, Signal::STOP);
    let refused = mix.refused(&["down", SITE, "--yes"]);
    assert!(refused.contains("a: ") && !refused.contains("hub: "), "{refused}");
    process::signal(server, Signal::CONT);

    // Its spokes outlive the hub: only its Argo CD knows what is on them.
    let supervisor = process::supervisor(&mix.lab.state(SITE).join("hub"));
    process::signal(supervisor, Signal::STOP);
    let refused = mix.refused(&["down", SITE, "--yes"]);
    assert!(refused.contains("hub: ") && refused.contains("--lost hub"), "{refused}");
    process::signal(supervisor, Signal::CONT);
    let refused = mix.refused(&["down", SITE, "--yes", "--lost", "a"]);
    assert!(refused.contains("it answers, so it is not lost"), "{refused}");

    assert_eq!(world::differences(&up, &mix.spokes().await), NOTHING);
    mix.lab.ok(&["down", SITE, "--yes"]);
    assert_eq!(world::differences(&mix.before, &mix.spokes().await), NOTHING);
    assert!(!mix.lab.state(SITE).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_spoke_decides_what_stays_on_it() {
    let mix = Mix::up().await;
    let up = mix.spokes().await;
    mix.lead_a_nowhere();
    mix.lab.ok(&["down", SITE, "--yes", "--cluster", "a", "--through-argocd", "a"]);
    mix.mend();
    // Argo CD has taken everything away that it deployed; the account is what only this machine could.
    let account: Api<ServiceAccount> = Api::namespaced(mix.lab.client(MADE, "a").await, "kube-system");
    account.get("argocd-manager").await.expect("nobody could take it away");
    mix.lab.ok(&["down", SITE, "--yes", "--cluster", "a"]);
    assert_eq!(differences("a", &mix.before, &mix.spokes().await), NOTHING);

    mix.lab.ok(&["up", SITE, "--yes"]);
    mix.lead_a_nowhere();
    let lost = mix.lab.ok(&["down", SITE, "--yes", "--lost", "a", "--output", "json"]);
    let told = lost.stdout.lines().filter(|line| line.contains("\"applied\"")).collect::<String>();
    assert!(told.contains("it is taken for lost") && told.contains("that is PriorityClass"), "{told}");
    mix.mend();
    let left = mix.spokes().await;
    assert_eq!(differences("a", &up, &left), NOTHING, "what is lost stays as it is");
    assert_eq!(differences("b", &mix.before, &left), NOTHING);
    assert!(!mix.lab.state(SITE).exists());
}

/// What does not answer may be there with all that was deployed to it: no addon is switched off there.
fn addons_of_a_are_not_seen(mix: &Mix, cause: &str) {
    let profile = files::read(&mix.lab.profile(SITE)).unwrap();
    let off = mix.lab.bridgehead(&["addon", "off", SITE, "priority_classes", "--cluster", "a", "--yes"]);
    assert_eq!(off.code(), 4, "{}", off.stderr);
    assert!(off.stderr.contains("a: ") && off.stderr.contains(cause), "{}", off.stderr);
    assert_eq!(files::read(&mix.lab.profile(SITE)).unwrap(), profile);
    let rows = mix.lab.ok(&["addon", "list", SITE, "--output", "json"]).document();
    let row = rows.as_array().unwrap().iter().find(|row| row["addon"] == "priority_classes").unwrap();
    let cell = row["clusters"].as_array().unwrap().iter().find(|cell| cell["cluster"] == "a").unwrap();
    assert!(cell["left_behind"].is_null() && cell["unseen"].to_string().contains(cause), "{cell}");
}

/// What differs on one cluster.
pub(super) fn differences(cluster: &str, one: &World, other: &World) -> Vec<String> {
    let here = |name: &String| name.starts_with(&format!("{cluster}: "));
    let of = |world: &World| world.clone().into_iter().filter(|(name, _)| here(name)).collect();
    world::differences(&of(one), &of(other))
}
