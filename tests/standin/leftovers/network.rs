//! flannel's link, the bridge of containers, and what the plugins of the container network keep.

use std::path::Path;

use crate::fatal::Fatal;
use crate::host::Host;
use crate::system::{make_folder, run, write};

fn is_link(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).exists()
}

/// Makes links and files.
pub(super) fn make(host: &Host) -> Result<(), Fatal> {
    if !is_link("flannel.1") {
        run(&format!(
            "ip link add flannel.1 type vxlan id 1 local {} dstport 8472 nolearning",
            host.address
        ))?;
        run("ip address add 10.42.0.0/32 dev flannel.1")?;
        run("ip link set flannel.1 up")?;
    }
    if !is_link("cni0") {
        run("ip link add cni0 type bridge")?;
        run("ip address add 10.42.0.1/24 dev cni0")?;
        run("ip link set cni0 up")?;
    }
    make_folder(Path::new("/run/flannel"), 0o755)?;
    let subnet =
        "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.0.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
    write(Path::new("/run/flannel/subnet.env"), subnet, 0o644)?;
    make_folder(Path::new("/var/lib/cni/networks/cbr0"), 0o755)?;
    write(Path::new("/var/lib/cni/networks/cbr0/last_reserved_ip.0"), "10.42.0.2", 0o644)
}
