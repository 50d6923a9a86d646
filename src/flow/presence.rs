//! The step `site/presence`: every cluster that a command takes something away from is accounted for, before anything
//! is changed anywhere.
//!
//! A cluster is accounted for when it was seen, when its provider has proven that it is gone, or when the person has
//! said what to do about it. What merely does not answer stops the command.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::engine::facts::{Presence, Unreachable, WithoutApi};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::provider::{self, Said};
use crate::seq;
use crate::site::Site;
use crate::site::name::ClusterName;

/// Which clusters a command takes something away from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concern {
    /// All of them, and the clusters themselves where the site made them.
    Site,
    /// The named ones, and the hub, which stays.
    Named(BTreeSet<ClusterName>),
}

/// Looks for the clusters that a command is about, and fails if one of them is not accounted for.
#[must_use]
pub fn presence(site: &Arc<Site>, env: &Arc<Env>, concern: &Concern, said: &Said) -> Tree {
    let clusters = site.clusters().filter(|cluster| concern.includes(site, &cluster.name));
    let looks = clusters.map(|cluster| provider::locate(site, cluster, env, said));
    let accounted = Accounted {
        site: Arc::clone(site),
        concern: concern.clone(),
        said: said.clone(),
        is_acknowledged: AtomicBool::new(false),
    };
    seq![Tree::Par(looks.collect()), accounted]
}

struct Accounted {
    site: Arc<Site>,
    concern: Concern,
    said: Said,
    /// What is done without a cluster is part of the plan; there is nothing to write about it.
    is_acknowledged: AtomicBool,
}

/// Clusters are not accounted for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
struct Unaccounted {
    faults: Vec<(ClusterName, String)>,
    hints: Vec<String>,
}

impl fmt::Display for Unaccounted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not every cluster can be reached; nothing was changed:")?;
        self.faults.iter().try_for_each(|(cluster, fault)| write!(formatter, "\n  {cluster}: {fault}"))
    }
}

/// How a command goes on without a cluster. This is what a person agrees to, whatever the cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Without {
    Lost,
    ThroughArgoCd,
    Destroyed,
}

/// What is to be made of one cluster.
enum Verdict {
    /// Nothing more is to be said.
    Fine,
    /// It goes on without it.
    Without(Without, String),
    /// It does not go on.
    Refused { fault: String, hint: Option<String> },
}

impl Concern {
    fn includes(&self, site: &Site, cluster: &ClusterName) -> bool {
        match self {
            Self::Site => true,
            Self::Named(names) => names.contains(cluster) || *cluster == site.hub.name,
        }
    }
}

impl Accounted {
    fn changes(&self, facts: &Facts) -> Result<Vec<Change>, Unaccounted> {
        let (mut changes, mut faults, mut hints) = (Vec::new(), Vec::new(), BTreeSet::new());
        let concerned = self.site.clusters().map(|cluster| &cluster.name);
        for cluster in concerned.filter(|name| self.concern.includes(&self.site, name)) {
            match self.verdict(cluster, facts) {
                Verdict::Fine => {}
                Verdict::Without(how, text) => {
                    changes.push(Change::update(format!("cluster {cluster}"), text).with_content(&how));
                }
                Verdict::Refused { fault, hint } => {
                    faults.push((cluster.clone(), fault));
                    hints.extend(hint);
                }
            }
        }
        if faults.is_empty() {
            Ok(changes)
        } else {
            Err(Unaccounted { faults, hints: hints.into_iter().collect() })
        }
    }

    fn verdict(&self, cluster: &ClusterName, facts: &Facts) -> Verdict {
        let is_hub = *cluster == self.site.hub.name;
        let refused =
            |fault: &str, hint: String| Verdict::Refused { fault: fault.to_owned(), hint: Some(hint) };
        match facts.presence(cluster) {
            None => Verdict::Refused { fault: "nobody has looked for it".to_owned(), hint: None },
            Some(Presence::Seen | Presence::Gone(_)) if self.said.lost.contains(cluster) => {
                let leave_out = format!("leave out `--lost {cluster}`");
                match facts.presence(cluster) {
                    Some(Presence::Seen) => refused("it answers, so it is not lost", leave_out),
                    _ => Verdict::Fine,
                }
            }
            Some(Presence::Seen | Presence::Gone(_)) => Verdict::Fine,
            Some(Presence::Lost) if is_hub => Verdict::Without(
                Without::Lost,
                "it is taken for lost: what its Argo CD deployed to other clusters stays there".to_owned(),
            ),
            Some(Presence::Lost) => Verdict::Without(
                Without::Lost,
                "it is taken for lost: what was deployed to it stays there, and so does the account \
                 kube-system/argocd-manager"
                    .to_owned(),
            ),
            Some(Presence::ThroughArgoCd(_)) if is_hub || !is_seen(&self.site.hub.name, facts) => {
                let hint = "only a hub that answers can take away what it deployed to a spoke".to_owned();
                refused("Argo CD cannot be asked", hint)
            }
            Some(Presence::ThroughArgoCd(why)) => Verdict::Without(
                Without::ThroughArgoCd,
                format!(
                    "this machine does not reach it ({}): Argo CD takes away what it deployed there; the account \
                 kube-system/argocd-manager stays",
                    why.cause
                ),
            ),
            Some(Presence::Unreachable(why)) => self.unreachable(cluster, why, facts),
        }
    }

    /// A cluster that cannot be seen is passed over only where nothing that it is needed for outlives it.
    fn unreachable(&self, cluster: &ClusterName, why: &Unreachable, facts: &Facts) -> Verdict {
        let cause = &why.cause;
        if *cluster == self.site.hub.name {
            if self.goes_with_everything(facts) {
                return Verdict::Without(
                    Without::Destroyed,
                    format!(
                        "it does not answer ({cause}) and is not asked: all clusters of the site are destroyed with \
                     everything in them"
                    ),
                );
            }
        } else if why.provider == WithoutApi::DestroyAll || self.goes_with_everything(facts) {
            return Verdict::Without(
                Without::Destroyed,
                format!("it does not answer ({cause}) and is destroyed with everything in it"),
            );
        }
        Verdict::Refused { fault: cause.clone(), hint: Some(self.hint(cluster, why)) }
    }

    /// Whether the hub cannot be asked, and every cluster is destroyed with everything in it.
    fn goes_with_everything(&self, facts: &Facts) -> bool {
        let hub = facts.presence(&self.site.hub.name);
        let is_destroyed = |name: &ClusterName| match facts.presence(name) {
            Some(Presence::Unreachable(why)) => why.provider != WithoutApi::Nothing,
            _ => true,
        };
        self.concern == Concern::Site
            && matches!(hub, Some(Presence::Unreachable(_)))
            && self
                .site
                .clusters()
                .all(|cluster| cluster.foreign_context().is_none() && is_destroyed(&cluster.name))
    }

    fn hint(&self, cluster: &ClusterName, why: &Unreachable) -> String {
        let mend = why.hint.as_deref().unwrap_or("make it answer");
        if *cluster == self.site.hub.name {
            return format!(
                "{cluster}: {mend}, then run again; if it is gone for good, `--lost {cluster}` leaves what its Argo CD \
                 deployed to other clusters where it is"
            );
        }
        format!(
            "{cluster}: {mend}, then run again; if it is gone for good, `--lost {cluster}` leaves what was deployed to \
             it where it is; if Argo CD still reaches it, `--through-argocd {cluster}` leaves only the account \
             kube-system/argocd-manager"
        )
    }
}

fn is_seen(cluster: &ClusterName, facts: &Facts) -> bool {
    facts.presence(cluster) == Some(&Presence::Seen)
}

impl Step for Accounted {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::site("presence")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "every cluster was seen, is proven gone, or was said to be lost"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let changes = self.changes(facts).map_err(|unaccounted| {
            let hint = unaccounted.hints.join("; ");
            Failure::from(unaccounted).with_hint(hint)
        })?;
        if self.is_acknowledged.load(Ordering::Relaxed) {
            return Ok(Observed::default());
        }
        Ok(Observed::differs(changes, ()))
    }

    async fn apply(&self, (): (), _facts: &Facts, _writer: &Writer) -> Result<(), Failure> {
        self.is_acknowledged.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::facts::ClusterFacts;
    use crate::site::load;

    const MIXED: &str = "[hub.local]\n[spokes.a]\n[spokes.a.existing]\ncontext = \"a\"\n[spokes.b.local]\n";
    const LOCAL: &str = "[hub.local]\n[spokes.a.local]\n[spokes.b.local]\n";

    fn name(name: &str) -> ClusterName {
        name.parse().expect("valid")
    }

    fn silent(provider: WithoutApi) -> Presence {
        let cause = "connection refused".to_owned();
        Presence::Unreachable(Unreachable { cause, hint: None, is_passing: true, provider })
    }

    /// What is refused, or what is passed over.
    fn judged(
        profile: &str,
        concern: Concern,
        said: Said,
        presences: &[(&str, Presence)],
    ) -> Result<Vec<String>, Vec<String>> {
        let site =
            load::from_text(None, &"home".parse().expect("valid"), profile, &load::Overrides::default());
        let site = Arc::new(site.expect("valid"));
        let mut facts = Facts::default();
        for (cluster, presence) in presences {
            let presence = Some(presence.clone());
            facts.merge(Facts::of(&name(cluster), ClusterFacts { presence, ..ClusterFacts::default() }));
        }
        let step = Accounted { site, concern, said, is_acknowledged: AtomicBool::new(false) };
        let subjects = |changes: Vec<Change>| changes.into_iter().map(|change| change.subject).collect();
        step.changes(&facts)
            .map(subjects)
            .map_err(|refused| refused.faults.into_iter().map(|(cluster, _)| cluster.to_string()).collect())
    }

    #[test]
    fn what_does_not_answer_is_refused_unless_it_is_said_or_proven_to_be_gone() {
        use Presence::{Gone, Lost, Seen};
        let judge =
            |a| judged(MIXED, Concern::Site, Said::default(), &[("hub", Seen), ("a", a), ("b", Seen)]);
        assert_eq!(judge(Seen), Ok(vec![]));
        assert_eq!(judge(silent(WithoutApi::Nothing)), Err(vec!["a".to_owned()]));
        assert_eq!(judge(silent(WithoutApi::Destroy)), Err(vec!["a".to_owned()]));
        assert_eq!(judge(Gone("so".to_owned())), Ok(vec![]));
        assert_eq!(judge(Lost), Ok(vec!["cluster a".to_owned()]));
        // It lives on this machine alone and is destroyed here.
        assert_eq!(judge(silent(WithoutApi::DestroyAll)), Ok(vec!["cluster a".to_owned()]));
    }

    #[test]
    fn a_hub_that_cannot_be_seen_is_passed_over_only_when_nothing_outlives_it() {
        let hub = || ("hub", silent(WithoutApi::DestroyAll));
        let all_seen = [hub(), ("a", Presence::Seen), ("b", Presence::Seen)];
        let judge = |profile, concern, presences: &_| judged(profile, concern, Said::default(), presences);
        assert_eq!(judge(LOCAL, Concern::Site, &all_seen), Ok(vec!["cluster hub".to_owned()]));
        assert_eq!(judge(MIXED, Concern::Site, &all_seen), Err(vec!["hub".to_owned()]));
        let named = Concern::Named(BTreeSet::from([name("a")]));
        assert_eq!(judge(LOCAL, named, &all_seen), Err(vec!["hub".to_owned()]));
        // Its machine cannot be asked: it goes on there.
        let stays = [("hub", silent(WithoutApi::Nothing)), ("a", Presence::Seen), ("b", Presence::Seen)];
        assert_eq!(judge(LOCAL, Concern::Site, &stays), Err(vec!["hub".to_owned()]));
    }

    #[test]
    fn what_answers_is_not_lost() {
        let said = Said::new(&[name("a")], &[]);
        let seen = [("hub", Presence::Seen), ("a", Presence::Seen), ("b", Presence::Seen)];
        assert_eq!(judged(MIXED, Concern::Site, said, &seen), Err(vec!["a".to_owned()]));
    }
}
