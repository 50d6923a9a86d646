//! Applying again what we have applied to a live Secret, with other labels and annotations. Nothing else that the profile
//! says is applied with it.

use kube::Client;

use super::adopted;
use super::owned::{Field, Owners, Texts};
use crate::engine::{Change, Failure, Writer};
use crate::k8s::{Kind, Object, api};
use crate::site::Site;

/// What is to be applied to a Secret on the hub.
pub(in crate::gitops) struct Rewrite {
    hub: Client,
    object: Object,
}

/// A live Secret with the edited ones of our own entries; `None` if the edit changes nothing.
pub(super) fn rewrite(
    hub: Client,
    site: &Site,
    (live, is_made): (&Object, bool),
    edit: impl FnOnce(&mut Texts, &mut Texts),
) -> Option<(Change, Rewrite)> {
    let (mut object, differences) = edited(site, live, is_made, edit)?;
    let change =
        Change::update(object.to_string(), differences.join(", ")).with_secret_content(object.fields());
    // The version that was looked at: a Secret that somebody changed since is left alone.
    let version = live.get(&["metadata", "resourceVersion"]).cloned().unwrap_or_default();
    object.fields_mut()["metadata"]["resourceVersion"] = version;
    Some((change, Rewrite { hub, object }))
}

impl Rewrite {
    pub(super) async fn apply(self, writer: &Writer) -> Result<(), Failure> {
        Ok(writer.perform(api::apply(&self.hub, &Kind::SECRET, &self.object)).await?)
    }
}

/// The object, and in which entries it differs.
pub(super) fn edited(
    site: &Site,
    live: &Object,
    is_made: bool,
    edit: impl FnOnce(&mut Texts, &mut Texts),
) -> Option<(Object, Vec<String>)> {
    let owners = Owners::of(live);
    let [mut labels, mut annotations] =
        [Field::Labels, Field::Annotations].map(|field| owners.ours(live, field));
    edit(&mut labels, &mut annotations);
    let differences = [(Field::Labels, "label", &labels), (Field::Annotations, "annotation", &annotations)];
    let differences = differences.map(|(field, word, desired)| {
        differences_of(word, &field.of(live), &owners.ours(live, field), desired)
    });
    let differences = differences.concat();
    let object = if is_made {
        adopted::whole(live, &labels, &annotations, &owners.ours(live, Field::Data))
    } else {
        adopted::object(&site.name, live, labels, annotations)
    };
    (!differences.is_empty()).then_some((object, differences))
}

/// The entries that an apply would change, with both values.
fn differences_of(word: &str, now: &Texts, ours: &Texts, desired: &Texts) -> Vec<String> {
    let written = desired.iter().filter(|(key, value)| ours.get(*key) != Some(*value)).map(|(key, value)| {
        let now = now.get(key).map_or("absent", String::as_str);
        format!("{word} {key}: {now} -> {value}")
    });
    let removed = ours.keys().filter(|key| !desired.contains_key(*key));
    written.chain(removed.map(|key| format!("{word} {key}: {} -> absent", ours[key]))).collect()
}
