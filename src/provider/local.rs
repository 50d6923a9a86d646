//! The provider `local`: real control planes as processes on this machine, without root, containers or a cloud.

pub mod node;
pub mod process;
