//! What the programs of the control plane are started with: what k3s passes to its own, as far as it matters here.

use serde_json::json;

use super::ControlPlane;
use crate::host::Host;
use crate::ports;

impl ControlPlane<'_> {
    pub(super) fn etcd(&self, host: &str) -> Vec<String> {
        let client = format!("https://127.0.0.1:{}", ports::ETCD);
        let peer = format!("https://127.0.0.1:{}", ports::ETCD_PEER);
        vec![
            format!("--name={host}"),
            format!("--data-dir={}", self.data.server("db/etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster={host}={peer}"),
            format!("--cert-file={}", self.file("etcd/server-client.crt")),
            format!("--key-file={}", self.file("etcd/server-client.key")),
            format!("--trusted-ca-file={}", self.file("etcd/server-ca.crt")),
            "--client-cert-auth".to_owned(),
            format!("--peer-cert-file={}", self.file("etcd/peer-server-client.crt")),
            format!("--peer-key-file={}", self.file("etcd/peer-server-client.key")),
            format!("--peer-trusted-ca-file={}", self.file("etcd/peer-ca.crt")),
            "--peer-client-cert-auth".to_owned(),
            // A cluster of one, for the length of a test: neither disks nor other members are waited for.
            "--unsafe-no-fsync".to_owned(),
            "--heartbeat-interval=10".to_owned(),
            "--election-timeout=100".to_owned(),
            "--log-level=warn".to_owned(),
        ]
    }

    pub(super) fn api_server(&self, host: &Host) -> Vec<String> {
        let issuer = "https://kubernetes.default.svc.cluster.local";
        vec![
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", ports::API_SERVER),
            format!("--advertise-address={}", host.address),
            "--allow-privileged=true".to_owned(),
            "--anonymous-auth=false".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            format!("--tls-cert-file={}", self.file("serving-kube-apiserver.crt")),
            format!("--tls-private-key-file={}", self.file("serving-kube-apiserver.key")),
            format!("--client-ca-file={}", self.file("client-ca.crt")),
            format!("--requestheader-client-ca-file={}", self.file("request-header-ca.crt")),
            "--requestheader-allowed-names=system:auth-proxy".to_owned(),
            "--requestheader-username-headers=X-Remote-User".to_owned(),
            "--requestheader-group-headers=X-Remote-Group".to_owned(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
            format!("--proxy-client-cert-file={}", self.file("client-auth-proxy.crt")),
            format!("--proxy-client-key-file={}", self.file("client-auth-proxy.key")),
            format!("--etcd-servers=https://127.0.0.1:{}", ports::ETCD),
            format!("--etcd-cafile={}", self.file("etcd/server-ca.crt")),
            format!("--etcd-certfile={}", self.file("etcd/client.crt")),
            format!("--etcd-keyfile={}", self.file("etcd/client.key")),
            format!("--kubelet-certificate-authority={}", self.file("server-ca.crt")),
            format!("--kubelet-client-certificate={}", self.file("client-kube-apiserver.crt")),
            format!("--kubelet-client-key={}", self.file("client-kube-apiserver.key")),
            "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname".to_owned(),
            format!("--service-account-issuer={issuer}"),
            format!("--api-audiences={issuer},k3s"),
            format!("--service-account-key-file={}", self.file("service.key")),
            format!("--service-account-signing-key-file={}", self.file("service.key")),
            "--service-cluster-ip-range=10.43.0.0/16".to_owned(),
            "--service-node-port-range=30000-32767".to_owned(),
            "--profiling=false".to_owned(),
        ]
    }

    pub(super) fn controller_manager(&self) -> Vec<String> {
        let kubeconfig = self.data.server("cred/controller.kubeconfig");
        let kubeconfig = kubeconfig.display();
        vec![
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--secure-port=10257".to_owned(),
            "--leader-elect=false".to_owned(),
            "--controllers=*,tokencleaner,-service-lb-controller,-node-route-controller".to_owned(),
            "--allocate-node-cidrs=true".to_owned(),
            "--cluster-cidr=10.42.0.0/16".to_owned(),
            "--use-service-account-credentials=true".to_owned(),
            format!("--service-account-private-key-file={}", self.file("service.key")),
            format!("--root-ca-file={}", self.file("server-ca.crt")),
            format!("--cluster-signing-cert-file={}", self.file("client-ca.crt")),
            format!("--cluster-signing-key-file={}", self.file("client-ca.key")),
            // It starts by asking for some forty tokens.
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
            "--profiling=false".to_owned(),
        ]
    }

    /// Pods go to the server: there is no network between hosts on which a program could reach its Services.
    pub(super) fn scheduler(&self) -> serde_json::Value {
        let server = json!({ "key": "node-role.kubernetes.io/control-plane", "operator": "Exists" });
        let terms = json!({ "nodeSelectorTerms": [{ "matchExpressions": [server] }] });
        json!({
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "clientConnection": { "kubeconfig": self.data.server("cred/scheduler.kubeconfig") },
            "leaderElection": { "leaderElect": false },
            "profiles": [{ "pluginConfig": [{
                "name": "NodeAffinity",
                "args": { "addedAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": terms } },
            }] }],
        })
    }
}
