//! The step that writes Secrets.

use std::sync::Arc;

use futures::future::try_join_all;
use kube::Client;
use tokio::sync::OnceCell;

use super::source::{self, SourceError};
use super::{Wanted, object};
use crate::engine::{Facts, Step, StepId, Stop};
use crate::env::Env;
use crate::gitops::Scope;
use crate::k8s::{ApplyObjects, Desired, Object, ObjectSet};
use crate::site::Site;
use crate::site::name::{ClusterName, SecretName};

/// A Secret cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot get the value of `{key}` for the Secret {name}")]
struct SecretError {
    name: SecretName,
    key: String,
    source: SourceError,
}

/// The step `<hub>/gitops/secrets`: these Secrets have the values that are found where they come from. One of which
/// a variable or file is not there is left as it is.
#[must_use]
pub fn secrets(site: &Arc<Site>, env: &Arc<Env>, wanted: Vec<Wanted>) -> impl Step + use<> {
    ApplyObjects(Secrets { scope: Scope::new(site, env), wanted, objects: OnceCell::new() })
}

struct Secrets {
    scope: Scope,
    wanted: Vec<Wanted>,
    /// Read once in a run: a program may ask a person.
    objects: OnceCell<Vec<Object>>,
}

impl Secrets {
    async fn read(&self) -> Result<Vec<Object>, SecretError> {
        let there = self.wanted.iter().filter(|wanted| wanted.missing(&self.scope.env).is_empty());
        try_join_all(there.map(|wanted| self.object(wanted))).await
    }

    async fn object(&self, wanted: &Wanted) -> Result<Object, SecretError> {
        let mut values = Vec::new();
        for (key, source) in &wanted.declared.data {
            let value = source::read(source, &self.scope.env).await;
            let failed = |source| SecretError { name: wanted.name.clone(), key: key.clone(), source };
            values.push((key.clone(), value.map_err(failed)?));
        }
        Ok(object::of(&self.scope.site.name, wanted, values.into_iter().collect()))
    }
}

impl Desired for Secrets {
    fn id(&self) -> StepId {
        StepId::of(self.scope.hub(), "gitops/secrets")
    }

    fn cluster(&self) -> &ClusterName {
        self.scope.hub()
    }

    fn purpose(&self) -> &'static str {
        "the Secrets that the profile declares are there"
    }

    async fn objects(&self, facts: &Facts) -> Result<(Client, ObjectSet), Stop> {
        let client = self.scope.client(self.scope.hub(), facts).await?;
        let objects = self.objects.get_or_try_init(|| self.read()).await?.clone();
        Ok((client, ObjectSet::new(&self.scope.site.name, objects)))
    }
}
