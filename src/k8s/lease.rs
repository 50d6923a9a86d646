//! A Lease that one holder at a time has, as controllers elect their leader
//! (<https://kubernetes.io/docs/concepts/architecture/leases/>).
//!
//! Whether a holder lives is judged by whether it renews, seen by the clock of this machine alone: clocks differ.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client};

use super::api::ApiError;
use super::kind::Kind;
use crate::engine::wait::Pace;

/// For how long a Lease is good that nobody renews.
pub const DURATION: Duration = Duration::from_secs(30);
/// How often a holder renews.
pub const RENEWAL: Duration = Duration::from_secs(10);

const NAMESPACE: &str = "kube-system";

/// A Lease by its name, for one holder.
#[derive(Clone)]
pub struct Lease {
    api: Api<Object>,
    name: String,
    holder: String,
}

/// Who has a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// Us.
    Us,
    /// Somebody else, who renews it.
    Other {
        /// What they call themselves.
        name: String,
        /// Since when, as they said.
        since: String,
    },
}

impl Lease {
    /// The Lease `name` in `kube-system`. Holders of one name are one: who calls itself so must know that it is alone.
    #[must_use]
    pub fn new(client: Client, name: &str, holder: &str) -> Self {
        Self { api: Api::namespaced(client, NAMESPACE), name: name.to_owned(), holder: holder.to_owned() }
    }

    /// Takes the Lease. That of a holder who does not renew it any more is taken over once it has ended, for which
    /// this waits.
    ///
    /// # Errors
    /// When the API server cannot be asked or does not allow it.
    pub async fn take(&self) -> Result<Holder, ApiError> {
        let mut pace = Pace::new(DURATION);
        let mut seen = None;
        loop {
            let live = self.api.get_opt(&self.name).await.map_err(|error| self.failed("read", error))?;
            let spec = live.as_ref().and_then(|live| live.spec.clone()).unwrap_or_default();
            let theirs = spec.holder_identity.clone().filter(|holder| *holder != self.holder);
            let Some(name) = theirs.filter(|holder| !holder.is_empty()) else {
                if self.write(live).await? {
                    return Ok(Holder::Us);
                }
                pace.pause().await;
                continue;
            };
            let is_renewed = seen.as_ref().is_some_and(|seen| *seen != spec.renew_time);
            if is_renewed {
                let since = spec.acquire_time.map(|time| time.0.to_string()).unwrap_or_default();
                return Ok(Holder::Other { name, since });
            }
            seen = Some(spec.renew_time);
            if !pace.pause().await && self.write(live).await? {
                return Ok(Holder::Us);
            }
        }
    }

    /// Says that we are still at work.
    ///
    /// # Errors
    /// When the API server cannot be asked or does not allow it.
    pub async fn renew(&self) -> Result<Holder, ApiError> {
        let live = self.api.get_opt(&self.name).await.map_err(|error| self.failed("read", error))?;
        let spec = live.as_ref().and_then(|live| live.spec.clone()).unwrap_or_default();
        match spec.holder_identity.filter(|holder| *holder != self.holder && !holder.is_empty()) {
            Some(name) => {
                let since = spec.acquire_time.map(|time| time.0.to_string()).unwrap_or_default();
                Ok(Holder::Other { name, since })
            }
            // Whoever wrote in between will be seen the next time.
            None => self.write(live).await.map(|_| Holder::Us),
        }
    }

    /// Removes the Lease, if it is ours.
    ///
    /// # Errors
    /// When the API server cannot be asked or does not allow it.
    pub async fn release(&self) -> Result<(), ApiError> {
        let live = self.api.get_opt(&self.name).await.map_err(|error| self.failed("read", error))?;
        let ours = live.filter(|live| {
            live.spec.as_ref().is_some_and(|spec| spec.holder_identity.as_ref() == Some(&self.holder))
        });
        let Some(ours) = ours else { return Ok(()) };
        let preconditions =
            Preconditions { uid: ours.metadata.uid, resource_version: ours.metadata.resource_version };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.api.delete(&self.name, &parameters).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(self.failed("delete", error)),
        }
    }

    /// Writes that it is ours; `false` if somebody else wrote in between.
    async fn write(&self, live: Option<Object>) -> Result<bool, ApiError> {
        let now = MicroTime(Timestamp::now());
        let was_ours = live
            .as_ref()
            .and_then(|live| live.spec.as_ref())
            .filter(|spec| spec.holder_identity.as_ref() == Some(&self.holder));
        let acquire_time = was_ours.and_then(|spec| spec.acquire_time.clone()).or_else(|| Some(now.clone()));
        let spec = Some(LeaseSpec {
            holder_identity: Some(self.holder.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time,
            renew_time: Some(now),
            ..LeaseSpec::default()
        });
        let parameters = PostParams::default();
        let result = if let Some(live) = live {
            // Its version goes back with it, so that a write in between is a conflict.
            self.api.replace(&self.name, &parameters, &Object { spec, ..live }).await
        } else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            self.api.create(&parameters, &Object { metadata, spec }).await
        };
        match result {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
            Err(error) => Err(self.failed("write", error)),
        }
    }

    fn failed(&self, operation: &'static str, error: kube::Error) -> ApiError {
        ApiError::of(operation, Kind::LEASE.subject(Some(NAMESPACE), &self.name), error)
    }
}
