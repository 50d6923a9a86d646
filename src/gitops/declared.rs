//! What a profile declared and that is no longer wanted: its Secrets and its projects.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::Client;

use super::hub::Hub;
use super::secret::{Wanted, all};
use super::{Scope, part, projects};
use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::k8s::{ApiError, Differences, Kind, ObjectSet, Prune, api, marked_as};
use crate::site::Site;
use crate::site::name::ClusterName;

/// A kind of objects that a profile declares, all of them on the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    Projects,
    Secrets,
}

/// In the order in which they go.
const ALL: [Declared; 2] = [Declared::Projects, Declared::Secrets];

impl Declared {
    const fn kind(self) -> Kind {
        match self {
            Self::Projects => Kind::APP_PROJECT,
            Self::Secrets => Kind::SECRET,
        }
    }

    const fn part(self) -> &'static str {
        match self {
            Self::Projects => part::PROJECT,
            Self::Secrets => part::SECRET,
        }
    }

    /// What a person calls those that the profile names.
    fn named(self, site: &Site) -> BTreeSet<String> {
        match self {
            Self::Projects => projects::subjects(site).collect(),
            Self::Secrets => all(site).iter().map(Wanted::subject).collect(),
        }
    }
}

/// The steps `<hub>/gitops/projects` and `<hub>/gitops/secrets` of a teardown: nothing is left that was written for the
/// site, whatever its profile says now. A hub that is gone has none.
#[must_use]
pub fn removed(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    without(site, env, |_| BTreeSet::new())
}

/// The same of those that the profile does not name any more.
#[must_use]
pub fn pruned(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    without(site, env, |what| what.named(site))
}

/// Nothing is left, but for what stays.
fn without(site: &Arc<Site>, env: &Arc<Env>, stays: impl Fn(Declared) -> BTreeSet<String>) -> Tree {
    let step = |what| Removed { scope: Scope::new(site, env), what, except: stays(what) };
    Tree::Seq(ALL.map(|what| step(what).into()).into())
}

/// What a person calls everything that was declared once and is there.
pub(super) async fn departed(scope: &Scope, hub: &Client) -> Result<BTreeSet<String>, ApiError> {
    let look = async |what: Declared| {
        let mark = marked_as(&scope.site.name, what.part());
        let found = api::list(hub, &what.kind(), None, &mark).await?;
        let found: BTreeSet<_> = found.iter().map(ToString::to_string).collect();
        Ok::<_, ApiError>(&found - &what.named(&scope.site))
    };
    let (projects, secrets) = futures::try_join!(look(Declared::Projects), look(Declared::Secrets))?;
    Ok(projects.into_iter().chain(secrets).collect())
}

struct Removed {
    scope: Scope,
    what: Declared,
    /// What a person calls those that stay.
    except: BTreeSet<String>,
}

impl Removed {
    fn set(&self) -> ObjectSet {
        let collections = BTreeSet::from([(self.what.kind(), None)]);
        let prune = Some(Prune { part: self.what.part(), collections, except: self.except.clone() });
        ObjectSet { prune, ..ObjectSet::new(&self.scope.site.name, Vec::new()) }
    }
}

impl Step for Removed {
    type Work = Differences;

    fn id(&self) -> StepId {
        let path = match self.what {
            Declared::Projects => "gitops/projects",
            Declared::Secrets => "gitops/secrets",
        };
        StepId::of(self.scope.hub(), path)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.scope.hub())
    }

    fn purpose(&self) -> &'static str {
        match self.what {
            Declared::Projects => "the projects that the profile declares are gone",
            Declared::Secrets => "the Secrets that the profile declares are gone",
        }
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Differences>, Stop> {
        match Hub::standing(&self.scope, facts).await? {
            Some(hub) => Ok(self.set().observe(&hub.client).await?.into()),
            None => Ok(Observed::default()),
        }
    }

    async fn apply(&self, work: Differences, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.apply(writer).await
    }
}
