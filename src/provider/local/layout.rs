//! Where everything of a `local` cluster is on this machine.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};

/// The folder of one cluster, and the paths in it.
#[derive(Debug, Clone)]
pub struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// The paths below `folder`.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder itself: every process of the cluster works in it or below.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The ports that the cluster keeps for its life.
    #[must_use]
    pub fn ports(&self) -> PathBuf {
        self.folder.join("ports.json")
    }

    /// Certificates and keys.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.folder.join("pki")
    }

    /// The data of etcd.
    #[must_use]
    pub fn etcd(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    /// What belongs to the node agent.
    #[must_use]
    pub fn node(&self) -> PathBuf {
        self.folder.join("node")
    }

    /// The folder of every process's log.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// The log of one process.
    #[must_use]
    pub fn log(&self, process: &str) -> PathBuf {
        self.logs().join(format!("{process}.log"))
    }

    /// How a component of the control plane reaches the API server.
    #[must_use]
    pub fn kubeconfig(&self, component: &str) -> PathBuf {
        self.folder.join(format!("{component}.kubeconfig"))
    }

    /// What the supervisor is to run.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("supervisor.json")
    }

    /// Says that the cluster's removal has begun: its processes have been ended for that.
    #[must_use]
    pub fn leaving(&self) -> PathBuf {
        self.folder.join("leaving")
    }

    /// The supervisor's process id, for people.
    #[must_use]
    pub fn pid(&self) -> PathBuf {
        self.folder.join("supervisor.pid")
    }

    /// The file that the supervisor holds locked, and that every process of the cluster holds open.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.folder.join("supervisor.lock")
    }

    /// The supervisor's socket.
    ///
    /// # Errors
    /// When the folder cannot be opened, for example because it is not there.
    pub fn socket(&self) -> io::Result<SocketPath> {
        let folder = open(&self.folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(SocketPath { folder })
    }
}

/// A short path to the supervisor's socket, valid in this process as long as this value lives.
///
/// The kernel allows a socket's path 108 bytes, and folders of state may lie deeper.
#[derive(Debug)]
pub struct SocketPath {
    folder: OwnedFd,
}

impl SocketPath {
    /// The path to bind or connect to.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/supervisor.sock", self.folder.as_raw_fd()))
    }
}
