//! The nodes of an EKS cluster in tests: bridgehead's node agent for an API server that somebody else runs.
//!
//! `eks-node CONFIGURATION` plays the nodes that a JSON file names, until it is asked to stop. It is never shipped.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bridgehead::engine::{Access, Credentials};
use bridgehead::files;
use bridgehead::node::{Agent, Config, NodeConfig, process};
use bridgehead::site::secret::Secret;
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn std::error::Error>;

/// What the file says.
#[derive(Deserialize)]
struct Configuration {
    nodes: Vec<Node>,
    /// The API server's URL.
    server: String,
    /// The file of the cluster's authority.
    authority: PathBuf,
    /// The agent's own folder.
    folder: PathBuf,
    components: PathBuf,
    /// First and last.
    service_ports: (u16, u16),
    /// First and last.
    pod_ports: (u16, u16),
}

/// A node, with the files of its two identities, each a certificate and its key.
#[derive(Deserialize)]
struct Node {
    name: String,
    port: u16,
    client: PathBuf,
    serving: PathBuf,
}

fn main() -> ExitCode {
    let arguments = std::env::args().collect::<Vec<_>>();
    let words = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    let done = match words.get(1..).unwrap_or_default() {
        // The agent starts programs through its own executable.
        ["exec", parent, name, program, "--", ..] => {
            let parent = parent.parse().unwrap_or_default();
            Err(process::exec(parent, name, Path::new(program), &arguments[6..]).into())
        }
        [configuration] => run(Path::new(configuration)),
        _ => Err("usage: eks-node CONFIGURATION".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing_subscriber::fmt().with_writer(std::io::stderr).init();
            tracing::error!(error = &*error, "the nodes cannot be played");
            ExitCode::FAILURE
        }
    }
}

/// Plays nodes on one thread: programs of pods die with the thread that started them.
fn run(configuration: &Path) -> Result<(), Failure> {
    let configuration = serde_json::from_str::<Configuration>(&files::read(configuration)?)?;
    let authority = files::read(&configuration.authority)?;
    let nodes = configuration.nodes.iter().map(|node| node_config(node, &configuration.server, &authority));
    let nodes = nodes.collect::<Result<_, Failure>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let agent = Agent::start(Config {
            nodes,
            server: configuration.server,
            authority,
            folder: configuration.folder,
            components: configuration.components,
            executable: std::env::current_exe()?,
            service_ports: configuration.service_ports.0..=configuration.service_ports.1,
            pod_ports: configuration.pod_ports.0..=configuration.pod_ports.1,
        })?;
        terminate.recv().await;
        agent.stop().await;
        Ok(())
    })
}

fn node_config(node: &Node, server: &str, authority: &str) -> Result<NodeConfig, Failure> {
    let (certificate, key) = pair(&node.client)?;
    let access = Access::new(server, authority.to_owned(), Credentials::Certificate { certificate, key });
    let (certificate, key) = pair(&node.serving)?;
    Ok(NodeConfig {
        name: node.name.clone(),
        access,
        address: Ipv4Addr::LOCALHOST,
        port: node.port,
        client_authority: authority.to_owned(),
        certificate,
        key,
    })
}

/// The certificate of a file, and the key after it.
fn pair(file: &Path) -> Result<(String, Secret<String>), Failure> {
    let text = files::read(file)?;
    let start = text.find("-----BEGIN PRIVATE KEY-----").ok_or("there is no key in a node's file")?;
    let (certificate, key) = text.split_at(start);
    Ok((certificate.to_owned(), Secret::new(key.to_owned())))
}
