//! What a host is like.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::LookError;
use super::lines::Lines;
use crate::provider::k3s::mark::Mark;

/// What `host.sh` says of a host.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::provider::k3s) struct HostLook {
    /// The name that it has for itself, as Kubernetes writes it: in lower case.
    pub(in crate::provider::k3s) name: String,
    /// Its own addresses.
    pub(in crate::provider::k3s) addresses: BTreeSet<IpAddr>,
    /// Its kind of processor, as `uname -m` says it.
    pub(in crate::provider::k3s) machine: String,
    /// What tells it from any other machine, see `machine-id(5)`.
    pub(in crate::provider::k3s) machine_id: Option<String>,
    /// The number of the user that scripts run as.
    pub(in crate::provider::k3s) user: u32,
    /// Its clock, seconds since 1970.
    pub(in crate::provider::k3s) clock: i64,
    /// Its memory in KiB.
    pub(in crate::provider::k3s) memory: u64,
    /// Whether systemd runs it.
    pub(in crate::provider::k3s) systemd: bool,
    /// Whether it has a default route.
    pub(in crate::provider::k3s) route: bool,
    /// Whether the place of the binary can be written.
    pub(in crate::provider::k3s) writable: bool,
    /// Which of `kubectl`, `crictl` and `ctr` it has.
    pub(in crate::provider::k3s) tools: BTreeSet<String>,
    /// The SHA-256 of the files that were asked for and are there.
    pub(in crate::provider::k3s) checksums: BTreeMap<String, String>,
    /// The version of k3s that is there.
    pub(in crate::provider::k3s) version: Option<String>,
    /// When the certificates end that k3s has there, by their files.
    pub(in crate::provider::k3s) certificates: BTreeMap<String, Timestamp>,
    /// The marks of sites.
    pub(in crate::provider::k3s) marks: Vec<Mark>,
    /// Who listens on the ports that were asked for.
    pub(in crate::provider::k3s) listeners: Vec<Listener>,
    /// Everything that is there of what k3s makes or leaves: `<kind> <name>`.
    pub(in crate::provider::k3s) traces: BTreeSet<String>,
}

/// A program that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provider::k3s) struct Listener {
    /// Such as `6443/tcp`.
    pub(in crate::provider::k3s) port: String,
    /// Whether it belongs to k3s.
    pub(in crate::provider::k3s) ours: bool,
    /// The program's name, if it is known.
    pub(in crate::provider::k3s) program: Option<String>,
}

impl HostLook {
    /// Understands what the script printed.
    pub(in crate::provider::k3s) fn parse(host: &str, text: &str) -> Result<Self, LookError> {
        let lines = Lines::of(host, text, "host")?;
        let checksum = |line: &str| {
            let (sum, path) = line.split_once("  ")?;
            Some((path.to_owned(), sum.to_owned()))
        };
        let mark = |text: String| serde_json::from_str(&text).map_err(|_| lines.value("mark", &text));
        let listener = |line| Listener::parse(line).ok_or_else(|| lines.value("listener", line));
        Ok(Self {
            name: lines.text("name").to_lowercase(),
            addresses: lines
                .all("address")
                .filter_map(|address| address.parse().ok())
                .chain(lines.all("address6").filter_map(address6))
                .collect(),
            machine: lines.text("machine"),
            machine_id: lines.get("machine_id").map(ToOwned::to_owned),
            user: lines.number("user")?,
            clock: lines.number("clock")?,
            memory: lines.number("memory")?,
            systemd: lines.get("systemd").is_some(),
            route: lines.get("route").is_some(),
            writable: lines.get("writable").is_some(),
            tools: lines.all("tool").map(ToOwned::to_owned).collect(),
            checksums: lines.all("checksum").filter_map(checksum).collect(),
            version: lines.get("version").map(ToOwned::to_owned),
            certificates: lines.all("certificate").filter_map(certificate).collect(),
            marks: lines.contents("mark")?.into_iter().map(mark).collect::<Result<_, _>>()?,
            listeners: lines.all("listener").map(listener).collect::<Result<_, _>>()?,
            traces: lines.all("trace").map(ToOwned::to_owned).collect(),
        })
    }
}

/// 32 hexadecimal digits, as the kernel lists addresses.
fn address6(digits: &str) -> Option<IpAddr> {
    u128::from_str_radix(digits, 16).ok().map(|bits| Ipv6Addr::from_bits(bits).into())
}

/// `<path> <certificate in base64>`: the path and the certificate's end. What is none is not k3s' either.
fn certificate(line: &str) -> Option<(String, Timestamp)> {
    let (path, text) = line.rsplit_once(' ')?;
    let bytes = STANDARD.decode(text).ok()?;
    let (_, certificate) = X509Certificate::from_der(&bytes).ok()?;
    let end = Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?;
    Some((path.to_owned(), end))
}

impl Listener {
    /// `<protocol> <port in hexadecimal digits> <ours|other> <program>`
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (protocol, port, whose) = (words.next()?, words.next()?, words.next()?);
        let port = u16::from_str_radix(port, 16).ok()?;
        let program = words.next().map(ToOwned::to_owned);
        Some(Self { port: format!("{port}/{protocol}"), ours: whose == "ours", program })
    }
}

#[cfg(test)]
pub(in crate::provider::k3s) mod tests {
    use super::*;

    /// A bare host, with what a test wants besides.
    pub(in crate::provider::k3s) fn bare(more: &str) -> HostLook {
        let text = "name=Pi-1\nmachine=aarch64\nuser=0\nclock=1000\nmemory=4000000\nsystemd=running\n\
                    route=ipv4\nwritable=yes\n";
        HostLook::parse("pi", &format!("{text}{more}\nend=host\n")).unwrap()
    }

    #[test]
    fn what_the_script_prints_is_understood() {
        let look = bare(
            "address=10.0.0.5\naddress6=fd000000000000000000000000000007\ntool=kubectl\nchecksum=ab12  /usr/local/bin/k3s\nversion=v1.34.4+k3s1\n\
             listener=tcp 192B other nginx\nlistener=udp 2118 ours\ntrace=links cni0",
        );
        assert_eq!((look.name.as_str(), look.clock, look.route), ("pi-1", 1000, true));
        let addresses = ["10.0.0.5", "fd00::7"].map(|address| address.parse().unwrap());
        assert_eq!(look.addresses, addresses.into());
        assert_eq!(look.checksums["/usr/local/bin/k3s"], "ab12");
        let nginx = Listener { port: "6443/tcp".into(), ours: false, program: Some("nginx".into()) };
        assert_eq!(look.listeners, [nginx, Listener { port: "8472/udp".into(), ours: true, program: None }]);
        assert!(look.traces.contains("links cni0"));
    }

    #[test]
    fn certificates_say_when_they_end() {
        let mut params = rcgen::CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2030, 1, 2);
        let key = rcgen::KeyPair::generate().unwrap();
        let der = STANDARD.encode(params.self_signed(&key).unwrap().der());
        let look = bare(&format!("certificate=/a/one.crt {der}\ncertificate=/a/no.crt YQ=="));
        let end: Timestamp = "2030-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(look.certificates, BTreeMap::from([("/a/one.crt".to_owned(), end)]));
    }

    #[test]
    fn a_look_that_was_cut_off_is_none() {
        let error = HostLook::parse("pi", "name=pi\nmachine=x86_64\n").unwrap_err();
        assert_eq!(error.to_string(), "the look at the host pi broke off: after its machine");
    }
}
