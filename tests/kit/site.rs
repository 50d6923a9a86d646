//! What a site keeps on this machine, as its tests need it.

use std::ops::Range;

use bridgehead::files;
use serde_json::Value;

use super::Lab;

/// The block of ports of a cluster.
pub(crate) fn ports(lab: &Lab, site: &str, cluster: &str) -> Range<u16> {
    let text = files::read(&lab.state(site).join(cluster).join("ports.json")).unwrap();
    let ports: Value = serde_json::from_str(&text).unwrap();
    let number = |key: &str| u16::try_from(ports[key].as_u64().unwrap()).unwrap();
    number("first")..number("first") + number("count")
}
