//! What a node is called and where it is reached.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;

use bridgehead::files;

use crate::fatal::Fatal;
use crate::options::Options;

/// A host as a node.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
}

impl Host {
    /// As configured, or else the host's own name and the address of its default route.
    pub(crate) fn of(options: &Options) -> Result<Self, Fatal> {
        let own = || files::read(Path::new("/proc/sys/kernel/hostname"));
        let name = options.text("node-name").map_or_else(own, |name| Ok(name.to_owned()));
        let name = name.map_err(|error| Fatal::of("failed to get node name and addresses", &error))?;
        let address = match options.list("node-ip").first() {
            Some(address) => address.parse().map_err(|_| {
                Fatal::new(format!("failed to validate node-ip: invalid ip format '{address}'"))
            })?,
            None => default_address()?,
        };
        Ok(Self { name: name.trim().to_lowercase(), address })
    }
}

/// The address from which the host would speak to the world. Nothing is sent.
fn default_address() -> Result<Ipv4Addr, Fatal> {
    let ask = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    match ask().map(|address| address.ip()) {
        Ok(IpAddr::V4(address)) => Ok(address),
        _ => Err(Fatal::new(
            "failed to get node name and addresses: unable to select an IP from default routes: \
             no default routes found in \"/proc/net/route\" or \"/proc/net/ipv6_route\"",
        )),
    }
}
