//! A stand-in for the `k3s` executable, for tests on hosts that cannot fetch the real one. It is never shipped.
//!
//! It has k3s's commands, configuration, files, certificates, tokens, supervisor API and log lines, and runs the real
//! etcd, API server, controller manager and scheduler from a folder of components. Pods of Argo CD run as processes
//! (the node agent of the provider `local`), every other pod is Running at once. What k3s leaves behind on a host, it
//! leaves behind as well. It differs from k3s knowingly:
//! - the datastore is always etcd, also where k3s would use `SQLite`: ports 2379 and 2380 are always taken;
//! - one server only: `server` in a server's configuration is refused;
//! - pods are placed on the server, because Services are not routed between hosts;
//! - containers are not adopted by a restarted k3s but started again (they do survive its end);
//! - no Traefik, `CoreDNS`, service load balancer, metrics or Helm: `disable` has nothing to take away.

mod agent;
mod balancer;
mod control_plane;
mod credentials;
mod data;
mod fatal;
mod front;
mod host;
mod join;
mod kubectl;
mod leftovers;
mod log;
mod node;
mod node_password;
mod notify;
mod options;
mod pki;
mod ports;
mod proxy;
mod server;
mod shim;
mod supervisor;
mod system;
mod token;
mod version;

use std::path::Path;
use std::process::ExitCode;

use bridgehead::node::process;

use fatal::Fatal;
use options::{Options, Role};

fn main() -> ExitCode {
    let arguments = std::env::args().collect::<Vec<_>>();
    let words = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    let name = words.first().map(Path::new).and_then(Path::file_name).unwrap_or_default();
    let done = match (name.to_str().unwrap_or_default(), words.get(1..).unwrap_or_default()) {
        (shim::NAME, arguments) => return shim::run(arguments),
        ("kubectl", arguments) | (_, ["kubectl", arguments @ ..]) => kubectl::run(arguments),
        ("crictl" | "ctr", _) | (_, ["crictl" | "ctr", ..]) => {
            Err(Fatal::new("there is no containerd in the stand-in for k3s"))
        }
        (_, ["server", arguments @ ..]) => start(Role::Server, arguments),
        (_, ["agent", arguments @ ..]) => start(Role::Agent, arguments),
        (_, ["--version" | "-v", ..]) => version::print(),
        (_, ["exec", parent, name, program, "--", ..]) => {
            let parent = parent.parse().unwrap_or_default();
            let error = process::exec(parent, name, Path::new(program), &arguments[6..]);
            Err(Fatal::of("exec", &error))
        }
        (_, [command, ..]) => Err(Fatal::new(format!("No help topic for '{command}'"))),
        (_, []) => Err(Fatal::new("usage: k3s server|agent|kubectl|crictl|ctr|--version")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => {
            log::fatal(&fatal);
            ExitCode::FAILURE
        }
    }
}

/// Runs a server or an agent until it is asked to stop.
fn start(role: Role, arguments: &[&str]) -> Result<(), Fatal> {
    let options = Options::read(role, arguments)?;
    log::info(format!("Starting k3s {}", version::long()));
    if !rustix::process::geteuid().is_root() {
        return Err(Fatal::new(format!(
            "{role} must run as root, or with --rootless and/or --disable-agent"
        )));
    }
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| Fatal::new("two TLS providers"))?;
    log::trace();
    // One thread: the components of the control plane end with the thread that started them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fatal::of("cannot start the runtime", &error))?;
    runtime.block_on(async {
        match role {
            Role::Server => server::run(&options).await,
            Role::Agent => agent::run(&options).await,
        }
    })
}
