//! What is asked of EC2 and of its load balancers: zones, subnets, and what a cluster may leave behind in its network.

mod answers;

use std::fmt;

use serde::Deserialize;

use answers::{Done, LoadBalancers, LoadBalancersResult, Page, tags};

use super::query::{EC2, LOAD_BALANCING, Question};
use super::{Account, AwsError};

/// Zones whose subnets EKS refuses for its control plane (Amazon EKS User Guide, "Subnet requirements for clusters").
const NOT_FOR_EKS: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];

/// A part of a region.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Zone {
    /// Such as `eu-west-1a`; what it means differs between accounts.
    #[serde(rename = "zoneName")]
    pub name: String,
    /// Such as `euw1-az1`; the same for everybody.
    #[serde(rename = "zoneId", default)]
    pub id: String,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subnet {
    /// Its id.
    #[serde(rename = "subnetId")]
    pub id: String,
    /// The id of its network.
    #[serde(rename = "vpcId")]
    pub vpc: String,
    /// The name of its zone.
    #[serde(rename = "availabilityZone")]
    pub zone: String,
}

/// Something that may be in the way of a network's removal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// What it is, such as `network interface`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What it says of itself.
    pub description: String,
    /// Whether nothing uses it, so that it can be deleted.
    pub is_free: bool,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.id)?;
        if self.description.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.description) }
    }
}

impl Account {
    /// The region's zones that a control plane of EKS can be in, by name.
    ///
    /// # Errors
    /// When AWS cannot be asked.
    pub async fn zones(&self) -> Result<Vec<Zone>, AwsError> {
        let filters = [("zone-type", "availability-zone"), ("state", "available")];
        let pages = self.pages("DescribeAvailabilityZones", &filters, "the region's zones").await?;
        let zones = pages.into_iter().flat_map(|page| page.availability_zone_info.item);
        let mut zones: Vec<_> = zones.filter(|zone| !NOT_FOR_EKS.contains(&zone.id.as_str())).collect();
        zones.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(zones)
    }

    /// The subnets of these ids.
    ///
    /// # Errors
    /// When AWS cannot be asked, or does not know one of them.
    pub async fn subnets(&self, ids: &[String]) -> Result<Vec<Subnet>, AwsError> {
        let numbered = ids.iter().enumerate();
        let parameters =
            numbered.map(|(index, id)| (format!("SubnetId.{}", index + 1), id.clone())).collect();
        let subject = format!("the subnets {}", ids.join(", "));
        let page: Page = self.ask("DescribeSubnets", parameters, "find", &subject).await?;
        Ok(page.subnet_set.item)
    }

    /// The network interfaces in a network.
    ///
    /// # Errors
    /// When AWS cannot be asked.
    pub async fn network_interfaces(&self, vpc: &str) -> Result<Vec<Resource>, AwsError> {
        let subject = format!("the network interfaces in {vpc}");
        let pages = self.pages("DescribeNetworkInterfaces", &[("vpc-id", vpc)], &subject).await?;
        let interfaces = pages.into_iter().flat_map(|page| page.network_interface_set.item);
        Ok(interfaces
            .map(|interface| Resource {
                kind: "network interface",
                id: interface.network_interface_id,
                description: interface.description,
                is_free: interface.status == "available" && !interface.requester_managed,
                tags: tags(interface.tag_set),
            })
            .collect())
    }

    /// The security groups in a network, but the one that goes with it.
    ///
    /// # Errors
    /// When AWS cannot be asked.
    pub async fn security_groups(&self, vpc: &str) -> Result<Vec<Resource>, AwsError> {
        let subject = format!("the security groups in {vpc}");
        let pages = self.pages("DescribeSecurityGroups", &[("vpc-id", vpc)], &subject).await?;
        let groups = pages.into_iter().flat_map(|page| page.security_group_info.item);
        Ok(groups
            .filter(|group| group.name != "default")
            .map(|group| Resource {
                kind: "security group",
                id: group.id,
                description: group.name,
                is_free: true,
                tags: tags(group.tag_set),
            })
            .collect())
    }

    /// The volumes with a tag of that key.
    ///
    /// # Errors
    /// When AWS cannot be asked.
    pub async fn volumes(&self, tag: &str) -> Result<Vec<Resource>, AwsError> {
        let subject = format!("the volumes with the tag {tag}");
        let pages = self.pages("DescribeVolumes", &[("tag-key", tag)], &subject).await?;
        let volumes = pages.into_iter().flat_map(|page| page.volume_set.item);
        Ok(volumes
            .map(|volume| Resource {
                kind: "volume",
                id: volume.id,
                is_free: volume.status == "available",
                description: volume.status,
                tags: tags(volume.tag_set),
            })
            .collect())
    }

    /// The load balancers in a network.
    ///
    /// # Errors
    /// When AWS cannot be asked.
    pub async fn load_balancers(&self, vpc: &str) -> Result<Vec<Resource>, AwsError> {
        let subject = format!("the load balancers in {vpc}");
        let (mut found, mut marker) = (Vec::new(), None::<String>);
        loop {
            let question = Question {
                service: LOAD_BALANCING,
                action: "DescribeLoadBalancers",
                parameters: marker.iter().map(|marker| ("Marker".to_owned(), marker.clone())).collect(),
                verb: "list",
                subject: &subject,
            };
            let page: LoadBalancers = question.ask(self).await?;
            let LoadBalancersResult { load_balancers, next_marker } = page.describe_load_balancers_result;
            // There is no filter by network.
            let here = load_balancers.member.into_iter().filter(|balancer| balancer.vpc_id == vpc);
            found.extend(here.map(|balancer| Resource {
                kind: "load balancer",
                id: balancer.name,
                description: balancer.arn,
                is_free: false,
                tags: Vec::new(),
            }));
            marker = next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// Deletes a network interface that nothing uses.
    ///
    /// # Errors
    /// When AWS refuses.
    pub async fn delete_network_interface(&self, id: &str) -> Result<(), AwsError> {
        let subject = format!("network interface {id}");
        self.delete("DeleteNetworkInterface", "NetworkInterfaceId", id, &subject).await
    }

    /// Deletes a security group that nothing refers to.
    ///
    /// # Errors
    /// When AWS refuses.
    pub async fn delete_security_group(&self, id: &str) -> Result<(), AwsError> {
        let subject = format!("security group {id}");
        self.delete("DeleteSecurityGroup", "GroupId", id, &subject).await
    }

    async fn delete(&self, action: &str, key: &str, id: &str, subject: &str) -> Result<(), AwsError> {
        let parameters = vec![(key.to_owned(), id.to_owned())];
        match self.ask::<Done>(action, parameters, "delete", subject).await {
            // It has gone meanwhile, or an earlier attempt was heard whose answer was not.
            Err(error) if error.is_absence() => Ok(()),
            answer => answer.map(|Done {}| ()),
        }
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        action: &str,
        parameters: Vec<(String, String)>,
        verb: &str,
        subject: &str,
    ) -> Result<T, AwsError> {
        Question { service: EC2, action, parameters, verb, subject }.ask(self).await
    }

    /// All pages of a list.
    async fn pages(
        &self,
        action: &str,
        filters: &[(&str, &str)],
        subject: &str,
    ) -> Result<Vec<Page>, AwsError> {
        let numbered = filters.iter().enumerate().flat_map(|(index, (name, value))| {
            let filter = format!("Filter.{}", index + 1);
            [(format!("{filter}.Name"), *name), (format!("{filter}.Value.1"), *value)]
        });
        let filters: Vec<_> = numbered.map(|(key, value)| (key, value.to_owned())).collect();
        let mut pages: Vec<Page> = Vec::new();
        loop {
            let next = pages.last().and_then(|page| page.next_token.clone()).filter(|next| !next.is_empty());
            if !pages.is_empty() && next.is_none() {
                return Ok(pages);
            }
            let next = next.map(|next| ("NextToken".to_owned(), next));
            let parameters = filters.iter().cloned().chain(next).collect();
            pages.push(self.ask(action, parameters, "list", subject).await?);
        }
    }
}
