//! The control plane: real programs, which end with k3s as k3s's own parts would. If one ends, so does k3s.

mod arguments;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bridgehead::files;
use bridgehead::node::process::{Child, Program};
use bridgehead::provider::local::state::last_lines;
use futures::FutureExt;
use futures::future::select_all;
use serde_json::json;

use crate::data::{Data, components};
use crate::fatal::Fatal;
use crate::host::Host;
use crate::pki::Pki;
use crate::ports;
use crate::system::{make_folder, write};

/// How long the programs may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Programs that run.
pub(crate) struct ControlPlane<'a> {
    data: &'a Data,
    pki: &'a Pki,
    running: Vec<(&'static str, Child)>,
}

impl<'a> ControlPlane<'a> {
    /// Starts etcd and the API server, which waits for etcd.
    pub(crate) fn start(data: &'a Data, pki: &'a Pki, host: &Host) -> Result<Self, Fatal> {
        make_folder(&data.server("db/etcd"), 0o700)?;
        make_folder(&data.server("cred"), 0o700)?;
        make_folder(&data.server("logs"), 0o700)?;
        let mut plane = Self { data, pki, running: Vec::new() };
        plane.spawn("etcd", plane.etcd(&host.name))?;
        plane.spawn("kube-apiserver", plane.api_server(host))?;
        Ok(plane)
    }

    /// Starts what needs an API server.
    pub(crate) fn start_controllers(&mut self) -> Result<(), Fatal> {
        self.write_kubeconfig("controller")?;
        self.write_kubeconfig("scheduler")?;
        let path = self.data.server("cred/scheduler-config.json");
        write(&path, &self.scheduler().to_string(), 0o600)?;
        self.spawn("kube-controller-manager", self.controller_manager())?;
        let config = format!("--config={}", path.display());
        self.spawn(
            "kube-scheduler",
            vec![config, "--secure-port=10259".into(), "--bind-address=127.0.0.1".into()],
        )
    }

    /// Waits for the end of a program, which should not come.
    pub(crate) async fn ended(&mut self) -> Fatal {
        let ends = self.running.iter_mut().map(|(name, child)| {
            async move {
                let status = child.wait().await;
                (*name, status.map_or_else(|error| error.to_string(), |status| status.to_string()))
            }
            .boxed_local()
        });
        let ((name, status), ..) = select_all(ends).await;
        let lines = last_lines(&self.log(name)).join(" | ");
        Fatal::new(format!("{name} exited: {status}: {lines}"))
    }

    /// Ends the programs, each before what it needs.
    pub(crate) async fn stop(&mut self) {
        while let Some((_, mut child)) = self.running.pop() {
            let _ = child.stop(GRACE).await;
        }
    }

    fn spawn(&mut self, name: &'static str, arguments: Vec<String>) -> Result<(), Fatal> {
        let log = self.log(name);
        files::remove(&log).map_err(|error| Fatal::of(name, &error))?;
        let program = Program {
            path: components().join(name),
            name: None,
            arguments,
            // Rather more memory than time spent on collecting garbage, which would be a quarter of a start.
            environment: [("GOGC", "400"), ("GOMEMLIMIT", "640MiB")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            folder: self.data.server("logs"),
            log,
        };
        let child = program.spawn(Path::new("/proc/self/exe")).map_err(|error| Fatal::of(name, &error))?;
        self.running.push((name, child));
        Ok(())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.data.server("logs").join(format!("{name}.log"))
    }

    fn write_kubeconfig(&self, name: &str) -> Result<(), Fatal> {
        let identity = |ending: &str| self.file(&format!("client-{name}.{ending}"));
        let server = format!("https://127.0.0.1:{}", ports::API_SERVER);
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "local",
                "cluster": { "server": server, "certificate-authority": self.file("server-ca.crt") },
            }],
            "users": [{
                "name": "user",
                "user": { "client-certificate": identity("crt"), "client-key": identity("key") },
            }],
            "contexts": [{ "name": "Default", "context": { "cluster": "local", "user": "user" } }],
            "current-context": "Default",
        });
        write(&self.data.server(&format!("cred/{name}.kubeconfig")), &content.to_string(), 0o600)
    }

    fn file(&self, name: &str) -> String {
        self.pki.path(name).display().to_string()
    }
}
