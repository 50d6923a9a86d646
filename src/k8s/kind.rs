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

macro_rules! kinds {
    ($($constant:ident: $api_version:literal $name:literal $plural:literal $scope:ident;)*) => {
        impl Kind {
            $(
                #[doc = concat!("The kind `", $name, "`.")]
                pub const $constant: Self = Self {
                    api_version: Cow::Borrowed($api_version),
                    name: Cow::Borrowed($name),
                    plural: Cow::Borrowed($plural),
                    namespaced: $scope,
                };
            )*
        }

        /// The kinds that we meet. Only another one costs a question to the server.
        const KNOWN: &[Kind] = &[$(Kind::$constant),*];
    };
}

kinds! {
    APPLICATION: "argoproj.io/v1alpha1" "Application" "applications" NAMESPACE;
    APPLICATION_SET: "argoproj.io/v1alpha1" "ApplicationSet" "applicationsets" NAMESPACE;
    APP_PROJECT: "argoproj.io/v1alpha1" "AppProject" "appprojects" NAMESPACE;
    CLUSTER_ROLE: "rbac.authorization.k8s.io/v1" "ClusterRole" "clusterroles" CLUSTER;
    CLUSTER_ROLE_BINDING: "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" "clusterrolebindings" CLUSTER;
    CONFIG_MAP: "v1" "ConfigMap" "configmaps" NAMESPACE;
    CUSTOM_RESOURCE_DEFINITION: "apiextensions.k8s.io/v1" "CustomResourceDefinition" "customresourcedefinitions" CLUSTER;
    DAEMON_SET: "apps/v1" "DaemonSet" "daemonsets" NAMESPACE;
    DEPLOYMENT: "apps/v1" "Deployment" "deployments" NAMESPACE;
    INGRESS: "networking.k8s.io/v1" "Ingress" "ingresses" NAMESPACE;
    LEASE: "coordination.k8s.io/v1" "Lease" "leases" NAMESPACE;
    NAMESPACE: "v1" "Namespace" "namespaces" CLUSTER;
    NETWORK_POLICY: "networking.k8s.io/v1" "NetworkPolicy" "networkpolicies" NAMESPACE;
    NODE: "v1" "Node" "nodes" CLUSTER;
    POD: "v1" "Pod" "pods" NAMESPACE;
    ROLE: "rbac.authorization.k8s.io/v1" "Role" "roles" NAMESPACE;
    ROLE_BINDING: "rbac.authorization.k8s.io/v1" "RoleBinding" "rolebindings" NAMESPACE;
    SECRET: "v1" "Secret" "secrets" NAMESPACE;
    SERVICE: "v1" "Service" "services" NAMESPACE;
    SERVICE_ACCOUNT: "v1" "ServiceAccount" "serviceaccounts" NAMESPACE;
    STATEFUL_SET: "apps/v1" "StatefulSet" "statefulsets" NAMESPACE;
}

impl Kind {
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
