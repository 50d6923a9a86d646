//! Secrets go with their site, also where the hub stays.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Wanted, all};
use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::gitops::hub::Hub;
use crate::gitops::{Scope, part};
use crate::k8s::{Differences, Kind, ObjectSet, Prune};
use crate::site::Site;
use crate::site::name::ClusterName;

/// The step `<hub>/gitops/secrets` of a teardown: no Secret is left that was written for the site, whatever its
/// profile says now. A hub that is gone has none.
#[must_use]
pub fn removed(site: &Arc<Site>, env: &Arc<Env>) -> impl Step + use<> {
    Removed { scope: Scope::new(site, env), except: BTreeSet::new() }
}

/// The same of those that the profile does not name any more.
#[must_use]
pub fn pruned(site: &Arc<Site>, env: &Arc<Env>) -> impl Step + use<> {
    let named = all(site).iter().map(Wanted::subject).collect();
    Removed { scope: Scope::new(site, env), except: named }
}

struct Removed {
    scope: Scope,
    /// What a person calls those that stay.
    except: BTreeSet<String>,
}

impl Removed {
    fn set(&self) -> ObjectSet {
        let collections = BTreeSet::from([(Kind::SECRET, None)]);
        let prune = Some(Prune { part: part::SECRET, collections, except: self.except.clone() });
        ObjectSet { prune, ..ObjectSet::new(&self.scope.site.name, Vec::new()) }
    }
}

impl Step for Removed {
    type Work = Differences;

    fn id(&self) -> StepId {
        StepId::of(self.scope.hub(), "gitops/secrets")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.scope.hub())
    }

    fn purpose(&self) -> &'static str {
        "the Secrets that the profile declares are gone"
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
