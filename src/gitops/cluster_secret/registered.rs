//! Which cluster of a site a live cluster Secret registers, told from its marks.

use std::collections::BTreeMap;

use super::adopted::Before;
use super::owned::{Field, Texts};
use crate::k8s::{FIELD_MANAGER, MANAGED_BY_LABEL, Object, SITE_LABEL};
use crate::site::Site;
use crate::site::name::ClusterName;

/// The label that says which cluster of its site a Secret registers, whatever Argo CD calls that.
pub(super) const CLUSTER_LABEL: &str = "cluster_name";

/// What a cluster Secret is to a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gitops) struct Registration {
    /// The cluster that it registers.
    pub(in crate::gitops) cluster: ClusterName,
    /// Whether the site made it; otherwise it was adopted.
    pub(in crate::gitops) is_made: bool,
}

/// Which cluster of the site a Secret registers; `None` if it is none of the site's, whatever it is called.
pub(in crate::gitops) fn registers(
    site: &Site,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Option<Registration> {
    registered_name(site, labels, annotations).filter(|found| site.cluster(&found.cluster).is_some())
}

/// The same whether or not the profile still names that cluster.
fn registered_name(
    site: &Site,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Option<Registration> {
    let adopted = || Before::read(annotations).map(|before| before.site);
    let owner = labels.get(SITE_LABEL).cloned().or_else(adopted)?;
    if owner != site.name.as_str() {
        return None;
    }
    let cluster = labels.get(CLUSTER_LABEL)?.parse().ok()?;
    let is_made = [(SITE_LABEL, site.name.as_str()), (MANAGED_BY_LABEL, FIELD_MANAGER)]
        .into_iter()
        .all(|(key, value)| labels.get(key).is_some_and(|found| found == value));
    Some(Registration { cluster, is_made })
}

/// The same of an object.
pub(in crate::gitops) fn registers_as(site: &Site, secret: &Object) -> Option<Registration> {
    let [labels, annotations]: [Texts; 2] = [Field::Labels, Field::Annotations].map(|field| field.of(secret));
    registers(site, &labels, &annotations)
}

/// The cluster that a Secret registers for the site although its profile does not name that any more.
pub(in crate::gitops) fn departed(site: &Site, secret: &Object) -> Option<ClusterName> {
    let [labels, annotations]: [Texts; 2] = [Field::Labels, Field::Annotations].map(|field| field.of(secret));
    let found = registered_name(site, &labels, &annotations)?;
    site.cluster(&found.cluster).is_none().then_some(found.cluster)
}
