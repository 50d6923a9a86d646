//! What all nodes of a cluster share: programs, ports, addresses, Services and a folder for sockets.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::ports::Ports;
use super::services::Services;
use super::{AgentError, Config, argocd};
use crate::files;

/// Where programs look for others, behind our own folder.
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Dex is no Go module that can be built, and Argo CD only looks for a program of that name until it is configured.
const DEX: &str = "#!/bin/sh\necho 'single sign-on is not available here: there is no dex' >&2\nexit 1\n";

/// The machine as nodes see it.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) executable: PathBuf,
    pub(super) components: PathBuf,
    /// The API server's URL.
    pub(super) server: String,
    /// Its certificate authority, PEM.
    pub(super) authority: String,
    /// Folder of everything that the agent keeps.
    pub(super) folder: PathBuf,
    pub(super) ports: Arc<Ports>,
    pub(super) services: Arc<Services>,
    addresses: Mutex<BTreeMap<String, Ipv4Addr>>,
    sockets: OwnedFd,
}

impl Host {
    /// Makes the folders.
    pub(super) fn new(config: &Config, stopped: CancellationToken) -> Result<Self, AgentError> {
        let folder = config.folder.clone();
        let prepared = prepare(&folder, &config.components);
        prepared.map_err(|source| AgentError::Folder { source })?;
        let file = folder.join("services.json");
        let services = Services::new(config.service_ports.clone(), file, stopped);
        let services = services.map_err(|source| AgentError::Folder { source })?;
        let sockets = folder.join("sockets");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let sockets = rustix::fs::open(&sockets, flags, Mode::empty())
            .map_err(|errno| AgentError::Sockets { path: sockets, source: errno.into() })?;
        Ok(Self {
            executable: config.executable.clone(),
            components: config.components.clone(),
            server: config.server.clone(),
            authority: config.authority.clone(),
            folder,
            ports: Ports::new(config.pod_ports.clone()),
            services,
            addresses: Mutex::default(),
            sockets,
        })
    }

    /// The search path of programs.
    pub(super) fn search_path(&self) -> String {
        format!("{}:{SYSTEM_PATH}", programs(&self.folder).display())
    }

    /// A path for a socket of a pod. A socket's path may have 107 bytes, which a folder of a user's easily exceeds:
    /// this one leads through our own descriptor of the folder, and so is always short and never shared.
    pub(super) fn socket(&self, uid: &str) -> PathBuf {
        let (process, descriptor) = (std::process::id(), self.sockets.as_raw_fd());
        format!("/proc/{process}/fd/{descriptor}/{uid}").into()
    }

    /// Forgets what was given to a pod.
    pub(super) fn release(&self, uid: &str) {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        if let Err(error) = files::remove(&self.socket(uid)) {
            tracing::warn!(error = &error as &dyn std::error::Error, "socket not removed");
        }
    }

    /// An address that no other pod of the cluster has. Nothing listens there, but endpoint slices and people
    /// expect one, and it must not be a loopback address. `known` is the one that the pod has already.
    pub(super) fn address(&self, uid: &str, known: Option<Ipv4Addr>) -> Ipv4Addr {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = addresses.get(uid) {
            return *address;
        }
        let hash = Sha256::digest(uid);
        let candidates = (0_u8..=255).map(|turn| {
            // 10.128.0.0/9: Service addresses are below.
            Ipv4Addr::new(10, 0x80 | hash[0], hash[1].wrapping_add(turn), hash[2].clamp(1, 254))
        });
        let address = known.into_iter().chain(candidates);
        let address = address.into_iter().find(|address| !addresses.values().any(|other| other == address));
        let address = address.unwrap_or(Ipv4Addr::new(10, 255, 255, 254));
        addresses.insert(uid.into(), address);
        address
    }
}

fn programs(folder: &Path) -> PathBuf {
    folder.join("bin")
}

fn prepare(folder: &Path, components: &Path) -> Result<(), files::FileError> {
    let programs = programs(folder);
    files::make_folder(&programs)?;
    files::remove_folder(&folder.join("sockets"))?;
    files::make_folder(&folder.join("sockets"))?;
    for name in argocd::NAMES {
        files::link(&components.join("argocd"), &programs.join(name))?;
    }
    for name in ["helm", "kustomize"] {
        files::link(&components.join(name), &programs.join(name))?;
    }
    files::refresh(&programs.join("dex"), DEX.as_bytes(), 0o700)
}
