//! The networks of a lab: one that the operator is in, and one that only some hosts are in.
//!
//! Both are bridges in the operator's network namespace, but the second has no address there. Every lab has its own
//! namespaces, so all labs use the same addresses.

use std::net::Ipv4Addr;

use super::Plan;

/// The operator.
pub(super) const OPERATOR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The host that is in both networks, as the hosts of the second know it.
const JUMP: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 1);

/// Makes the bridges; a script for the operator's namespace.
pub(super) fn bridges() -> String {
    format!(
        "echo 0 >/proc/sys/net/ipv4/ip_forward\n\
         ip link add lan type bridge\n\
         ip link add inner type bridge\n\
         ip link set inner addrgenmode none\n\
         ip address add {OPERATOR}/24 dev lan\n\
         ip link set lan up\n\
         ip link set inner up\n"
    )
}

/// A host's place in the networks.
#[derive(Debug, Clone)]
pub(super) struct Place {
    name: String,
    number: usize,
    pub(super) address: String,
    inner: bool,
    /// Leads into the second network.
    jump: bool,
    /// The address of the host that does, if there is one.
    way: Option<String>,
}

impl Place {
    /// The places of all hosts of a lab.
    pub(super) fn of_all(plans: &[Plan]) -> Vec<Self> {
        let jump = plans.iter().find_map(|plan| plan.behind.as_ref());
        let is_jump = |plan: &Plan| Some(&plan.name) == jump;
        let places = plans.iter().enumerate().map(|(number, plan)| {
            assert!(plan.behind.is_none() || plan.behind.as_ref() == jump, "one host leads to all others");
            let inner = plan.behind.is_some();
            let address = address(number, inner);
            Place { name: plan.name.clone(), number, address, inner, jump: is_jump(plan), way: None }
        });
        let way = plans.iter().position(is_jump).map(|number| address(number, false));
        assert_eq!(way.is_some(), jump.is_some(), "{jump:?} is no host");
        places.map(|place| Place { way: way.clone(), ..place }).collect()
    }

    /// The host's network namespace in the island.
    pub(super) fn namespace(&self) -> String {
        format!("/run/netns/{}", self.name)
    }

    /// A network as it is when a machine is switched on; a script for the operator's namespace.
    pub(super) fn connect(&self) -> String {
        let Self { name, address, inner, jump, .. } = self;
        let (bridge, gateway) = if *inner { ("inner", JUMP) } else { ("lan", OPERATOR) };
        let mut script = format!(
            "ip netns add {name}\nip -n {name} link set lo up\n{}\
             ip -n {name} address add {address}/24 dev eth0\n\
             ip -n {name} route add default via {gateway}\n\
             ip netns exec {name} sh -c 'echo {} >/proc/sys/net/ipv4/ip_forward'\n",
            self.link("port", "eth0", bridge),
            u8::from(*jump),
        );
        if *jump {
            script += &self.link("hop", "eth1", "inner");
            script += &format!("ip -n {name} address add {JUMP}/24 dev eth1\n");
        } else if let (false, Some(way)) = (inner, &self.way) {
            script += &format!("ip -n {name} route add 10.77.1.0/24 via {way}\n");
        }
        script
    }

    /// What remains of the network when a machine is switched off: nothing. Its processes have ended.
    pub(super) fn disconnect(&self) -> String {
        let Self { name, number, jump, .. } = self;
        let hop = if *jump { format!("ip link delete hop{number}\n") } else { String::new() };
        format!("ip link delete port{number}\n{hop}ip netns delete {name}\n")
    }

    /// Pulls the cable out, or puts it in.
    pub(super) fn cable(&self, state: &str) -> String {
        format!("ip link set port{} {state}", self.number)
    }

    /// A cable between a device of the host and a bridge. The device's address is the same after every boot.
    fn link(&self, port: &str, device: &str, bridge: &str) -> String {
        let Self { name, number, .. } = self;
        let address = format!("02:77:00:00:0{}:{number:02x}", device.trim_start_matches("eth"));
        format!(
            "ip link add {port}{number} type veth peer name {device} address {address} netns {name}\n\
             ip link set {port}{number} master {bridge} addrgenmode none up\n\
             ip -n {name} link set {device} up\n"
        )
    }
}

fn address(number: usize, inner: bool) -> String {
    format!("10.77.{}.{}", u8::from(inner), number + 11)
}
