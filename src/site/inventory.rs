//! The machines of a site: what its `inventory.toml` says, checked.

mod ansible;

pub use ansible::AnsibleInventory;
pub(in crate::site) use ansible::group;

use super::name::HostName;

/// A machine that is reached over SSH. What is `None` here, the user's `ssh_config` decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its alias: the name of its table.
    pub name: HostName,
    /// `ansible_host`: an address, a DNS name, or a `Host` of the user's `ssh_config`.
    pub address: String,
    /// `ansible_port`
    pub port: Option<u16>,
    /// `ansible_user`: who logs in.
    pub user: Option<String>,
    /// `ansible_become_user`: whom `sudo` makes of them, `root` if nothing is said.
    pub become_user: String,
    /// `proxmox_vm_name`: kept for Ansible.
    pub proxmox_vm_name: Option<String>,
    /// `workloads`: what it is for.
    pub workloads: Vec<String>,
    /// `host_key`: the only key that it may show, as in `known_hosts`: `ssh-ed25519 AAAA..`.
    pub host_key: Option<String>,
}
