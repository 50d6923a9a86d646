//! The four objects of the account.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::gitops::part;
use crate::k8s::Object;
use crate::site::name::SiteName;

pub(super) const NAMESPACE: &str = "kube-system";
pub(super) const ACCOUNT: &str = "argocd-manager";
pub(super) const TOKEN: &str = "argocd-manager-long-lived-token";
const ROLE: &str = "argocd-manager-role";
const BINDING: &str = "argocd-manager-role-binding";

/// The account and what it may do.
pub(super) fn account(site: &SiteName) -> Vec<Object> {
    let account = ServiceAccount { metadata: in_namespace(ACCOUNT), ..ServiceAccount::default() };
    let role = ClusterRole { metadata: named(ROLE), rules: Some(everything()), ..ClusterRole::default() };
    let objects = [Object::of(&account), Object::of(&role), Object::of(&binding())];
    objects.map(|object| marked(site, object)).into()
}

/// The account's token. The controller manager fills in one that does not end.
pub(super) fn token(site: &SiteName) -> Object {
    let account = ("kubernetes.io/service-account.name".to_owned(), ACCOUNT.to_owned());
    let secret = Secret {
        metadata: ObjectMeta { annotations: Some(BTreeMap::from([account])), ..in_namespace(TOKEN) },
        type_: Some("kubernetes.io/service-account-token".to_owned()),
        ..Secret::default()
    };
    marked(site, Object::of(&secret))
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

/// Argo CD deploys whatever Git says, so that its account may do whatever Git may say.
fn everything() -> Vec<PolicyRule> {
    let all = || Some(vec!["*".to_owned()]);
    let verbs = vec!["*".to_owned()];
    vec![
        PolicyRule { api_groups: all(), resources: all(), verbs: verbs.clone(), ..PolicyRule::default() },
        PolicyRule { non_resource_urls: all(), verbs, ..PolicyRule::default() },
    ]
}

fn binding() -> ClusterRoleBinding {
    let (api_group, kind, name) = ("rbac.authorization.k8s.io".into(), "ClusterRole".into(), ROLE.into());
    let subject = Subject {
        kind: "ServiceAccount".into(),
        name: ACCOUNT.into(),
        namespace: Some(NAMESPACE.into()),
        ..Subject::default()
    };
    ClusterRoleBinding {
        metadata: named(BINDING),
        role_ref: RoleRef { api_group, kind, name },
        subjects: Some(vec![subject]),
    }
}
