//! The cluster Secret: the contract with Git. Its labels and annotations are what the repositories' sets read.

mod adopted;
mod config;
mod content;
mod departed;
mod existing;
mod listed;
mod owned;
mod pending;
mod registered;
mod rewrite;
mod step;
mod switch;

pub use content::{CLUSTER, ClusterSecret, ContentError, HUB_SERVER, SECRET_TYPE};
pub use pending::{Pending, pending};
pub use step::{Registered, secret};
pub use switch::switch;

pub(super) use adopted::given_back;
pub(super) use config::Credentials;
pub(super) use departed::{EditEntries, Ending, Entries};
pub(super) use existing::{find, list, registration_of};
pub(super) use registered::{departed, registers, registers_as};
