//! What a command runs in: folders, this executable, and the connections that steps share.

mod looks;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

pub use looks::{Looks, Shared, SharedError};

pub use crate::aws::Sessions;
pub use crate::k8s::kubeconfig::Kubeconfigs;
pub use crate::k8s::{Clients, Proxies, REQUESTS};
pub use crate::ssh::{Hosts, Settings};

use crate::site::name::{ClusterName, SiteName};
use crate::site::secret::Secret;

/// The resolved surroundings of one command. Nothing below `cli` reads the environment itself.
#[derive(Debug)]
pub struct Env {
    /// Where `sites/`, and perhaps `templates/`, are; `None` where there is no such folder.
    pub root: Option<PathBuf>,
    /// `$XDG_STATE_HOME/bridgehead`.
    pub state: PathBuf,
    /// `$XDG_CACHE_HOME/bridgehead`.
    pub cache: PathBuf,
    /// `$BRIDGEHEAD_COMPONENTS`: a folder with the components of `local`, instead of the cache.
    pub components: Option<PathBuf>,
    /// This executable, which supervisors re-execute.
    pub executable: PathBuf,
    /// The value of an environment variable that a profile names; `None` if it is not set.
    pub variable: fn(&str) -> Option<Secret<String>>,
    /// Connections to API servers, one per identity.
    pub clients: Clients,
    /// Connections to AWS, one per region and profile.
    pub aws: Sessions,
    /// Connections to hosts, one per host.
    pub hosts: Hosts,
    /// What steps have learnt by asking, for the steps that would ask the same.
    pub answers: Answers,
    /// Looks that steps share.
    pub looks: Looks,
    /// Kubeconfigs that steps share.
    pub kubeconfigs: Kubeconfigs,
}

/// Answers of the world to questions that many steps ask. A step that has to know what became of a change asks again.
#[derive(Debug, Default)]
pub struct Answers {
    known: Mutex<BTreeMap<String, Secret<String>>>,
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Answers {
    /// The last answer to a question, if anybody has asked it.
    #[must_use]
    pub fn known(&self, question: &str) -> Option<Secret<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(question).cloned()
    }

    /// Lets one step at a time ask a question. The others wait, and then find the answer.
    pub async fn turn(&self, question: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(question.to_owned()).or_default())
        };
        turn.lock_owned().await
    }

    /// The answer to a question that is asked once in a run: whoever asks it meanwhile waits for the answer.
    ///
    /// # Errors
    /// Those of asking, which is then tried again by the next one.
    pub async fn once<E>(
        &self,
        question: &str,
        ask: impl AsyncFnOnce() -> Result<String, E>,
    ) -> Result<String, E> {
        let _turn = self.turn(question).await;
        if let Some(known) = self.known(question) {
            return Ok(known.expose().clone());
        }
        let answer = ask().await?;
        self.learn(question, &answer);
        Ok(answer)
    }

    /// Keeps an answer, which may hold secrets.
    pub fn learn(&self, question: &str, answer: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(question.to_owned(), Secret::new(answer.to_owned()));
    }
}

impl Env {
    /// Forgets what was found in files and clusters: another run begins, and nobody knows what has happened since.
    pub fn forget(&self) {
        self.looks.forget();
        self.kubeconfigs.forget();
    }

    /// The folder that holds a folder for every site: `$XDG_STATE_HOME/bridgehead`.
    #[must_use]
    pub fn sites_folder(&self) -> PathBuf {
        self.state.clone()
    }

    /// The folder of everything that a site keeps on this machine (mode 0700).
    #[must_use]
    pub fn site_folder(&self, site: &SiteName) -> PathBuf {
        self.sites_folder().join(site.as_str())
    }

    /// The folder of a `local` cluster.
    #[must_use]
    pub fn cluster_folder(&self, site: &SiteName, cluster: &ClusterName) -> PathBuf {
        self.site_folder(site).join(cluster.as_str())
    }
}
