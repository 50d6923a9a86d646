//! The step that switches one addon in a live cluster Secret, and nothing else there.

use std::sync::Arc;

use super::existing::registration_of;
use super::owned::{Field, Texts};
use super::rewrite::{Rewrite, rewrite};
use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use crate::env::Env;
use crate::gitops::application_set::ADDON_LABEL_PREFIX;
use crate::gitops::{Scope, catalogue};
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
    /// Switches among the entries of ours. `has_label`: whether the addon's label is there, whoever wrote it.
    fn edit(&self, has_label: bool, labels: &mut Texts, annotations: &mut Texts) {
        let keys = Keys::of(&self.addon, &self.cluster);
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
    }
}

impl Step for Switch {
    type Work = Rewrite;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster.name, &format!("addon/{}/label", self.addon))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the addon's label has the wanted value"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Rewrite>, Stop> {
        let hub = self.scope.client(self.scope.hub(), facts).await?;
        let Some((live, is_made)) = registration_of(&self.scope, &hub, &self.cluster.name).await? else {
            return Ok(Observed::default());
        };
        let has_label = Field::Labels.of(&live).contains_key(&format!("{ADDON_LABEL_PREFIX}{}", self.addon));
        let rewritten = rewrite(hub, &self.scope.site, (&live, is_made), |labels, annotations| {
            self.edit(has_label, labels, annotations);
        });
        Ok(rewritten.map_or_else(Observed::default, |(change, work)| Observed::differs(vec![change], work)))
    }

    async fn apply(&self, work: Rewrite, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.apply(writer).await
    }
}
