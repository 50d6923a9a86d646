//! What k3s leaves on a host that nobody takes away when its unit stops: links, rules of the firewall, mounts, a
//! network namespace, files, and a container that goes on running.

mod firewall;
mod network;
mod sandbox;

use crate::data::Data;
use crate::fatal::Fatal;
use crate::host::Host;

/// Makes what is not there yet. After a restart of k3s it all is, after a restart of the host only the files are.
pub(crate) fn make(data: &Data, host: &Host) -> Result<(), Fatal> {
    network::make(host)?;
    firewall::make()?;
    sandbox::make(data, host)
}
