//! A cluster's ports on loopback: one block, chosen once and kept.
//!
//! Blocks lie below the ports that the kernel hands out by itself, so that an outgoing connection never sits
//! on one. Where the search starts follows from the cluster's folder: sites that cannot know of each other,
//! because they keep their state in different places, rarely look at the same block first.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::{Range, RangeInclusive};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::layout::Layout;
use crate::files::{self, FileError};
use crate::site::MOST_NODES;

/// How many ports a cluster has.
const BLOCK: u16 = 192;
const KUBELETS: u16 = 8;
const SERVICES: u16 = KUBELETS + MOST_NODES;
const PODS: u16 = 72;
/// Lower ports belong to well-known services.
const LOWEST: u16 = 10_240;

/// What keeps other processes from blocks that this one has chosen.
static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// Why no ports could be chosen.
#[derive(Debug, thiserror::Error)]
pub enum PortsError {
    /// Another command cannot be kept out while this one chooses.
    #[error("cannot lock `{}`", .folder.display())]
    Lock {
        /// The folder that is locked meanwhile.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The choice could not be kept.
    #[error("cannot keep the ports of a cluster")]
    Keep {
        /// What failed.
        source: FileError,
    },
    /// Every block has a port in it that somebody listens on.
    #[error("no {BLOCK} neighbouring ports are free on 127.0.0.1 between {} and {}", .0.start, .0.end)]
    NoneFree(Range<u16>),
}

/// A block of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    first: u16,
    count: u16,
}

impl Ports {
    /// The API server.
    #[must_use]
    pub const fn api_server(self) -> u16 {
        self.first
    }

    /// etcd, for the API server.
    #[must_use]
    pub const fn etcd(self) -> u16 {
        self.first + 1
    }

    /// etcd, for members that a cluster of one does not have.
    #[must_use]
    pub const fn etcd_peer(self) -> u16 {
        self.first + 2
    }

    /// The kubelet API of the node with that index, counted from 0 and below [`MOST_NODES`].
    #[must_use]
    pub const fn kubelet(self, index: u16) -> u16 {
        self.first + KUBELETS + index
    }

    /// Stable ports of Services.
    #[must_use]
    pub const fn services(self) -> RangeInclusive<u16> {
        self.first + SERVICES..=self.first + PODS - 1
    }

    /// Ports that pods get, anew at each start.
    #[must_use]
    pub const fn pods(self) -> RangeInclusive<u16> {
        self.first + PODS..=self.first + BLOCK - 1
    }

    /// The ports of the block that somebody listens on.
    pub fn in_use(self) -> impl Iterator<Item = u16> {
        (self.first..self.first + self.count).filter(|port| !is_free(*port))
    }

    /// Makes a block this process's own until it ends, by when there are listeners: whoever keeps their state in
    /// another place chooses without our lock. A name of an abstract socket is known where ports are, in the network
    /// namespace (`unix(7)`), and goes with its process.
    fn reserve(self) -> bool {
        let name = format!("bridgehead/ports/{}", self.first);
        let reserved = SocketAddr::from_abstract_name(name).and_then(|name| UnixListener::bind_addr(&name));
        reserved.is_ok_and(|listener| {
            RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
            true
        })
    }

    /// The ports that a cluster keeps, if it has any that this version understands.
    ///
    /// # Errors
    /// When they are there and cannot be read.
    pub fn read(layout: &Layout) -> Result<Option<Self>, FileError> {
        let text = files::read_if_present(&layout.ports())?;
        let ports = text.and_then(|text| serde_json::from_str::<Self>(&text).ok());
        Ok(ports.filter(|ports| ports.count == BLOCK && ports.first.checked_add(BLOCK).is_some()))
    }

    /// Chooses a block for a cluster and keeps it. `sites` is the folder of all sites' clusters: their blocks
    /// are left alone, also while they do not run.
    ///
    /// # Errors
    /// When no block is free or the choice cannot be kept.
    pub fn choose(layout: &Layout, sites: &Path) -> Result<Self, PortsError> {
        // Two clusters that come up at once must not find the same block free. Until it is kept, it is ours
        // by this lock alone.
        let failed =
            |source: rustix::io::Errno| PortsError::Lock { folder: sites.to_owned(), source: source.into() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let guard = open(sites, flags, Mode::empty()).map_err(failed)?;
        flock(&guard, FlockOperation::LockExclusive).map_err(failed)?;

        let range = range();
        let taken = kept_by_others(layout, sites);
        let free = candidates(&range, layout.folder())
            .find(|ports| !taken.contains(ports) && ports.reserve() && ports.in_use().next().is_none())
            .ok_or(PortsError::NoneFree(range))?;
        let text = serde_json::to_vec(&free).unwrap_or_default();
        files::replace(&layout.ports(), &text, 0o600).map_err(|source| PortsError::Keep { source })?;
        Ok(free)
    }
}

/// Every block of the range, from a place that follows from the folder's path.
fn candidates(range: &Range<u16>, folder: &Path) -> impl Iterator<Item = Ports> + use<> {
    let blocks = (range.end - range.start) / BLOCK;
    let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    let start = u16::from_be_bytes([digest[0], digest[1]]);
    let lowest = range.start;
    (0..blocks)
        .map(move |step| (start % blocks + step) % blocks)
        .map(move |block| Ports { first: lowest + block * BLOCK, count: BLOCK })
}

fn kept_by_others(layout: &Layout, sites: &Path) -> Vec<Ports> {
    let folders = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    folders(sites.to_owned())
        .flat_map(|site| folders(site.path()))
        .map(|cluster| cluster.path())
        .filter(|folder| folder != layout.folder())
        // What cannot be read or understood is found out by trying its ports.
        .filter_map(|folder| Ports::read(&Layout::new(folder)).ok().flatten())
        .collect()
}

/// The ports to choose from: unprivileged ones below the ephemeral range, or if an administrator has made that
/// range so large that little is left, all unprivileged ones.
fn range() -> Range<u16> {
    let setting = |name: &str| files::read(Path::new(name)).unwrap_or_default();
    range_between(
        &setting("/proc/sys/net/ipv4/ip_unprivileged_port_start"),
        &setting("/proc/sys/net/ipv4/ip_local_port_range"),
    )
}

fn range_between(unprivileged: &str, ephemeral: &str) -> Range<u16> {
    let number = |text: &str| text.split_whitespace().next().and_then(|word| word.parse::<u16>().ok());
    let start = number(unprivileged).unwrap_or(0).max(LOWEST);
    let end = number(ephemeral).unwrap_or(32_768);
    if end.saturating_sub(start) / BLOCK >= 16 { start..end } else { start..u16::MAX }
}

/// Whether nobody listens on a port, on loopback or everywhere.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_lie_below_the_ephemeral_range() {
        assert_eq!(range_between("1024\n", "32768\t60999\n"), 10_240..32_768);
        assert_eq!(range_between("20000\n", "32768\t60999\n"), 20_000..32_768);
        assert_eq!(range_between("1024\n", "1024\t65535\n"), 10_240..65_535);
        assert_eq!(range_between("", ""), 10_240..32_768);
    }

    #[test]
    fn every_block_is_tried_once_and_none_overlap() {
        let range = 10_240..32_768;
        let mut firsts: Vec<u16> =
            candidates(&range, Path::new("/somewhere")).map(|ports| ports.first).collect();
        firsts.sort_unstable();
        assert_eq!(firsts.len(), usize::from((range.end - range.start) / BLOCK));
        assert!(firsts.windows(2).all(|pair| pair[1] - pair[0] == BLOCK));
        assert!(firsts.iter().all(|first| range.contains(first) && first + BLOCK <= range.end));
    }

    #[test]
    fn the_parts_of_a_block_do_not_overlap() {
        let ports = Ports { first: 20_000, count: BLOCK };
        assert!(ports.etcd_peer() < ports.kubelet(0));
        assert!(ports.kubelet(MOST_NODES - 1) < *ports.services().start());
        assert_eq!(ports.services().end() + 1, *ports.pods().start());
        assert_eq!(*ports.pods().end(), 20_000 + BLOCK - 1);
    }

    #[test]
    fn a_block_that_somebody_is_about_to_use_is_not_free() {
        let ports = Ports { first: 1, count: BLOCK };
        assert!(ports.reserve() && !ports.reserve());
    }

    #[test]
    fn clusters_choose_different_blocks_and_keep_them() {
        let sites = tempfile::tempdir().unwrap();
        let layouts: Vec<Layout> =
            ["a/hub", "a/dev", "b/hub"].iter().map(|path| Layout::new(sites.path().join(path))).collect();
        let chosen: Vec<Ports> = layouts
            .iter()
            .map(|layout| {
                files::make_folder(layout.folder()).unwrap();
                Ports::choose(layout, sites.path()).unwrap()
            })
            .collect();
        assert!(chosen[0] != chosen[1] && chosen[1] != chosen[2] && chosen[0] != chosen[2]);
        assert_eq!(Ports::read(&layouts[1]).unwrap(), Some(chosen[1]));
    }
}
