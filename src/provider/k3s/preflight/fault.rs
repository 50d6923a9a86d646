//! What makes a host unfit for k3s.

use std::fmt;
use std::ops::RangeInclusive;

use crate::engine::Failure;
use crate::provider::k3s::look::HostLook;
use crate::provider::k3s::mark::{FOLDER, Mark};
use crate::provider::k3s::release::Architecture;
use crate::provider::k3s::{BINARY, Member, Role};
use crate::site::inventory::Host;
use crate::site::name::{ClusterName, SiteName};

/// How far the clock of a host may be off, in seconds: certificates are valid from the moment they are made.
const SKEW: i64 = 5;

/// What a host needs in KiB: 2 GB for a server, 512 MB for an agent (k3s' documentation), less what the kernel
/// and the firmware keep for themselves.
const fn memory(role: Role) -> u64 {
    match role {
        Role::Server => 1_800_000,
        Role::Agent => 440_000,
    }
}

/// Something that is there only where somebody else has put k3s.
const FOREIGN: [&str; 10] = [
    "paths /usr/local/bin/k3s",
    "paths /etc/systemd/system/k3s.service",
    "paths /etc/systemd/system/k3s-agent.service",
    "paths /etc/rancher/k3s/config.yaml",
    "paths /etc/rancher/k3s/k3s.yaml",
    "paths /var/lib/rancher/k3s/server",
    "paths /var/lib/rancher/k3s/agent",
    "paths /var/lib/rancher/k3s/data",
    "units k3s.service",
    "units k3s-agent.service",
];

/// One thing that is wrong with one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fault {
    host: String,
    text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.host, self.text)
    }
}

impl Fault {
    fn new(host: &Host, text: impl Into<String>) -> Self {
        Self { host: host.name.to_string(), text: text.into() }
    }

    /// The host cannot be asked.
    pub(super) fn unreachable(member: &Member, failure: &Failure) -> Self {
        let causes = failure.causes().into_iter().filter(|cause| failure.hint() != Some(cause));
        let texts: Vec<_> = std::iter::once(failure.to_string()).chain(causes).collect();
        Self::new(&member.host, texts.join(": "))
    }
}

/// A host that was looked at.
pub(super) struct Candidate<'a> {
    pub(super) host: &'a Host,
    pub(super) role: Role,
    pub(super) site: &'a SiteName,
    pub(super) cluster: &'a ClusterName,
    pub(super) look: HostLook,
    /// What tells the site's hub from those of other sites of its name, if that is known.
    pub(super) hub: Option<String>,
    /// This machine's clock before and after the look.
    pub(super) clock: RangeInclusive<i64>,
    /// Why nobody here could reach its API.
    pub(super) hidden: Option<String>,
}

impl<'a> Candidate<'a> {
    pub(super) fn new(member: &'a Member, look: HostLook, clock: RangeInclusive<i64>) -> Self {
        let Member { cluster, host, role } = member;
        Self {
            host,
            role: *role,
            site: &cluster.site.name,
            cluster: &cluster.name,
            look,
            hub: None,
            clock,
            hidden: None,
        }
    }

    /// What is wrong with it. What a host is short of matters before it gets k3s; one that has it has shown that it can
    /// do with less, and a clock that is wrong for a moment is no reason to leave its cluster alone.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut all = [self.system(), self.ownership()].concat();
        if !self.has_ours() {
            all.extend([self.shortage(), self.ports()].concat());
        }
        all.into_iter().map(|text| Fault::new(self.host, text)).collect()
    }

    /// Whether it is a server that this cluster has already.
    pub(super) fn serves(&self) -> bool {
        self.role == Role::Server && self.has_ours()
    }

    /// Whether it has got its files before.
    fn has_ours(&self) -> bool {
        let is_ours = self.look.marks.iter().any(|mark| mark.is_of(self.site, self.cluster));
        is_ours && self.look.traces.contains(&format!("paths {BINARY}"))
    }

    /// Without these nothing can be done there, or nothing that is done helps.
    fn system(&self) -> Vec<String> {
        let Self { host, look, .. } = self;
        let mut faults = Vec::new();
        let mut unless = |is_fit: bool, fault: String| {
            if !is_fit {
                faults.push(fault);
            }
        };
        unless(look.user == 0, format!("`{}` is not root there: k3s needs root", host.become_user));
        unless(look.systemd, "systemd does not run it".to_owned());
        let machine = &look.machine;
        unless(
            Architecture::of_machine(machine).is_some(),
            format!("k3s is not released for its processor, {machine}"),
        );
        unless(look.writable, "/usr/local/bin is read-only".to_owned());
        faults
    }

    fn shortage(&self) -> Vec<String> {
        let Self { role, look, clock, hidden, .. } = self;
        let mut faults = Vec::new();
        faults.extend(hidden.as_ref().map(|reasons| {
            format!(
                "its API could not be reached from here ({reasons}): name an address in `ansible_host`, or in `tls-san` \
                 of the k3s table's `config`"
            )
        }));
        let mut unless = |is_fit: bool, fault: String| {
            if !is_fit {
                faults.push(fault);
            }
        };
        unless(look.route, "it has no default route, which k3s takes its address from".to_owned());
        let least = memory(*role);
        unless(
            look.memory >= least,
            format!("it has {} MB of memory; as {role} it needs {} MB", look.memory / 1000, least / 1000),
        );
        let off = (look.clock - clock.end()).max(clock.start() - look.clock);
        unless(off <= SKEW, format!("its clock is {off} s off: certificates would not be valid"));
        faults
    }

    fn ownership(&self) -> Vec<String> {
        let Self { role, site, cluster, .. } = self;
        let mut faults = Vec::new();
        for mark in &self.look.marks {
            if mark.site != site.as_str() {
                faults.push(format!("it belongs to the site `{}`", mark.site));
            } else if mark.is_of_another_hub(self.hub.as_deref()) {
                faults.push(format!(
                    "it {}; if that hub was this site's and is gone for good, take `hub` out of {FOLDER}/{site}.json there",
                    Mark::of_another_hub(site)
                ));
            } else if mark.cluster != cluster.as_str() || mark.role != *role {
                let (cluster, role) = (&mark.cluster, mark.role);
                faults.push(format!("it is already {role} of `{cluster}`: take that down first"));
            }
        }
        if self.look.marks.is_empty() {
            let names = FOREIGN.iter().filter(|trace| self.look.traces.contains(**trace));
            let names: Vec<_> = names.filter_map(|trace| Some(trace.split_once(' ')?.1)).collect();
            if !names.is_empty() {
                faults.push(format!("it has a k3s that is not ours ({})", names.join(", ")));
            }
        }
        faults
    }

    fn ports(&self) -> Vec<String> {
        let others = self.look.listeners.iter().filter(|listener| !listener.ours);
        let mut faults: Vec<_> = others
            .map(|listener| {
                let program = listener.program.as_deref().unwrap_or("another program");
                format!("port {} is taken by {program}", listener.port)
            })
            .collect();
        faults.dedup();
        faults
    }
}

/// Hosts that cannot be told apart: nodes are named after them.
pub(super) fn duplicates(candidates: &[Candidate<'_>]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let twin = candidates[..index].iter().find(|other| other.look.name == candidate.look.name);
        if let Some(twin) = twin {
            let (name, other) = (&candidate.look.name, &twin.host.name);
            faults
                .push(Fault::new(candidate.host, format!("it has the same host name as {other}: `{name}`")));
        }
    }
    faults
}

#[cfg(test)]
mod tests;
