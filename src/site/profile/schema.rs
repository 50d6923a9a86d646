//! Which keys a profile and an inventory may have, and of what kind. The types beside it hold what fits.

/// What may stand under a key.
#[derive(Debug, Clone, Copy)]
pub(in crate::site) enum Shape {
    /// A string.
    Text,
    /// Strings.
    Texts,
    /// `true` or `false`.
    Flag,
    /// An integer.
    Count,
    /// Anything that JSON has as well.
    Any,
    /// A table with known keys.
    Table(&'static Table),
    /// Tables with known keys, each under `[[..]]`.
    Tables(&'static Table),
    /// A table whose keys the person chooses.
    Map(&'static Shape),
    /// A table that says where a secret value comes from.
    Source,
    /// Belongs to the product, and this version does nothing with it yet.
    Later,
}

/// A table with known keys.
#[derive(Debug)]
pub(in crate::site) struct Table {
    /// The keys that it may have.
    pub(in crate::site) keys: &'static [(&'static str, Shape)],
    /// The keys that it must have.
    pub(in crate::site) required: &'static [&'static str],
    /// Exactly one of these must be there, if there are any.
    pub(in crate::site) one_of: &'static [&'static str],
}

impl Table {
    const fn optional(keys: &'static [(&'static str, Shape)]) -> Self {
        Self { keys, required: &[], one_of: &[] }
    }
}

/// The providers that a cluster's table may name.
const PROVIDERS: &[&str] = &["local", "k3s", "eks", "existing"];

/// The whole profile.
pub(in crate::site) const PROFILE: Table = Table {
    keys: &[
        ("site", Shape::Table(&Table::optional(&[("protect", Shape::Flag)]))),
        ("kube", Shape::Table(&KUBE)),
        ("hub", Shape::Table(&HUB)),
        ("spokes", Shape::Map(&Shape::Table(&SPOKE))),
        ("addons", Shape::Map(&Shape::Flag)),
        ("repos", Shape::Map(&Shape::Table(&REPOSITORY))),
        ("argocd", Shape::Table(&ARGOCD)),
        ("secrets", Shape::Map(&Shape::Table(&SECRET))),
        ("registration", Shape::Later),
    ],
    required: &["hub"],
    one_of: &[],
};

/// The whole inventory.
pub(in crate::site) const INVENTORY: Table = Table::optional(&[("vms", Shape::Map(&Shape::Table(&HOST)))]);

const HOST: Table = Table {
    keys: &[
        ("ansible_host", Shape::Text),
        ("ansible_port", Shape::Count),
        ("ansible_user", Shape::Text),
        ("ansible_become_user", Shape::Text),
        ("proxmox_vm_name", Shape::Text),
        ("workloads", Shape::Texts),
        ("host_key", Shape::Text),
    ],
    required: &["ansible_host"],
    one_of: &[],
};

const KUBE: Table = Table::optional(&[("kubeconfig", Shape::Text), ("contexts", Shape::Map(&Shape::Text))]);

pub(in crate::site) const HUB: Table = Table {
    keys: &[
        ("name", Shape::Text),
        ("environment", Shape::Text),
        ("local", Shape::Table(&LOCAL)),
        ("k3s", Shape::Table(&K3S)),
        ("existing", Shape::Table(&EXISTING)),
        ("addons", Shape::Map(&Shape::Flag)),
        ("labels", Shape::Map(&Shape::Text)),
        ("annotations", Shape::Map(&Shape::Text)),
        ("eks", Shape::Table(&EKS)),
    ],
    required: &[],
    one_of: PROVIDERS,
};

const SPOKE: Table = Table {
    keys: &[
        ("environment", Shape::Text),
        ("local", Shape::Table(&LOCAL)),
        ("k3s", Shape::Table(&K3S)),
        ("existing", Shape::Table(&EXISTING)),
        ("addons", Shape::Map(&Shape::Flag)),
        ("labels", Shape::Map(&Shape::Text)),
        ("annotations", Shape::Map(&Shape::Text)),
        ("server", Shape::Text),
        ("eks", Shape::Table(&EKS)),
        ("proxy_url", Shape::Later),
        ("tls_server_name", Shape::Later),
        ("namespaces", Shape::Later),
        ("project", Shape::Later),
    ],
    required: &[],
    one_of: PROVIDERS,
};

const LOCAL: Table = Table::optional(&[("nodes", Shape::Count)]);

const K3S: Table = Table {
    keys: &[
        ("servers", Shape::Texts),
        ("agents", Shape::Texts),
        ("version", Shape::Text),
        ("channel", Shape::Text),
        ("channel_server", Shape::Text),
        ("mirror", Shape::Text),
        ("sha256", Shape::Texts),
        ("images", Shape::Flag),
        ("config", Shape::Map(&Shape::Any)),
    ],
    required: &["servers"],
    one_of: &[],
};

const EKS: Table = Table {
    keys: &[
        ("region", Shape::Text),
        ("account_id", Shape::Text),
        ("profile", Shape::Text),
        ("version", Shape::Text),
        ("tags", Shape::Map(&Shape::Text)),
        ("vpc", Shape::Table(&VPC)),
        ("subnet_ids", Shape::Texts),
        ("endpoint_access", Shape::Text),
        ("public_access_cidrs", Shape::Texts),
        ("logging", Shape::Texts),
        ("auto_mode", Shape::Flag),
        ("node_groups", Shape::Tables(&NODE_GROUP)),
        ("addons", Shape::Map(&Shape::Text)),
        ("admins", Shape::Texts),
        ("auth", Shape::Later),
        ("role_arn", Shape::Later),
    ],
    required: &["region"],
    one_of: &[],
};

const VPC: Table = Table::optional(&[("cidr", Shape::Text), ("azs", Shape::Texts), ("nat", Shape::Text)]);

const NODE_GROUP: Table = Table {
    keys: &[
        ("name", Shape::Text),
        ("instance_types", Shape::Texts),
        ("ami_type", Shape::Text),
        ("spot", Shape::Flag),
        ("min", Shape::Count),
        ("max", Shape::Count),
        ("desired", Shape::Count),
        ("disk", Shape::Count),
        ("labels", Shape::Map(&Shape::Text)),
    ],
    required: &["name"],
    one_of: &[],
};

const EXISTING: Table = Table { keys: &[("context", Shape::Text)], required: &["context"], one_of: &[] };

const REPOSITORY: Table = Table {
    keys: &[
        ("url", Shape::Text),
        ("basepath", Shape::Text),
        ("path", Shape::Text),
        ("revision", Shape::Text),
    ],
    required: &["url"],
    one_of: &[],
};

const ARGOCD: Table = Table::optional(&[
    ("version", Shape::Text),
    ("namespace", Shape::Text),
    ("server_insecure", Shape::Flag),
    ("ingress", Shape::Table(&INGRESS)),
    ("cm", Shape::Map(&Shape::Text)),
    ("params", Shape::Map(&Shape::Text)),
    ("target_name", Shape::Text),
    ("cluster_context", Shape::Text),
    ("cluster_name", Shape::Text),
    ("server", Shape::Text),
    ("login_args", Shape::Text),
    ("auto_port_forward", Shape::Flag),
    ("install", Shape::Later),
    ("manifest", Shape::Later),
    ("sha256", Shape::Later),
    ("ha", Shape::Later),
    ("registry", Shape::Later),
    ("patches", Shape::Later),
    ("rbac", Shape::Map(&Shape::Text)),
    ("notifications", Shape::Map(&Shape::Text)),
    ("projects", Shape::Map(&Shape::Table(&PROJECT))),
    ("repositories", Shape::Tables(&ARGOCD_REPOSITORY)),
    ("known_hosts", Shape::Map(&Shape::Table(&KNOWN_HOST))),
]);

/// The spec of an AppProject, in Kubernetes' own words
/// (<https://argo-cd.readthedocs.io/en/stable/operator-manual/project-specification/>). What is in them is the API
/// server's to check.
const PROJECT: Table = Table::optional(&[
    ("clusterResourceBlacklist", Shape::Any),
    ("clusterResourceWhitelist", Shape::Any),
    ("description", Shape::Text),
    ("destinationServiceAccounts", Shape::Any),
    ("destinations", Shape::Any),
    ("namespaceResourceBlacklist", Shape::Any),
    ("namespaceResourceWhitelist", Shape::Any),
    ("orphanedResources", Shape::Any),
    ("permitOnlyProjectScopedClusters", Shape::Flag),
    ("roles", Shape::Any),
    ("signatureKeys", Shape::Any),
    ("sourceNamespaces", Shape::Texts),
    ("sourceRepos", Shape::Texts),
    ("syncWindows", Shape::Any),
]);

const ARGOCD_REPOSITORY: Table = Table {
    keys: &[
        ("name", Shape::Text),
        ("url", Shape::Text),
        ("type", Shape::Text),
        ("template", Shape::Flag),
        ("project", Shape::Text),
        ("username", Shape::Text),
        ("password", Shape::Source),
        ("bearer_token", Shape::Source),
        ("ssh_private_key", Shape::Source),
        ("tls_client_cert", Shape::Source),
        ("tls_client_key", Shape::Source),
        ("github_app_id", Shape::Count),
        ("github_app_installation_id", Shape::Count),
        ("github_app_private_key", Shape::Source),
        ("github_app_enterprise_base_url", Shape::Text),
        ("oci", Shape::Flag),
        ("insecure", Shape::Flag),
        ("proxy", Shape::Text),
        ("no_proxy", Shape::Text),
    ],
    required: &["name", "url"],
    one_of: &[],
};

const KNOWN_HOST: Table = Table::optional(&[("ssh", Shape::Texts), ("certificate_authority", Shape::Text)]);

const INGRESS: Table = Table {
    keys: &[
        ("enabled", Shape::Flag),
        ("class_name", Shape::Text),
        ("host", Shape::Text),
        ("service_port", Shape::Count),
        ("tls", Shape::Flag),
    ],
    required: &["enabled"],
    one_of: &[],
};

const SECRET: Table = Table {
    keys: &[("namespace", Shape::Text), ("type", Shape::Text), ("data", Shape::Map(&Shape::Source))],
    required: &["data"],
    one_of: &[],
};

/// Where a secret value comes from: [`Shape::Source`].
pub(in crate::site) const SOURCE: Table = Table {
    keys: &[("env", Shape::Text), ("file", Shape::Text), ("command", Shape::Texts)],
    required: &[],
    one_of: &["env", "file", "command"],
};
