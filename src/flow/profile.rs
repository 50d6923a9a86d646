//! The step `site/profile`: the profile says what was asked for.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::engine::{BoxFuture, Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::site::name::ClusterName;

/// A profile's file with the text that it is to have.
#[derive(Clone)]
pub(super) struct Profile {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// What is said that was not said before.
    pub(super) detail: String,
}

impl Step for Profile {
    fn id(&self) -> StepId {
        StepId::site("profile")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn observe<'a>(&'a self, _facts: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        Box::pin(async move {
            if files::read_if_present(&self.path)?.as_ref() == Some(&self.text) {
                return Ok(Observed::default());
            }
            let subject = self.path.display().to_string();
            Ok(Observed::differs(vec![Change::update(subject, &self.detail)]))
        })
    }

    fn apply<'a>(&'a self, _facts: &'a Facts, writer: &'a Writer) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            // Whoever may read it now may read it afterwards; a link stays one.
            let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
            let mode = path.metadata().map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
            writer.perform(async { files::replace(&path, self.text.as_bytes(), mode) }).await?;
            Ok(())
        })
    }
}
