//! The cluster Secret: the contract with Git. Its labels and annotations are what the repositories' sets read.

mod config;
mod content;
mod existing;
mod step;

pub use content::{CLUSTER, ClusterSecret, ContentError, HUB_SERVER, SECRET_TYPE};
pub use step::{Registered, secret};
