//! k3s, hosts, and what does not go together.

use super::*;

const HOSTS: &str = "[vms.one]\nansible_host = \"10.0.0.1\"\n[vms.two]\nansible_host = \"10.0.0.2\"\n\
                     [vms.three]\nansible_host = \"10.0.0.3\"\n";

fn k3s(below: &str) -> String {
    format!("[hub.k3s]\nservers = [\"one\"]\n{below}\n")
}

fn read_k3s(profile: &str) -> Result<Site, Findings> {
    read_with(profile, HOSTS, &Overrides::default())
}

#[test]
fn every_key_of_k3s_is_read() {
    let text = k3s(
        "agents = [\"two\", \"three\"]\nchannel = \"stable\"\nchannel_server = \"https://10.0.0.9/channels/\"\n\
        mirror = \"https://mirror.example/k3s/\"\nimages = true\n[hub.k3s.config]\ndisable = [\"traefik\"]\n\
        \"kubelet-arg+\" = [\"max-pods=50\"]\nflannel-iface = \"eth1\"\nburst = 3\nratio = 0.5\nsecrets-encryption = true",
    );
    let site = read_k3s(&text).unwrap();
    let Provider::K3s(k3s) = &site.hub.provider else { panic!("{:?}", site.hub) };
    let names = |hosts: &[crate::site::inventory::Host]| {
        hosts.iter().map(|host| host.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&k3s.servers), names(&k3s.agents)),
        (vec!["one".into()], vec!["two".into(), "three".into()])
    );
    let channel = crate::site::K3sRelease::Channel {
        name: "stable".to_owned(),
        server: "https://10.0.0.9/channels".to_owned(),
    };
    assert_eq!(
        (&k3s.release, k3s.mirror.as_str(), k3s.images),
        (&channel, "https://mirror.example/k3s", true)
    );
    let config = serde_json::json!({
        "disable": ["traefik"], "kubelet-arg+": ["max-pods=50"], "flannel-iface": "eth1", "burst": 3, "ratio": 0.5,
        "secrets-encryption": true,
    });
    assert_eq!(serde_json::Value::Object(k3s.config.clone()), config);
}

/// Each profile has the one finding.
fn check(cases: &[(String, &str)]) {
    for (text, expected) in cases {
        let found = rows(read_k3s(text));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:?}");
    }
}

#[test]
fn servers_and_agents_are_hosts_of_the_inventory() {
    let cases = [
        ("[hub.k3s]\nservers = []\n".to_owned(), "2:11 a cluster has at least one server"),
        (
            "[hub.k3s]\nservers = [\"one\", \"two\"]\n".to_owned(),
            "2:11 a cluster has an odd number of servers",
        ),
        (
            "[hub.k3s]\nservers = [\"one\", \"two\", \"three\"]\n".to_owned(),
            "2:11 a cluster of several servers is not built yet",
        ),
        ("[hub.k3s]\nservers = [\"ona\"]\n".to_owned(), "2:12 the inventory has no host `ona`"),
        (
            "[hub.k3s]\nservers = [3]\n".to_owned(),
            "2:12 `hub.k3s.servers` must be an array of strings, this is an int",
        ),
        (
            "[hub.k3s]\nservers = \"one\"\n".to_owned(),
            "2:11 `hub.k3s.servers` must be an array of strings, this is a s",
        ),
        (k3s("agents = [\"one\"]"), "3:11 the host `one` is a server already"),
        (k3s("agents = [\"two\", \"two\"]"), "3:18 the host `two` is an agent already"),
        (k3s("[spokes.dev.k3s]\nservers = [\"one\"]"), "4:12 the host `one` is a server already"),
    ];
    check(&cases);
}

#[test]
fn what_is_no_release_or_configuration_is_found() {
    let cases = [
        (k3s("version = \"1.34.4+k3s1\""), "3:11 this is no release of k3s"),
        (k3s("version = \"v1.34.4-k3s1\""), "3:11 this is no release of k3s"),
        (k3s("version = \"v1.34+k3s1\""), "3:11 this is no release of k3s"),
        (k3s("version = \"v1.34.4+k3s\""), "3:11 this is no release of k3s"),
        (k3s("channel = \"../x\""), "3:11 this is no channel of k3s"),
        (
            k3s("version = \"v1.34.4+k3s1\"\nchannel = \"stable\""),
            "4:11 a release is named by its version or",
        ),
        (k3s("channel_server = \"https://x.example\""), "3:18 there is no channel to ask for"),
        (k3s("mirror = \"/srv/k3s\""), "3:10 this is not a URL that begins with `https://` or `http://`"),
        (k3s("mirror = \"http://mirror.example\""), "3:10 only this machine itself may be asked without TLS"),
        (k3s("mirror = \"http://127.0.0.1.example\""), "3:10 only this machine itself may be asked without"),
        (
            k3s("channel = \"stable\"\nchannel_server = \"http://x.example\""),
            "4:18 only this machine itself may be asked",
        ),
        (k3s("sha256 = [\"ab\"]"), "3:11 a SHA-256 has 64 hexadecimal digits"),
        (k3s("mirror = \"https://a:b@x.example\""), "3:10 a profile holds no secrets"),
        (k3s("[hub.k3s.config]\ntoken = \"K10abc\""), "4:1 `token` cannot be set in a profile"),
        (k3s("[hub.k3s.config]\n\"server+\" = \"https://x\""), "4:1 `server` cannot be set in a profile"),
        (k3s("[hub.k3s.config]\nhttps-listen-port = \"6443\""), "4:1 a port is a number from 1 to 65535"),
        (k3s("[hub.k3s.config]\nx = 1979-05-27"), "4:5 `hub.k3s.config.x` cannot be a date"),
        (k3s("[hub.k3s.config]\nx = [nan]"), "4:5 `hub.k3s.config.x` cannot be a float that is no number"),
    ];
    check(&cases);
}

#[test]
fn what_does_not_go_together_is_found() {
    let cases = [
        (
            k3s(
                "[argocd.ingress]\nenabled = true\nhost = \"x.example\"\nclass_name = \"traefik\"\n[hub.k3s.config]\n\
                 disable = [\"servicelb\", \"traefik\"]",
            ),
            "6:14 nothing serves this class: `hub.k3s.config.disable` has `traefik` in it",
        ),
        (k3s("[argocd.ingress]\nenabled = true"), "4:11 `argocd.ingress.host` is missing"),
        (
            k3s("[argocd.ingress]\nenabled = true\nhost = \"x\"\nservice_port = 80"),
            "6:16 Argo CD answers plain HTTP by sending the browser to HTTPS",
        ),
        (
            k3s("[repos.addons]\nurl = \"https://ghp_0123@git.example/a.git\""),
            "4:7 a profile holds no secrets",
        ),
        (k3s("[argocd.ingress]\nenabled = true\nhost = \"a b\""), "5:8 this must be a DNS name"),
        (
            k3s("[argocd.params]\n\"server.insecure\" = \"true\""),
            "4:1 `server.insecure` is written by bridgehead",
        ),
        (k3s("[argocd]\ntarget_name = \"two\""), "4:15 the hub is not on `two`"),
        (
            k3s("[spokes.dev.local]"),
            "3:9 only a hub of the provider `local` reaches a spoke of that provider",
        ),
        (
            k3s("[repos.addons]\nurl = \"..\""),
            "4:7 a folder of this machine is served to a hub of the provider",
        ),
        (
            k3s("[spokes.dev]\nserver = \"http://x\"\n[spokes.dev.existing]\ncontext = \"x\""),
            "4:10 this is not a URL",
        ),
        (k3s("[kube.contexts]\nargocd = \"\""), "4:10 the name of a context must not be empty"),
        (
            "[hub.local]\n[argocd]\ntarget_name = \"one\"\n".to_owned(),
            "3:15 a hub of the provider `local` is on no",
        ),
        (
            "[hub.local]\n[argocd.ingress]\nenabled = true\nhost = \"x\"\n".to_owned(),
            "3:11 nothing on a hub of the provider `local` serves an ingress",
        ),
    ];
    check(&cases);
}

/// What Ansible hands to `ssh` as it is, and people write as they would type it.
#[test]
fn what_ansible_would_misread_of_an_address_is_found() {
    let address = |text: &str| format!("[vms.one]\nansible_host = \"{text}\"\n");
    for (text, expected) in [
        ("ops@10.0.0.5", "who logs in is `ansible_user`"),
        ("10.0.0.5:2222", "the port is `ansible_port`"),
        ("[fd00::5]:22", "the port is `ansible_port`"),
        ("[fd00::5]", "an address of IPv6 has no brackets"),
        ("ssh://10.0.0.5", "who logs in is `ansible_user`, the port"),
    ] {
        let found = rows(read_with(SMALLEST, &address(text), &Overrides::default()));
        let expected = format!("2:16 this must be an address or a name alone: {expected}");
        assert!(found.len() == 1 && found[0].starts_with(&expected), "{text}: {found:?}");
    }
    for text in ["10.0.0.5", "fd00::5", "fd00::22", "k.example", "alias"] {
        assert!(read_with(SMALLEST, &address(text), &Overrides::default()).is_ok(), "{text}");
    }
}

#[test]
fn what_is_wrong_with_hosts_is_found_in_the_inventory() {
    let host = |keys: &str| format!("[vms.one]\nansible_host = \"h\"\n{keys}\n");
    let cases = [
        ("[vms.one]\n".to_owned(), "1:6 `vms.one.ansible_host` is missing"),
        (host("ansible_prot = 22"), "3:1 unknown key `vms.one.ansible_prot`"),
        (
            "[vms.one]\nansible_host = \"-oProxyCommand=x\"\n".to_owned(),
            "2:16 this must not be empty, begin with",
        ),
        ("[vms.one]\nansible_host = \"{{ x }}\"\n".to_owned(), "2:16 this must not be empty, begin with"),
        ("[vms.-x]\nansible_host = \"h\"\n".to_owned(), "1:6 a host's alias is made of letters"),
        (host("ansible_port = 0"), "3:16 a port is a number from 1 to 65535"),
        (host("ansible_port = 65536"), "3:16 a port is a number from 1 to 65535"),
        (host("ansible_user = \"a b\""), "3:16 this must not be empty, begin with"),
        ("[vms.all]\nansible_host = \"h\"\n".to_owned(), "1:6 Ansible has a group of that name"),
        (
            "[vms.workload_argo_cd]\nansible_host = \"h\"\nworkloads = [\"argo-cd\"]\n".to_owned(),
            "1:6 Ansible has a group of that name",
        ),
        (host("workloads = [\"3k\"]"), "3:14 a workload is made of letters"),
        (host("host_key = \"ssh-ed25519\""), "3:12 this is not a host key"),
        (host("host_key = \"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA\""), "3:12 this is not a host key"),
        ("[vms\n".to_owned(), "1:5 unclosed table, expected `]`"),
    ];
    for (inventory, expected) in cases {
        let findings = read_with(SMALLEST, &inventory, &Overrides::default()).unwrap_err();
        assert!(findings.rows().iter().all(|row| row.file == "inventory.toml"));
        let found = rows(Err(findings));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{inventory}: {found:?}");
    }
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    let site = read_with(
        SMALLEST,
        &host(&format!("host_key = \"{key} me@here\"\nansible_port = 2222")),
        &Overrides::default(),
    );
    let hosts = site.unwrap().inventory;
    let host = hosts.values().next().unwrap();
    assert_eq!(
        (host.host_key.as_deref(), host.port, host.become_user.as_str()),
        (Some(key), Some(2222), "root")
    );
}

#[test]
fn a_host_that_is_wrong_is_not_said_to_be_absent() {
    let found = rows(read_with(&k3s(""), "[vms.one]\n", &Overrides::default()));
    assert_eq!(found, ["1:6 `vms.one.ansible_host` is missing"]);
}
