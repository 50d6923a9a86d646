//! Answers of EC2 and of its load balancers, as they are written (XML of the Query protocol).

use serde::Deserialize;

use super::{Subnet, Zone};

/// A list as EC2 writes it.
#[derive(Debug, Deserialize)]
pub(super) struct Set<T> {
    #[serde(default = "Vec::new")]
    pub(super) item: Vec<T>,
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self { item: Vec::new() }
    }
}

/// One page of a list, whatever it is of: each answer has one of the sets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    #[serde(default)]
    pub(super) availability_zone_info: Set<Zone>,
    #[serde(default)]
    pub(super) subnet_set: Set<Subnet>,
    #[serde(default)]
    pub(super) network_interface_set: Set<Interface>,
    #[serde(default)]
    pub(super) security_group_info: Set<Group>,
    #[serde(default)]
    pub(super) volume_set: Set<Volume>,
    pub(super) next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tag {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Interface {
    pub(super) network_interface_id: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) requester_managed: bool,
    #[serde(default)]
    pub(super) tag_set: Set<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    #[serde(rename = "groupId")]
    pub(super) id: String,
    #[serde(rename = "groupName", default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) tag_set: Set<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume {
    #[serde(rename = "volumeId")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) tag_set: Set<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LoadBalancers {
    pub(super) describe_load_balancers_result: LoadBalancersResult,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LoadBalancersResult {
    #[serde(default)]
    pub(super) load_balancers: Members,
    pub(super) next_marker: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Members {
    #[serde(default)]
    pub(super) member: Vec<LoadBalancer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LoadBalancer {
    #[serde(rename = "LoadBalancerArn")]
    pub(super) arn: String,
    #[serde(rename = "LoadBalancerName", default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) vpc_id: String,
}

/// An answer that says nothing but that it is done.
#[derive(Debug, Deserialize)]
pub(super) struct Done {}

pub(super) fn tags(set: Set<Tag>) -> Vec<(String, String)> {
    set.item.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_ec2_writes_them() {
        let page: Page = quick_xml::de::from_str(
            "<DescribeNetworkInterfacesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>1</requestId>\
             <networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId><status>available</status>\
             <description>aws-K8S-i-1</description><requesterManaged>false</requesterManaged>\
             <tagSet><item><key>k</key><value>v</value></item></tagSet></item></networkInterfaceSet>\
             <nextToken>n</nextToken></DescribeNetworkInterfacesResponse>",
        )
        .expect("it is one");
        assert_eq!(page.next_token.as_deref(), Some("n"));
        let interface = &page.network_interface_set.item[0];
        assert_eq!((interface.network_interface_id.as_str(), interface.tag_set.item.len()), ("eni-1", 1));
        let page: Page = quick_xml::de::from_str("<R><subnetSet/></R>").expect("it is one");
        assert_eq!(page.subnet_set.item, []);
    }
}
