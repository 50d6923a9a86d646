//! The step that switches one addon in a live cluster Secret, and nothing else there.

use std::sync::Arc;

use kube::Client;

use super::adopted;
use super::existing::registration_of;
use super::owned::{Field, Owners, Texts};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::gitops::application_set::ADDON_LABEL_PREFIX;
use crate::gitops::{Scope, catalogue};
use crate::k8s::{Kind, Object, api};
use crate::site::name::{AddonName, ClusterName};
use crate::site::{Cluster, Site};

/// The steps `<cluster>/addon/<addon>/label`: on the clusters that are named the addon is as the profile says; on the
/// others its label is there. Nothing else that the profile says is applied: of every Secret we apply what we have
/// applied before, with this switch.
///
/// A cluster that is not registered has no label to switch.
#[must_use]
pub fn switch(site: &Arc<Site>, env: &Arc<Env>, addon: &AddonName, named: &[ClusterName]) -> Tree {
    let step = |cluster: &Cluster| Switch {
        scope: Scope::new(site, env),
        addon: addon.clone(),
        cluster: cluster.clone(),
        is_named: named.contains(&cluster.name),
    };
    Tree::Each(site.clusters().map(|cluster| step(cluster).into()).collect())
}

struct Switch {
    scope: Scope,
    addon: AddonName,
    cluster: Cluster,
    is_named: bool,
}

/// The keys of an addon in a cluster Secret, with the values that the profile gives them; `None`: not there.
pub(super) struct Keys {
    pub(super) label: String,
    is_on: bool,
    pub(super) annotations: Vec<(String, Option<String>)>,
}

impl Keys {
    pub(super) fn of(addon: &AddonName, cluster: &Cluster) -> Self {
        let is_on = cluster.addons.get(addon).copied().unwrap_or_default();
        let annotations = catalogue::annotations(addon).into_iter().map(|(key, default)| {
            let given = cluster.annotations.get(&key).cloned();
            let value = given.or_else(|| is_on.then(|| default.to_owned()));
            (key, value)
        });
        Self { label: format!("{ADDON_LABEL_PREFIX}{addon}"), is_on, annotations: annotations.collect() }
    }
}

impl Switch {
    /// What is to be applied to a live Secret, and in which entries that differs; `None` if in none.
    fn switched(&self, live: &Object, is_made: bool) -> Option<(Object, Vec<String>)> {
        let keys = Keys::of(&self.addon, &self.cluster);
        let owners = Owners::of(live);
        let [mut labels, mut annotations] =
            [Field::Labels, Field::Annotations].map(|field| owners.ours(live, field));
        let has_label = Field::Labels.of(live).contains_key(&keys.label);
        if self.is_named {
            labels.insert(keys.label, keys.is_on.to_string());
            for (key, value) in keys.annotations {
                match value {
                    Some(value) => annotations.insert(key, value),
                    None => annotations.remove(&key),
                };
            }
        } else if !has_label && !keys.is_on {
            labels.insert(keys.label, "false".to_owned());
        }
        let differences =
            [(Field::Labels, "label", &labels), (Field::Annotations, "annotation", &annotations)];
        let differences = differences.map(|(field, word, desired)| {
            differences_of(word, &field.of(live), &owners.ours(live, field), desired)
        });
        let differences = differences.concat();
        let object = if is_made {
            adopted::whole(live, &labels, &annotations, &owners.ours(live, Field::Data))
        } else {
            adopted::object(&self.scope.site.name, live, labels, annotations)
        };
        (!differences.is_empty()).then_some((object, differences))
    }
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

impl Step for Switch {
    type Work = (Client, Object);

    fn id(&self) -> StepId {
        StepId::of(&self.cluster.name, &format!("addon/{}/label", self.addon))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the addon's label has the wanted value"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Self::Work>, Stop> {
        let hub = self.scope.client(self.scope.hub(), facts).await?;
        let live = registration_of(&self.scope, &hub, &self.cluster.name).await?;
        let switched = live.as_ref().and_then(|(live, is_made)| self.switched(live, *is_made));
        let (Some((mut object, differences)), Some((live, _))) = (switched, live) else {
            return Ok(Observed::default());
        };
        let change =
            Change::update(object.to_string(), differences.join(", ")).with_secret_content(object.fields());
        let version = live.get(&["metadata", "resourceVersion"]).cloned().unwrap_or_default();
        object.fields_mut()["metadata"]["resourceVersion"] = version;
        Ok(Observed::differs(vec![change], (hub, object)))
    }

    /// The version that was looked at is named: a Secret that somebody changed since is left alone.
    async fn apply(&self, (hub, object): Self::Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        Ok(writer.perform(api::apply(&hub, &Kind::SECRET, &object)).await?)
    }
}
