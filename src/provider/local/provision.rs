//! Making a `local` cluster: its files, its supervisor, and what a fresh cluster needs a moment for.

mod files;
mod ready;
mod supervisor;

pub(super) use files::MakeFiles;
pub(super) use ready::AwaitNodes;
pub(super) use supervisor::{StartSupervisor, access};
