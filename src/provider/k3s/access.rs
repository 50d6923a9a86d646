//! The step `<cluster>/provision/access`: the API answers from here, and how to reach it is known.

mod kubeconfig;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesOrdered;

use super::{K3sCluster, Member, Memory, config};
use crate::engine::facts::{ClusterFacts, Join, Unreachable, WithoutApi};
use crate::engine::{self, Change, Facts, Failure, Observed, Step, StepId, Stop};
use crate::provider::api_server;
use crate::provider::presence::{Sighting, unreachable};
use crate::site::name::ClusterName;
use crate::site::secret::Secret;
use kubeconfig::Identity;

/// No address of the API can be tried.
#[derive(Debug, thiserror::Error)]
#[error("nobody else could use the API of {0}: `ansible_host` and `tls-san` name only this machine")]
struct NoAddress(ClusterName);

/// The certificate authority is not the one of the token.
#[derive(Debug, thiserror::Error)]
#[error("the kubeconfig on {0} has a different certificate authority from the token there")]
struct OtherAuthority(String);

pub(super) struct ReachApi {
    cluster: Arc<K3sCluster>,
    memory: Memory,
}

impl ReachApi {
    pub(super) fn new(cluster: &Arc<K3sCluster>) -> Self {
        Self { cluster: Arc::clone(cluster), memory: Memory::default() }
    }

    async fn look(&self) -> Result<Observed, Stop> {
        let Some(server) = self.cluster.servers().into_iter().next() else { return Ok(Observed::default()) };
        let again = self.memory.is_second();
        let look = match server.service_look(again).await {
            // It comes back, or the wait ends.
            Err(error) if again && error.is_absence() => {
                return Ok(Observed::waits(vec![self.wait(error.to_string())]));
            }
            look => look?,
        };
        let (Some(kubeconfig), Some(token)) = (&look.kubeconfig, &look.token) else {
            let reason = format!("k3s does not run on {} yet", server.host.name);
            return Ok(Observed::waits(vec![self.wait(reason)]));
        };
        let identity = Identity::parse(server.host.name.as_str(), kubeconfig)?;
        let token = Secret::new(token.expose().trim().to_owned());
        if authority_hash(&token) != Some(identity.authority_hash()) {
            return Err(OtherAuthority(server.host.name.to_string()).into());
        }
        match self.answering(&server, &identity).await? {
            Ok((access, version)) => {
                let join = Join { server: access.server.clone(), token };
                let learnt = ClusterFacts {
                    access: Some(access),
                    version: Some(version),
                    join: Some(join),
                    ..ClusterFacts::default()
                };
                Ok(Observed::ready(Facts::of(&self.cluster.name, learnt)))
            }
            Err(reason) => Ok(Observed::waits(vec![self.wait(reason)])),
        }
    }

    /// How the API is reached of a cluster whose hosts have been looked at, for those that take it down.
    pub(super) async fn sight(&self) -> Sighting {
        self.address().await.unwrap_or_else(|stop| match stop {
            Stop::Failed(failure) => Sighting::Unknown(unreachable(&failure, false, WithoutApi::Destroy)),
            Stop::Blocked(missing) => out_of_reach(format!("the {missing} is not known"), false),
        })
    }

    async fn address(&self) -> Result<Sighting, Stop> {
        let Some(server) = self.cluster.servers().into_iter().next() else {
            return Ok(out_of_reach("it has no server".to_owned(), false));
        };
        let look = server.service_look(false).await?;
        let host = &server.host.name;
        if !look.is_running() {
            return Ok(out_of_reach(format!("k3s does not run on {host}: {}", look.state()), true));
        }
        let Some(kubeconfig) = &look.kubeconfig else {
            return Ok(out_of_reach(format!("k3s on {host} has not written its kubeconfig"), true));
        };
        let identity = Identity::parse(host.as_str(), kubeconfig)?;
        Ok(match self.answering(&server, &identity).await? {
            Ok((access, _)) => Sighting::At(access, WithoutApi::Destroy),
            Err(reason) => out_of_reach(reason, true),
        })
    }

    /// The first address that answers under the pinned authority, with the version; or why none does.
    async fn answering(
        &self,
        server: &Member,
        identity: &Identity,
    ) -> Result<Result<(engine::Access, String), String>, Stop> {
        let port = config::port(&self.cluster.k3s);
        let names = config::names(&self.cluster.k3s);
        let addresses = addresses(&server.address().await?, &names);
        if addresses.is_empty() {
            let failure = Failure::from(NoAddress(self.cluster.name.clone()));
            let hint = "name an address of the server that others can use: `ansible_host`, or `tls-san` in its k3s table";
            return Err(failure.with_hint(hint).into());
        }
        // All are asked at once; the first of the list that answers wins.
        let mut answers: FuturesOrdered<_> = addresses
            .into_iter()
            .map(|address| async move {
                let access = identity.access(&format!("https://{address}:{port}"));
                (address, self.version(&access).await.map(|version| (access, version)))
            })
            .collect();
        let mut reasons = Vec::new();
        while let Some((address, answer)) = answers.next().await {
            match answer {
                Ok(found) => return Ok(Ok(found)),
                Err(reason) => reasons.push(format!("{address}: {reason}")),
            }
        }
        Ok(Err(reasons.join("; ")))
    }

    /// The version of an API server that serves, or why it does not.
    async fn version(&self, access: &engine::Access) -> Result<String, String> {
        let client = self.cluster.env.clients.get(access).await.map_err(|error| error.to_string())?;
        match api_server::unserving(&client).await {
            Some(reason) => Err(reason),
            None => Ok(client.apiserver_version().await.map_err(|error| error.to_string())?.git_version),
        }
    }

    fn wait(&self, reason: String) -> Change {
        Change::wait(format!("API server of {}", self.cluster.name), reason)
    }
}

impl Step for ReachApi {
    type Work = ();

    fn id(&self) -> StepId {
        reach_api_id(&self.cluster)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "its API serves, and it is known how to reach it"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        self.look().await
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}

fn out_of_reach(cause: String, is_passing: bool) -> Sighting {
    Sighting::Unknown(Unreachable { cause, hint: None, is_passing, provider: WithoutApi::Destroy })
}

/// The step that further hosts wait for.
pub(super) fn reach_api_id(cluster: &K3sCluster) -> StepId {
    StepId::of(&cluster.name, "provision/access")
}

/// The hash of the certificate authority that a token pins: `K10<hash>::<user>:<password>`.
fn authority_hash(token: &Secret<String>) -> Option<&str> {
    Some(token.expose().strip_prefix("K10")?.split_once("::")?.0)
}

/// What the API may be reached at: the host's address, then the names of its certificate. What means this very
/// machine is none: others are told the same address.
pub(super) fn addresses(host: &str, names: &[&str]) -> Vec<String> {
    let mut addresses: Vec<String> = Vec::new();
    for name in std::iter::once(&host).chain(names).filter(|name| !is_loopback(name)) {
        let address = if name.contains(':') { format!("[{name}]") } else { (*name).to_owned() };
        if !addresses.contains(&address) && !address.contains(['*', '/']) {
            addresses.push(address);
        }
    }
    addresses
}

fn is_loopback(name: &str) -> bool {
    name == "localhost"
        || name
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_address_comes_first_and_loopback_never() {
        let names = ["localhost", "127.0.0.1", "10.0.0.5", "k3s.example", "fd00::1", "*.example", "0.0.0.0"];
        assert_eq!(addresses("10.0.0.5", &names), ["10.0.0.5", "k3s.example", "[fd00::1]"]);
        assert_eq!(addresses("::1", &[]), Vec::<String>::new());
    }

    #[test]
    fn a_token_in_full_form_pins_the_authority() {
        let hash = |token: &str| authority_hash(&Secret::new(token.to_owned())).map(ToOwned::to_owned);
        assert_eq!(hash("K10ab12::server:word").as_deref(), Some("ab12"));
        assert_eq!(hash("word"), None);
    }
}
