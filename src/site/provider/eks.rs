//! What a profile says of a cluster of EKS.

use std::collections::BTreeMap;
use std::fmt;

/// A cluster of Amazon EKS, with the network and the roles that are made for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eks {
    /// Such as `eu-west-1`.
    pub region: String,
    /// The account that it has to be in, if the profile says so.
    pub account: Option<String>,
    /// The profile of the AWS configuration whose credentials are used; `None`: what the SDK's chain finds.
    pub profile: Option<String>,
    /// The version of Kubernetes, such as `1.34`; `None`: what EKS makes new clusters of.
    pub version: Option<String>,
    /// Further tags of everything that is made.
    pub tags: BTreeMap<String, String>,
    /// Where its nodes and its control plane's interfaces are.
    pub network: EksNetwork,
    /// Where its API server can be reached from.
    pub endpoint: EksEndpoint,
    /// The logs of the control plane that are kept, such as `audit`.
    pub logging: Vec<String>,
    /// What its workloads run on.
    pub nodes: EksNodes,
    /// EKS's own addons, and the version of each; `None`: EKS's default.
    pub addons: BTreeMap<String, Option<String>>,
    /// The ARNs of further users and roles that may do everything in it.
    pub admins: Vec<String>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EksNetwork {
    /// Subnets that somebody else made: used as they are.
    Given(Vec<String>),
    /// A network of its own.
    Own {
        /// Its addresses, such as `10.0.0.0/16`.
        cidr: String,
        /// The names of its zones; empty: the region's first two.
        zones: Vec<String>,
        /// How what is in its private subnets reaches the internet.
        nat: Nat,
    },
}

/// How many gateways translate the addresses of a network's private subnets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// None: its nodes are in its public subnets.
    None,
    /// One for all zones: cheaper, and gone with its zone.
    Single,
    /// One in each zone.
    PerZone,
}

/// Where an API server can be reached from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EksEndpoint {
    /// The addresses of the internet from which it can be reached; `None`: it cannot.
    pub public: Option<Vec<String>>,
    /// Whether it can be reached from its own network without leaving it.
    pub private: bool,
}

/// What workloads run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EksNodes {
    /// Nodes that EKS makes as pods need them (EKS Auto Mode).
    Auto,
    /// Managed node groups.
    Groups(Vec<NodeGroup>),
}

/// A managed node group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeGroup {
    /// Its name, unique in its cluster.
    pub name: String,
    /// The types of machines that it may be of.
    pub instance_types: Vec<String>,
    /// The machines' image, as EKS calls it, such as `AL2023_x86_64_STANDARD`.
    pub image: String,
    /// Whether its machines may be taken back at any moment, at a lower price.
    pub is_spot: bool,
    /// The fewest machines.
    pub min: u16,
    /// The most machines.
    pub max: u16,
    /// How many machines it is made with. Later that is an autoscaler's to say.
    pub desired: u16,
    /// The size of each machine's disk, in GiB.
    pub disk: u16,
    /// Labels of its nodes.
    pub labels: BTreeMap<String, String>,
}

impl fmt::Display for Nat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::Single => "single",
            Self::PerZone => "per-az",
        })
    }
}

impl Default for NodeGroup {
    /// Two small machines: what a profile that says nothing of nodes gets.
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            instance_types: vec!["t3.medium".to_owned()],
            image: "AL2023_x86_64_STANDARD".to_owned(),
            is_spot: false,
            min: 1,
            max: 3,
            desired: 2,
            disk: 20,
            labels: BTreeMap::new(),
        }
    }
}
