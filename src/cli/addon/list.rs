//! `addon list`: clusters and addons.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::crowd::{FEW, all, some};
use crate::flow::addon::{Addon as AddonRow, Cell};

/// Addons and clusters: what the profile says, what the label says, what is there. As a matrix, or in groups where that would
/// have too many columns or holes.
pub(super) fn text(addons: &[AddonRow], has_holes: bool) -> String {
    let clusters = addons.iter().map(|addon| addon.clusters.len()).max().unwrap_or_default();
    if addons.is_empty() && has_holes {
        "every addon is as it should be\n".to_owned()
    } else if has_holes || clusters > FEW {
        groups(addons)
    } else {
        matrix(addons)
    }
}

/// For each addon a line for everything that is so, and where; then why clusters were not seen.
fn groups(addons: &[AddonRow]) -> String {
    let (mut text, mut unseen) = (String::new(), BTreeMap::<&str, BTreeSet<_>>::new());
    for addon in addons {
        let mut groups: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for cell in &addon.clusters {
            groups.entry(cell_text(cell)).or_default().push(&cell.cluster);
            for reason in &cell.unseen {
                // The innermost cause is the same for many.
                let cause = reason.rsplit(": ").next().unwrap_or(reason);
                unseen.entry(cause).or_default().insert(cell.cluster.as_str());
            }
        }
        text.push_str(&format!("{}\n", addon.addon));
        for (what, clusters) in groups {
            text.push_str(&format!("  {what}: {} ({})\n", clusters.len(), some(clusters.iter())));
        }
    }
    text.extend(unseen.iter().map(|(cause, clusters)| format!("not seen: {}: {cause}\n", all(clusters))));
    text
}

fn matrix(addons: &[AddonRow]) -> String {
    let columns = addons.first().map(|addon| addon.clusters.as_slice()).unwrap_or_default();
    let heading = columns.iter().map(|cell| cell.cluster.to_string());
    let rows = addons.iter().map(|row| (row.addon.to_string(), row.clusters.iter().map(cell_text).collect()));
    let rows: Vec<(_, Vec<_>)> =
        std::iter::once(("ADDON".to_owned(), heading.collect())).chain(rows).collect();
    let name_width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let width = rows.iter().flat_map(|(_, cells)| cells).map(String::len).max().unwrap_or_default();
    let line = |(name, cells): &(String, Vec<String>)| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:<width$}")).collect();
        format!("{name:<name_width$}{cells}").trim_end().to_owned()
    };
    let text = rows.iter().map(line).collect::<Vec<_>>().join("\n");
    let cells = addons.iter().flat_map(|row| &row.clusters);
    let unseen = cells.flat_map(|cell| cell.unseen.iter().map(|unseen| (&cell.cluster, unseen)));
    let unseen: BTreeSet<_> = unseen.collect();
    let unseen = unseen.iter().map(|(cluster, unseen)| format!("\n{cluster}: {unseen}"));
    format!("{text}{}\n", unseen.collect::<String>())
}

fn cell_text(cell: &Cell) -> String {
    let label = cell.label.as_deref() == Some("true");
    let mut text = match (cell.profile, label) {
        (true, true) => "on".to_owned(),
        (false, false) => "off".to_owned(),
        (true, false) => "profile on, label off".to_owned(),
        (false, true) => "profile off, label on".to_owned(),
    };
    let unsettled = cell.applications.iter().filter(|application| application.reason.is_some()).count();
    match (cell.applications.len(), unsettled) {
        (0, _) => {}
        (_, 0) => text.push_str(", healthy"),
        (all, unsettled) => text.push_str(&format!(", {unsettled} of {all} unhealthy")),
    }
    match &cell.left_behind {
        None => text.push_str(", not seen"),
        Some(left) if left.is_empty() => {}
        Some(left) => {
            let objects: usize = left.iter().map(|left| left.objects.len()).sum();
            text.push_str(&format!(", {objects} left behind"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{Cluster, load};

    #[test]
    fn columns_are_apart_however_long_a_name_is() {
        const LONG: &str = "aws_crossplane_upbound_provider";
        let name = "home".parse().expect("valid");
        let text = "[hub.local]\n[spokes.dev.local]\n";
        let site = load::from_text(None, &name, text, &load::Overrides::default()).expect("valid");
        let cell = |cluster: &Cluster| Cell {
            cluster: cluster.name.clone(),
            profile: true,
            label: Some("true".to_owned()),
            applications: Vec::new(),
            left_behind: Some(Vec::new()),
            unseen: Vec::new(),
        };
        let row = |addon: &str| AddonRow {
            addon: addon.parse().expect("valid"),
            sets: Vec::new(),
            clusters: site.clusters().map(cell).collect(),
        };
        let table = super::text(&[row(LONG), row("keda")], false);
        let expected = [
            format!("ADDON{}hub  dev\n", " ".repeat(LONG.len() - 3)),
            format!("{LONG}  on   on\n"),
            format!("keda{}on   on\n", " ".repeat(LONG.len() - 2)),
        ];
        assert_eq!(table, expected.concat());
    }
}
