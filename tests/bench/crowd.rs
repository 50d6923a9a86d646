//! A thousand registered clusters: their API servers are behind a door with an address for each, so that what is
//! measured is what bridgehead and the others do, and not the making of clusters.

use std::fs::File;
use std::process::Command;

use crate::kit::Outcome;
use crate::kit::command::run;
use crate::kit::fleet::{Fleet, SITE};
use crate::table::{count, median, plain, row};

/// How many clusters, unless `BRIDGEHEAD_BENCH_CLUSTERS` says otherwise.
const CLUSTERS: usize = 1000;
/// How often a plan is measured.
const ROUNDS: usize = 3;

const KUBECTL: &str = "kubectl in a loop";
const ADDON: &str = "[addons]\nmetrics_server = true\n";

/// What nothing to do costs, what new clusters and a label on all of them cost, and what it takes to let some go.
pub(crate) async fn rows() -> String {
    let all = clusters();
    let [few, half, new] = [all / 20, all / 2, all / 10];
    let fleet = Fleet::of(all).await;
    let of_few = fleet.planned(few, "");
    let of_half = fleet.planned(half, "");
    let mut rows = fleet.registered(half, new);
    let of_all = fleet.planned(all, "");
    rows.push_str(&fleet.nothing_to_do(all, of_all));
    rows.push_str(&plain(&format!("the same with {half} clusters over that with {few}"), of_half / of_few));
    rows.push_str(&fleet.labelled(all));
    rows.push_str(&fleet.down(new));
    rows
}

#[expect(clippy::disallowed_methods, reason = "a measurement is started from outside")]
fn clusters() -> usize {
    std::env::var("BRIDGEHEAD_BENCH_CLUSTERS").map_or(CLUSTERS, |count| count.parse().unwrap())
}

impl Fleet {
    /// The seconds of a plan of the first so many clusters once they are as the profile says.
    fn planned(&self, count: usize, more: &str) -> f64 {
        self.up(count, more);
        let plans = (0..ROUNDS).map(|_| self.plan().elapsed.as_secs_f64());
        median(plans.collect())
    }

    fn up(&self, count: usize, more: &str) -> f64 {
        self.write_profile(count, more);
        self.lab.ok(&["up", SITE, "--yes"]).elapsed.as_secs_f64()
    }

    fn plan(&self) -> Outcome {
        self.lab.ok(&["plan", SITE, "--exit-code"])
    }

    /// A plan of all of them beside a list of what it compares with.
    fn nothing_to_do(&self, all: usize, seconds: f64) -> String {
        self.hub();
        let memory = self.plan().memory >> 10;
        let requests = self.hub().requests;
        let floor = self.shell("kubectl --context hub -n argocd get secrets -o json");
        [
            row(
                &format!("no-op `plan` of {all} registered clusters"),
                seconds,
                Some(("`kubectl get secrets -o json`", floor)),
            ),
            count("its peak memory, MiB", usize::try_from(memory).unwrap(), None),
            count("its requests on the hub", requests, None),
        ]
        .concat()
    }

    /// New clusters beside those that are there.
    fn registered(&self, known: usize, new: usize) -> String {
        let ours = self.up(known + new, "");
        let argocd = self.lab.component("argocd");
        let argocd = argocd.display();
        let (address, password) = self.argocd();
        self.shell(&format!(
            "'{argocd}' login {address} --insecure --username admin --password '{password}'"
        ));
        let (first, last) = (known + new, known + 2 * new - 1);
        let theirs = self.shell(&format!(
            "for number in $(seq {first} {last}); do '{argocd}' cluster add c$number --yes; done"
        ));
        let made = "kubectl -n argocd get secrets -l argocd.argoproj.io/secret-type=cluster -o name | grep secret/cluster-";
        self.shell(&format!("test $({made} | wc -l) = {new} && kubectl -n argocd delete $({made})"));
        let what = format!("{new} new spokes registered: account, token, Secret, proven");
        row(&what, ours, Some(("`argocd cluster add` in a loop", theirs)))
    }

    /// The address of the hub's Argo CD, and its admin's password.
    fn argocd(&self) -> (String, String) {
        let status = self.made.ok(&["status", SITE, "--output", "json"]).document();
        let password = self.made.ok(&["argocd", "password", SITE]).stdout;
        (status["argocd"]["address"].as_str().unwrap().to_owned(), password.trim().to_owned())
    }

    /// One label on all of them.
    fn labelled(&self, all: usize) -> String {
        let ours = self.up(all, ADDON);
        let theirs = self.shell(&format!(
            "for number in $(seq 0 {}); do kubectl -n argocd label secret c$number enable_benched=true; done",
            all - 1
        ));
        row(&format!("a label on {all} clusters, until it is written"), ours, Some((KUBECTL, theirs)))
    }

    /// Some go, and then twice as many.
    fn down(&self, some: usize) -> String {
        let down = |range: std::ops::Range<usize>| {
            let names: Vec<_> = range.map(|number| format!("--cluster=c{number}")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            self.lab.ok(&[&["down", SITE, "--yes"], &names[..]].concat())
        };
        let (one, two) = (down(0..some), down(some..3 * some));
        let [one, seconds] = [one, two].map(|outcome| outcome.elapsed.as_secs_f64());
        [
            row(&format!("`down` of {} registered spokes", 2 * some), seconds, None),
            plain(&format!("the same over that of {some}"), seconds / one),
        ]
        .concat()
    }

    /// The seconds of a script, which must succeed. What it says is of no interest and may be much.
    fn shell(&self, script: &str) -> f64 {
        let mut shell: Command = self.lab.command("sh");
        shell.args(["-ec", &format!("exec >>\"$1\"; {script}"), "sh"]).arg(self.lab.path("said"));
        File::create(self.lab.path("said")).unwrap();
        let outcome = run(shell);
        assert!(outcome.status.success(), "{script}: {}", outcome.stderr);
        outcome.elapsed.as_secs_f64()
    }
}
