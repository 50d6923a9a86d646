//! A look at all hosts of a cluster that is to be taken down.

use std::sync::Arc;

use futures::future::join_all;

use super::look::{HostLook, LookError};
use super::mark::Mark;
use super::{K3sCluster, Member};
use crate::engine::Failure;
use crate::engine::facts::{Unreachable, WithoutApi};
use crate::provider::presence::unreachable;
use crate::ssh::SshError;

/// Where k3s keeps the cluster, as a trace.
const DATA: &str = "paths /var/lib/rancher/k3s/server";

/// The servers that have the cluster, once every host has been looked at, with the rights to take k3s away.
pub(super) async fn servers(cluster: &Arc<K3sCluster>) -> Result<Vec<Member>, Unreachable> {
    let members = cluster.members();
    let looks = join_all(members.iter().map(|member| member.host_look(true))).await;
    let hub = cluster.hub().await;
    let (mut servers, mut silent) = (Vec::new(), Vec::new());
    for (member, look) in members.into_iter().zip(looks) {
        match look {
            Ok(look) if is_of_another_hub(&member, &look, hub.as_deref()) => {
                silent.push(of_another_hub(&member));
            }
            Ok(look) if !member.is_agent() && has_cluster(&member, &look) => servers.push(member),
            Ok(_) => {}
            Err(error) => silent.push(out_of_reach(&member, error)),
        }
    }
    silent.into_iter().reduce(both).map_or(Ok(servers), Err)
}

fn is_of_another_hub(member: &Member, look: &HostLook, hub: Option<&str>) -> bool {
    let K3sCluster { site, name, .. } = member.cluster.as_ref();
    look.marks.iter().any(|mark| mark.is_of(&site.name, name) && mark.is_of_another_hub(hub))
}

/// It is not ours to look into, whatever it is called.
fn of_another_hub(member: &Member) -> Unreachable {
    let (host, site) = (&member.host.name, &member.cluster.site.name);
    Unreachable {
        cause: format!("the host {host} {}", Mark::of_another_hub(site)),
        hint: Some("give one of the two sites another name".to_owned()),
        is_passing: false,
        provider: WithoutApi::Nothing,
    }
}

fn has_cluster(member: &Member, look: &HostLook) -> bool {
    let K3sCluster { site, name, .. } = member.cluster.as_ref();
    let mark = look.marks.iter().find(|mark| mark.is_of(&site.name, name));
    mark.is_some_and(|mark| look.traces.contains(DATA) && !mark.before.contains(DATA))
}

/// Nothing can be done to a host that cannot be asked. A password is not tried twice.
fn out_of_reach(member: &Member, error: LookError) -> Unreachable {
    let is_passing = matches!(
        &error,
        LookError::Ssh(SshError::Unreachable { .. } | SshError::Lost { .. } | SshError::TimedOut { .. })
    );
    let mut unreachable = unreachable(&Failure::from(error), is_passing, WithoutApi::Nothing);
    if let Some(hint) = unreachable.hint.as_mut().filter(|_| member.is_agent()) {
        let host = &member.host.name;
        hint.push_str(&format!(
            "; if it will not come back, take `{host}` out of `agents` in the profile: the others go without it"
        ));
    }
    unreachable
}

fn both(one: Unreachable, other: Unreachable) -> Unreachable {
    let hints: Vec<_> = one.hint.into_iter().chain(other.hint).collect();
    Unreachable {
        cause: format!("{}; {}", one.cause, other.cause),
        hint: (!hints.is_empty()).then(|| hints.join("; ")),
        is_passing: one.is_passing && other.is_passing,
        provider: WithoutApi::Nothing,
    }
}
