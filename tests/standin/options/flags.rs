//! The flags of k3s 1.34: <https://docs.k3s.io/cli/server>, <https://docs.k3s.io/cli/agent>

use super::Role;

/// A flag that is known.
pub(super) struct Flag {
    pub(super) name: &'static str,
    /// Whether it is true or false and needs no value.
    pub(super) is_switch: bool,
}

/// Finds a flag by its name or its letter.
pub(super) fn find(role: Role, name: &str) -> Option<Flag> {
    let name = LETTERS.iter().find(|(letter, _)| *letter == name).map_or(name, |(_, name)| name);
    let of = |flags: &[&'static str]| flags.iter().copied().find(|flag| *flag == name);
    let (switches, values) = match role {
        Role::Server => (SERVER_SWITCHES, SERVER_VALUES),
        Role::Agent => (&[][..], &["token", "token-file", "server", "data-dir"][..]),
    };
    if let Some(name) = of(switches).or_else(|| of(SWITCHES)) {
        return Some(Flag { name, is_switch: true });
    }
    of(values).or_else(|| of(VALUES)).map(|name| Flag { name, is_switch: false })
}

/// Variables that stand for flags which are not given.
pub(super) const ENVIRONMENT: [(&str, &str); 9] = [
    ("K3S_TOKEN", "token"),
    ("K3S_TOKEN_FILE", "token-file"),
    ("K3S_AGENT_TOKEN", "agent-token"),
    ("K3S_URL", "server"),
    ("K3S_NODE_NAME", "node-name"),
    ("K3S_DATA_DIR", "data-dir"),
    ("K3S_CLUSTER_INIT", "cluster-init"),
    ("K3S_KUBECONFIG_OUTPUT", "write-kubeconfig"),
    ("K3S_KUBECONFIG_MODE", "write-kubeconfig-mode"),
];

const LETTERS: [(&str, &str); 7] = [
    ("c", "config"),
    ("d", "data-dir"),
    ("i", "node-ip"),
    ("l", "log"),
    ("o", "write-kubeconfig"),
    ("s", "server"),
    ("t", "token"),
];

/// Of servers and agents.
const SWITCHES: &[&str] = &[
    "alsologtostderr",
    "debug",
    "default-runtime",
    "disable-apiserver-lb",
    "disable-default-registry-endpoint",
    "docker",
    "enable-pprof",
    "nonroot-devices",
    "prefer-bundled-bin",
    "protect-kernel-defaults",
    "rootless",
    "selinux",
    "with-node-id",
];

/// Of servers and agents.
const VALUES: &[&str] = &[
    "airgap-extra-registry",
    "bind-address",
    "config",
    "container-runtime-endpoint",
    "flannel-cni-conf",
    "flannel-conf",
    "flannel-iface",
    "image-credential-provider-bin-dir",
    "image-credential-provider-config",
    "image-service-endpoint",
    "kube-proxy-arg",
    "kubelet-arg",
    "lb-server-port",
    "log",
    "node-external-dns",
    "node-external-ip",
    "node-internal-dns",
    "node-ip",
    "node-label",
    "node-name",
    "node-taint",
    "pause-image",
    "private-registry",
    "resolv-conf",
    "snapshotter",
    "system-default-registry",
    "v",
    "vmodule",
    "vpn-auth",
    "vpn-auth-file",
];

const SERVER_SWITCHES: &[&str] = &[
    "cluster-init",
    "cluster-reset",
    "disable-agent",
    "disable-apiserver",
    "disable-cloud-controller",
    "disable-controller-manager",
    "disable-etcd",
    "disable-helm-controller",
    "disable-kube-proxy",
    "disable-network-policy",
    "disable-scheduler",
    "embedded-registry",
    "etcd-disable-snapshots",
    "etcd-expose-metrics",
    "etcd-s3",
    "etcd-s3-insecure",
    "etcd-s3-skip-ssl-verify",
    "etcd-snapshot-compress",
    "flannel-external-ip",
    "flannel-ipv6-masq",
    "kine-tls",
    "secrets-encryption",
    "supervisor-metrics",
    "tls-san-security",
];

const SERVER_VALUES: &[&str] = &[
    "advertise-address",
    "advertise-port",
    "agent-token",
    "agent-token-file",
    "cluster-cidr",
    "cluster-dns",
    "cluster-domain",
    "cluster-reset-restore-path",
    "data-dir",
    "datastore-cafile",
    "datastore-certfile",
    "datastore-endpoint",
    "datastore-keyfile",
    "default-local-storage-path",
    "disable",
    "egress-selector-mode",
    "etcd-arg",
    "etcd-s3-access-key",
    "etcd-s3-bucket",
    "etcd-s3-config-secret",
    "etcd-s3-endpoint",
    "etcd-s3-endpoint-ca",
    "etcd-s3-folder",
    "etcd-s3-proxy",
    "etcd-s3-region",
    "etcd-s3-retention",
    "etcd-s3-secret-key",
    "etcd-s3-session-token",
    "etcd-s3-timeout",
    "etcd-snapshot-dir",
    "etcd-snapshot-name",
    "etcd-snapshot-retention",
    "etcd-snapshot-schedule-cron",
    "flannel-backend",
    "helm-job-image",
    "https-listen-port",
    "kube-apiserver-arg",
    "kube-cloud-controller-manager-arg",
    "kube-controller-manager-arg",
    "kube-scheduler-arg",
    "secrets-encryption-provider",
    "server",
    "service-cidr",
    "service-node-port-range",
    "servicelb-namespace",
    "tls-san",
    "token",
    "token-file",
    "write-kubeconfig",
    "write-kubeconfig-group",
    "write-kubeconfig-mode",
];
