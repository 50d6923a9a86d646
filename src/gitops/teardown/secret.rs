//! The step that ends a cluster's registration on the hub.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value, json};

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::Scope;
use crate::gitops::fleet::{Fleet, Registered};
use crate::gitops::hub::Hub;
use crate::k8s::{FIELD_MANAGER, Kind};
use crate::site::name::ClusterName;

/// The step `<cluster>/registration/secret` of a teardown: the Secret is gone if we made it; of somebody else's,
/// our labels and annotations are gone.
pub(super) struct Unregistered {
    scope: Scope,
    cluster: ClusterName,
}

impl Unregistered {
    pub(super) fn new(scope: &Scope, cluster: &ClusterName) -> Self {
        Self { scope: scope.clone(), cluster: cluster.clone() }
    }

    async fn look(&self, facts: &Facts) -> Result<Option<(Hub, Registered)>, Stop> {
        let Some(hub) = Hub::standing(&self.scope, facts).await? else { return Ok(None) };
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        Ok(fleet.registered(&self.cluster).cloned().map(|registered| (hub, registered)))
    }
}

fn difference(hub: &Hub, registered: &Registered) -> Option<Change> {
    let subject = hub.subject(&Kind::SECRET, registered.secret.as_deref()?);
    if registered.ours {
        let leaving = registered.is_deleting.then(|| Change::wait(&subject, "it is being deleted"));
        return Some(leaving.unwrap_or_else(|| Change::delete(subject)));
    }
    let [labels, annotations] = METADATA.map(|field| own_keys(&registered.managed, field).len());
    (labels + annotations > 0).then(|| {
        Change::update(subject, format!("take off our {labels} labels and {annotations} annotations"))
    })
}

/// The maps in an object's metadata that we write to.
const METADATA: [&str; 2] = ["labels", "annotations"];

/// The keys of a map in the metadata that we wrote and nobody else.
fn own_keys(managed: &[ManagedFieldsEntry], field: &str) -> BTreeSet<String> {
    let keys = |entry: &ManagedFieldsEntry| {
        let fields = entry
            .fields_v1
            .as_ref()
            .and_then(|fields| fields.0["f:metadata"][format!("f:{field}")].as_object());
        let keys = fields.into_iter().flat_map(Map::keys).filter_map(|key| key.strip_prefix("f:"));
        keys.map(ToOwned::to_owned).collect::<BTreeSet<_>>()
    };
    let (ours, theirs): (Vec<_>, Vec<_>) =
        managed.iter().partition(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let theirs: BTreeSet<_> = theirs.into_iter().flat_map(keys).collect();
    ours.into_iter().flat_map(keys).filter(|key| !theirs.contains(key)).collect()
}

fn without_our_keys(managed: &[ManagedFieldsEntry]) -> Value {
    let nothing =
        |field| own_keys(managed, field).into_iter().map(|key| (key, Value::Null)).collect::<Map<_, _>>();
    let [labels, annotations] = METADATA.map(nothing);
    json!({ "metadata": { "labels": labels, "annotations": annotations } })
}

impl Step for Unregistered {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, "registration/secret")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let Some((hub, registered)) = self.look(facts).await? else { return Ok(Observed::default()) };
        Ok(Observed::differs(difference(&hub, &registered).into_iter().collect(), ()))
    }

    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let look = self.look(facts).await.map_err(Stop::into_failure)?;
        let Some((hub, registered)) = look else { return Ok(()) };
        let Some(name) = registered.secret.as_deref() else { return Ok(()) };
        if registered.ours {
            writer.perform(hub.delete(&Kind::SECRET, name)).await?;
        } else {
            let patch = without_our_keys(&registered.managed);
            writer.perform(hub.change(&Kind::SECRET, name, &patch)).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_keys_that_nobody_else_wrote_are_ours_to_take_off() {
        let entry = |manager: &str, fields: Value| {
            let value =
                json!({ "manager": manager, "fieldsType": "FieldsV1", "fieldsV1": { "f:metadata": fields } });
            serde_json::from_value::<ManagedFieldsEntry>(value).expect("it is an entry")
        };
        let kind = "f:argocd.argoproj.io/secret-type";
        let managed = [
            entry(
                "bridgehead",
                json!({ "f:labels": { kind: {}, "f:enable_web": {} },
                                        "f:annotations": { "f:addons_repo_url": {} } }),
            ),
            entry("kubectl-client-side-apply", json!({ "f:labels": { kind: {}, "f:team": {} } })),
        ];
        let patch = without_our_keys(&managed);
        assert_eq!(
            patch,
            json!({ "metadata": { "labels": { "enable_web": null },
                                                "annotations": { "addons_repo_url": null } } })
        );
        assert!(own_keys(&managed[1..], "labels").is_empty());
    }
}
