//! The ConfigMap and Secret objects that pods refer to, each read once per look.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use tokio::sync::Mutex;

use crate::engine::wait::Pace;

/// The content of a ConfigMap or Secret.
pub(super) type Data = BTreeMap<String, Vec<u8>>;

/// Which of the two kinds of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    ConfigMap,
    Secret,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
        })
    }
}

/// What a pod refers to could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    /// It is not there, and not optional.
    #[error("{kind} \"{name}\" not found")]
    Absent {
        /// ConfigMap or Secret.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// It is there without the key, which is not optional.
    #[error("couldn't find key {key} in {kind} {namespace}/{name}")]
    NoKey {
        /// ConfigMap or Secret.
        kind: Kind,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The key that it lacks.
        key: String,
    },
    /// The API server did not say.
    #[error("cannot read {kind} {namespace}/{name}")]
    Api {
        /// ConfigMap or Secret.
        kind: Kind,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What it answered.
        source: kube::Error,
    },
}

/// Which object: its kind, namespace and name.
type Key = (Kind, String, String);

/// One look: what was read before is not asked for again.
pub(super) struct Look {
    client: Client,
    known: Mutex<BTreeMap<Key, Option<Arc<Data>>>>,
}

impl Look {
    pub(super) fn new(client: Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    /// The content of an object; nothing where it is absent and may be.
    pub(super) async fn data(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        optional: bool,
    ) -> Result<Option<Arc<Data>>, SourceError> {
        let found = self.find(kind, namespace, name).await?;
        if found.is_none() && !optional {
            return Err(SourceError::Absent { kind, name: name.into() });
        }
        Ok(found)
    }

    /// One value of an object; nothing where it is absent and may be.
    pub(super) async fn value(
        &self,
        kind: Kind,
        namespace: &str,
        (name, key): (&str, &str),
        optional: bool,
    ) -> Result<Option<Vec<u8>>, SourceError> {
        let data = self.data(kind, namespace, name, optional).await?;
        let value = data.and_then(|data| data.get(key).cloned());
        if value.is_none() && !optional {
            let (namespace, name, key) = (namespace.into(), name.into(), key.into());
            return Err(SourceError::NoKey { kind, namespace, name, key });
        }
        Ok(value)
    }

    async fn find(&self, kind: Kind, namespace: &str, name: &str) -> Result<Option<Arc<Data>>, SourceError> {
        let key = (kind, namespace.to_owned(), name.to_owned());
        if let Some(found) = self.known.lock().await.get(&key) {
            return Ok(found.clone());
        }
        let found = self.read(kind, namespace, name).await.map_err(|source| SourceError::Api {
            kind,
            namespace: namespace.into(),
            name: name.into(),
            source,
        })?;
        let found = found.map(Arc::new);
        self.known.lock().await.insert(key, found.clone());
        Ok(found)
    }

    async fn read(&self, kind: Kind, namespace: &str, name: &str) -> kube::Result<Option<Data>> {
        match kind {
            Kind::ConfigMap => {
                let api = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
                let found = while_forbidden(|| api.get_opt(name)).await?;
                Ok(found.map(config_map_data))
            }
            Kind::Secret => {
                let api = Api::<Secret>::namespaced(self.client.clone(), namespace);
                let found = while_forbidden(|| api.get_opt(name)).await?;
                Ok(found.map(secret_data))
            }
        }
    }
}

/// Asks again for a while when the answer is that we may not: the node authorizer learns a moment later than we do
/// that a pod is on this node.
pub(super) async fn while_forbidden<T, F: Future<Output = kube::Result<T>>>(
    request: impl Fn() -> F,
) -> kube::Result<T> {
    let mut pace = Pace::new(Duration::from_secs(3));
    loop {
        match request().await {
            Err(kube::Error::Api(status)) if status.is_forbidden() && pace.pause().await => {}
            answer => return answer,
        }
    }
}

fn config_map_data(object: ConfigMap) -> Data {
    let text = object.data.into_iter().flatten().map(|(key, value)| (key, value.into_bytes()));
    let binary = object.binary_data.into_iter().flatten().map(|(key, value)| (key, value.0));
    text.chain(binary).collect()
}

fn secret_data(object: Secret) -> Data {
    object.data.into_iter().flatten().map(|(key, value)| (key, value.0)).collect()
}
