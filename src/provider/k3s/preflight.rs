//! The step `site/preflight`: every host of the site can have k3s. It comes before everything else that changes
//! anything anywhere, and tells every fault of every host at once.

mod fault;

use std::fmt;
use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;

use super::{Member, Subject};
use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::Site;
use crate::site::name::{ClusterName, SiteName};
use fault::{Candidate, Fault, duplicates};

pub(super) struct Preflight {
    site: SiteName,
    subjects: Vec<Arc<Subject>>,
}

/// What stands in the way.
#[derive(Debug, thiserror::Error)]
struct Unfit {
    site: SiteName,
    faults: Vec<Fault>,
}

impl fmt::Display for Unfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, faults } = self;
        write!(formatter, "the hosts of `{site}` are not fit for k3s, nothing was changed:")?;
        faults.iter().try_for_each(|fault| write!(formatter, "\n  {fault}"))
    }
}

impl Preflight {
    pub(super) fn new(site: &Site, subjects: Vec<Arc<Subject>>) -> Self {
        Self { site: site.name.clone(), subjects }
    }

    async fn look(&self) -> Result<(), Failure> {
        let members: Vec<_> = self.subjects.iter().flat_map(Subject::members).collect();
        let looks = join_all(members.iter().map(look)).await;
        let (mut faults, mut candidates, mut hints) = (Vec::new(), Vec::new(), Vec::new());
        for (member, look) in members.iter().zip(looks) {
            match look {
                Ok(candidate) => candidates.push(candidate),
                Err(failure) => {
                    faults.push(Fault::unreachable(member, &failure));
                    hints.extend(failure.hint().map(ToOwned::to_owned));
                }
            }
        }
        faults.extend(candidates.iter().flat_map(Candidate::faults));
        faults.extend(duplicates(&candidates));
        if faults.is_empty() {
            return Ok(());
        }
        faults.sort();
        hints.sort();
        hints.dedup();
        let failure = Failure::from(Unfit { site: self.site.clone(), faults });
        Err(if hints.is_empty() { failure } else { failure.with_hint(hints.join("; ")) })
    }
}

/// One round trip to one host.
async fn look(member: &Member) -> Result<Candidate<'_>, Failure> {
    // The connection takes longer than anything: the clock is compared over the script alone.
    member.connection().await?;
    let before = Timestamp::now().as_second();
    let look = member.host_look(true).await?;
    let after = Timestamp::now().as_second();
    Ok(Candidate::new(member, look, before..=after))
}

impl Step for Preflight {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::site("preflight")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        Ok(self.look().await.map(|()| Observed::default())?)
    }

    async fn apply(&self, _work: (), _: &Facts, _: &Writer) -> Result<(), Failure> {
        Ok(())
    }
}
