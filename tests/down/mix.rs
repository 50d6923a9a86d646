//! A hub of this machine, and two spokes that are somebody else's clusters.

use std::path::PathBuf;

use bridgehead::files;
use rustix::process::Pid;

use crate::existing::forget_registration;
use crate::kit::world::{self, World};
use crate::kit::{Lab, Outcome, process, profile, site};

/// The site whose clusters play those of somebody else.
pub(crate) const MADE: &str = "made";
/// The site that uses them.
pub(crate) const SITE: &str = "mix";
pub(crate) const SPOKES: [&str; 2] = ["a", "b"];
/// A namespace that Argo CD made for an Application, with what every namespace has.
const NAMESPACE: [&str; 3] =
    ["ConfigMap workload/kube-root-ca.crt", "Namespace /workload", "ServiceAccount workload/default"];

pub(crate) struct Mix {
    pub(crate) lab: Lab,
    /// The spokes before they were any.
    pub(crate) before: World,
    /// The person's kubeconfig, as it leads to the spokes.
    pub(crate) kubeconfig: String,
}

impl Mix {
    pub(crate) async fn up() -> Self {
        let mut mix = Self::made().await;
        mix.write_site("");
        mix.before = mix.spokes().await;
        mix.lab.ok(&["up", SITE, "--yes"]);
        mix
    }

    /// Before the site is written.
    pub(crate) async fn made() -> Self {
        let lab = Lab::new();
        lab.write_profile(MADE, "[hub.local]\n[spokes.a.local]\n[spokes.b.local]\n");
        lab.ok(&["up", MADE]);
        lab.ok(&["kubeconfig", "merge", MADE]);
        for spoke in SPOKES {
            forget_registration(&lab.client(MADE, spoke).await).await;
        }
        let kubeconfig = files::read(&lab.path("home/.kube/config")).unwrap();
        Self { lab, before: World::new(), kubeconfig }
    }

    /// Writes the site; the text is what it says of the spoke `a` besides its context.
    pub(crate) fn write_site(&self, of_a: &str) {
        let spokes = SPOKES.map(|name| {
            let more = if name == "a" { of_a } else { "" };
            format!("[spokes.{name}]\nenvironment = \"{name}\"\n{more}[spokes.{name}.existing]\ncontext = \"made/{name}\"\n")
        });
        let fleet =
            profile::fleet(&[]).replace("[hub.local]\n", &format!("[hub.local]\n{}", spokes.concat()));
        self.lab.write_profile(SITE, &fleet);
    }

    /// The objects of the spokes.
    pub(crate) async fn spokes(&self) -> World {
        let mut all = World::new();
        for spoke in SPOKES {
            let objects = world::objects(&self.lab.client(MADE, spoke).await).await.into_iter();
            // Argo CD never takes away a namespace that it made for an Application; `down` says so.
            let objects = objects.filter(|(name, _)| !NAMESPACE.contains(&name.as_str()));
            all.extend(objects.map(|(name, object)| (format!("{spoke}: {name}"), object)));
        }
        all
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.lab.path("home/.kube/config")
    }

    /// Nobody listens where the kubeconfig leads to.
    pub(crate) fn lead_a_nowhere(&self) {
        self.lead_nowhere("a");
    }

    /// The same of any spoke.
    pub(crate) fn lead_nowhere(&self, spoke: &str) {
        let server = format!("127.0.0.1:{}", site::ports(&self.lab, MADE, spoke).start);
        assert!(self.kubeconfig.contains(&server), "{server}: {}", self.kubeconfig);
        files::replace(&self.file(), self.kubeconfig.replace(&server, "127.0.0.1:1").as_bytes(), 0o600)
            .unwrap();
    }

    pub(crate) fn mend(&self) {
        files::replace(&self.file(), self.kubeconfig.as_bytes(), 0o600).unwrap();
    }

    pub(crate) fn api_server(&self, cluster: &str) -> Pid {
        let processes = process::below(&self.lab.state(MADE).join(cluster));
        processes.into_iter().find(|process| process.name() == "kube-apiserver").unwrap().pid
    }

    /// Runs a command that must fail in one step, before anything is changed; what it says.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
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
