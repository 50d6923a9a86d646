//! Kubernetes Services without a cluster network: a stable loopback port for each port of a Service, and behind
//! it a connection to whichever Ready pod the Service selects at that moment (the role of kube-proxy).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use crate::files::{self, FileError};

/// How long a connection waits for a Ready pod, for example while one is restarted. A refusal would make clients
/// back off for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One port of one Service, as text `namespace/name:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    namespace: String,
    name: String,
    port: u16,
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}:{}", self.namespace, self.name, self.port)
    }
}

impl FromStr for Key {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (namespace, rest) = text.split_once('/').ok_or(())?;
        let (name, port) = rest.split_once(':').ok_or(())?;
        Ok(Self { namespace: namespace.into(), name: name.into(), port: port.parse().map_err(|_| ())? })
    }
}

/// What a pod offers to Services.
#[derive(Debug, Clone, Default)]
pub(super) struct Backend {
    pub(super) namespace: String,
    pub(super) labels: BTreeMap<String, String>,
    /// Named ports of its containers.
    pub(super) names: BTreeMap<String, u16>,
    /// Container port to port of this machine.
    pub(super) ports: BTreeMap<u16, u16>,
    pub(super) ready: bool,
}

/// All Services of one cluster, shared by its nodes.
#[derive(Debug)]
pub(super) struct Services {
    range: RangeInclusive<u16>,
    file: PathBuf,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    stopped: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    services: BTreeMap<(String, String), Service>,
    backends: BTreeMap<String, Backend>,
    /// Ports given, also by agents before this one.
    ports: BTreeMap<Key, u16>,
    listening: BTreeSet<Key>,
    turn: usize,
}

impl Services {
    /// Remembers the ports that were given before, in `file`.
    pub(super) fn new(
        range: RangeInclusive<u16>,
        file: PathBuf,
        stopped: CancellationToken,
    ) -> Result<Arc<Self>, FileError> {
        let known = files::read_if_present(&file)?.unwrap_or_default();
        let known = serde_json::from_str::<BTreeMap<String, u16>>(&known).unwrap_or_default();
        let ports = known.into_iter().filter(|(_, port)| range.contains(port));
        let ports = ports.filter_map(|(key, port)| Some((key.parse().ok()?, port))).collect();
        let state = Mutex::new(State { ports, ..State::default() });
        Ok(Arc::new(Self { range, file, state, changed: watch::Sender::new(()), stopped }))
    }

    /// The ports of Services that exist.
    pub(super) fn ports(&self) -> BTreeMap<String, u16> {
        let state = self.state();
        let ports = state.ports.iter().filter(|(key, _)| state.listening.contains(*key));
        let ports = ports.filter(|(key, _)| state.service(key).is_some());
        ports.map(|(key, port)| (key.to_string(), *port)).collect()
    }

    /// Takes note of a Service, or of its end.
    pub(super) fn set_service(self: &Arc<Self>, key: (String, String), service: Option<Service>) {
        match service {
            Some(service) => self.state().services.insert(key, service),
            None => self.state().services.remove(&key),
        };
        self.listen_where_needed();
    }

    /// Takes note of all Services at once.
    pub(super) fn set_services(self: &Arc<Self>, services: BTreeMap<(String, String), Service>) {
        self.state().services = services;
        self.listen_where_needed();
    }

    /// Takes note of a pod with real programs, or of its end.
    pub(super) fn set_backend(self: &Arc<Self>, uid: &str, backend: Option<Backend>) {
        match backend {
            Some(backend) => self.state().backends.insert(uid.into(), backend),
            None => self.state().backends.remove(uid),
        };
        self.listen_where_needed();
    }

    /// Changes what a pod offers, if it is known.
    pub(super) fn update_backend(self: &Arc<Self>, uid: &str, change: impl FnOnce(&mut Backend)) {
        if let Some(backend) = self.state().backends.get_mut(uid) {
            change(backend);
        }
        self.listen_where_needed();
    }

    /// Where a port of a pod's containers is on this machine; nothing if no program listens there.
    pub(super) fn pod_port(&self, uid: &str, port: u16) -> Option<u16> {
        self.state().backends.get(uid)?.ports.get(&port).copied()
    }

    /// Where an address that names a Service is reached on this machine; nothing if it names none.
    /// `namespace` is that of the pod. With `expected`, a name that only a cluster can resolve needs no Service yet.
    pub(super) fn translate(
        self: &Arc<Self>,
        value: &str,
        namespace: &str,
        expected: bool,
    ) -> Option<String> {
        let address = Address::parse(value)?;
        let key = Key {
            namespace: address.namespace.unwrap_or(namespace).into(),
            name: address.name.into(),
            port: address.port,
        };
        let known = self.state().services.contains_key(&(key.namespace.clone(), key.name.clone()));
        let port = (known || expected && address.only_in_cluster).then(|| self.listen(&key))??;
        Some(format!("{}127.0.0.1:{port}", address.scheme))
    }

    /// Listens for every Service that selects pods with real programs.
    fn listen_where_needed(self: &Arc<Self>) {
        let needed = self.state().needed();
        for key in needed {
            self.listen(&key);
        }
        self.changed.send_replace(());
    }

    fn listen(self: &Arc<Self>, key: &Key) -> Option<u16> {
        let mut state = self.state();
        let known = state.ports.get(key).copied();
        if state.listening.contains(key) {
            return known;
        }
        let used = state.ports.values().copied().collect::<BTreeSet<_>>();
        let free = self.range.clone().filter(|port| !used.contains(port));
        let Some((listener, port)) = known.into_iter().chain(free).find_map(bind) else {
            tracing::error!(service = %key, "no port is left for the service");
            return None;
        };
        if known != Some(port) {
            state.ports.insert(key.clone(), port);
            let ports = state.ports.iter().map(|(key, port)| (key.to_string(), port));
            let ports = serde_json::json!(ports.collect::<BTreeMap<_, _>>()).to_string();
            if let Err(error) = files::refresh(&self.file, ports.as_bytes(), 0o600) {
                tracing::error!(error = &error as &dyn std::error::Error, "service ports are not remembered");
            }
        }
        state.listening.insert(key.clone());
        tokio::spawn(Arc::clone(self).accept(key.clone(), listener));
        tracing::debug!(service = %key, port, "service");
        Some(port)
    }

    async fn accept(self: Arc<Self>, key: Key, listener: tokio::net::TcpListener) {
        loop {
            tokio::select! {
                () = self.stopped.cancelled() => return,
                accepted = listener.accept() => match accepted {
                    Ok((client, _)) => drop(tokio::spawn(Arc::clone(&self).forward(key.clone(), client))),
                    // No descriptor is left, for example.
                    Err(_) => crate::engine::wait::pause(Duration::from_millis(100)).await,
                },
            }
        }
    }

    async fn forward(self: Arc<Self>, key: Key, mut client: TcpStream) {
        let forward = async {
            let target = tokio::time::timeout(PATIENCE, self.target(&key)).await.ok()?;
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await.ok()?;
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            tokio::io::copy_bidirectional(&mut client, &mut server).await.ok()
        };
        tokio::select! {
            () = self.stopped.cancelled() => {}
            _ = forward => {}
        }
    }

    async fn target(&self, key: &Key) -> u16 {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(port) = self.state().target(key) {
                return port;
            }
            // The sender lives as long as this object.
            let _ = changed.changed().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn service(&self, key: &Key) -> Option<(&Service, &ServicePort)> {
        let service = self.services.get(&(key.namespace.clone(), key.name.clone()))?;
        let ports = service.spec.as_ref()?.ports.as_ref()?;
        Some((service, ports.iter().find(|port| port.port == i32::from(key.port))?))
    }

    fn selected<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Backend> {
        let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        let selector = selector.filter(|selector| !selector.is_empty());
        let namespace = service.metadata.namespace.as_deref();
        self.backends.values().filter(move |backend| {
            Some(backend.namespace.as_str()) == namespace
                && selector.is_some_and(|selector| {
                    selector.iter().all(|(key, value)| backend.labels.get(key) == Some(value))
                })
        })
    }

    fn needed(&self) -> Vec<Key> {
        let services = self.services.iter().filter(|(_, service)| self.selected(service).next().is_some());
        let keys = services.flat_map(|((namespace, name), service)| {
            let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
            ports.filter_map(|port| {
                let port = u16::try_from(port.port).ok()?;
                Some(Key { namespace: namespace.clone(), name: name.clone(), port })
            })
        });
        keys.filter(|key| !self.listening.contains(key)).collect()
    }

    /// A Ready pod's port on this machine, in turn where there are several.
    fn target(&mut self, key: &Key) -> Option<u16> {
        let (service, port) = self.service(key)?;
        let ready = self.selected(service).filter(|backend| backend.ready);
        let ports = ready.filter_map(|backend| target_port(port, backend)).collect::<Vec<_>>();
        self.turn = self.turn.wrapping_add(1);
        ports.get(self.turn % ports.len().max(1)).copied()
    }
}

fn target_port(port: &ServicePort, backend: &Backend) -> Option<u16> {
    let target = match &port.target_port {
        Some(IntOrString::String(name)) => *backend.names.get(name)?,
        Some(IntOrString::Int(number)) => u16::try_from(*number).ok()?,
        None => u16::try_from(port.port).ok()?,
    };
    backend.ports.get(&target).copied()
}

fn bind(port: u16) -> Option<(tokio::net::TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
    listener.set_nonblocking(true).ok()?;
    Some((tokio::net::TcpListener::from_std(listener).ok()?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> Arc<Services> {
        let file = PathBuf::from("/nonexistent/ports.json");
        Services::new(1..=2, file, CancellationToken::new()).unwrap()
    }

    #[test]
    fn a_service_leads_to_ready_pods_in_turn() {
        let service = serde_json::json!({
            "metadata": { "name": "web", "namespace": "shop" },
            "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": "http" }] },
        });
        let service = serde_json::from_value::<Service>(service).unwrap();
        let backend = |port, ready| Backend {
            namespace: "shop".into(),
            labels: [("app".into(), "web".into())].into(),
            names: [("http".into(), 8080)].into(),
            ports: [(8080, port)].into(),
            ready,
        };
        let services = services();
        let mut state = services.state();
        state.services.insert(("shop".into(), "web".into()), service);
        state.backends.insert("1".into(), backend(4001, false));
        state.backends.insert("2".into(), backend(4002, true));
        let key = "shop/web:80".parse::<Key>().unwrap();
        assert_eq!(state.needed().iter().map(Key::to_string).collect::<Vec<_>>(), ["shop/web:80"]);
        assert_eq!((state.target(&key), state.target(&key)), (Some(4002), Some(4002)));
        state.backends.insert("3".into(), backend(4003, true));
        assert_ne!(state.target(&key), state.target(&key));
        assert_eq!(state.target(&"shop/web:81".parse().unwrap()), None);
    }
}
