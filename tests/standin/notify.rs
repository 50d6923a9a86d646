//! Telling systemd that the service is ready (`sd_notify(3)`).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::fatal::Fatal;
use crate::system::variable;

/// Says `READY=1` if somebody waits for it.
pub(crate) fn ready() -> Result<(), Fatal> {
    let Some(name) = variable("NOTIFY_SOCKET") else { return Ok(()) };
    let send = || {
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&name)?,
        };
        UnixDatagram::unbound()?.send_to_addr(b"READY=1\n", &address)
    };
    send().map(drop).map_err(|error| Fatal::of("cannot notify systemd", &error))
}
