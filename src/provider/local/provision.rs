//! Making a `local` cluster: its files, its supervisor, and what a fresh cluster needs a moment for.

mod files;
mod ready;
mod supervisor;

pub(super) use files::Files;
pub(super) use ready::Ready;
pub(super) use supervisor::{Supervisor, access};
