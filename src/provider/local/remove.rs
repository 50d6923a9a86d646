//! Taking a `local` cluster away, and proving that nothing of it is left.

mod audit;
mod files;
mod site;
mod supervisor;

pub(super) use audit::Audit;
pub(super) use files::Files;
pub(super) use supervisor::Supervisor;

pub(in crate::provider) use site::SiteFolder;
