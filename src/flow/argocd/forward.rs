//! A port of this machine that leads to Argo CD's API server, through the hub's API server.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures::TryFutureExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::engine::wait::{Pace, pause};
use crate::engine::{Facts, Failure};
use crate::env::Env;
use crate::gitops::argocd::{Server, ServerPod};
use crate::k8s::{ApiError, Kind};
use crate::site::Site;

/// How long a connection waits for a pod that takes it, for example while one is replaced by another.
const PATIENCE: Duration = Duration::from_secs(5);

/// The port cannot lead there, or a connection through it failed.
#[derive(Debug, thiserror::Error)]
enum ForwardError {
    /// Something else has the port.
    #[error("cannot listen on port {port} of 127.0.0.1")]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing to lead to.
    #[error("Argo CD is not installed in the namespace `{0}`: there is no Service `argocd-server`")]
    NotInstalled(String),
    /// Nobody takes connections at the moment.
    #[error("no pod of the Service `argocd-server` is ready")]
    NoPod,
    /// A pod did not take the connection.
    #[error("{subject} cannot be reached: {reason}")]
    Pod {
        /// The pod.
        subject: String,
        /// What its node says.
        reason: String,
    },
    /// The pods cannot be listed, or the API server does not lead to one.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// See [`open`].
pub struct Forward {
    listener: TcpListener,
    port: u16,
    way: Arc<Way>,
}

struct Way {
    client: Client,
    namespace: String,
    server: Server,
}

/// Listens on a port of 127.0.0.1; 0: one that is free.
///
/// # Errors
/// When the port is taken, the hub does not answer, or no pod is ready.
pub async fn open(site: &Site, env: &Env, facts: &Facts, port: u16) -> Result<Forward, Failure> {
    let access = crate::flow::access(site, facts, &site.hub.name)?;
    let client = env.clients.for_streams(access).await?;
    let namespace = site.argocd.namespace.clone();
    let Some(server) = Server::look(&client, &namespace).await? else {
        let hint = format!("install it: bridgehead argocd install {}", site.name);
        return Err(Failure::from(ForwardError::NotInstalled(namespace)).with_hint(hint));
    };
    let way = Arc::new(Way { client, namespace, server });
    if way.pods().await?.is_empty() {
        let hint = format!("see why: bridgehead argocd status {}", site.name);
        return Err(Failure::from(ForwardError::NoPod).with_hint(hint));
    }
    let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listen = listen.and_then(async |listener| Ok((listener.local_addr()?.port(), listener)));
    match listen.await {
        Ok((port, listener)) => Ok(Forward { listener, port, way }),
        Err(source) => Err(Failure::from(ForwardError::Listen { port, source })
            .with_hint("take another one with --port, such as --port 8081")),
    }
}

impl Forward {
    /// `host:port` of this machine.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Whether Argo CD speaks plain HTTP there.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.way.server.insecure
    }

    /// Carries connections until dropped. One that fails is told, and ends no other.
    pub async fn carry(&self, tell: impl Fn(&Failure)) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(Arc::clone(&self.way).connection(stream));
                    }
                    // No descriptor is left, for example.
                    Err(_) => pause(Duration::from_millis(100)).await,
                },
                Some(ended) = connections.join_next() => {
                    if let Ok(Err(error)) = ended {
                        tell(&error.into());
                    }
                }
            }
        }
    }
}

impl Way {
    async fn pods(&self) -> Result<Vec<ServerPod>, ApiError> {
        self.server.pods(&self.client, &self.namespace).await
    }

    /// Carries one connection to the first pod that takes it; a new one may be on its way.
    async fn connection(self: Arc<Self>, mut stream: TcpStream) -> Result<(), ForwardError> {
        let mut pace = Pace::new(PATIENCE);
        let mut pod = loop {
            match self.connect().await {
                Ok(pod) => break pod,
                Err(error) if !pace.pause().await => return Err(error),
                Err(_) => {}
            }
        };
        let _ = stream.set_nodelay(true);
        tokio::select! {
            // Whoever closes a connection, and how, is not ours to judge.
            _ = tokio::io::copy_bidirectional(&mut stream, &mut pod.stream) => Ok(()),
            Some(reason) = pod.error => Err(ForwardError::Pod { subject: pod.subject, reason }),
        }
    }

    async fn connect(&self) -> Result<Connected<impl Future<Output = Option<String>> + use<>>, ForwardError> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let mut failed = ForwardError::NoPod;
        for ServerPod { name, port } in self.pods().await? {
            let subject = Kind::POD.subject(Some(&self.namespace), &name);
            match pods.portforward(&name, &[port]).await {
                Ok(mut forwarded) => {
                    if let (Some(stream), Some(error)) =
                        (forwarded.take_stream(port), forwarded.take_error(port))
                    {
                        return Ok(Connected { subject, stream, error });
                    }
                }
                Err(error) => failed = ApiError::of("forward a port of", subject, error).into(),
            }
        }
        Err(failed)
    }
}

/// A connection to a port of a pod, and what its node may say of it later.
struct Connected<E> {
    subject: String,
    stream: DuplexStream,
    error: E,
}
