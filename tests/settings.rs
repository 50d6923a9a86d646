//! What a profile tells Argo CD: projects, repositories that are private, who may do what, who is told.

use std::net::Ipv4Addr;

use bridgehead::files;
use serde_json::{Value, json};

use crate::kit::command::{Outcome, run};
use crate::kit::http::Server;
use crate::kit::sshd::Sshd;
use crate::kit::wait::eventually;
use crate::kit::{Lab, git};

const SITE: &str = "settings";
const PASSWORD: &str = "canary-password";

/// A hub with a Git server that wants a password and has a certificate of its own, and one that is reached by SSH.
struct World {
    lab: Lab,
    https: Server,
    certificate: String,
    ssh: Sshd,
}

impl World {
    async fn new() -> Self {
        let lab = Lab::new();
        let greeting = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: greeting}\ndata: {text: hello}\n";
        for file in ["addons/bootstrap/none.yaml", "workloads/demo/greeting.yaml"] {
            let path = lab.path("root").join(file);
            files::make_folder(path.parent().unwrap()).unwrap();
            files::replace(&path, greeting.as_bytes(), 0o644).unwrap();
        }
        let (https, certificate) = git::serve_privately(&lab, Ipv4Addr::LOCALHOST, "git", PASSWORD);
        Self { https, certificate, ssh: Sshd::start().await, lab }
    }

    fn ssh_url(&self) -> String {
        let (user, port) = (self.ssh.host().become_user, self.ssh.port());
        format!("ssh://{user}@127.0.0.1:{port}{}", self.lab.path("git/fleet.git").display())
    }

    fn write(&self, more: &str) {
        let (url, ssh, certificate) = (&self.https.url, self.ssh_url(), &self.certificate);
        let port = self.ssh.port();
        let (key, host_key) = (self.ssh.path("id"), self.ssh.public("host_key"));
        let profile = format!(
            "[hub.local]\n[repos.addons]\nurl = \"{url}/fleet.git\"\nbasepath = \"addons/\"\npath = \"bootstrap\"\n\
             [argocd.rbac]\n\"policy.csv\" = \"p, role:viewer, applications, get, */*, allow\"\n\
             [argocd.notifications]\n\"service.webhook.local\" = \"url: http://127.0.0.1:1\"\n\
             [[argocd.repositories]]\nname = \"fleet\"\nurl = \"{url}/fleet.git\"\nusername = \"git\"\n\
             password = {{ env = \"GIT_PASSWORD\" }}\n\
             [[argocd.repositories]]\nname = \"by-ssh\"\nurl = \"{ssh}\"\nssh_private_key = {{ file = \"{}\" }}\n\
             [argocd.known_hosts.\"[127.0.0.1]:{port}\"]\nssh = [\"{host_key}\"]\n\
             [argocd.known_hosts.\"127.0.0.1\"]\ncertificate_authority = \"\"\"\n{certificate}\"\"\"\n{more}",
            key.display()
        );
        self.lab.write_profile(SITE, &profile);
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.lab.bridgehead_with(arguments, &[("GIT_PASSWORD", PASSWORD)]);
        assert!(!outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"), "{outcome:?}");
        outcome
    }

    fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code(), 0, "{arguments:?}: {}{}", outcome.stdout, outcome.stderr);
        outcome
    }

    fn kubectl(&self, arguments: &[&str]) -> Outcome {
        let mut kubectl = self.lab.kubectl(&self.ok(&["kubeconfig", "show", SITE]).stdout);
        kubectl.args(["--namespace", "argocd"]).args(arguments);
        run(kubectl)
    }

    fn object(&self, kind: &str, name: &str) -> Value {
        let outcome = self.kubectl(&["get", kind, name, "--output", "json"]);
        assert_eq!(outcome.code(), 0, "{kind} {name}: {}", outcome.stderr);
        outcome.document()
    }

    /// An Application that nobody but this test makes.
    fn deploy(&self, name: &str, spec: &Value) {
        let application = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": { "name": name, "namespace": "argocd", "finalizers": ["resources-finalizer.argocd.argoproj.io"] },
            "spec": spec,
        });
        let file = self.lab.path("application.json");
        files::replace(&file, application.to_string().as_bytes(), 0o600).unwrap();
        let applied = self.kubectl(&["apply", "--filename", &file.display().to_string()]);
        assert_eq!(applied.code(), 0, "{}", applied.stderr);
    }
}

const TEAM: &str = "[argocd.projects.team]\ndescription = \"What the team may deploy\"\n\
    destinations = [{ server = \"https://kubernetes.default.svc\", namespace = \"team-*\" }]\n\
    clusterResourceWhitelist = [{ group = \"\", kind = \"Namespace\" }]\n";

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_is_told_what_the_profile_says() {
    let world = World::new().await;
    world.write(TEAM);
    let plan = world.ok(&["plan", SITE]).stdout;
    for subject in ["hub/gitops/projects", "hub/gitops/secrets"] {
        assert!(plan.contains(subject), "{plan}");
    }
    // The Application of the addons is synced from the private repository, or this fails.
    world.ok(&["up", SITE]);
    assert_eq!(world.object("application", "addons")["status"]["sync"]["status"], "Synced");
    let again = world.ok(&["up", SITE, "--output", "json"]);
    assert!(again.events_of("applied").is_empty(), "{}", again.stdout);

    settings_are_added_to_what_is_there(&world);
    a_project_lets_in_what_it_names(&world).await;
    hand_made_host_keys_stay(&world);
    a_project_that_left_the_profile_stays_until_it_is_pruned(&world);
    world.ok(&["down", SITE, "--yes"]);
}

fn settings_are_added_to_what_is_there(world: &World) {
    assert!(
        world.object("configmap", "argocd-rbac-cm")["data"]["policy.csv"]
            .as_str()
            .unwrap()
            .contains("viewer")
    );
    let told = world.object("configmap", "argocd-notifications-cm");
    assert_eq!(told["data"]["service.webhook.local"], "url: http://127.0.0.1:1");
    let secret = world.object("secret", "repository-fleet");
    assert_eq!(secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"], "repository");
    let keys: Vec<_> = secret["data"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["name", "password", "type", "url", "username"]);
    let keys = world.object("configmap", "argocd-ssh-known-hosts-cm")["data"]["ssh_known_hosts"].clone();
    let keys = keys.as_str().unwrap();
    assert!(keys.contains("github.com ") && keys.contains("127.0.0.1]:"), "{keys}");
}

/// By SSH, too: what is in the right namespace is deployed, anything else is refused.
async fn a_project_lets_in_what_it_names(world: &World) {
    let spec = |namespace: &str| {
        json!({
            "project": "team",
            "source": { "repoURL": world.ssh_url(), "path": "workloads/demo", "targetRevision": "main" },
            "destination": { "server": "https://kubernetes.default.svc", "namespace": namespace },
            "syncPolicy": { "automated": {}, "syncOptions": ["CreateNamespace=true"] },
        })
    };
    world.deploy("allowed", &spec("team-a"));
    world.deploy("refused", &spec("other"));
    let is_synced = async || world.object("application", "allowed")["status"]["sync"]["status"] == "Synced";
    eventually("what the project allows is synced", is_synced).await;
    let is_refused = async || {
        let refused = world.object("application", "refused");
        refused["status"]["conditions"].as_array().is_some_and(|conditions| {
            conditions.iter().any(|condition| condition["type"] == "InvalidSpecError")
        })
    };
    eventually("what the project does not allow is refused", is_refused).await;
    for name in ["allowed", "refused"] {
        assert_eq!(world.kubectl(&["delete", "application", name]).code(), 0);
    }
}

/// Somebody adds the key of a server, then the profile forgets its own.
fn hand_made_host_keys_stay(world: &World) {
    let name = "argocd-ssh-known-hosts-cm";
    let read = || world.object("configmap", name)["data"]["ssh_known_hosts"].as_str().unwrap().to_owned();
    let theirs =
        "git.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    let before = read();
    let patch = json!({ "data": { "ssh_known_hosts": format!("{before}{theirs}\n") } }).to_string();
    assert_eq!(world.kubectl(&["patch", "configmap", name, "--patch", &patch]).code(), 0);
    let plan = world.run(&["plan", SITE, "--exit-code"]);
    assert_eq!(plan.code(), 0, "somebody else's key is no drift: {}", plan.stdout);
    world.write(&format!("[argocd.known_hosts.\"more.example\"]\nssh = [\"{}\"]\n{TEAM}", &theirs[12..]));
    world.ok(&["up", SITE]);
    let lines = read();
    for line in [theirs, "more.example ", "github.com "] {
        assert!(lines.lines().any(|found| found.starts_with(line)), "{line} is missing: {lines}");
    }
    world.write(TEAM);
    world.ok(&["up", SITE]);
    assert!(read().contains(theirs) && !read().contains("more.example"));
}

fn a_project_that_left_the_profile_stays_until_it_is_pruned(world: &World) {
    world.write("");
    let plan = world.run(&["plan", SITE, "--exit-code"]);
    assert_eq!(plan.code(), 3);
    assert!(plan.stdout.contains("AppProject argocd/team"), "{}", plan.stdout);
    world.ok(&["up", SITE]);
    world.object("appproject", "team");
    world.ok(&["up", SITE, "--prune", "--yes"]);
    assert_ne!(world.kubectl(&["get", "appproject", "team"]).code(), 0, "it was to be pruned");
    assert_eq!(world.run(&["plan", SITE, "--exit-code"]).code(), 0);
}
