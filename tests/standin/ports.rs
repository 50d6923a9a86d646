//! The ports of k3s on a host: <https://docs.k3s.io/installation/requirements#inbound-rules-for-k3s-nodes>

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::ops::RangeInclusive;

use crate::fatal::Fatal;

/// The API server itself, behind the port that everybody uses.
pub(crate) const API_SERVER: u16 = 6444;
/// The kubelet API.
pub(crate) const KUBELET: u16 = 10_250;
/// etcd, for the API server.
pub(crate) const ETCD: u16 = 2379;
/// etcd, for other servers.
pub(crate) const ETCD_PEER: u16 = 2380;
/// Stable ports of Services on loopback, which k3s does not have.
pub(crate) const SERVICES: RangeInclusive<u16> = 20_000..=20_099;
/// Ports of programs in pods, which k3s does not have.
pub(crate) const PODS: RangeInclusive<u16> = 20_100..=20_499;

/// Listens on every address.
pub(crate) fn listen(port: u16) -> Result<TcpListener, Fatal> {
    let bound = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Err(error),
        // A kernel without IPv6.
        _ => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)),
    });
    bound.map_err(|error| refused(port, &error))
}

/// Refuses where somebody listens on a port of k3s, on whichever address.
pub(crate) fn expect_free(ports: &[u16]) -> Result<(), Fatal> {
    ports.iter().try_for_each(|port| listen(*port).map(drop))
}

fn refused(port: u16, error: &std::io::Error) -> Fatal {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            Fatal::new(format!("listen tcp :{port}: bind: address already in use"))
        }
        _ => Fatal::of(&format!("listen tcp :{port}"), error),
    }
}
