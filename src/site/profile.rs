//! A profile, and the inventory beside it, as they were typed. Only [`load`](super::load) and [`validate`](super::validate) see these types.
//!
//! Every key is optional here: what is missing or misshapen has been found, and taken out, before these types
//! are filled, so that everything else can still be checked. No `flatten`, `untagged` or `tag`: they lose the
//! position of what they read.

pub(super) mod schema;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// A table whose keys the person chose.
pub(super) type Map<T> = BTreeMap<Spanned<String>, T>;

/// The whole profile.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) site: SiteTable,
    pub(super) hub: Option<ClusterTable>,
    pub(super) spokes: Map<ClusterTable>,
    pub(super) addons: Map<bool>,
    pub(super) repos: Map<RepositoryTable>,
    pub(super) argocd: ArgoCdTable,
    pub(super) kube: KubeTable,
    pub(super) secrets: Map<SecretTable>,
}

/// `[site]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SiteTable {
    pub(super) protect: bool,
}

/// `[hub]` or `[spokes.<name>]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClusterTable {
    /// Of the hub only; a spoke is named by its table.
    pub(super) name: Option<Spanned<String>>,
    pub(super) environment: Option<Spanned<String>>,
    pub(super) local: Option<LocalTable>,
    pub(super) k3s: Option<K3sTable>,
    pub(super) eks: Option<EksTable>,
    pub(super) existing: Option<ExistingTable>,
    /// Of a spoke only; Argo CD reaches the hub from inside.
    pub(super) server: Option<Spanned<String>>,
    pub(super) addons: Map<bool>,
    pub(super) labels: Map<Spanned<String>>,
    pub(super) annotations: Map<Spanned<String>>,
}

/// `[hub.local]` or `[spokes.<name>.local]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LocalTable {
    pub(super) nodes: Option<Spanned<i64>>,
}

/// `[hub.k3s]` or `[spokes.<name>.k3s]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct K3sTable {
    pub(super) servers: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) agents: Vec<Spanned<String>>,
    pub(super) version: Option<Spanned<String>>,
    pub(super) channel: Option<Spanned<String>>,
    pub(super) channel_server: Option<Spanned<String>>,
    pub(super) mirror: Option<Spanned<String>>,
    pub(super) sha256: Vec<Spanned<String>>,
    pub(super) images: bool,
    pub(super) config: Map<serde_json::Value>,
}

/// `[hub.eks]` or `[spokes.<name>.eks]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EksTable {
    pub(super) region: Option<Spanned<String>>,
    pub(super) account_id: Option<Spanned<String>>,
    pub(super) profile: Option<Spanned<String>>,
    pub(super) version: Option<Spanned<String>>,
    pub(super) tags: Map<Spanned<String>>,
    pub(super) vpc: Option<VpcTable>,
    pub(super) subnet_ids: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) endpoint_access: Option<Spanned<String>>,
    pub(super) public_access_cidrs: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) logging: Vec<Spanned<String>>,
    pub(super) auto_mode: Option<Spanned<bool>>,
    pub(super) node_groups: Vec<NodeGroupTable>,
    pub(super) addons: Map<Spanned<String>>,
    pub(super) admins: Vec<Spanned<String>>,
}

/// `[hub.eks.vpc]` or `[spokes.<name>.eks.vpc]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct VpcTable {
    pub(super) cidr: Option<Spanned<String>>,
    pub(super) azs: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) nat: Option<Spanned<String>>,
}

/// `[[hub.eks.node_groups]]` or `[[spokes.<name>.eks.node_groups]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NodeGroupTable {
    pub(super) name: Option<Spanned<String>>,
    pub(super) instance_types: Vec<Spanned<String>>,
    pub(super) ami_type: Option<Spanned<String>>,
    pub(super) spot: bool,
    pub(super) min: Option<Spanned<i64>>,
    pub(super) max: Option<Spanned<i64>>,
    pub(super) desired: Option<Spanned<i64>>,
    pub(super) disk: Option<Spanned<i64>>,
    pub(super) labels: Map<Spanned<String>>,
}

/// `[hub.existing]` or `[spokes.<name>.existing]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ExistingTable {
    pub(super) context: Option<Spanned<String>>,
}

/// `[repos.<name>]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RepositoryTable {
    pub(super) url: Option<Spanned<String>>,
    pub(super) basepath: Option<Spanned<String>>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) revision: Option<Spanned<String>>,
}

/// `[argocd]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ArgoCdTable {
    pub(super) version: Option<Spanned<String>>,
    pub(super) namespace: Option<Spanned<String>>,
    pub(super) server_insecure: bool,
    pub(super) ingress: Option<IngressTable>,
    pub(super) cm: Map<String>,
    pub(super) params: Map<String>,
    pub(super) rbac: Map<String>,
    pub(super) notifications: Map<String>,
    pub(super) projects: Map<serde_json::Map<String, serde_json::Value>>,
    pub(super) repositories: Vec<ArgoCdRepositoryTable>,
    pub(super) known_hosts: Map<KnownHostTable>,
    pub(super) target_name: Option<Spanned<String>>,
    pub(super) cluster_context: Option<Spanned<String>>,
    pub(super) cluster_name: Option<Spanned<String>>,
    pub(super) server: Option<Spanned<String>>,
    pub(super) login_args: Option<Spanned<String>>,
    pub(super) auto_port_forward: bool,
}

/// `[[argocd.repositories]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ArgoCdRepositoryTable {
    pub(super) name: Option<Spanned<String>>,
    pub(super) url: Option<Spanned<String>>,
    #[serde(rename = "type")]
    pub(super) kind: Option<Spanned<String>>,
    pub(super) template: bool,
    pub(super) project: Option<Spanned<String>>,
    pub(super) username: Option<Spanned<String>>,
    pub(super) password: Option<SourceTable>,
    pub(super) bearer_token: Option<SourceTable>,
    pub(super) ssh_private_key: Option<SourceTable>,
    pub(super) tls_client_cert: Option<SourceTable>,
    pub(super) tls_client_key: Option<SourceTable>,
    pub(super) github_app_id: Option<Spanned<i64>>,
    pub(super) github_app_installation_id: Option<Spanned<i64>>,
    pub(super) github_app_private_key: Option<SourceTable>,
    pub(super) github_app_enterprise_base_url: Option<Spanned<String>>,
    pub(super) oci: bool,
    pub(super) insecure: bool,
    pub(super) proxy: Option<Spanned<String>>,
    pub(super) no_proxy: Option<Spanned<String>>,
}

/// `[argocd.known_hosts.<host>]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct KnownHostTable {
    pub(super) ssh: Vec<Spanned<String>>,
    pub(super) certificate_authority: Option<Spanned<String>>,
}

/// `[argocd.ingress]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct IngressTable {
    pub(super) enabled: Option<Spanned<bool>>,
    pub(super) class_name: Option<Spanned<String>>,
    pub(super) host: Option<Spanned<String>>,
    pub(super) service_port: Option<Spanned<i64>>,
    pub(super) tls: bool,
}

/// `[kube]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct KubeTable {
    pub(super) kubeconfig: Option<Spanned<String>>,
    pub(super) contexts: Map<Spanned<String>>,
}

/// `[secrets.<name>]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SecretTable {
    pub(super) namespace: Option<Spanned<String>>,
    #[serde(rename = "type")]
    pub(super) kind: Option<Spanned<String>>,
    pub(super) data: Map<SourceTable>,
}

/// Where a secret value comes from.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SourceTable {
    pub(super) env: Option<Spanned<String>>,
    pub(super) file: Option<Spanned<String>>,
    pub(super) command: Option<Spanned<Vec<String>>>,
}

/// The whole inventory.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Inventory {
    pub(super) vms: Map<HostTable>,
}

/// `[vms.<alias>]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HostTable {
    pub(super) ansible_host: Option<Spanned<String>>,
    pub(super) ansible_port: Option<Spanned<i64>>,
    pub(super) ansible_user: Option<Spanned<String>>,
    pub(super) ansible_become_user: Option<Spanned<String>>,
    pub(super) proxmox_vm_name: Option<Spanned<String>>,
    pub(super) workloads: Vec<Spanned<String>>,
    pub(super) host_key: Option<Spanned<String>>,
}
