//! What is left of hosts when the test that has them ends in a bad way: nothing.

use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bridgehead::files;

use crate::kit::Lab;
use crate::kit::hosts::{Hosts, Plan};
use crate::kit::lab::variable;
use crate::kit::wait::until;

/// Set for the test in this file when it is run as a process of its own: how that is to end.
const END: &str = "BRIDGEHEAD_TEST_END";

#[test]
fn a_test_leaves_nothing_however_it_ends() {
    match variable(END) {
        None => {
            leaves_nothing_when_it_fails();
            leaves_nothing_when_it_is_killed();
        }
        Some(end) => {
            let lab = Lab::new();
            let _hosts = Hosts::up(&lab, &[Plan::named("server")]);
            println!("{}", std::fs::read_link("/proc/thread-self/ns/net").unwrap().display());
            assert_ne!(end, "failed", "this test fails, as it should");
            stdin().read_to_end(&mut Vec::new()).unwrap();
        }
    }
}

fn leaves_nothing_when_it_fails() {
    let lab = Lab::new();
    let (mut test, network) = start(&lab, "failed");
    assert!(!test.wait().unwrap().success());
    assert_eq!(processes(&network), Vec::<String>::new());
    assert_eq!(groups(&test), Vec::<String>::new());
}

fn leaves_nothing_when_it_is_killed() {
    let lab = Lab::new();
    let (mut test, network) = start(&lab, "killed");
    assert!(!processes(&network).is_empty() && !groups(&test).is_empty());
    test.kill().unwrap();
    test.wait().unwrap();
    until("the kernel ends what is on an island", || processes(&network).is_empty());
    let _hosts = Hosts::up(&lab, &[Plan::named("server")]);
    assert_eq!(groups(&test), Vec::<String>::new(), "the next test removes what only it can remove");
}

/// Starts this test as a process of its own, and waits until it has hosts: the process and the operator's network.
fn start(lab: &Lab, end: &str) -> (Child, String) {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "hosts::end::a_test_leaves_nothing_however_it_ends", "--nocapture"]);
    // What it leaves in its folder for temporary files is removed with this lab.
    test.env(END, end).env("TMPDIR", lab.path("home")).stderr(Stdio::null());
    let mut test = test.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let network = lines.map(Result::unwrap).find_map(|line| Some(line[line.find("net:[")?..].to_owned()));
    (test, network.unwrap())
}

/// The control groups that a test made.
fn groups(test: &Child) -> Vec<String> {
    let prefix = format!("bridgehead-test-{}-", test.id());
    let hierarchies = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];
    let names = hierarchies.iter().flat_map(|hierarchy| files::names(Path::new(hierarchy)).unwrap());
    names.filter(|name| name.starts_with(&prefix)).collect()
}

/// The processes in a network.
fn processes(network: &str) -> Vec<String> {
    let entries = Path::new("/proc").read_dir().unwrap().flatten();
    let inside = entries.filter(|entry| {
        std::fs::read_link(entry.path().join("ns/net")).is_ok_and(|link| link.as_os_str() == network)
    });
    inside.map(|entry| entry.path().display().to_string()).collect()
}
