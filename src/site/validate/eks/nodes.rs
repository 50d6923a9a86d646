//! What the workloads of a cluster of EKS run on.

use std::collections::BTreeSet;

use toml::Spanned;

use crate::site::finding::Finding;
use crate::site::profile::{EksTable, NodeGroupTable};
use crate::site::validate::{Check, labels};
use crate::site::{EksNodes, NodeGroup};

impl Check<'_> {
    pub(super) fn nodes(&mut self, table: &EksTable) -> Option<EksNodes> {
        let groups = &table.node_groups;
        match (&table.auto_mode, groups.first()) {
            (Some(auto), Some(_)) if *auto.get_ref() => {
                let message = "in Auto Mode EKS makes the nodes itself";
                let help = "keep one of `auto_mode` and `node_groups`";
                self.found(Finding::new(auto.span(), message).with_help(help))
            }
            (Some(auto), None) if *auto.get_ref() => Some(EksNodes::Auto),
            (_, None) => Some(EksNodes::Groups(vec![NodeGroup::default()])),
            (_, Some(_)) => {
                let mut names = BTreeSet::new();
                let groups: Vec<_> = groups.iter().map(|group| self.node_group(group, &mut names)).collect();
                groups.into_iter().collect::<Option<_>>().map(EksNodes::Groups)
            }
        }
    }

    fn node_group(&mut self, table: &NodeGroupTable, names: &mut BTreeSet<String>) -> Option<NodeGroup> {
        let default = NodeGroup::default();
        let name = table.name.as_ref().and_then(|typed| self.group_name(typed, names));
        let min = self.machines(table.min.as_ref(), default.min);
        let desired = self.machines(table.desired.as_ref(), default.desired.max(min?));
        let max = self.machines(table.max.as_ref(), default.max.max(desired?));
        let disk = self.machines(table.disk.as_ref(), default.disk);
        let image = match &table.ami_type {
            Some(typed) => self.image(typed),
            None => Some(default.image),
        };
        let labels = self.labels(&table.labels);
        let (min, desired, max) = (min?, desired?, max?);
        if let Some(typed) = [&table.desired, &table.max, &table.min].into_iter().flatten().next()
            && !(min <= desired && desired <= max && max > 0)
        {
            let message = format!("a group of {min} to {max} machines cannot have {desired}");
            return self.found(Finding::new(typed.span(), message));
        }
        let types: Vec<_> = table.instance_types.iter().map(|typed| typed.get_ref().clone()).collect();
        let instance_types = if types.is_empty() { default.instance_types } else { types };
        Some(NodeGroup {
            name: name?,
            instance_types,
            image: image?,
            is_spot: table.spot,
            min,
            max,
            desired,
            disk: disk?,
            labels,
        })
    }

    fn group_name(&mut self, typed: &Spanned<String>, names: &mut BTreeSet<String>) -> Option<String> {
        let name = typed.get_ref();
        let name = self.accept(typed.span(), labels::value(name)).filter(|name| !name.is_empty());
        let Some(name) = name.filter(|name| name.len() <= 40) else {
            return self.found(Finding::new(typed.span(), "a node group's name has 1 to 40 characters"));
        };
        if !names.insert(name.clone()) {
            return self.found(Finding::new(typed.span(), format!("two node groups are called `{name}`")));
        }
        Some(name)
    }

    fn machines(&mut self, typed: Option<&Spanned<i64>>, default: u16) -> Option<u16> {
        let Some(typed) = typed else { return Some(default) };
        match u16::try_from(*typed.get_ref()) {
            Ok(count) if count <= 450 => Some(count),
            _ => self.found(Finding::new(typed.span(), "this is a number from 0 to 450")),
        }
    }

    /// The images whose nodes join by themselves. Amazon Linux 2 is none of them any more.
    fn image(&mut self, typed: &Spanned<String>) -> Option<String> {
        let name = typed.get_ref();
        if name.starts_with("AL2023_") || name.starts_with("BOTTLEROCKET_") {
            return Some(name.clone());
        }
        let finding = Finding::new(typed.span(), "EKS makes no nodes of this image");
        self.found(finding.with_help(
            "write `AL2023_x86_64_STANDARD`, `AL2023_ARM_64_STANDARD`, or one that begins with `BOTTLEROCKET_`",
        ))
    }
}
