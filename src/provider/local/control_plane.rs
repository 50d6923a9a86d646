//! The programs of a control plane and what each is started with.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::layout::Layout;
use super::pki::Pki;
use super::ports::Ports;
use crate::files::{self, FileError};
use crate::node::process::Program;

/// The range that Services get addresses from. Nobody routes them: the node agent translates.
const SERVICE_RANGE: &str = "10.96.0.0/16";

/// How the API server, which is written in Go, collects its garbage
/// (<https://pkg.go.dev/runtime#hdr-Environment_Variables>). With the defaults a quarter of the processor time of its
/// start, in which it does nearly all its work here, goes into collecting. It may use more memory instead, some
/// 150 MB, up to a limit from which on it collects as often as it must.
const GARBAGE_COLLECTION: [(&str, &str); 2] = [("GOGC", "400"), ("GOMEMLIMIT", "640MiB")];

/// What the programs of one cluster's control plane have in common.
#[derive(Debug)]
pub struct ControlPlane<'a> {
    /// Where the cluster's files are.
    pub layout: &'a Layout,
    /// Its certificates.
    pub pki: &'a Pki,
    /// Its ports.
    pub ports: Ports,
    /// The folder with the executables.
    pub components: &'a Path,
}

impl ControlPlane<'_> {
    /// Where all of the cluster's state is.
    ///
    /// No `fsync`: what a process has written outlives the process, and the kernel writes it to the disk within
    /// seconds and before an orderly shutdown. Only a power failure can lose it, and then the cluster is made
    /// anew from the profile and Git, as `local` clusters are meant to be; a laptop's disk is not worn for that.
    /// A cluster of one needs no patience with other members either: with the default timeout it would elect
    /// itself only after a second.
    #[must_use]
    pub fn etcd(&self) -> Program {
        let client = format!("https://127.0.0.1:{}", self.ports.etcd());
        let peer = format!("https://127.0.0.1:{}", self.ports.etcd_peer());
        let (identity, trusted) = (self.file("etcd.pem"), self.file("etcd.crt"));
        self.program(
            "etcd",
            vec![
                "--name=local".to_owned(),
                format!("--data-dir={}", self.layout.etcd().display()),
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster=local={peer}"),
                format!("--cert-file={identity}"),
                format!("--key-file={identity}"),
                format!("--trusted-ca-file={trusted}"),
                "--client-cert-auth".to_owned(),
                format!("--peer-cert-file={identity}"),
                format!("--peer-key-file={identity}"),
                format!("--peer-trusted-ca-file={trusted}"),
                "--peer-client-cert-auth".to_owned(),
                "--unsafe-no-fsync".to_owned(),
                "--heartbeat-interval=10".to_owned(),
                "--election-timeout=100".to_owned(),
                "--log-level=warn".to_owned(),
            ],
        )
    }

    /// The API server. Every identity is a certificate or a ServiceAccount's token, and RBAC decides for all.
    #[must_use]
    pub fn api_server(&self) -> Program {
        let port = self.ports.api_server();
        let identity = self.file("api-server.pem");
        let etcd = self.file("etcd.pem");
        let kubelet = self.file("api-server-kubelet-client.pem");
        let authority = self.file("ca.crt");
        let mut program = self.program(
            "kube-apiserver",
            vec![
                "--bind-address=127.0.0.1".to_owned(),
                "--advertise-address=127.0.0.1".to_owned(),
                format!("--secure-port={port}"),
                format!("--tls-cert-file={identity}"),
                format!("--tls-private-key-file={identity}"),
                format!("--client-ca-file={authority}"),
                "--anonymous-auth=false".to_owned(),
                "--authorization-mode=Node,RBAC".to_owned(),
                "--enable-admission-plugins=NodeRestriction".to_owned(),
                // As kubeadm has it: whether a workload may be privileged is for admission to say.
                "--allow-privileged=true".to_owned(),
                format!("--etcd-servers=https://127.0.0.1:{}", self.ports.etcd()),
                format!("--etcd-cafile={}", self.file("etcd.crt")),
                format!("--etcd-certfile={etcd}"),
                format!("--etcd-keyfile={etcd}"),
                format!("--kubelet-certificate-authority={authority}"),
                format!("--kubelet-client-certificate={kubelet}"),
                format!("--kubelet-client-key={kubelet}"),
                "--kubelet-preferred-address-types=InternalIP".to_owned(),
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
                format!("--service-account-key-file={}", self.file("service-accounts.pub")),
                format!("--service-account-signing-key-file={}", self.file("service-accounts.key")),
                format!("--service-cluster-ip-range={SERVICE_RANGE}"),
                // EndpointSlices refuse loopback addresses, and nobody looks the API server up this way.
                "--endpoint-reconciler-type=none".to_owned(),
                "--profiling=false".to_owned(),
            ],
        );
        program.environment =
            GARBAGE_COLLECTION.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        program
    }

    /// The controllers. With a ServiceAccount for each, they start by asking for some forty tokens: the default
    /// rate of 20 requests a second alone would cost four seconds.
    #[must_use]
    pub fn controller_manager(&self) -> Program {
        let authority = self.file("ca.pem");
        let name = "kube-controller-manager";
        self.program(
            name,
            vec![
                format!("--kubeconfig={}", self.layout.kubeconfig(name).display()),
                "--leader-elect=false".to_owned(),
                "--secure-port=0".to_owned(),
                "--use-service-account-credentials=true".to_owned(),
                format!("--service-account-private-key-file={}", self.file("service-accounts.key")),
                format!("--root-ca-file={}", self.file("ca.crt")),
                format!("--cluster-signing-cert-file={authority}"),
                format!("--cluster-signing-key-file={authority}"),
                "--kube-api-qps=500".to_owned(),
                "--kube-api-burst=1000".to_owned(),
                "--profiling=false".to_owned(),
            ],
        )
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(&self) -> Program {
        let name = "kube-scheduler";
        self.program(
            name,
            vec![
                format!("--kubeconfig={}", self.layout.kubeconfig(name).display()),
                "--leader-elect=false".to_owned(),
                "--secure-port=0".to_owned(),
                "--profiling=false".to_owned(),
            ],
        )
    }

    /// Every program.
    #[must_use]
    pub fn programs(&self) -> [Program; 4] {
        [self.etcd(), self.api_server(), self.controller_manager(), self.scheduler()]
    }

    /// Writes how the components reach the API server. They name files, so there is nothing secret in them.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_kubeconfigs(&self) -> Result<(), FileError> {
        for (component, identity) in
            [("kube-controller-manager", "controller-manager.pem"), ("kube-scheduler", "scheduler.pem")]
        {
            let (authority, identity) = (self.file("ca.crt"), self.file(identity));
            let server = format!("https://127.0.0.1:{}", self.ports.api_server());
            let content = json!({
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{ "name": "local", "cluster": { "server": server, "certificate-authority": authority } }],
                "users": [{ "name": "local", "user": { "client-certificate": identity, "client-key": identity } }],
                "contexts": [{ "name": "local", "context": { "cluster": "local", "user": "local" } }],
                "current-context": "local",
            });
            files::replace(&self.layout.kubeconfig(component), content.to_string().as_bytes(), 0o600)?;
        }
        Ok(())
    }

    fn program(&self, name: &str, arguments: Vec<String>) -> Program {
        Program {
            path: self.components.join(name),
            name: None,
            arguments,
            environment: BTreeMap::new(),
            folder: self.layout.folder().to_owned(),
            log: self.layout.log(name),
        }
    }

    fn file(&self, name: &str) -> String {
        self.pki.path(name).display().to_string()
    }
}
