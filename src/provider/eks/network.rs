//! The step `<cluster>/provision/network`: a network of its own, or subnets that somebody else made.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::cluster::EksCluster;
use super::stack::{self, NetworkStack, Order, Standing, ZONES, faults};
use crate::aws::Account;
use crate::engine::facts::{ClusterFacts, Network};
use crate::engine::wait::Pace;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::name::ClusterName;
use crate::site::{EksNetwork, Nat};
use crate::template;

/// In how many zones a network is whose profile names none.
const ZONES_AT_LEAST: usize = 2;
/// How many blocks a network's addresses are divided into, as a power of two: room for three zones and more.
const BLOCKS: u8 = 3;
/// How long a stack that could not be made may take to go.
const REMOVAL: Duration = Duration::from_mins(10);

pub(super) struct MakeNetwork {
    cluster: Arc<EksCluster>,
    /// Whether this run has asked for the stack. One that fails then is not asked for again.
    asked: AtomicBool,
}

pub(super) enum Work {
    Create(Order),
    /// The stack could not be made at an earlier time, and is made anew.
    Replace(Order),
    Update(Order),
}

/// The network cannot be used.
#[derive(Debug, thiserror::Error)]
enum NetworkError {
    #[error("the region {0} has no two zones that EKS can use")]
    Zones(String),
    #[error("the subnets of `{0}` are in {1} networks; a cluster is in one")]
    SeveralNetworks(ClusterName, usize),
    #[error("the subnets of `{0}` are all in the zone {1}; EKS wants two at least")]
    OneZone(ClusterName, String),
    #[error("{stack} failed ({state}){causes}")]
    Stack { stack: String, state: String, causes: String },
}

/// What the template takes in.
#[derive(Debug, Serialize)]
struct Values {
    description: String,
    name: String,
    cidr: String,
    nat: String,
    /// How many bits of an address say which one it is within a subnet.
    subnet_bits: u8,
    zones: Vec<ZoneValues>,
}

#[derive(Debug, Serialize)]
struct ZoneValues {
    number: usize,
    /// Which block of addresses its public subnet has.
    public: usize,
    /// Which block of addresses its private subnet has.
    private: usize,
    public_name: String,
    private_name: String,
    /// Whether a gateway stands here.
    has_nat: bool,
    /// The zone whose gateway it uses.
    nat: usize,
}

impl MakeNetwork {
    pub(super) fn new(cluster: &Arc<EksCluster>) -> Self {
        Self { cluster: Arc::clone(cluster), asked: AtomicBool::new(false) }
    }

    async fn given(&self, account: &Account, ids: &[String]) -> Result<Observed<Work>, Stop> {
        let subnets = account.subnets(ids).await?;
        let networks: BTreeSet<_> = subnets.iter().map(|subnet| &subnet.vpc).collect();
        let zones: BTreeSet<_> = subnets.iter().map(|subnet| &subnet.zone).collect();
        let name = || self.cluster.name.clone();
        let Some(network) = networks.first().filter(|_| networks.len() == 1) else {
            return Err(NetworkError::SeveralNetworks(name(), networks.len()).into());
        };
        if let Some(zone) = zones.first().filter(|_| zones.len() == 1) {
            return Err(NetworkError::OneZone(name(), (*zone).clone()).into());
        }
        let network = Network { id: (*network).clone(), subnets: ids.to_vec(), node_subnets: ids.to_vec() };
        Ok(Observed::ready(self.facts(network)))
    }

    fn facts(&self, network: Network) -> Facts {
        Facts::of(&self.cluster.name, ClusterFacts { network: Some(network), ..ClusterFacts::default() })
    }

    async fn own(&self, account: &Account) -> Result<Observed<Work>, Stop> {
        let name = self.cluster.stack();
        let subject = stack::subject(&name);
        let Some(found) = NetworkStack::look(account, &self.cluster).await? else {
            let order = self.order(account, None).await?;
            let change =
                Change::create(&subject).with_detail(self.described(&order)).with_content(&content(&order));
            return Ok(Observed::differs(vec![change], Work::Create(order)));
        };
        let asked = self.asked.load(Ordering::Relaxed);
        match found.standing() {
            Standing::Busy => Ok(Observed::waits(vec![Change::wait(&subject, found.state())])),
            Standing::Stuck => Err(self.failure(account, &found).await?.into()),
            Standing::Stillborn if asked => Err(self.failure(account, &found).await?.into()),
            Standing::Stillborn => {
                let order = self.order(account, Some(&found)).await?;
                let why = faults(account, &name).await?;
                let detail = format!("made anew, because it could not be made ({})", why.join("; "));
                let change = Change::update(&subject, detail).with_content(&content(&order));
                Ok(Observed::differs(vec![change], Work::Replace(order)))
            }
            Standing::Whole if asked && found.has_failed() => {
                Err(self.failure(account, &found).await?.into())
            }
            Standing::Whole => {
                let order = self.order(account, Some(&found)).await?;
                let mut differences = Vec::new();
                if stack::template(account, &name).await? != order.template {
                    differences.push("its template is another one".to_owned());
                }
                if found.parameters.get(ZONES) != Some(&order.zones) {
                    differences.push(format!("zones {}", order.zones));
                }
                let tags = found.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                let tags = self.cluster.missing_tags(tags);
                if !tags.is_empty() {
                    differences.push(format!("tags {}", tags.into_keys().collect::<Vec<_>>().join(", ")));
                }
                let facts = self.facts(network(&found));
                if differences.is_empty() {
                    return Ok(Observed::ready(facts));
                }
                let change = Change::update(&subject, differences.join("; ")).with_content(&content(&order));
                let work = (!asked).then_some(Work::Update(order));
                let changes = if asked {
                    vec![Change::wait(&subject, "AWS does not show it yet")]
                } else {
                    vec![change]
                };
                Ok(Observed { facts, changes, work })
            }
        }
    }

    /// What it is to be. The zones of one that is there stay, whatever the region offers by now.
    async fn order(&self, account: &Account, found: Option<&NetworkStack>) -> Result<Order, Failure> {
        let EksNetwork::Own { cidr, zones, nat } = &self.cluster.eks.network else {
            unreachable!("a network that is given has no stack")
        };
        let deployed = found.and_then(|found| found.parameters.get(ZONES));
        let zones: Vec<String> = match deployed {
            _ if !zones.is_empty() => zones.clone(),
            Some(deployed) => deployed.split(',').map(ToOwned::to_owned).collect(),
            None => {
                let zones = account.zones().await?.into_iter().map(|zone| zone.name);
                zones.take(ZONES_AT_LEAST).collect()
            }
        };
        if zones.len() < ZONES_AT_LEAST {
            return Err(NetworkError::Zones(self.cluster.eks.region.clone()).into());
        }
        let values = self.values(cidr, zones.len(), *nat);
        let template = template::render(self.cluster.env.root.as_deref(), "eks/network.yaml", &values)?;
        Ok(Order { name: self.cluster.stack(), template, zones: zones.join(","), tags: self.cluster.tags() })
    }

    fn values(&self, cidr: &str, zones: usize, nat: Nat) -> Values {
        let id = self.cluster.id();
        // By default there may be five gateways in a zone: those of a fleet are spread over the zones.
        let single = usize::from(Sha256::digest(&id)[0]) % zones;
        let prefix: u8 = cidr.rsplit('/').next().and_then(|prefix| prefix.parse().ok()).unwrap_or(16);
        let zone = |number| ZoneValues {
            number,
            public: number,
            private: number + zones,
            public_name: format!("{id}-public-{number}"),
            private_name: format!("{id}-private-{number}"),
            has_nat: match nat {
                Nat::None => false,
                Nat::Single => number == single,
                Nat::PerZone => true,
            },
            nat: if nat == Nat::PerZone { number } else { single },
        };
        Values {
            description: format!("The network of the EKS cluster {id}"),
            cidr: cidr.to_owned(),
            nat: nat.to_string(),
            subnet_bits: 32 - prefix - BLOCKS,
            zones: (0..zones).map(zone).collect(),
            name: id,
        }
    }

    fn described(&self, order: &Order) -> String {
        match &self.cluster.eks.network {
            EksNetwork::Own { cidr, nat, .. } => {
                format!("network {cidr} in {}, NAT {nat}", order.zones.replace(',', ", "))
            }
            EksNetwork::Given(_) => String::new(),
        }
    }

    async fn failure(&self, account: &Account, found: &NetworkStack) -> Result<Failure, Failure> {
        let name = self.cluster.stack();
        let causes: String =
            faults(account, &name).await?.iter().map(|fault| format!("\n  {fault}")).collect();
        let error = NetworkError::Stack { stack: stack::subject(&name), state: found.state(), causes };
        let hint = match found.standing() {
            Standing::Stuck => {
                "see the stack in the AWS console; `bridgehead down` takes it away and names what holds it"
            }
            _ => {
                "mend the cause, then run the same command again: a stack that could not be made is replaced"
            }
        };
        Ok(Failure::from(error).with_hint(hint))
    }
}

impl Step for MakeNetwork {
    type Work = Work;

    fn id(&self) -> StepId {
        self.cluster.step("provision/network")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "it has a network with subnets in two zones at least"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Work>, Stop> {
        let (account, _) = self.cluster.account().await?;
        match &self.cluster.eks.network {
            EksNetwork::Given(ids) => self.given(&account, ids).await,
            EksNetwork::Own { .. } => self.own(&account).await,
        }
    }

    async fn apply(&self, work: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (account, _) = self.cluster.account().await?;
        match work {
            Work::Create(order) => order.create(&account, writer).await?,
            Work::Update(order) => order.update(&account, writer).await?,
            Work::Replace(order) => {
                stack::delete(&account, &order.name, writer).await?;
                let mut pace = Pace::new(REMOVAL).with_longest_pause(Duration::from_secs(5));
                while let Some(found) = NetworkStack::look(&account, &self.cluster).await? {
                    let busy = found.standing() == Standing::Busy || found.standing() == Standing::Stillborn;
                    writer.progress(format!("waits until {} has gone", stack::subject(&order.name)));
                    let goes_on = writer.pause(&mut pace).await;
                    if !busy || !goes_on {
                        return Err(self.failure(&account, &found).await?);
                    }
                }
                order.create(&account, writer).await?;
            }
        }
        self.asked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// A gateway takes one or two minutes.
    fn patience(&self) -> Duration {
        Duration::from_mins(15)
    }

    fn longest_pause(&self) -> Duration {
        Duration::from_secs(5)
    }
}

fn content(order: &Order) -> serde_json::Value {
    json!({ "template": order.template, "zones": order.zones, "tags": order.tags })
}

/// Nodes are in the private subnets, if there are any.
fn network(stack: &NetworkStack) -> Network {
    let (public, private) = (stack.list("PublicSubnets"), stack.list("PrivateSubnets"));
    let node_subnets = if private.is_empty() { public.clone() } else { private.clone() };
    let id = stack.outputs.get("Vpc").cloned().unwrap_or_default();
    Network { id, subnets: [public, private].concat(), node_subnets }
}
