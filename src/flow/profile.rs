//! The step `site/profile`: the profile says what was asked for.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
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
    type Work = ();

    fn id(&self) -> StepId {
        StepId::site("profile")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed, Stop> {
        if files::read_if_present(&self.path)?.as_ref() == Some(&self.text) {
            return Ok(Observed::default());
        }
        let subject = self.path.display().to_string();
        Ok(Observed::differs(vec![Change::update(subject, &self.detail)], ()))
    }

    async fn apply(&self, _work: (), _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        // Whoever may read it now may read it afterwards; a link stays one.
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let mode = path.metadata().map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
        writer.perform(async { files::replace(&path, self.text.as_bytes(), mode) }).await?;
        Ok(())
    }
}
