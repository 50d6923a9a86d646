//! An inventory as Ansible reads it:
//! <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/yaml_inventory.html>.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Host;
use crate::site::name::HostName;

/// An inventory as Ansible reads it: every host with its variables, and a group for every workload.
#[derive(Debug, Serialize)]
pub struct AnsibleInventory<'a> {
    all: All<'a>,
}

#[derive(Debug, Serialize)]
struct All<'a> {
    hosts: BTreeMap<&'a HostName, Variables<'a>>,
    children: BTreeMap<String, Group<'a>>,
}

#[derive(Debug, Default, Serialize)]
struct Group<'a> {
    /// A host's variables are said where it is first named; here are none.
    hosts: BTreeMap<&'a HostName, BTreeMap<&'a str, &'a str>>,
}

#[derive(Debug, Serialize)]
struct Variables<'a> {
    ansible_host: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ansible_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ansible_user: Option<&'a str>,
    ansible_become_user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxmox_vm_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_key: Option<&'a str>,
    workloads: &'a [String],
}

impl<'a> AnsibleInventory<'a> {
    /// The inventory of some hosts.
    #[must_use]
    pub fn of(inventory: &'a BTreeMap<HostName, Host>) -> Self {
        let hosts = inventory.values().map(|host| (&host.name, variables(host))).collect();
        let mut children = BTreeMap::<_, Group>::new();
        for host in inventory.values() {
            for workload in &host.workloads {
                children.entry(group(workload)).or_default().hosts.insert(&host.name, BTreeMap::new());
            }
        }
        Self { all: All { hosts, children } }
    }
}

fn variables(host: &Host) -> Variables<'_> {
    Variables {
        ansible_host: &host.address,
        ansible_port: host.port,
        ansible_user: host.user.as_deref(),
        ansible_become_user: &host.become_user,
        proxmox_vm_name: host.proxmox_vm_name.as_deref(),
        host_key: host.host_key.as_deref(),
        workloads: &host.workloads,
    }
}

/// The group of a workload. Groups are variables to Ansible, which have no `-` in their names. A host is often called like
/// its workload, and `hosts: argocd` would mean that host alone: so a group says what it is of.
pub(in crate::site) fn group(workload: &str) -> String {
    format!("workload_{}", workload.replace('-', "_"))
}
