//! `down` of a site whose spokes are somebody else's clusters, while something of it cannot be seen from this machine:
//! nothing is lost, nothing is half done, and the next `down` is complete.

use std::path::PathBuf;

use bridgehead::files;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use rustix::process::{Pid, Signal};

use crate::existing::forget_registration;
use crate::kit::world::{self, World};
use crate::kit::{Lab, Outcome, process, profile, site};

/// The site whose clusters play those of somebody else.
const MADE: &str = "made";
/// The site that uses them.
const SITE: &str = "mix";
const SPOKES: [&str; 2] = ["a", "b"];
const NOTHING: [&str; 0] = [];
/// A namespace that Argo CD made for an Application, with what every namespace has.
const NAMESPACE: [&str; 3] =
    ["ConfigMap workload/kube-root-ca.crt", "Namespace /workload", "ServiceAccount workload/default"];

struct Mix {
    lab: Lab,
    /// The spokes before they were any.
    before: World,
    /// The person's kubeconfig, as it leads to the spokes.
    kubeconfig: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_stops_it_before_the_first_write() {
    let mix = Mix::up().await;
    let up = mix.spokes().await;

    mix.lead_a_nowhere();
    let refused = mix.refused(&["down", SITE, "--yes"]);
    assert!(refused.contains("a: ") && refused.contains("Connection refused"), "{refused}");
    assert!(refused.contains("--lost a") && refused.contains("--through-argocd a"), "{refused}");
    assert!(!refused.contains("\\n  b: ") && !refused.contains("\\n  hub: "), "{refused}");
    let without_context = mix.kubeconfig.replace("name: made/a", "name: made/other");
    files::replace(&mix.file(), without_context.as_bytes(), 0o600).unwrap();
    let refused = mix.refused(&["down", SITE, "--yes", "--cluster", "a"]);
    assert!(refused.contains("has no context `made/a`"), "{refused}");
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
    assert!(refused.contains("it answers, so that it is not lost"), "{refused}");

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

/// What differs on one cluster.
fn differences(cluster: &str, one: &World, other: &World) -> Vec<String> {
    let here = |name: &String| name.starts_with(&format!("{cluster}: "));
    let of = |world: &World| world.clone().into_iter().filter(|(name, _)| here(name)).collect();
    world::differences(&of(one), &of(other))
}

impl Mix {
    async fn up() -> Self {
        let lab = Lab::new();
        lab.write_profile(MADE, "[hub.local]\n[spokes.a.local]\n[spokes.b.local]\n");
        lab.ok(&["up", MADE]);
        lab.ok(&["kubeconfig", "merge", MADE]);
        for spoke in SPOKES {
            forget_registration(&lab.client(MADE, spoke).await).await;
        }
        let kubeconfig = files::read(&lab.path("home/.kube/config")).unwrap();
        let spokes = SPOKES
            .map(|name| format!("[spokes.{name}]\nenvironment = \"{name}\"\n[spokes.{name}.existing]\ncontext = \"made/{name}\"\n"));
        let fleet =
            profile::fleet(&[]).replace("[hub.local]\n", &format!("[hub.local]\n{}", spokes.concat()));
        lab.write_profile(SITE, &fleet);
        let mut mix = Self { lab, before: World::new(), kubeconfig };
        mix.before = mix.spokes().await;
        mix.lab.ok(&["up", SITE, "--yes"]);
        mix
    }

    /// The objects of the spokes.
    async fn spokes(&self) -> World {
        let mut all = World::new();
        for spoke in SPOKES {
            let objects = world::objects(&self.lab.client(MADE, spoke).await).await.into_iter();
            // Argo CD never takes away a namespace that it made for an Application; `down` says so.
            let objects = objects.filter(|(name, _)| !NAMESPACE.contains(&name.as_str()));
            all.extend(objects.map(|(name, object)| (format!("{spoke}: {name}"), object)));
        }
        all
    }

    fn file(&self) -> PathBuf {
        self.lab.path("home/.kube/config")
    }

    /// Nobody listens where the kubeconfig leads to.
    fn lead_a_nowhere(&self) {
        let server = format!("127.0.0.1:{}", site::ports(&self.lab, MADE, "a").start);
        assert!(self.kubeconfig.contains(&server), "{server}: {}", self.kubeconfig);
        files::replace(&self.file(), self.kubeconfig.replace(&server, "127.0.0.1:1").as_bytes(), 0o600)
            .unwrap();
    }

    fn mend(&self) {
        files::replace(&self.file(), self.kubeconfig.as_bytes(), 0o600).unwrap();
    }

    fn api_server(&self, cluster: &str) -> Pid {
        let processes = process::below(&self.lab.state(MADE).join(cluster));
        processes.into_iter().find(|process| process.name() == "kube-apiserver").unwrap().pid
    }

    /// Runs a command that must fail in one step, before anything is changed; what it says.
    fn refused(&self, arguments: &[&str]) -> String {
        let outcome: Outcome = self.lab.bridgehead(&[arguments, &["--output", "json"]].concat());
        assert_eq!(outcome.code(), 4, "{}{}", outcome.stdout, outcome.stderr);
        let written: u64 =
            outcome.events_of("applied").iter().filter_map(|event| event["writes"].as_u64()).sum();
        assert_eq!(written, 0, "{}", outcome.stdout);
        let failed = outcome.events_of("failed");
        assert_eq!(failed.len(), 1, "{}", outcome.stdout);
        failed[0].to_string()
    }
}
