//! Kubeconfigs that are read and parsed once for all the clusters whose contexts they have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::file::{KubeconfigError, KubeconfigFile, read};

/// The kubeconfigs that a run has read.
#[derive(Default)]
pub struct Kubeconfigs(Mutex<BTreeMap<PathBuf, Arc<[KubeconfigFile]>>>);

impl Kubeconfigs {
    /// The files that a path means, as they were when somebody first asked.
    ///
    /// # Errors
    /// As of [`read`]. The next one who asks tries again.
    pub fn read(&self, path: &Path) -> Result<Arc<[KubeconfigFile]>, KubeconfigError> {
        // Held while a file is read: the others who want it wait.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = known.get(path) {
            return Ok(Arc::clone(files));
        }
        let files: Arc<[_]> = read(path)?.into();
        known.insert(path.to_owned(), Arc::clone(&files));
        Ok(files)
    }

    /// Forgets them: they are read again.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl std::fmt::Debug for Kubeconfigs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Kubeconfigs(..)")
    }
}
