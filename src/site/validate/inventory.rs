//! The inventory: hosts, as OpenSSH and Ansible can take them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use toml::Spanned;

use crate::site::finding::Finding;
use crate::site::inventory::{Host, group};
use crate::site::name::HostName;
use crate::site::profile::{HostTable, Inventory};

/// The hosts by alias; `None` for one that something is wrong with.
pub(in crate::site) type Hosts = BTreeMap<String, Option<Host>>;

/// Groups that every inventory of Ansible has.
const GROUPS_OF_ANSIBLE: &[&str] = &["all", "ungrouped"];

/// Why a value was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HostError {
    #[error("this must not be empty, begin with `-`, or have spaces, quotes or braces in it")]
    Word,
    #[error("this must be an address or a name alone: {0}")]
    Address(&'static str),
    #[error("Ansible has a group of that name, and would take the host for it")]
    Clash,
    #[error("a port is a number from 1 to 65535")]
    Port,
    #[error("a workload is made of letters, digits, `_` and `-`, and begins with a letter")]
    Workload,
    #[error("this is not a host key as `known_hosts` has it: `ssh-ed25519 AAAA..`")]
    Key,
}

/// Validates the inventory. Adds to `findings` what it finds.
pub(in crate::site) fn inventory(typed: &Inventory, findings: &mut Vec<Finding>) -> Hosts {
    let mut check = Check(findings);
    let workloads = typed.vms.values().flat_map(|table| &table.workloads);
    let groups: Vec<_> = workloads.map(|typed| group(typed.get_ref())).collect();
    for alias in typed.vms.keys() {
        let name = alias.get_ref().as_str();
        if GROUPS_OF_ANSIBLE.contains(&name) || groups.iter().any(|group| group == name) {
            check.0.push(Finding::new(alias.span(), HostError::Clash.to_string()));
        }
    }
    typed.vms.iter().map(|(alias, table)| (alias.get_ref().clone(), check.host(alias, table))).collect()
}

struct Check<'a>(&'a mut Vec<Finding>);

impl Check<'_> {
    fn host(&mut self, alias: &Spanned<String>, table: &HostTable) -> Option<Host> {
        let name = self.take(alias, |alias| alias.parse::<HostName>());
        let address = table.ansible_host.as_ref().and_then(|typed| self.take(typed, |text| address(text)));
        let port = self.optional(table.ansible_port.as_ref(), |number| port(*number));
        let user = self.optional(table.ansible_user.as_ref(), |text| word(text));
        let become_user = self.optional(table.ansible_become_user.as_ref(), |text| word(text));
        let vm = self.optional(table.proxmox_vm_name.as_ref(), |text| word(text));
        let host_key = self.optional(table.host_key.as_ref(), |text| host_key(text));
        let workloads: Vec<_> =
            table.workloads.iter().map(|typed| self.take(typed, |text| workload(text))).collect();
        Some(Host {
            name: name?,
            address: address?,
            port: port?,
            user: user?,
            become_user: become_user?.unwrap_or_else(|| "root".to_owned()),
            proxmox_vm_name: vm?,
            workloads: workloads.into_iter().collect::<Option<_>>()?,
            host_key: host_key?,
        })
    }

    /// `Some(None)` for what is not said.
    #[expect(clippy::option_option, reason = "the outer one says whether it is valid")]
    fn optional<T, V, E: ToString>(
        &mut self,
        typed: Option<&Spanned<T>>,
        check: impl FnOnce(&T) -> Result<V, E>,
    ) -> Option<Option<V>> {
        typed.map_or(Some(None), |typed| self.take(typed, check).map(Some))
    }

    fn take<T, V, E: ToString>(
        &mut self,
        typed: &Spanned<T>,
        check: impl FnOnce(&T) -> Result<V, E>,
    ) -> Option<V> {
        check(typed.get_ref())
            .map_err(|error| self.0.push(Finding::new(typed.span(), error.to_string())))
            .ok()
    }
}

/// What neither OpenSSH takes for an option, nor Ansible for a template.
fn word(text: &str) -> Result<String, HostError> {
    let refused =
        |character: char| character.is_whitespace() || character.is_control() || "\"'`{}".contains(character);
    let valid = !text.is_empty() && !text.starts_with('-') && !text.contains(refused);
    valid.then(|| text.to_owned()).ok_or(HostError::Word)
}

/// What `ssh` would take apart stands under keys of its own: Ansible hands it over as it is.
fn address(text: &str) -> Result<String, HostError> {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match text.rsplit_once(':') {
        _ if text.contains("://") => {
            Err(HostError::Address("who logs in is `ansible_user`, the port is `ansible_port`"))
        }
        _ if text.contains('@') => Err(HostError::Address("who logs in is `ansible_user`")),
        Some((host, port)) if is_port(port) && (!host.contains(':') || host.ends_with(']')) => {
            Err(HostError::Address("the port is `ansible_port`"))
        }
        _ if text.contains(['[', ']']) => Err(HostError::Address("an address of IPv6 has no brackets here")),
        _ => word(text),
    }
}

/// The number of a TCP port.
pub(super) fn port(number: i64) -> Result<u16, HostError> {
    u16::try_from(number).ok().filter(|port| *port > 0).ok_or(HostError::Port)
}

fn workload(text: &str) -> Result<String, HostError> {
    let valid = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        && text.starts_with(|first: char| first.is_ascii_alphabetic());
    valid.then(|| text.to_owned()).ok_or(HostError::Workload)
}

/// Type and key. The key is a list of fields with their lengths, the first of which is the type again (RFC 4253,
/// section 6.6).
fn host_key(text: &str) -> Result<String, HostError> {
    let mut words = text.split_ascii_whitespace();
    let (Some(kind), Some(key)) = (words.next(), words.next()) else { return Err(HostError::Key) };
    let key_bytes = STANDARD.decode(key).map_err(|_| HostError::Key)?;
    let length = u32::try_from(kind.len()).map_err(|_| HostError::Key)?.to_be_bytes();
    let valid = key_bytes.strip_prefix(&length).is_some_and(|rest| rest.starts_with(kind.as_bytes()));
    // What follows the key is a comment.
    valid.then(|| format!("{kind} {key}")).ok_or(HostError::Key)
}
