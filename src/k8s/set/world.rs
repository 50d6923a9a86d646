//! What is there of a set's objects, looked up in few calls.

use std::collections::BTreeSet;

use kube::Client;

use super::{Collection, ObjectSet, is_same, side_by_side};
use crate::k8s::api::{self, ApiError};
use crate::k8s::kind::Kind;
use crate::k8s::marked_by;
use crate::k8s::object::Object;

/// The live world, as far as a set is concerned.
pub(super) struct World {
    /// The kind of each of the set's objects, in their order.
    pub(super) kinds: Vec<Kind>,
    /// Objects with the site's mark.
    pub(super) marked: Vec<(Kind, Object)>,
    /// Objects of the set that are there without it.
    unmarked: Vec<Object>,
}

impl World {
    /// One call for each kind and namespace, then one for each object that those did not show.
    pub(super) async fn look(client: &Client, set: &ObjectSet) -> Result<Self, ApiError> {
        let kinds = kinds(client, set).await?;
        let mut collections = collections(&kinds, &set.objects);
        if let Some(prune) = &set.prune {
            collections.extend(prune.collections.iter().cloned());
        }
        let selector = marked_by(&set.site);
        let lists = collections.into_iter().map(|collection| marked(client, &selector, collection)).collect();
        let marked = side_by_side(lists).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let marked: Vec<_> = marked.into_iter().flatten().collect();
        let missing = set
            .objects
            .iter()
            .zip(&kinds)
            .filter(|(object, _)| !marked.iter().any(|(_, live)| is_same(object, live)));
        let reads = missing.map(|(object, kind)| api::get(client, kind, object.namespace(), object.name()));
        let unmarked = side_by_side(reads.collect()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Self { kinds, marked, unmarked: unmarked.into_iter().flatten().collect() })
    }

    /// A world of objects that somebody has looked up.
    pub(super) async fn known(
        client: &Client,
        set: &ObjectSet,
        there: Vec<Object>,
    ) -> Result<Self, ApiError> {
        Ok(Self { kinds: kinds(client, set).await?, marked: Vec::new(), unmarked: there })
    }

    /// The live object for a desired one.
    pub(super) fn find(&self, desired: &Object) -> Option<&Object> {
        let all = self.marked.iter().map(|(_, object)| object).chain(&self.unmarked);
        all.into_iter().find(|live| is_same(desired, live))
    }
}

async fn kinds(client: &Client, set: &ObjectSet) -> Result<Vec<Kind>, ApiError> {
    let kinds = set.objects.iter().map(|object| Kind::find(client, object.kind_name())).collect();
    side_by_side(kinds).await.into_iter().collect()
}

async fn marked(
    client: &Client,
    selector: &str,
    (kind, namespace): Collection,
) -> Result<Vec<(Kind, Object)>, ApiError> {
    let objects = api::list(client, &kind, namespace.as_deref(), selector).await?;
    Ok(objects.into_iter().map(|object| (kind.clone(), object)).collect())
}

fn collections(kinds: &[Kind], objects: &[Object]) -> BTreeSet<Collection> {
    let namespace = |object: &Object| object.namespace().map(ToOwned::to_owned);
    kinds.iter().zip(objects).map(|(kind, object)| (kind.clone(), namespace(object))).collect()
}
