//! The step `<cluster>/provision/preflight`: every host of the cluster can have k3s. It comes before everything else that
//! changes anything of the cluster, and tells every fault of every host at once.

mod fault;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::{fmt, io};

use futures::future::join_all;
use jiff::Timestamp;
use tokio::net::{UdpSocket, lookup_host};

use super::{K3sCluster, Member, access, config};
use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop};
use crate::site::name::ClusterName;
use fault::{Candidate, Fault, duplicates};

pub(super) struct Preflight(Arc<K3sCluster>);

/// What stands in the way.
#[derive(Debug, thiserror::Error)]
struct Unfit {
    cluster: ClusterName,
    faults: Vec<Fault>,
}

impl fmt::Display for Unfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, faults } = self;
        write!(formatter, "the hosts of `{cluster}` are not fit for k3s, nothing of it was changed:")?;
        faults.iter().try_for_each(|fault| write!(formatter, "\n  {fault}"))
    }
}

impl Preflight {
    pub(super) fn new(cluster: &Arc<K3sCluster>) -> Self {
        Self(Arc::clone(cluster))
    }

    async fn look(&self) -> Result<(), Failure> {
        let members = self.0.members();
        let looks = join_all(members.iter().map(look)).await;
        let (mut candidates, mut unseen) = (Vec::new(), Vec::new());
        for (member, look) in members.iter().zip(looks) {
            match look {
                Ok(candidate) => candidates.push(candidate),
                Err(failure) => unseen.push((member, failure)),
            }
        }
        if candidates.iter().any(Candidate::serves) {
            // Of a cluster that is there, an agent that is off holds up nothing but itself: its own steps say so.
            unseen.retain(|(member, _)| !member.is_agent());
        }
        // The hosts have been looked at: what tells a hub of k3s is known by now.
        let hub = self.0.hub().await;
        for candidate in &mut candidates {
            candidate.hub.clone_from(&hub);
        }
        let mut faults: Vec<_> = candidates.iter().flat_map(Candidate::faults).collect();
        faults.extend(duplicates(&candidates));
        faults.extend(unseen.iter().map(|(member, failure)| Fault::unreachable(member, failure)));
        if faults.is_empty() {
            return Ok(());
        }
        faults.sort();
        let mut hints: Vec<_> = unseen.iter().filter_map(|(_, failure)| failure.hint()).collect();
        hints.sort_unstable();
        hints.dedup();
        let failure = Failure::from(Unfit { cluster: self.0.name.clone(), faults });
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
    let hidden = if member.is_agent() { None } else { hidden(member).await? };
    Ok(Candidate { hidden, ..Candidate::new(member, look, before..=after) })
}

/// Why the API of a server could not be reached from here; `None` if there is a way.
async fn hidden(member: &Member) -> Result<Option<String>, Failure> {
    let k3s = &member.cluster.k3s;
    let (address, names) = (member.address().await?, config::names(k3s));
    let mut reasons = Vec::new();
    for address in access::addresses(&address, &names) {
        match route(&format!("{address}:{}", config::port(k3s))).await {
            Ok(()) => return Ok(None),
            Err(error) => reasons.push(format!("`{address}`: {error}")),
        }
    }
    if reasons.is_empty() {
        reasons.push(format!("`{address}` means this machine to everybody else"));
    }
    Ok(Some(reasons.join(", ")))
}

/// Whether this machine knows a way to an address, without sending anything there.
async fn route(address: &str) -> io::Result<()> {
    let mut last = io::Error::other("the name has no address");
    for address in lookup_host(address).await? {
        let any: IpAddr =
            if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        match UdpSocket::bind((any, 0)).await?.connect(address).await {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Step for Preflight {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.0.name, "provision/preflight")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its hosts answer and can have k3s"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        Ok(self.look().await.map(|()| Observed::default())?)
    }
}
