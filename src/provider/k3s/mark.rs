//! The mark on a host: whose it is, and what was there before.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Role;
use crate::site::name::{ClusterName, SiteName};
use crate::ssh::quote;

/// The folder of the marks of all sites. It is ours.
pub(super) const FOLDER: &str = "/etc/bridgehead";

/// `/etc/bridgehead/<site>.json`: the first thing that comes and the last that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The site that the host belongs to.
    pub(super) site: String,
    /// The cluster.
    pub(super) cluster: String,
    /// What it does there.
    pub(super) role: Role,
    /// What tells the site's hub from those of other sites of its name; `None` in a mark that was made when nobody could
    /// tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hub: Option<String>,
    /// What was there before of the things that k3s makes or leaves. It stays when k3s goes.
    pub(super) before: BTreeSet<String>,
}

impl Mark {
    pub(super) fn new(
        site: &SiteName,
        cluster: &ClusterName,
        role: Role,
        hub: Option<String>,
        traces: &BTreeSet<String>,
    ) -> Self {
        // Processes have other numbers every time.
        let before = traces.iter().filter(|trace| !trace.starts_with("processes ")).cloned().collect();
        Self { site: site.to_string(), cluster: cluster.to_string(), role, hub, before }
    }

    /// Whether it is the mark of this cluster.
    pub(super) fn is_of(&self, site: &SiteName, cluster: &ClusterName) -> bool {
        self.site == site.as_str() && self.cluster == cluster.as_str()
    }

    /// Whether it is that of a site which has only its name in common with the one of this hub. Without a hub to compare
    /// with, that is not known.
    pub(super) fn is_of_another_hub(&self, hub: Option<&str>) -> bool {
        self.hub.as_deref().zip(hub).is_some_and(|(marked, hub)| marked != hub)
    }

    /// What is said of a host or cluster with such a mark.
    pub(super) fn of_another_hub(site: &SiteName) -> String {
        format!("belongs to a different site that is also named `{site}` (it has another hub)")
    }

    /// Whether somebody was about to make the first mark of a host with these traces, and was interrupted.
    pub(super) fn was_begun(traces: &BTreeSet<String>) -> bool {
        traces.contains(&format!("paths {FOLDER}"))
    }

    /// The script that makes it: in one go, so that there is never half a mark.
    pub(super) fn script(&self) -> String {
        let path = quote(&format!("{FOLDER}/{}.json", self.site));
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!(
            "set -e\numask 077\nmkdir -p {FOLDER}\nprintf '%s\\n' {} > {path}.new\nsync {path}.new\n\
             mv {path}.new {path}\n",
            quote(&text)
        )
    }

    /// The script that removes a site's mark, what was begun of one, and the folder with the last one.
    pub(super) fn removal(site: &SiteName) -> String {
        let path = quote(&format!("{FOLDER}/{site}.json"));
        format!("rm -f {path} {FOLDER}/*.new\nrmdir {FOLDER} 2>/dev/null || [ ! -e {path} ]\n")
    }
}
