//! The Lease on the hub that keeps two operators from working on one site at once, from whatever machines.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::engine::guard::{Guard, Held, Refusal};
use crate::engine::wait::pause;
use crate::engine::{BoxFuture, Facts};
use crate::env::Env;
use crate::k8s::ClientError;
use crate::k8s::lease::{Holder, Lease, RENEWAL};
use crate::site::Site;

/// How long a hub may take to take the Lease back.
const PATIENCE: Duration = Duration::from_secs(5);

/// The site's Lease, taken as soon as its hub can be reached.
///
/// Whoever uses this holds the site's lock on this machine: a Lease of this machine that is still there is that of a
/// run that died, and is taken over at once.
pub struct HubLease {
    site: Arc<Site>,
    env: Arc<Env>,
    holder: String,
    taken: tokio::sync::Mutex<Option<Lease>>,
    renewal: Mutex<Option<JoinHandle<()>>>,
    /// Who has taken it from us, seen when renewing.
    lost: Arc<Mutex<Option<(String, String)>>>,
}

impl HubLease {
    /// A Lease that is not taken yet; `holder` is what others are told.
    #[must_use]
    pub fn new(site: &Arc<Site>, env: &Arc<Env>, holder: String) -> Self {
        Self {
            site: Arc::clone(site),
            env: Arc::clone(env),
            holder,
            taken: tokio::sync::Mutex::default(),
            renewal: Mutex::default(),
            lost: Arc::default(),
        }
    }

    /// The Lease, once it is known how to reach the hub.
    async fn lease(&self, facts: &Facts) -> Result<Option<Lease>, ClientError> {
        let Ok(access) = facts.access(&self.site.hub.name) else { return Ok(None) };
        let client = self.env.clients.get(access).await?;
        Ok(Some(Lease::new(client, &format!("bridgehead-{}", self.site.name), &self.holder)))
    }

    async fn take(&self, facts: &Facts) -> Result<(), Refusal> {
        if let Some((holder, since)) = self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(Refusal::Held(Held { holder, since }));
        }
        let mut taken = self.taken.lock().await;
        if taken.is_some() {
            return Ok(());
        }
        let lease = self.lease(facts).await.map_err(|error| Refusal::Failed(error.into()))?;
        let Some(lease) = lease else { return Ok(()) };
        match lease.take().await.map_err(|error| Refusal::Failed(error.into()))? {
            Holder::Us => {}
            Holder::Other { name, since } => return Err(Refusal::Held(Held { holder: name, since })),
        }
        let renewal = tokio::spawn(renew(lease.clone(), Arc::clone(&self.lost)));
        *self.renewal.lock().unwrap_or_else(PoisonError::into_inner) = Some(renewal);
        *taken = Some(lease);
        Ok(())
    }
}

/// Renews until somebody else has it. A hub that does not answer for a while, or is gone by now, is no reason to stop.
async fn renew(lease: Lease, lost: Arc<Mutex<Option<(String, String)>>>) {
    loop {
        pause(RENEWAL).await;
        if let Ok(Holder::Other { name, since }) = lease.renew().await {
            *lost.lock().unwrap_or_else(PoisonError::into_inner) = Some((name, since));
            return;
        }
    }
}

impl Guard for HubLease {
    fn hold<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.take(facts))
    }

    fn release<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(renewal) = self.renewal.lock().unwrap_or_else(PoisonError::into_inner).take() {
                renewal.abort();
            }
            let taken = self.taken.lock().await.take();
            let lease = match taken {
                Some(lease) => Some(lease),
                None => self.lease(facts).await.ok().flatten(),
            };
            if let Some(lease) = lease {
                // A hub that went with the site has none; one that does not answer ends by itself.
                let _ = tokio::time::timeout(PATIENCE, lease.release()).await;
            }
        })
    }
}

impl std::fmt::Debug for HubLease {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HubLease").field("holder", &self.holder).finish_non_exhaustive()
    }
}
