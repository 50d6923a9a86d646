//! Kinds: which resource of the API server an object belongs to.

use std::borrow::Cow;

use kube::Client;

use super::api::{self, ApiError};

/// An API version and kind, as an object says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindName<'a> {
    /// Such as `apps/v1`.
    pub api_version: &'a str,
    /// Such as `Deployment`.
    pub kind: &'a str,
}

/// A kind, with where the API server keeps its objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    api_version: Cow<'static, str>,
    name: Cow<'static, str>,
    plural: Cow<'static, str>,
    namespaced: bool,
}

const CLUSTER: bool = false;
const NAMESPACE: bool = true;

/// The kinds that we meet. Only another one costs a question to the server.
const KNOWN: &[Kind] = &[
    Kind::CONFIG_MAP,
    Kind::NAMESPACE,
    Kind::POD,
    Kind::SECRET,
    known("v1", "Service", "services", NAMESPACE),
    Kind::SERVICE_ACCOUNT,
    known("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", CLUSTER),
    Kind::DAEMON_SET,
    Kind::DEPLOYMENT,
    Kind::STATEFUL_SET,
    Kind::APP_PROJECT,
    Kind::APPLICATION,
    Kind::APPLICATION_SET,
    known("networking.k8s.io/v1", "Ingress", "ingresses", NAMESPACE),
    known("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", NAMESPACE),
    Kind::CLUSTER_ROLE,
    Kind::CLUSTER_ROLE_BINDING,
    known("rbac.authorization.k8s.io/v1", "Role", "roles", NAMESPACE),
    known("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", NAMESPACE),
];

const fn known(
    api_version: &'static str,
    name: &'static str,
    plural: &'static str,
    namespaced: bool,
) -> Kind {
    Kind {
        api_version: Cow::Borrowed(api_version),
        name: Cow::Borrowed(name),
        plural: Cow::Borrowed(plural),
        namespaced,
    }
}

impl Kind {
    /// The kind `AppProject`.
    pub const APP_PROJECT: Self = known("argoproj.io/v1alpha1", "AppProject", "appprojects", NAMESPACE);
    /// The kind `Application`.
    pub const APPLICATION: Self = known("argoproj.io/v1alpha1", "Application", "applications", NAMESPACE);
    /// The kind `ApplicationSet`.
    pub const APPLICATION_SET: Self =
        known("argoproj.io/v1alpha1", "ApplicationSet", "applicationsets", NAMESPACE);
    /// The kind `ClusterRole`.
    pub const CLUSTER_ROLE: Self =
        known("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", CLUSTER);
    /// The kind `ClusterRoleBinding`.
    pub const CLUSTER_ROLE_BINDING: Self =
        known("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", CLUSTER);
    /// The kind `ConfigMap`.
    pub const CONFIG_MAP: Self = known("v1", "ConfigMap", "configmaps", NAMESPACE);
    /// The kind `DaemonSet`.
    pub const DAEMON_SET: Self = known("apps/v1", "DaemonSet", "daemonsets", NAMESPACE);
    /// The kind `Deployment`.
    pub const DEPLOYMENT: Self = known("apps/v1", "Deployment", "deployments", NAMESPACE);
    /// The kind `Namespace`.
    pub const NAMESPACE: Self = known("v1", "Namespace", "namespaces", CLUSTER);
    /// The kind `Pod`.
    pub const POD: Self = known("v1", "Pod", "pods", NAMESPACE);
    /// The kind `Secret`.
    pub const SECRET: Self = known("v1", "Secret", "secrets", NAMESPACE);
    /// The kind `ServiceAccount`.
    pub const SERVICE_ACCOUNT: Self = known("v1", "ServiceAccount", "serviceaccounts", NAMESPACE);
    /// The kind `StatefulSet`.
    pub const STATEFUL_SET: Self = known("apps/v1", "StatefulSet", "statefulsets", NAMESPACE);

    /// One of the kinds that we meet.
    fn known(name: KindName<'_>) -> Option<&'static Self> {
        KNOWN.iter().find(|kind| kind.name == name.kind && kind.api_version == name.api_version)
    }

    /// Any kind; what is not known is asked from the server.
    ///
    /// # Errors
    /// When the server cannot be asked, or does not know it either.
    pub async fn find(client: &Client, name: KindName<'_>) -> Result<Self, ApiError> {
        if let Some(kind) = Self::known(name) {
            return Ok(kind.clone());
        }
        let resources = api::resources(client, name.api_version).await?;
        let resource =
            resources.into_iter().find(|found| found.kind == name.kind && !found.name.contains('/'));
        let resource = resource.ok_or_else(|| ApiError::unknown_kind(name))?;
        Ok(Self {
            api_version: name.api_version.to_owned().into(),
            name: name.kind.to_owned().into(),
            plural: resource.name.into(),
            namespaced: resource.namespaced,
        })
    }

    /// Such as `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// Such as `Deployment`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path of its collection. Without a namespace: of the whole cluster.
    #[must_use]
    pub fn path(&self, namespace: Option<&str>) -> String {
        let Self { api_version, plural, .. } = self;
        let root = if api_version.contains('/') { "apis" } else { "api" };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("/{root}/{api_version}/namespaces/{namespace}/{plural}"),
            None => format!("/{root}/{api_version}/{plural}"),
        }
    }

    /// What a person calls an object of this kind.
    #[must_use]
    pub fn subject(&self, namespace: Option<&str>, name: &str) -> String {
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{} {namespace}/{name}", self.name),
            None => format!("{} {name}", self.name),
        }
    }

    /// Whether objects of it live in namespaces.
    #[must_use]
    pub fn is_namespaced(&self) -> bool {
        self.namespaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_group_and_scope() {
        let path = |api_version, kind, namespace| {
            Kind::known(KindName { api_version, kind }).expect("it is known").path(namespace)
        };
        assert_eq!(path("v1", "Secret", Some("argocd")), "/api/v1/namespaces/argocd/secrets");
        assert_eq!(path("apps/v1", "Deployment", None), "/apis/apps/v1/deployments");
        assert_eq!(path("v1", "Namespace", Some("argocd")), "/api/v1/namespaces");
    }
}
