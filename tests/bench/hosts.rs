//! k3s on bare hosts, a server and two agents, until their nodes are ready: `bridgehead k3s install` against a script
//! that does the same with `ssh` and `scp` in sequence.

use std::thread;

use crate::ROUNDS;
use crate::farm::{Farm, NOTHING, TAG, steps};
use crate::kit::command::run;
use crate::kit::hosts::Plan;
use crate::table::{count, median, row};

const NAMES: [&str; 3] = ["one", "two", "three"];

const BY_HAND: &str = include_str!("by_hand.sh");
const OTHER: &str = "`ssh` and `scp` in sequence";

/// The hosts' network is that of a thread, and no other thread of a runtime is in it.
pub(crate) fn rows() -> String {
    thread::spawn(measure).join().unwrap()
}

/// What was measured of one way to do it.
#[derive(Default)]
struct Measured {
    seconds: Vec<f64>,
    /// The most connections that a run opened to a host.
    connections: usize,
}

impl Measured {
    fn add(&mut self, seconds: f64, connections: usize) {
        self.seconds.push(seconds);
        self.connections = self.connections.max(connections);
    }
}

fn measure() -> String {
    let (mut ours, mut again, mut by_hand) = (Measured::default(), Measured::default(), Measured::default());
    for _ in 0..ROUNDS {
        let farm = bare();
        ours.add(farm.install().elapsed.as_secs_f64(), connections(&farm));
        let second = farm.install();
        assert_eq!(steps(&second, "applied"), NOTHING, "{}", second.stdout);
        again.add(second.elapsed.as_secs_f64(), connections(&farm));
        drop(farm);
        let farm = bare();
        by_hand.add(install_by_hand(&farm), connections(&farm));
    }
    let (connections, theirs) = (ours.connections.max(again.connections), by_hand.connections);
    [
        row(
            "k3s on three bare hosts, until all nodes are ready",
            median(ours.seconds),
            Some((OTHER, median(by_hand.seconds))),
        ),
        row("a second `k3s install`", median(again.seconds), None),
        count("connections opened to a host, at most, by one of these", connections, Some((OTHER, theirs))),
    ]
    .concat()
}

fn bare() -> Farm {
    Farm::new(&NAMES, &NAMES.map(Plan::named))
}

fn install_by_hand(farm: &Farm) -> f64 {
    let mut script = farm.lab.command("sh");
    script.args(["-c", BY_HAND, "by_hand.sh"]).arg(farm.lab.path("ssh/config"));
    script.arg(format!("{}/{TAG}", farm.mirror.releases));
    script.args(NAMES.map(|name| &farm.hosts[name].address));
    let outcome = run(script);
    assert!(outcome.status.success(), "{}{}", outcome.stdout, outcome.stderr);
    let ready = outcome.stdout.lines().filter(|line| line.ends_with(" condition met")).count();
    assert_eq!(ready, NAMES.len(), "{}", outcome.stdout);
    outcome.elapsed.as_secs_f64()
}

/// How many connections were opened to a host since this was asked last, by its sshd's own account: the most of any
/// host. One that ended before a login counts as well.
fn connections(farm: &Farm) -> usize {
    let script = "journalctl --sync\n\
        journalctl --quiet --output=cat -t sshd -t sshd-session --cursor-file=/run/counted \
        | grep -Ec '^Accepted |\\[preauth\\]$' || true";
    let opened = NAMES.map(|name| farm.hosts[name].ok(script).trim().parse().unwrap());
    assert!(opened.iter().all(|&opened: &usize| opened > 0), "a host was not logged in to: {opened:?}");
    opened.into_iter().max().unwrap_or_default()
}
