//! A set of objects that should be in a cluster: compared with what is there, and applied.

mod definition;
mod differences;
mod world;

use std::collections::BTreeSet;

use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use kube::Client;
use serde_json::Value;

use super::api::{self, ApiError};
use super::kind::Kind;
use super::object::Object;
use super::{HUB_LABEL, PART_LABEL, REQUESTS, SITE_LABEL, compare, fields};
use crate::engine::{Change, Failure};
use crate::site::name::SiteName;
use differences::Difference;
pub use differences::Differences;
use world::World;

const BEING_DELETED: &str = "it is being deleted";

/// Objects that should be there, each with the site's mark.
#[derive(Debug)]
pub struct ObjectSet {
    /// The site that they belong to.
    pub site: SiteName,
    /// The hub that they belong to, where they are on another cluster: the value of [`HUB_LABEL`].
    pub hub: Option<String>,
    /// The objects.
    pub objects: Vec<Object>,
    /// What to do about an object that is there without our mark.
    pub stranger: Stranger,
    /// What to do about data that somebody changed.
    pub edited_data: EditedData,
    /// Whether objects of a part are deleted that are no longer in the set.
    pub prune: Option<Prune>,
}

/// What to do about an object that is there and that this site did not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// Fail: it is somebody else's.
    Refuse,
    /// Use it: our fields are added, our mark is not, so that nobody takes it for ours and deletes it.
    Adopt,
}

/// What to do about entries of a ConfigMap or Secret that somebody changed since we wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditedData {
    /// Write ours again.
    Restore,
    /// Leave theirs: ours was a default.
    Keep {
        /// But not these, by the object's name and their key.
        except: BTreeSet<(String, String)>,
    },
}

/// Where objects of a part are looked for that are no longer wanted.
#[derive(Debug)]
pub struct Prune {
    /// The part, as in their mark.
    pub part: &'static str,
    /// Kinds and namespaces to look in, besides those of the set's objects.
    pub collections: BTreeSet<Collection>,
    /// Those that stay all the same, as a person calls them.
    pub except: BTreeSet<String>,
}

/// The objects of a kind in a namespace, or in the whole cluster.
pub type Collection = (Kind, Option<String>);

/// Objects cannot be compared or applied.
#[derive(Debug, thiserror::Error)]
enum SetError {
    /// A call failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// An object is there that nobody marked.
    #[error("{subject} is there already, and the site `{site}` did not make it")]
    Stranger {
        /// The object.
        subject: String,
        /// The site that wants it.
        site: SiteName,
    },
    /// An object is there that a site of the same name marked, whose hub is another cluster.
    #[error(
        "{subject} belongs to a different site that is also named `{site}`: its hub has the UID {hub} (of its namespace \
         kube-system)"
    )]
    OtherHub {
        /// The object.
        subject: String,
        /// The name of both.
        site: SiteName,
        /// Its hub.
        hub: String,
        /// Our hub.
        ours: String,
    },
    /// An object is there that another site marked.
    #[error("{subject} is there already, and belongs to the site `{owner}`")]
    OtherSite {
        /// The object.
        subject: String,
        /// The site that it belongs to.
        owner: String,
    },
}

impl SetError {
    fn into_failure(self) -> Failure {
        let hint = match &self {
            Self::Api(_) => None,
            Self::Stranger { site, .. } => {
                Some(format!("label it `{SITE_LABEL}={site}` to hand it over, or remove it"))
            }
            Self::OtherHub { ours, .. } => Some(format!(
                "give one of the two sites another name; if that hub was this site's and is gone for good, label the object \
                 `{HUB_LABEL}={ours}` to hand it over"
            )),
            Self::OtherSite { owner, .. } => Some(format!("`bridgehead down {owner}` takes it away")),
        };
        let failure = Failure::from(self);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

impl ObjectSet {
    /// A set that refuses strangers, restores edited data and prunes nothing.
    #[must_use]
    pub fn new(site: &SiteName, objects: Vec<Object>) -> Self {
        Self {
            site: site.clone(),
            hub: None,
            objects,
            stranger: Stranger::Refuse,
            edited_data: EditedData::Restore,
            prune: None,
        }
    }

    /// The same set as that of a hub that is another cluster.
    #[must_use]
    pub fn of_hub(mut self, hub: &str) -> Self {
        for object in &mut self.objects {
            object.set_label(HUB_LABEL, hub);
        }
        Self { hub: Some(hub.to_owned()), ..self }
    }

    /// What differs between the set and the cluster. Nothing is written. A definition of a kind still differs until
    /// that is served.
    ///
    /// # Errors
    /// When the cluster cannot be asked, or an object is somebody else's.
    pub async fn observe(&self, client: &Client) -> Result<Differences, Failure> {
        let found = self.differences(client).await.map_err(SetError::into_failure)?;
        Ok(Differences::new(client, found))
    }

    /// The same in view of objects that somebody has just looked up: all there may be of the set's.
    ///
    /// # Errors
    /// As of [`Self::observe`].
    pub async fn observe_among(&self, client: &Client, there: Vec<Object>) -> Result<Differences, Failure> {
        let found = async { self.differences_in(client, World::known(client, self, there).await?).await };
        Ok(Differences::new(client, found.await.map_err(SetError::into_failure)?))
    }

    async fn differences(&self, client: &Client) -> Result<Vec<Difference>, SetError> {
        self.differences_in(client, World::look(client, self).await?).await
    }

    async fn differences_in(&self, client: &Client, world: World) -> Result<Vec<Difference>, SetError> {
        self.refuse_other_hubs(&world)?;
        let pairs = self.objects.iter().zip(&world.kinds);
        let found = pairs.map(|(object, kind)| self.compare(client, &world, kind, object)).collect();
        let found = side_by_side(found).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().flatten().chain(self.leftovers(world)).collect())
    }

    /// An object with our mark and another hub's is that of a site which has only its name in common with ours.
    fn refuse_other_hubs(&self, world: &World) -> Result<(), SetError> {
        let Some(ours) = &self.hub else { return Ok(()) };
        let is_concerned = |live: &Object| {
            let is_pruned =
                self.prune.as_ref().is_some_and(|prune| live.label(PART_LABEL) == Some(prune.part));
            is_pruned || self.objects.iter().any(|object| is_same(object, live))
        };
        for (_, live) in &world.marked {
            if let Some(hub) = live.label(HUB_LABEL).filter(|hub| hub != ours)
                && is_concerned(live)
            {
                let (subject, site) = (live.to_string(), self.site.clone());
                return Err(SetError::OtherHub { subject, site, hub: hub.to_owned(), ours: ours.clone() });
            }
        }
        Ok(())
    }

    async fn compare(
        &self,
        client: &Client,
        world: &World,
        kind: &Kind,
        desired: &Object,
    ) -> Result<Option<Difference>, SetError> {
        let difference = |object, change| Ok(Some(Difference { kind: kind.clone(), object, change }));
        let subject = desired.to_string();
        let Some(live) = world.find(desired) else {
            let create = written(Change::create(subject), desired);
            let change = match secret_keys(desired) {
                Some(keys) => create.with_detail(keys),
                None => create,
            };
            return difference(desired.clone(), change);
        };
        if live.get(&["metadata", "deletionTimestamp"]).is_some() {
            return difference(desired.clone(), Change::wait(subject, BEING_DELETED));
        }
        let desired = self.adapted(desired, live)?;
        let mut detail = None;
        if !compare::seeming_differences(&desired, live).is_empty() {
            detail = fields::difference(live, &api::try_apply(client, kind, &desired).await?);
        }
        let change = match detail {
            Some(detail) => Some(written(Change::update(subject, detail), &desired)),
            None => definition::unserved(client, live).await?,
        };
        Ok(change.map(|change| Difference { kind: kind.clone(), object: desired, change }))
    }

    /// What is desired of an object in view of what is there already.
    fn adapted(&self, desired: &Object, live: &Object) -> Result<Object, SetError> {
        let mut desired = desired.clone();
        match live.label(SITE_LABEL) {
            Some(owner) if owner == self.site.as_str() => {}
            Some(owner) => {
                return Err(SetError::OtherSite { subject: live.to_string(), owner: owner.to_owned() });
            }
            None if self.stranger == Stranger::Adopt => desired.unmark(),
            // Somebody took our mark off: it is put back.
            None if compare::is_applied(live) => {}
            None => {
                return Err(SetError::Stranger { subject: live.to_string(), site: self.site.clone() });
            }
        }
        if let EditedData::Keep { except } = &self.edited_data {
            keep_edited_data(&mut desired, live, except);
        }
        Ok(desired)
    }

    fn leftovers(&self, world: World) -> Vec<Difference> {
        let Some(prune) = &self.prune else { return Vec::new() };
        let is_wanted = |live: &Object| self.objects.iter().any(|object| is_same(object, live));
        let leftovers = world.marked.into_iter().filter(|(kind, live)| {
            // Whatever is of a kind or in a namespace would go with it.
            !matches!(kind.name(), "CustomResourceDefinition" | "Namespace")
                && live.label(PART_LABEL) == Some(prune.part)
                && !is_wanted(live)
                && !prune.except.contains(&live.to_string())
        });
        let change = |live: &Object| match live.get(&["metadata", "deletionTimestamp"]) {
            Some(_) => Change::wait(live.to_string(), BEING_DELETED),
            None => Change::delete(live.to_string()).with_content(&"cascade"),
        };
        leftovers.map(|(kind, object)| Difference { kind, change: change(&object), object }).collect()
    }
}

/// Awaits calls, as many at once as a server gets. A slow one does not hold back those behind it; the results come in
/// the calls' order all the same.
async fn side_by_side<F: Future>(calls: Vec<F>) -> Vec<F::Output> {
    let numbered =
        calls.into_iter().enumerate().map(|(number, call)| call.map(move |result| (number, result)));
    let mut results: Vec<_> = stream::iter(numbered).buffer_unordered(REQUESTS).collect().await;
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// A change that writes this whole object.
fn written(change: Change, object: &Object) -> Change {
    match object.kind() {
        "Secret" => change.with_secret_content(object.fields()),
        _ => change.with_content(object.fields()),
    }
}

/// What a person may know of the content of a Secret.
fn secret_keys(object: &Object) -> Option<String> {
    let data = object.get(&["data"]).filter(|_| object.kind() == "Secret")?.as_object()?;
    Some(data.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// Takes out of `desired` the data that somebody else has written since, but what is in `except`.
fn keep_edited_data(desired: &mut Object, live: &Object, except: &BTreeSet<(String, String)>) {
    let name = desired.name().to_owned();
    let Some(Value::Object(data)) = desired.fields_mut().get_mut("data") else { return };
    data.retain(|key, value| {
        let theirs = live.get(&["data", key]);
        let is_theirs = theirs.is_some_and(|theirs| theirs != value) && !compare::owns_data(live, key);
        !is_theirs || except.contains(&(name.clone(), key.clone()))
    });
    if data.is_empty() {
        desired.fields_mut().remove("data");
    }
}

fn is_same(one: &Object, other: &Object) -> bool {
    one.kind_name() == other.kind_name() && one.name() == other.name() && one.namespace() == other.namespace()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(stranger: Stranger) -> ObjectSet {
        let site = "home".parse().expect("valid");
        let edited_data = EditedData::Keep { except: BTreeSet::new() };
        ObjectSet { stranger, edited_data, ..ObjectSet::new(&site, Vec::new()) }
    }

    fn settings(labels: &Value, data: &Value) -> Object {
        let value = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "settings", "namespace": "argocd", "labels": labels },
            "data": data,
        });
        Object::from_value(value).expect("it is an object")
    }

    #[test]
    fn only_our_own_mark_lets_us_write() {
        let mut desired = settings(&json!({}), &json!({ "a": "1" }));
        desired.mark_as_made(&"home".parse().expect("valid"), "argocd");
        let theirs = settings(&json!({ "app": "x" }), &json!({}));
        let other = settings(&json!({ SITE_LABEL: "work" }), &json!({}));
        let refused = |set: ObjectSet, live| set.adapted(&desired, live).expect_err("refused").to_string();
        assert!(refused(set(Stranger::Refuse), &theirs).contains("the site `home` did not make it"));
        assert!(refused(set(Stranger::Adopt), &other).contains("belongs to the site `work`"));
        let adopted = set(Stranger::Adopt).adapted(&desired, &theirs).expect("adopted");
        assert_eq!(adopted.label(SITE_LABEL), None);
    }

    #[test]
    fn data_that_others_wrote_stays_unless_ours_was_asked_for() {
        let mut desired = settings(&json!({}), &json!({ "hosts": "ours", "new": "1", "asked": "2" }));
        let live = settings(&json!({}), &json!({ "hosts": "theirs", "asked": "theirs" }));
        let except = BTreeSet::from([("settings".to_owned(), "asked".to_owned())]);
        keep_edited_data(&mut desired, &live, &except);
        assert_eq!(desired.get(&["data"]), Some(&json!({ "new": "1", "asked": "2" })));
    }
}
