//! The four objects of the account.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::gitops::part;
use crate::k8s::Object;
use crate::site::name::SiteName;

pub(super) const NAMESPACE: &str = "kube-system";

/// What the four are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) account: String,
    pub(super) token: String,
    pub(super) role: String,
    pub(super) binding: String,
}

impl Names {
    /// Those of `argocd cluster add`, so that people and tools that know them find their way.
    pub(super) fn well_known() -> Self {
        Self {
            account: "argocd-manager".to_owned(),
            token: "argocd-manager-long-lived-token".to_owned(),
            role: "argocd-manager-role".to_owned(),
            binding: "argocd-manager-role-binding".to_owned(),
        }
    }

    /// Those of a site's own, where somebody else uses the well-known ones.
    pub(super) fn of(site: &SiteName) -> Self {
        let name = || format!("bridgehead-{site}");
        Self { account: name(), token: name(), role: name(), binding: name() }
    }

    /// The account and what it may do.
    pub(super) fn account(&self, site: &SiteName) -> Vec<Object> {
        let account = ServiceAccount { metadata: in_namespace(&self.account), ..ServiceAccount::default() };
        let role =
            ClusterRole { metadata: named(&self.role), rules: Some(everything()), ..ClusterRole::default() };
        let objects = [Object::of(&account), Object::of(&role), Object::of(&self.binding())];
        objects.map(|object| marked(site, object)).into()
    }

    /// The account's token. The controller manager fills in one that does not end.
    pub(super) fn token(&self, site: &SiteName) -> Object {
        let account = ("kubernetes.io/service-account.name".to_owned(), self.account.clone());
        let metadata =
            ObjectMeta { annotations: Some(BTreeMap::from([account])), ..in_namespace(&self.token) };
        let type_ = Some("kubernetes.io/service-account-token".to_owned());
        marked(site, Object::of(&Secret { metadata, type_, ..Secret::default() }))
    }

    fn binding(&self) -> ClusterRoleBinding {
        let api_group = "rbac.authorization.k8s.io".to_owned();
        let subject = Subject {
            kind: "ServiceAccount".to_owned(),
            name: self.account.clone(),
            namespace: Some(NAMESPACE.to_owned()),
            ..Subject::default()
        };
        ClusterRoleBinding {
            metadata: named(&self.binding),
            role_ref: RoleRef { api_group, kind: "ClusterRole".to_owned(), name: self.role.clone() },
            subjects: Some(vec![subject]),
        }
    }
}

fn marked(site: &SiteName, mut object: Object) -> Object {
    object.mark_as_made(site, part::REGISTRATION);
    object
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

fn in_namespace(name: &str) -> ObjectMeta {
    ObjectMeta { namespace: Some(NAMESPACE.to_owned()), ..named(name) }
}

/// The account needs every right, because Git may declare any object.
fn everything() -> Vec<PolicyRule> {
    let all = || Some(vec!["*".to_owned()]);
    let verbs = vec!["*".to_owned()];
    vec![
        PolicyRule { api_groups: all(), resources: all(), verbs: verbs.clone(), ..PolicyRule::default() },
        PolicyRule { non_resource_urls: all(), verbs, ..PolicyRule::default() },
    ]
}
