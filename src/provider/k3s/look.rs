//! What one look at a host says. Steps share it: the first look of a run serves all that come after, until one of
//! them has changed something and looks again.

mod host;
mod lines;
mod service;

pub(super) use host::HostLook;
#[cfg(test)]
pub(super) use host::tests::bare;
pub(super) use service::ServiceLook;

use super::Role;
use super::unit;
use crate::ssh::{SshError, quote};

/// What everything that touches a host has to know: names of all that k3s makes.
pub(super) const TRACES: &str = include_str!("look/traces.sh");
const HOST: &str = include_str!("look/host.sh");
const SERVICE: &str = include_str!("look/service.sh");

/// A look at a host failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    /// The host cannot be asked.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The script ended early.
    #[error("the look at the host {host} broke off: {said}")]
    BrokenOff {
        /// The host's alias.
        host: String,
        /// What it wrote to stderr.
        said: String,
    },
    /// What the script printed cannot be understood.
    #[error("cannot understand what the host {host} says of its {key}: `{value}`")]
    Value {
        /// The host's alias.
        host: String,
        /// What was asked.
        key: String,
        /// What it said.
        value: String,
    },
}

impl LookError {
    /// Whether the host is not there at the moment, as while it starts anew.
    pub(super) fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::Ssh(SshError::Unreachable { .. } | SshError::Lost { .. } | SshError::TimedOut { .. })
        )
    }
}

/// The script that says what a host is like and how its service is: both in one round trip.
pub(super) fn script(role: Role, ports: &str, files: &[String]) -> String {
    let host = format!("ports={} files={}\n{HOST}", quote(ports), quote(&files.join(" ")));
    format!("{TRACES}\n({host})\n{}", service_script(role))
}

/// The script that says how a host's service is: what is asked again and again while it starts.
pub(super) fn service_script(role: Role) -> String {
    let (unit, files) = (role.unit(), unit::identity_of_files(role));
    format!("PATH=$PATH:/usr/sbin:/sbin\nfiles_of_unit() {{ {files}; }}\nunit={unit}\nrole={role}\n{SERVICE}")
}
