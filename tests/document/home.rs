//! The home lab: two hosts, one of them bare and one with a cluster that somebody else made, and a person with a
//! shell, who has other clusters, too.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use bridgehead::files;
use bridgehead::site::K3S_VERSION;
use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use crate::kit::command::{Running, run};
use crate::kit::hosts::{Host, Hosts, Plan};
use crate::kit::http::Server;
use crate::kit::lab::REPOSITORY;
use crate::kit::mirror::Mirror;
use crate::kit::wait::{eventually, until};
use crate::kit::{Lab, Outcome, git, standin, terminal};

/// The document's site.
const SITE: &str = "tirosh-home";

/// The address in its files, at which somebody else may be.
const ADDRESSES: [(&str, &str); 2] = [("172.31.0.10", "argocd"), ("172.31.0.20", "rke2-gpu")];

/// What the person's kubeconfig has already.
pub(super) const THEIRS: &str = "apiVersion: v1\nkind: Config\ncurrent-context: work\n\
    clusters:\n- name: work\n  cluster: {server: 'https://work.example:6443'}\n\
    contexts:\n- name: work\n  context: {cluster: work, user: work}\n\
    users:\n- name: work\n  user: {token: theirs}\n";

/// The document's user, on every host.
const USER: &str = "useradd --create-home --shell /bin/bash tirosh
cp -r /home/admin/.ssh /home/tirosh/
chown -R tirosh: /home/tirosh
echo 'tirosh ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/tirosh
chmod 440 /etc/sudoers.d/tirosh";

/// Where RKE2 has its administrator's kubeconfig.
const RKE2: &str = "/etc/rancher/rke2/rke2.yaml";

pub(super) struct Home {
    pub(super) hosts: Hosts,
    mirror: Mirror,
    git: Server,
    pub(super) lab: Lab,
}

impl Home {
    pub(super) fn new() -> Self {
        let lab = Lab::new();
        let hosts = Hosts::up(&lab, &[Plan::named("argocd"), Plan::named("rke2-gpu")]);
        for (_, host) in ADDRESSES {
            hosts[host].ok(USER);
        }
        a_cluster_by_hand(&lab, &hosts["rke2-gpu"]);
        let mirror = Mirror::serve();
        mirror.release(K3S_VERSION, &[("k3s", &standin::executable())]);
        let git = git::serve(&lab, Hosts::OPERATOR);
        files::make_folder(&lab.path("home/.kube")).unwrap();
        files::replace(&lab.path("home/.kube/config"), THEIRS.as_bytes(), 0o600).unwrap();
        let home = Self { hosts, mirror, git, lab };
        home.write_site();
        home
    }

    /// The site as it is shipped, but for addresses; and where releases and repositories are.
    fn write_site(&self) {
        let here = |file: &str| {
            let shipped = Path::new(REPOSITORY).join("sites").join(SITE).join(file);
            let text = files::read(&shipped).unwrap();
            ADDRESSES.iter().fold(text, |text, (typed, host)| text.replace(typed, &self.hosts[*host].address))
        };
        let mut profile = here("profile.toml");
        write!(profile, "\n[hub.k3s]\nmirror = {:?}\n", self.mirror.releases).unwrap();
        for (name, basepath, path) in [("addons", "addons/", "bootstrap"), ("workload", "workloads/", "demo")]
        {
            let url = format!("{}/fleet.git", self.git.url);
            write!(profile, "\n[repos.{name}]\nurl = {url:?}\nbasepath = {basepath:?}\npath = {path:?}\n")
                .unwrap();
        }
        self.lab.write_profile(SITE, &profile);
        let inventory = self.lab.profile(SITE).with_file_name("inventory.toml");
        files::replace(&inventory, here("inventory.toml").as_bytes(), 0o600).unwrap();
    }

    /// A make command for the site, not yet started.
    fn prepare(&self, targets: &[&str]) -> Command {
        let mut make = self.lab.command("make");
        make.args(make_arguments()).args(targets);
        make
    }

    /// Runs make with further environment variables.
    pub(super) fn make_with(&self, targets: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let mut make = self.prepare(targets);
        make.envs(environment.iter().copied());
        succeeded(run(make), &targets.join(" "))
    }

    pub(super) fn make(&self, targets: &[&str]) -> Outcome {
        self.make_with(targets, &[])
    }

    /// Runs make, which may fail.
    pub(super) fn try_make(&self, targets: &[&str]) -> Outcome {
        let outcome = run(self.prepare(targets));
        println!("$ make {}\n{}{}", targets.join(" "), outcome.stderr, outcome.stdout);
        outcome
    }

    /// Starts make.
    pub(super) fn start(&self, targets: &[&str]) -> Running {
        Running::start(self.prepare(targets))
    }

    /// Runs make at a terminal, where a person answers its questions.
    pub(super) fn make_at_terminal(&self, targets: &[&str], answers: &[(&str, &str)]) {
        let outcome = terminal::answer(&self.prepare(targets), &self.lab.path("answer"), answers);
        succeeded(outcome, &targets.join(" "));
    }

    /// Runs a line of the person's shell, in which `$MAKE` is make for the site.
    pub(super) fn shell(&self, line: &str) -> Outcome {
        let mut shell = self.lab.command("sh");
        shell.args(["-ec", line]).env("MAKE", format!("make {}", make_arguments().join(" ")));
        succeeded(run(shell), line)
    }

    /// Runs bridgehead without make.
    pub(super) fn bridgehead(&self, arguments: &[&str]) -> Outcome {
        self.lab.ok(arguments)
    }

    /// Logs in to Argo CD where the port-forward leads to it.
    pub(super) fn login(&self, password: &str) -> Outcome {
        let mut argocd = self.lab.command(self.lab.component("argocd"));
        argocd.args([
            "login",
            "127.0.0.1:8080",
            "--plaintext",
            "--username",
            "admin",
            "--password",
            password,
        ]);
        argocd.arg("--config").arg(self.lab.path("home/argocd"));
        run(argocd)
    }

    /// The contexts of the person's kubeconfig.
    pub(super) fn contexts(&self) -> Vec<String> {
        let names = self.shell("kubectl config get-contexts --output name").stdout;
        let mut names: Vec<_> = names.lines().map(ToOwned::to_owned).collect();
        names.sort();
        names
    }

    /// A connection by a context of the person's kubeconfig.
    pub(super) async fn client(&self, context: &str) -> Client {
        let text = files::read(&self.lab.path("home/.kube/config")).unwrap();
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..Default::default() };
        let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
        Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap().try_into().unwrap()
    }

    /// A connection to the cluster that somebody else made, as whoever made it has it, once its node is ready.
    pub(super) async fn gpu_cluster(&self) -> Client {
        let host = &self.hosts["rke2-gpu"];
        let mut kubeconfig = Kubeconfig::from_yaml(&host.ok(&format!("cat {RKE2}"))).unwrap();
        let cluster = kubeconfig.clusters[0].cluster.as_mut().unwrap();
        cluster.server = Some(format!("https://{}:6443", host.address));
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let nodes = Api::<Node>::all(client.clone());
        eventually("the GPU cluster has its node", async || {
            !nodes.list(&ListParams::default()).await.unwrap().items.is_empty()
        })
        .await;
        client
    }
}

/// What stands between `make` and its targets, for this repository's Makefile to be used where the site is.
fn make_arguments() -> Vec<String> {
    let makefile = Path::new(REPOSITORY).join("Makefile");
    vec![
        format!("--file={}", makefile.display()),
        format!("SITE={SITE}"),
        format!("BRIDGEHEAD={}", env!("CARGO_BIN_EXE_bridgehead")),
    ]
}

/// The cluster of RKE2, played by the stand-in for k3s, which leaves its kubeconfig where RKE2 does.
fn a_cluster_by_hand(lab: &Lab, host: &Host) {
    standin::install(lab, host, "server");
    host.ok(&format!("mkdir -p $(dirname {RKE2})"));
    standin::start(host, &format!("write-kubeconfig: {RKE2}\n"));
    until("the cluster that somebody else made is up", || standin::is_active(host));
}

/// What a person saw, up to where it went wrong, is told of a test that fails.
fn succeeded(outcome: Outcome, what: &str) -> Outcome {
    println!("$ {what}\n{}{}", outcome.stderr, outcome.stdout);
    assert_eq!(outcome.code(), 0, "{what}");
    outcome
}
