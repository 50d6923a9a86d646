//! The home-lab document's own files.

use std::collections::BTreeMap;

use super::*;
use crate::site::inventory::Host;
use crate::site::{
    ArgoCd, Cluster, Existing, Ingress, K3S_RELEASES, K3S_VERSION, K3s, K3sRelease, Kube, Login,
};

const PROFILE: &str = r#"[kube]
kubeconfig = "~/.kube/config"
[kube.contexts]
argocd = "tirosh-home/k3s"
rke2_gpu = "tirosh-home/rke2/gpu"
[argocd]
target_name = "argocd"
server = "gitops.internal.tirosh.ai"
login_args = "--grpc-web --prompts-enabled"
auto_port_forward = false
cluster_context = "tirosh-home/rke2/gpu"
cluster_name = "tirosh-home-rke2-gpu"
"#;

const INVENTORY: &str = r#"[vms.argocd]
ansible_host = "172.31.0.10"
ansible_user = "tirosh"
ansible_become_user = "root"
proxmox_vm_name = "argocd"
workloads = ["k3s", "argocd"]
"#;

fn read_home(profile: &str, overrides: &Overrides) -> Result<Site, Findings> {
    read_with(profile, INVENTORY, overrides)
}

#[expect(clippy::unnecessary_wraps, reason = "what it is compared with is an option")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn host() -> Host {
    Host {
        name: "argocd".parse().unwrap(),
        address: "172.31.0.10".to_owned(),
        port: None,
        user: text("tirosh"),
        become_user: "root".to_owned(),
        proxmox_vm_name: text("argocd"),
        workloads: vec!["k3s".to_owned(), "argocd".to_owned()],
        host_key: None,
    }
}

fn cluster(name: &str, role: Role, environment: &str, provider: Provider) -> Cluster {
    Cluster {
        name: name.parse().unwrap(),
        role,
        environment: environment.to_owned(),
        provider,
        server: None,
        addons: [("argocd".parse().unwrap(), false)].into(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
    }
}

fn home() -> Site {
    let k3s = K3s {
        servers: vec![host()],
        agents: Vec::new(),
        release: K3sRelease::Version(K3S_VERSION.to_owned()),
        config: serde_json::Map::new(),
        mirror: K3S_RELEASES.to_owned(),
        sha256: Vec::new(),
        images: false,
    };
    let existing =
        Existing { kubeconfig: "/home/x/.kube/config".into(), context: "tirosh-home/rke2/gpu".to_owned() };
    let contexts = [("argocd", "tirosh-home/k3s"), ("rke2_gpu", "tirosh-home/rke2/gpu")];
    Site {
        name: "x".parse().unwrap(),
        profile: None,
        protect: false,
        hub: cluster("hub", Role::Hub, "control-plane", Provider::K3s(k3s)),
        spokes: vec![cluster(
            "tirosh-home-rke2-gpu",
            Role::Spoke,
            "tirosh-home-rke2-gpu",
            Provider::Existing(existing),
        )],
        repositories: BTreeMap::new(),
        argocd: ArgoCd {
            version: crate::site::ARGOCD_VERSION.to_owned(),
            namespace: "argocd".to_owned(),
            server_insecure: false,
            ingress: None,
            cm: BTreeMap::new(),
            params: BTreeMap::new(),
            rbac: BTreeMap::new(),
            notifications: BTreeMap::new(),
            projects: BTreeMap::new(),
            repositories: Vec::new(),
            git_servers: BTreeMap::new(),
            login: Login {
                server: text("gitops.internal.tirosh.ai"),
                arguments: text("--grpc-web --prompts-enabled"),
                auto_port_forward: false,
            },
        },
        kube: Kube {
            kubeconfig: "/home/x/.kube/config".into(),
            contexts: contexts.map(|(key, name)| (key.to_owned(), name.to_owned())).into(),
            saved: "/home/x/.kube/x.yml".into(),
            saved_rke2: "/home/x/.kube/x-rke2.yml".into(),
        },
        inventory: [(host().name, host())].into(),
        secrets: BTreeMap::new(),
        overrides: Overrides::default(),
    }
}

#[test]
fn the_documents_two_files_are_a_site() {
    assert_eq!(read_home(PROFILE, &Overrides::default()).unwrap(), home());
}

#[test]
fn contexts_have_the_names_that_the_profile_gives_them() {
    let site = home();
    assert_eq!(site.context(&site.hub), "tirosh-home/k3s");
    assert_eq!(site.context(&site.spokes[0]), "tirosh-home/rke2/gpu");
    assert_eq!(site.hosts_for("k3s").count(), 1);
    assert_eq!(site.hosts_for("rke2").count(), 0);
    let local = read_text(SMALLEST).unwrap();
    assert_eq!(local.context(&local.hub), "x/hub");
}

#[test]
fn the_sites_of_the_repository_are_valid_and_extend_the_document() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let site = load(Some(root), &"tirosh-home".parse().unwrap(), &Overrides::default()).unwrap();
    let Provider::K3s(k3s) = &site.hub.provider else { panic!("{:?}", site.hub) };
    assert_eq!(k3s.servers, [host()]);
    assert_eq!(k3s.config["tls-san"].as_array().unwrap().len(), 3);
    assert_eq!(k3s.config["write-kubeconfig-mode"], "0644");
    assert_eq!(site.hosts_for("rke2").next().unwrap().address, "172.31.0.20");
    let ingress = Ingress {
        class_name: text("traefik"),
        host: "gitops.internal.tirosh.ai".to_owned(),
        service_port: 80,
        tls: false,
    };
    assert_eq!((site.argocd.ingress, site.argocd.server_insecure), (Some(ingress), true));
}

#[test]
fn what_the_short_form_leaves_out_is_found() {
    let none = Overrides::default();
    let without = |line: &str| rows(read_home(&PROFILE.replace(line, ""), &none));
    assert_eq!(without("target_name = \"argocd\"\n"), ["1:1 `hub` is missing"]);
    assert_eq!(
        without("cluster_name = \"tirosh-home-rke2-gpu\"\n"),
        ["11:19 `argocd.cluster_name` is missing"]
    );
    assert_eq!(
        without("cluster_context = \"tirosh-home/rke2/gpu\"\n"),
        ["11:16 `argocd.cluster_context` is missing"]
    );
    let with = |text: &str| rows(read_home(&format!("{PROFILE}{text}"), &none));
    assert_eq!(with("[hub.k3s.config]\n[spokes.tirosh-home-rke2-gpu]\nenvironment = \"gpu\"\n"), [""; 0]);
    assert_eq!(with("[hub.local]\n").len(), 1);
    assert_eq!(with("[hub.k3s]\nservers = [\"argocd\"]\n"), [""; 0]);
    assert_eq!(
        with("[spokes.tirosh-home-rke2-gpu.existing]\ncontext = \"y\"\n"),
        ["12:16 `spokes.tirosh-home-rke2-gpu` says already what makes this cluster"]
    );
    assert_eq!(
        with("[spokes.other.existing]\ncontext = \"tirosh-home/rke2/gpu\"\n"),
        ["11:19 `other` and `tirosh-home-rke2-gpu` have the same context"]
    );
    assert_eq!(
        with("[spokes.other.existing]\ncontext = \"tirosh-home/k3s\"\n"),
        ["14:11 `hub` and `other` have the same context"]
    );
    assert_eq!(with("[spokes.other]\n"), ["13:9 `spokes.other` names no provider"]);
    let other = PROFILE.replace("target_name = \"argocd\"", "target_name = \"argcd\"");
    let findings = read_home(&other, &none).unwrap_err();
    assert_eq!(rows(Err(findings)), ["7:15 the inventory has no host `argcd`"]);
    assert_eq!(read_home(&other, &none).unwrap_err().rows()[0].help, Some("did you mean `argocd`?"));
}

#[test]
fn the_command_line_wins_and_is_checked_as_if_the_profile_said_it() {
    let overrides = Overrides {
        usual_kubeconfig: Some("/none".into()),
        kubeconfig: text("/tmp/config"),
        hub_context: text("mine"),
        cluster_context: text("theirs"),
        argocd_target: text("argocd"),
        argocd_server: text("localhost:8080"),
        argocd_login_args: text("--plaintext"),
        argocd_auto_port_forward: Some(true),
        k3s_target: text("argocd"),
        k3s_kubeconfig: Some("/tmp/k3s.yml".into()),
    };
    let site = read_home(PROFILE, &overrides).unwrap();
    let mut expected = home();
    expected.kube.kubeconfig = "/tmp/config".into();
    expected.kube.saved = "/tmp/k3s.yml".into();
    expected.kube.contexts.insert("argocd".to_owned(), "mine".to_owned());
    let existing = Existing { kubeconfig: "/tmp/config".into(), context: "theirs".to_owned() };
    expected.spokes[0].provider = Provider::Existing(existing);
    expected.argocd.login =
        Login { server: text("localhost:8080"), arguments: text("--plaintext"), auto_port_forward: true };
    expected.overrides = overrides.clone();
    assert_eq!(site, expected);
}

#[test]
fn what_is_wrong_on_the_command_line_is_shown_there() {
    let overrides =
        Overrides { argocd_server: text("x"), k3s_target: text("elsewhere"), ..Overrides::default() };
    let findings = read_home(PROFILE, &overrides).unwrap_err();
    let rows = findings.rows();
    assert_eq!(
        (rows[0].file, rows[0].line, rows[0].column, rows[0].message),
        ("command line", 1, 14, "the inventory has no host `elsewhere`")
    );
    assert!(findings.render(false, 80).contains("--k3s-target elsewhere --argocd-server x"));
    let local = read_with("[hub.local]\n", INVENTORY, &overrides).unwrap_err();
    assert_eq!(local.rows()[0].message, "`hub` has more than one provider: local, k3s");
    // The context of an existing hub is overridden where it is said.
    let overrides = Overrides { hub_context: text("b"), ..Overrides::default() };
    let site = read_with("[hub.existing]\ncontext = \"a\"\n", "", &overrides).unwrap();
    let Provider::Existing(existing) = &site.hub.provider else { panic!("{:?}", site.hub) };
    assert_eq!((existing.context.as_str(), site.context(&site.hub).as_str()), ("b", "b"));
}

#[test]
fn no_part_of_a_site_makes_it_panic() {
    let profile = include_str!("../../../../sites/tirosh-home/profile.toml");
    let inventory = include_str!("../../../../sites/tirosh-home/inventory.toml");
    let overrides = Overrides { k3s_target: text("argocd"), hub_context: text("a"), ..Overrides::default() };
    let read = |profile: &str, inventory: &str| {
        if let Err(findings) = read_with(profile, inventory, &overrides) {
            assert!(!findings.render(false, 80).is_empty());
        }
    };
    for end in 0..=profile.len().max(inventory.len()) {
        let (first, second) = (end.min(profile.len()), end.min(inventory.len()));
        read(&profile[..first], &inventory[second..]);
        read(&profile[first..], &inventory[..second]);
    }
}
