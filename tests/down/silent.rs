//! A spoke that falls silent in the middle of `down`: nothing of the site is lost sight of, and once it answers again the
//! same `down` takes everything away.
//!
//! There are two ways to it, this machine's and that of the hub's Argo CD, and either of them may be cut. A run is
//! stopped before one of its writes, the way is cut, and the run goes on. Usually that is done before a few writes, with
//! an `up` in between that brings back what is gone; with `BRIDGEHEAD_SILENCE_MATRIX=all` before every write and with
//! every cut, and each time the same `down` follows; another value than `all` is a part of the paths of the steps that
//! are meant.

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use rustix::process::Signal;
use serde_json::json;

use super::mix::{MADE, Mix, SITE};
use crate::kit::command::{Running, run};
use crate::kit::lab::variable;
use crate::kit::road::{Road, State};
use crate::kit::wait::eventually;
use crate::kit::{Outcome, site, world};

const NOTHING: [&str; 0] = [];
/// Who the person is on the spoke.
const PERSON: &str = "person";
const DOWN: [&str; 5] = ["down", SITE, "--yes", "--output", "json"];

/// What happens to the ways to the spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// This machine is refused.
    Refused,
    /// This machine gets no answer any more.
    Silent,
    /// Neither this machine nor Argo CD gets through.
    BothRefused,
    /// Neither gets an answer.
    BothSilent,
    /// The person's login ends.
    Ended,
}

const CUTS: [Cut; 5] = [Cut::Refused, Cut::BothRefused, Cut::Ended, Cut::Silent, Cut::BothSilent];

/// Where a run is stopped, and what happens then.
#[derive(Debug, Clone)]
struct Moment {
    step: String,
    ordinal: u64,
    cut: Cut,
}

struct Fleet {
    mix: Mix,
    ours: Road,
    argocd: Road,
}

impl Fleet {
    async fn made() -> Self {
        let mix = Mix::made().await;
        let port = site::ports(&mix.lab, MADE, "a").start;
        let (ours, argocd) = (Road::to(port), Road::to(port));
        mix.write_site(&format!("server = \"https://127.0.0.1:{}\"\n", argocd.port));
        let mut fleet = Self { mix, ours, argocd };
        let server = format!("https://127.0.0.1:{}", fleet.ours.port);
        fleet.configure(&["set-cluster", "made/a", "--server", &server]);
        fleet.configure(&["set-context", "made/a", "--user", PERSON]);
        let bindings: Api<ClusterRoleBinding> = Api::all(fleet.spoke().await);
        let binding = json!({
            "metadata": { "name": PERSON },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [{ "kind": "ServiceAccount", "name": PERSON, "namespace": "default" }],
        });
        let binding = serde_json::from_value(binding).unwrap();
        bindings.create(&PostParams::default(), &binding).await.unwrap();
        fleet.log_in().await;
        fleet.mix.before = fleet.mix.spokes().await;
        fleet
    }

    /// The spoke, by a way that is never cut.
    async fn spoke(&self) -> Client {
        self.mix.lab.client(MADE, "a").await
    }

    async fn people(&self) -> Api<ServiceAccount> {
        Api::namespaced(self.spoke().await, "default")
    }

    fn configure(&self, arguments: &[&str]) {
        let mut kubectl = self.mix.lab.command("kubectl");
        kubectl.arg("config").args(arguments).arg("--kubeconfig").arg(self.mix.file());
        assert_eq!(run(kubectl).code(), 0);
    }

    async fn log_in(&self) {
        let (people, now) = (self.people().await, PostParams::default());
        let person = json!({ "metadata": { "name": PERSON } });
        people.create(&now, &serde_json::from_value(person).unwrap()).await.unwrap();
        let login = people.create_token_request(PERSON, &now, &TokenRequest::default()).await.unwrap();
        self.configure(&["set-credentials", PERSON, "--token", &login.status.unwrap().token]);
    }

    /// The server remembers for a few seconds that a login was good.
    async fn end_login(&self) {
        self.people().await.delete(PERSON, &DeleteParams::default()).await.unwrap();
        let kubeconfig = Kubeconfig::read_from(self.mix.file()).unwrap();
        let options = KubeConfigOptions { context: Some("made/a".to_owned()), ..Default::default() };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let person: Api<ServiceAccount> = Api::default_namespaced(config.try_into().unwrap());
        eventually("the login has ended", async || {
            matches!(person.get_opt(PERSON).await, Err(kube::Error::Api(status)) if status.code == 401)
        })
        .await;
    }

    async fn cut(&self, cut: Cut) {
        match cut {
            Cut::Refused | Cut::BothRefused => self.ours.set(State::Refused),
            Cut::Silent | Cut::BothSilent => self.ours.set(State::Silent),
            Cut::Ended => self.end_login().await,
        }
        match cut {
            Cut::BothRefused => self.argocd.set(State::Refused),
            Cut::BothSilent => self.argocd.set(State::Silent),
            Cut::Refused | Cut::Silent | Cut::Ended => {}
        }
    }

    async fn mend(&self, cut: Cut) {
        self.ours.set(State::Open);
        self.argocd.set(State::Open);
        if cut == Cut::Ended {
            self.log_in().await;
        }
    }

    /// What is on the spokes that was not there before `up`, and what is missing.
    async fn differences(&self) -> Vec<String> {
        world::differences(&self.mix.before, &self.mix.spokes().await)
    }

    /// Runs `down` until the moment, changes the world, and lets it end. `None`: it ended without getting there.
    async fn fall_silent(&self, moment: &Moment) -> Option<Outcome> {
        let Moment { step, ordinal, cut } = moment;
        let mut down = self.mix.lab.prepare(&DOWN);
        down.env("BRIDGEHEAD_FAULT", format!("stop:before:{ordinal}:{step}"));
        let down = Running::start(down);
        if !down.is_stopped_in_the_end() {
            assert_eq!(down.finish().code(), 0, "{moment:?} was not reached");
            return None;
        }
        self.cut(*cut).await;
        down.signal(Signal::CONT);
        let outcome = down.finish();
        println!("{moment:?}: {} after {:?}", outcome.code(), outcome.elapsed);
        self.nothing_is_lost(moment, &outcome).await;
        self.mend(*cut).await;
        Some(outcome)
    }

    /// Either nothing is left on the spokes, or it failed and said on which of them.
    async fn nothing_is_lost(&self, moment: &Moment, outcome: &Outcome) {
        let said = format!("{moment:?}: {}{}", outcome.stdout, outcome.stderr);
        if outcome.code() == 0 {
            let left = self.differences().await;
            assert!(left.is_empty(), "{left:?} {said}");
            return;
        }
        assert!([4, 5].contains(&outcome.code()), "{said}");
        let failed = outcome.events_of("failed");
        assert!(failed.iter().any(|event| event["cluster"] == "a"), "{said}");
    }

    async fn down(&self) -> Outcome {
        let down = self.mix.lab.ok(&DOWN);
        println!("down: {:?}", down.elapsed);
        assert_eq!(self.differences().await, NOTHING);
        assert!(!self.mix.lab.state(SITE).exists());
        down
    }

    fn up(&self) {
        self.mix.lab.ok(&["up", SITE, "--yes"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoke_that_falls_silent_is_cleaned_once_it_answers() {
    let fleet = Fleet::made().await;
    if let Some(which) = variable("BRIDGEHEAD_SILENCE_MATRIX") {
        return every_moment(&fleet, which.to_str().unwrap()).await;
    }
    for (step, ordinal, cut) in [
        ("a/gitops/applications", 2, Cut::Silent),
        ("hub/gitops/sets", 1, Cut::Refused),
        ("a/registration/account", 3, Cut::Ended),
        ("a/gitops/applications", 1, Cut::BothRefused),
    ] {
        fleet.up();
        let moment = Moment { step: step.to_owned(), ordinal, cut };
        let down = fleet.fall_silent(&moment).await;
        assert!(down.is_some_and(|down| down.code() != 0), "{moment:?}");
    }
    fleet.down().await;
}

/// Of all steps, or of those whose path has the text in it.
async fn every_moment(fleet: &Fleet, which: &str) {
    fleet.up();
    let writes = writes(&fleet.down().await).into_iter();
    for (step, count) in writes.filter(|(step, _)| which == "all" || step.contains(which)) {
        for (ordinal, cut) in (1..=count).flat_map(|ordinal| CUTS.map(|cut| (ordinal, cut))) {
            fleet.up();
            fleet.fall_silent(&Moment { step: step.clone(), ordinal, cut }).await;
            fleet.down().await;
        }
    }
}

/// The steps that wrote something, with how often, in their order.
fn writes(down: &Outcome) -> Vec<(String, u64)> {
    let applied = down.events_of("applied").into_iter();
    let writes =
        applied.map(|event| (event["step"].as_str().unwrap().to_owned(), event["writes"].as_u64().unwrap()));
    writes.filter(|(_, writes)| *writes > 0).collect()
}
