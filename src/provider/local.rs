//! The provider `local`: real control planes as processes on this machine, without root, containers or a cloud.

pub mod configuration;
pub mod control_plane;
mod departed;
pub mod layout;
pub mod leftovers;
pub mod pki;
pub mod ports;
pub mod provision;
pub mod remove;
pub mod source;
pub mod state;
pub mod supervisor;

pub(super) use departed::{departed, departed_cluster};
