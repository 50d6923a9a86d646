//! Hosts over SSH: the adapter of the system's OpenSSH.
//!
//! `ssh` makes the connections, so the user's `ssh_config`, agent, jump hosts and `known_hosts` count as they do
//! everywhere else; we say only what the inventory says, and that keys of hosts are checked strictly.
//!
//! There is one master connection for a host and a run, and every script goes over it. The crate `openssh` speaks to
//! the master over its socket (`native-mux`): that costs no process for a script, and it never connects by itself
//! when the master is gone, as `ssh -S` would, with other options than the master's. The master is started by us and
//! not by that crate, which would forbid every password (`BatchMode`) and read what went wrong into fewer kinds.

mod connection;
mod error;
mod exchange;
mod failure;
mod folder;
mod frame;
mod hosts;
mod limits;
mod master;
mod options;
pub mod password;
mod privilege;
mod put;
mod quote;

pub use connection::Connection;
pub use error::SshError;
pub use exchange::Output;
pub use hosts::{Hosts, Settings};
pub use limits::{LOGINS, UPLOADS};
pub use put::Content;
pub use quote::quote;
