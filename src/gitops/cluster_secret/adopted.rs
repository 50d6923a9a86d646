//! A cluster Secret that somebody else made: it gets our labels and annotations, and nothing else of it changes.
//!
//! What they had under a key of ours is kept in an annotation, from which it is put back when the cluster leaves.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::owned::{Field, Owners, Texts};
use crate::gitops::application::REFRESH;
use crate::k8s::{Kind, Object};
use crate::site::name::SiteName;

/// The annotation that says which site uses the Secret, and what was there before: JSON.
pub(super) const BEFORE: &str = "bridgehead/before";

/// Our mark on a Secret of somebody else's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    /// The site that uses it.
    pub(super) site: String,
    /// What they had under keys that are ours now.
    labels: Texts,
    annotations: Texts,
}

impl Before {
    /// The mark among an object's annotations, if it has been adopted.
    pub(super) fn read(annotations: &Texts) -> Option<Self> {
        serde_json::from_str(annotations.get(BEFORE)?).ok()
    }

    /// What they had under a key.
    pub(super) fn had(&self, field: Field, key: &str) -> Option<&String> {
        let map = if field == Field::Labels { &self.labels } else { &self.annotations };
        map.get(key)
    }

    fn map(&mut self, field: Field) -> &mut Texts {
        if field == Field::Labels { &mut self.labels } else { &mut self.annotations }
    }

    /// Adds what we are about to change of theirs to what is known, and theirs to what we no longer change.
    fn take_in(&mut self, field: Field, desired: &mut Texts, live: &Object, owners: &Owners<'_>) {
        let now = field.of(live);
        let known = self.map(field);
        for (key, value) in desired.iter() {
            if let Some(theirs) = now.get(key).filter(|theirs| *theirs != value)
                && !owners.is_only_ours(field, key)
            {
                known.insert(key.clone(), theirs.clone());
            }
        }
        // What they have changed themselves since is theirs already.
        known.retain(|key, _| desired.contains_key(key) || owners.is_only_ours(field, key));
        for (key, theirs) in known {
            desired.entry(key.clone()).or_insert_with(|| theirs.clone());
        }
    }
}

/// What we apply to such a Secret: the labels and annotations that we want there, and what they had.
pub(super) fn object(site: &SiteName, live: &Object, mut labels: Texts, mut annotations: Texts) -> Object {
    let owners = Owners::of(live);
    let mut before = Before::read(&Field::Annotations.of(live)).unwrap_or_default();
    site.as_str().clone_into(&mut before.site);
    annotations.remove(BEFORE);
    before.take_in(Field::Labels, &mut labels, live, &owners);
    before.take_in(Field::Annotations, &mut annotations, live, &owners);
    annotations.insert(BEFORE.to_owned(), serde_json::to_string(&before).unwrap_or_default());
    whole(live, &labels, &annotations, &owners.ours(live, Field::Data))
}

/// An object that may be applied in place of what we have applied to `live`.
pub(super) fn whole(live: &Object, labels: &Texts, annotations: &Texts, data: &Texts) -> Object {
    let mut object = json!({
        "apiVersion": Kind::SECRET.api_version(),
        "kind": Kind::SECRET.name(),
        "metadata": {
            "name": live.name(), "namespace": live.namespace(), "labels": labels, "annotations": annotations,
        },
    });
    // Data that we do not own must not be named at all.
    if !data.is_empty() {
        object["data"] = json!(data);
    }
    Object::from_value(object).expect("a live object has a name")
}

/// The merge patch that leaves such a Secret as it was before it was adopted, and how many labels and annotations it
/// takes off or puts back. With the version that was looked at: it also says who wrote what.
pub(in crate::gitops) fn given_back(live: &Object) -> (Value, [usize; 2]) {
    let owners = Owners::of(live);
    let mut before = Before::read(&Field::Annotations.of(live)).unwrap_or_default();
    let [labels, annotations] = [Field::Labels, Field::Annotations].map(|field| {
        let is_leaving =
            |key: &str| owners.is_only_ours(field, key) || (key == REFRESH && !owners.is_others(field, key));
        let known = std::mem::take(before.map(field));
        let leaving = field.of(live).into_keys().filter(|key| is_leaving(key));
        let restored = leaving.map(|key| {
            let theirs = known.get(&key).map_or(Value::Null, |theirs| theirs.as_str().into());
            (key, theirs)
        });
        restored.collect::<Map<_, _>>()
    });
    let counts = [labels.len(), annotations.len()];
    let metadata = json!({
        "resourceVersion": live.text(&["metadata", "resourceVersion"]),
        "labels": labels,
        "annotations": annotations,
        "managedFields": owners.without_us(),
    });
    (json!({ "metadata": metadata }), counts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// A Secret with labels, of which some were applied by us and some written by somebody else.
    fn secret(labels: &[(&str, &str)], ours: &[&str], theirs: &[&str], before: Option<&Before>) -> Object {
        let fields = |keys: &[&str]| {
            let keys = keys.iter().map(|key| (format!("f:{key}"), json!({})));
            json!({ "f:metadata": { "f:labels": keys.collect::<Map<_, _>>() } })
        };
        let before = before.map(|before| (BEFORE.to_owned(), serde_json::to_string(before).expect("JSON")));
        let value = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {
                "name": "theirs", "namespace": "argocd", "resourceVersion": "7", "labels": texts(labels),
                "annotations": before.into_iter().collect::<BTreeMap<_, _>>(),
                "managedFields": [
                    { "manager": "bridgehead", "operation": "Apply", "fieldsV1": fields(ours) },
                    { "manager": "kubectl", "operation": "Update", "fieldsV1": fields(theirs) },
                ],
            },
        });
        Object::from_value(value).expect("it is an object")
    }

    fn before(labels: &[(&str, &str)]) -> Before {
        Before { site: "home".to_owned(), labels: texts(labels), annotations: Texts::new() }
    }

    fn applied(live: &Object, desired: &[(&str, &str)]) -> (Texts, Before) {
        let object = object(&"home".parse().expect("valid"), live, texts(desired), Texts::new());
        assert_eq!(object.get(&["data"]), None);
        let before = Before::read(&Field::Annotations.of(&object)).expect("it is marked");
        (Field::Labels.of(&object), before)
    }

    #[test]
    fn what_they_had_under_a_key_of_ours_is_kept() {
        let live = secret(&[("tier", "gold"), ("team", "blue")], &[], &["tier", "team"], None);
        let desired = [("enable_web", "true"), ("tier", "silver")];
        assert_eq!(applied(&live, &desired), (texts(&desired), before(&[("tier", "gold")])));
        // The same once more, with another value of ours: theirs is still what they had.
        let live = secret(&[("tier", "silver")], &["tier"], &[], Some(&before(&[("tier", "gold")])));
        assert_eq!(applied(&live, &[("tier", "iron")]).1, before(&[("tier", "gold")]));
        // We no longer want it: theirs comes back, and is still known.
        let put_back = (texts(&[("tier", "gold")]), before(&[("tier", "gold")]));
        assert_eq!(applied(&live, &[]), put_back);
        // They have changed it since: that is what they have now.
        let live = secret(&[("tier", "lead")], &[], &["tier"], Some(&before(&[("tier", "gold")])));
        assert_eq!(applied(&live, &[("tier", "iron")]).1, before(&[("tier", "lead")]));
        assert_eq!(applied(&live, &[]), (Texts::new(), before(&[])));
    }

    #[test]
    fn what_both_wrote_is_kept_once_we_want_another_value() {
        let live = secret(&[("tier", "gold")], &["tier"], &["tier"], Some(&before(&[])));
        assert_eq!(applied(&live, &[("tier", "gold")]).1, before(&[]));
        assert_eq!(applied(&live, &[("tier", "iron")]).1, before(&[("tier", "gold")]));
    }

    #[test]
    fn it_is_given_back_as_it_was() {
        let labels = [("enable_web", "true"), ("tier", "silver"), ("kind", "cluster"), ("team", "blue")];
        let known = before(&[("tier", "gold")]);
        let live = secret(&labels, &["enable_web", "tier", "kind"], &["kind", "team"], Some(&known));
        let (patch, [labels, _]) = given_back(&live);
        assert_eq!(labels, 2);
        assert_eq!(patch["metadata"]["labels"], json!({ "enable_web": null, "tier": "gold" }));
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        let managers = patch["metadata"]["managedFields"].as_array().expect("a list");
        assert!(managers.len() == 1 && managers[0]["manager"] == "kubectl", "{managers:?}");
    }
}
