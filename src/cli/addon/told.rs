//! What a person is told before an addon is switched.

use std::collections::BTreeMap;

use crate::engine::crowd::{FEW, some};
use crate::flow::addon::{Coming, Pending, Removal, Removals};
use crate::site::name::{AddonName, ClusterName, SiteName};

/// What the profile says besides, and what stays as it is; `None` if it says nothing else.
pub(super) fn what_else(site: &SiteName, pending: &[Pending]) -> Option<String> {
    let on = |pending: &Pending| match pending.entries {
        0 => format!("{} is not registered", pending.cluster),
        1 => format!("1 on {}", pending.cluster),
        entries => format!("{entries} on {}", pending.cluster),
    };
    let list = some(pending.iter().map(on));
    (!pending.is_empty())
        .then(|| format!("other changes of the profile stay pending ({list}): see `bridgehead plan {site}`"))
}

/// The Applications that come: cluster by cluster, or as groups of many.
pub(super) fn what_comes(addon: &AddonName, coming: &[Coming]) -> String {
    let mut text = format!("switching {addon} on brings:");
    let is_crowd = coming.len() > FEW;
    let mut groups: BTreeMap<Vec<String>, Vec<ClusterName>> = BTreeMap::new();
    for coming in coming {
        let lines = lines_of(addon, coming, !is_crowd);
        if is_crowd {
            groups.entry(lines).or_default().push(coming.cluster.clone());
        } else {
            text.extend(lines.iter().map(|line| format!("\n  {}: {line}", coming.cluster)));
        }
    }
    for (lines, clusters) in groups {
        text.push_str(&format!("\n  {} clusters ({}):", clusters.len(), some(clusters.iter())));
        text.extend(lines.iter().map(|line| format!("\n    {line}")));
    }
    text
}

/// What comes to one cluster, with the names of its Applications or without.
fn lines_of(addon: &AddonName, coming: &Coming, with_names: bool) -> Vec<String> {
    let Coming { label, is_registered, sets, unmoved, .. } = coming;
    if !is_registered {
        return vec!["nothing yet: it is not registered in Argo CD".to_owned()];
    }
    let mut lines = Vec::new();
    if label.as_deref() == Some("true") {
        lines.push("it is on already".to_owned());
    }
    for set in sets {
        let applications: Vec<_> = set.applications.iter().map(String::as_str).collect();
        let applications = match applications.as_slice() {
            names if with_names && !names.is_empty() => format!("Application {}", names.join(", ")),
            _ => "Applications".to_owned(),
        };
        lines.push(format!("{applications}, of the ApplicationSet {}", set.name));
    }
    for set in unmoved {
        lines.push(format!("nothing of the ApplicationSet {set}, which also requires other labels"));
    }
    if sets.is_empty() && unmoved.is_empty() {
        lines.push(format!("nothing known yet: no ApplicationSet selects clusters by enable_{addon}"));
    }
    lines
}

/// The Applications that go, and what goes with them.
pub(in crate::cli) fn what_goes(addon: &AddonName, removals: &Removals) -> String {
    let unseen = removals.unseen.iter().map(|unseen| format!("\nnot known: {unseen}"));
    if removals.applications.is_empty() {
        return format!("nothing of {addon} is deployed{}", unseen.collect::<String>());
    }
    let mut text = format!("switching {addon} off removes:");
    for removal in &removals.applications {
        let Removal { cluster, application, objects, .. } = removal;
        text.push_str(&format!("\n  {cluster}: Application {application}"));
        if !removal.cascades {
            text.push_str(" (its set leaves its objects behind; they are uninstalled all the same)");
        }
        text.extend(objects.iter().map(|object| format!("\n    - {object}")));
        text.extend(removal.stays.iter().map(|object| format!("\n    stays: {object}")));
        if let Some(namespace) = &removal.namespace {
            text.push_str(&format!("\n    stays: Namespace {namespace}, which others may use too"));
        }
    }
    text.extend(unseen);
    text
}
