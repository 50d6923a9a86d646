//! Ports of this machine that pods listen on: fresh ones for every start of a container, because a rollout
//! runs the old pod and the new one side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

/// No port of the range is free.
#[derive(Debug, thiserror::Error)]
#[error("no free port is left between {} and {}", .0.start(), .0.end())]
pub(super) struct NoPort(RangeInclusive<u16>);

/// The ports that pods share.
#[derive(Debug)]
pub(super) struct Ports {
    range: RangeInclusive<u16>,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    ports: BTreeSet<u16>,
    /// The search goes on behind the last port that was given, so that none is used again soon.
    last: u16,
}

/// Ports that one container has: by the port that its image knows, the port of this machine. Given back on drop.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<Ports>,
    /// Container port to port of this machine.
    pub(super) ports: BTreeMap<u16, u16>,
}

impl Ports {
    pub(super) fn new(range: RangeInclusive<u16>) -> Arc<Self> {
        let taken = Taken { ports: BTreeSet::new(), last: *range.end() };
        Arc::new(Self { range, taken: Mutex::new(taken) })
    }

    /// Takes a free port for each of the container's.
    pub(super) fn lease(self: &Arc<Self>, wanted: impl Iterator<Item = u16>) -> Result<Lease, NoPort> {
        let mut lease = Lease { pool: Arc::clone(self), ports: BTreeMap::new() };
        for port in wanted {
            lease.ports.insert(port, self.take()?);
        }
        Ok(lease)
    }

    fn take(&self) -> Result<u16, NoPort> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = (*self.range.start(), *self.range.end());
        let port = (taken.last.saturating_add(1)..=last)
            .chain(first..=taken.last.min(last))
            .find(|port| !taken.ports.contains(port) && is_free(*port))
            .ok_or_else(|| NoPort(self.range.clone()))?;
        taken.ports.insert(port);
        taken.last = port;
        Ok(port)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut taken = self.pool.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for port in self.ports.values() {
            taken.ports.remove(port);
        }
    }
}

/// Free on every address: some programs cannot be told to listen on loopback only.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_fresh_and_come_back() {
        let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = busy.local_addr().unwrap().port();
        let ports = Ports::new(port..=port);
        assert!(ports.lease([80].into_iter()).is_err(), "somebody else listens there");
        drop(busy);
        let lease = ports.lease([80].into_iter()).unwrap();
        assert_eq!(lease.ports[&80], port);
        assert!(ports.lease([80].into_iter()).is_err(), "it is given away");
        drop(lease);
        assert!(ports.lease([80].into_iter()).is_ok());
    }
}
