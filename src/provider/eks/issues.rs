//! What EKS says is wrong with a cluster, a node group or an addon.

use aws_sdk_eks::types::{
    Addon, AddonHealth, AddonIssue, AddonIssueCode, Cluster, ClusterHealth, ClusterIssue, ClusterIssueCode,
    Issue, Nodegroup, NodegroupHealth, NodegroupIssueCode,
};

/// Each issue as its code and what is said of it.
#[derive(Debug, Default)]
pub(super) struct Issues(Vec<String>);

impl Issues {
    pub(super) fn of_cluster(cluster: &Cluster) -> Self {
        let issues = cluster.health.as_ref().map(ClusterHealth::issues).unwrap_or_default();
        let text =
            |issue: &ClusterIssue| said(issue.code.as_ref().map(ClusterIssueCode::as_str), issue.message());
        Self(issues.iter().map(text).collect())
    }

    pub(super) fn of_node_group(group: &Nodegroup) -> Self {
        let issues = group.health.as_ref().map(NodegroupHealth::issues).unwrap_or_default();
        let text = |issue: &Issue| {
            let resources = issue.resource_ids();
            let resources =
                if resources.is_empty() { String::new() } else { format!(" ({})", resources.join(", ")) };
            said(issue.code.as_ref().map(NodegroupIssueCode::as_str), issue.message()) + &resources
        };
        Self(issues.iter().map(text).collect())
    }

    pub(super) fn of_addon(addon: &Addon) -> Self {
        let issues = addon.health.as_ref().map(AddonHealth::issues).unwrap_or_default();
        let text =
            |issue: &AddonIssue| said(issue.code.as_ref().map(AddonIssueCode::as_str), issue.message());
        Self(issues.iter().map(text).collect())
    }

    /// One line each, after what they are about.
    pub(super) fn lines(&self) -> String {
        self.0.iter().map(|issue| format!("\n  {issue}")).collect()
    }

    /// All in one line, after what they are about.
    pub(super) fn in_line(&self) -> String {
        self.0.iter().map(|issue| format!("; {issue}")).collect()
    }
}

fn said(code: Option<&str>, message: Option<&str>) -> String {
    format!("{}: {}", code.unwrap_or_default(), message.unwrap_or_default())
}
