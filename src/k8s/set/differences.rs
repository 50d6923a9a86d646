//! What there is to do to have a set as it should be: found by one look, and carried out as it was found.

use std::cmp::Reverse;

use kube::Client;

use super::side_by_side;
use crate::engine::{Change, ChangeKind, Failure, Observed, Writer};
use crate::k8s::api::{self, ApiError};
use crate::k8s::kind::Kind;
use crate::k8s::object::Object;

/// Everything of a set that is not as it should be.
#[must_use]
pub struct Differences {
    client: Client,
    found: Vec<Difference>,
}

/// One object that is not as it should be: as it is to be written, or as it was seen and is to be deleted.
pub(super) struct Difference {
    pub(super) kind: Kind,
    pub(super) object: Object,
    pub(super) change: Change,
}

impl Differences {
    pub(super) fn new(client: &Client, found: Vec<Difference>) -> Self {
        Self { client: client.clone(), found }
    }

    /// What applying them would change, and what is only to be waited for.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.found.iter().map(|difference| difference.change.clone()).collect()
    }

    /// Carries them out: namespaces, then what pods read when they start, then everything else side by side, then
    /// what is no longer wanted.
    ///
    /// # Errors
    /// When the cluster refuses an object, or one that is to be deleted was replaced since it was looked at. The
    /// others of its stage have been written all the same.
    pub async fn apply(self, writer: &Writer) -> Result<(), Failure> {
        let mut stages: [Vec<Difference>; 4] = Default::default();
        for difference in self.found {
            match (difference.change.kind, difference.object.kind()) {
                (ChangeKind::Wait, _) => {}
                (ChangeKind::Delete, _) => stages[3].push(difference),
                (_, "Namespace") => stages[0].push(difference),
                (_, "ConfigMap" | "Secret") => stages[1].push(difference),
                _ => stages[2].push(difference),
            }
        }
        stages[2].sort_by_cached_key(|difference| Reverse(difference.weight()));
        for stage in stages {
            let calls = stage.iter().map(|difference| difference.write(&self.client, writer)).collect();
            side_by_side(calls).await.into_iter().collect::<Result<(), _>>()?;
        }
        Ok(())
    }
}

impl From<Differences> for Observed<Differences> {
    fn from(differences: Differences) -> Self {
        Self::differs(differences.changes(), differences)
    }
}

impl Difference {
    /// How early to start: a definition costs the server by its size, and Services get their addresses one
    /// after the other.
    fn weight(&self) -> usize {
        match self.object.kind() {
            "CustomResourceDefinition" => {
                serde_json::to_string(self.object.fields()).map_or(0, |text| text.len())
            }
            "Service" => 1,
            _ => 0,
        }
    }

    async fn write(&self, client: &Client, writer: &Writer) -> Result<(), ApiError> {
        let Self { kind, object, change } = self;
        match change.kind {
            ChangeKind::Delete => writer.perform(api::delete_seen(client, kind, object)).await,
            _ => writer.perform(api::apply(client, kind, object)).await,
        }
    }
}
