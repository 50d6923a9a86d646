//! Taking a `local` cluster away, and proving that nothing of it is left.

mod audit;
mod files;
mod site;
mod supervisor;

pub(super) use audit::Audit;
pub(super) use files::RemoveFolder;
pub(super) use supervisor::EndProcesses;

pub(in crate::provider) use site::RemoveSiteFolder;
