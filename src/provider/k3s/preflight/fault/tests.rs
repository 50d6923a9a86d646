use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::provider::k3s::look::bare;

fn host(alias: &str) -> Host {
    Host {
        name: alias.parse().unwrap(),
        address: "10.0.0.1".to_owned(),
        port: None,
        user: None,
        become_user: "root".to_owned(),
        proxmox_vm_name: None,
        workloads: Vec::new(),
        host_key: None,
    }
}

fn told(host: &Host, role: Role, look: HostLook) -> Vec<String> {
    let (site, cluster) = ("home".parse().unwrap(), "hub".parse().unwrap());
    let candidate = Candidate {
        host,
        role,
        site: &site,
        cluster: &cluster,
        look,
        hub: Some("h1".to_owned()),
        clock: 998..=1001,
        hidden: None,
    };
    candidate.faults().iter().map(ToString::to_string).collect()
}

fn faults(role: Role, more: &str) -> Vec<String> {
    told(&host("pi"), role, bare(more))
}

#[test]
fn a_bare_host_is_fit() {
    assert_eq!(faults(Role::Server, "trace=paths /var/lib/cni"), Vec::<String>::new());
}

#[test]
fn every_fault_is_told() {
    let found = faults(
        Role::Server,
        "listener=tcp 192B other nginx\nlistener=tcp 280A ours k3s\ntrace=units k3s.service",
    );
    let expected = ["pi: it has a k3s that is not ours (k3s.service)", "pi: port 6443/tcp is taken by nginx"];
    assert_eq!(found, expected);
    let small = HostLook {
        machine: "riscv64".to_owned(),
        user: 1000,
        clock: 1010,
        memory: 1_000_000,
        systemd: false,
        route: false,
        writable: false,
        ..bare("")
    };
    let texts = told(&host("pi"), Role::Server, small);
    assert_eq!(texts.len(), 7, "{texts:?}");
    assert_eq!(texts[5], "pi: it has 1000 MB of memory; as server it needs 1800 MB");
    assert_eq!(texts[6], "pi: its clock is 9 s off: certificates would not be valid");
}

#[test]
fn whose_a_host_is_its_mark_says() {
    let mark = |text: &str| format!("mark={}", STANDARD.encode(text));
    let ours = mark(r#"{"site":"home","cluster":"hub","role":"agent","before":[]}"#);
    let found = faults(Role::Agent, &format!("{ours}\ntrace=paths /usr/local/bin/k3s"));
    assert_eq!(found, Vec::<String>::new());
    let theirs = mark(r#"{"site":"other","cluster":"hub","role":"agent","before":[]}"#);
    assert_eq!(faults(Role::Agent, &theirs), ["pi: it belongs to the site `other`"]);
    for (hub, is_ours) in [("h1", true), ("h2", false)] {
        let of_hub =
            mark(&format!(r#"{{"site":"home","cluster":"hub","role":"agent","hub":"{hub}","before":[]}}"#));
        let told = faults(Role::Agent, &of_hub);
        assert_eq!(told.is_empty(), is_ours, "{told:?}");
    }
    let server = mark(r#"{"site":"home","cluster":"hub","role":"server","before":[]}"#);
    assert_eq!(faults(Role::Agent, &server), ["pi: it is already server of `hub`: take that down first"]);
}

#[test]
fn a_host_that_has_k3s_is_left_to_get_on_with_it() {
    let mark = STANDARD.encode(r#"{"site":"home","cluster":"hub","role":"server","before":[]}"#);
    let (mark, nginx) = (format!("mark={mark}"), "listener=tcp 192B other nginx");
    let short = |more: &str| HostLook { memory: 1, clock: 99, route: false, ..bare(more) };
    let texts = |look| told(&host("pi"), Role::Server, look);
    assert_eq!(texts(short(&format!("{mark}\n{nginx}\ntrace=paths {BINARY}"))), Vec::<String>::new());
    // A run that was interrupted before it had its files.
    assert_eq!(texts(short(&format!("{mark}\n{nginx}"))).len(), 4);
    let stranger = HostLook { user: 1000, ..short(&format!("{mark}\ntrace=paths {BINARY}")) };
    assert_eq!(texts(stranger), ["pi: `root` is not root there: k3s needs root"]);
}

#[test]
fn hosts_of_one_name_are_told_apart_by_nobody() {
    let hosts = ["one", "two"].map(host);
    let (site, cluster) = ("home".parse().unwrap(), "hub".parse().unwrap());
    let candidates = [&hosts[0], &hosts[1]].map(|host| Candidate {
        hub: None,
        host,
        role: Role::Agent,
        site: &site,
        cluster: &cluster,
        look: bare(""),
        clock: 0..=0,
        hidden: None,
    });
    let found: Vec<_> = duplicates(&candidates).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["two: it has the same host name as one: `pi-1`"]);
}
