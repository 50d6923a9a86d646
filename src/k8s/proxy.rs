//! Which proxy leads to a server, where its kubeconfig names none: as the environment says, in Go's reading of it
//! (`golang.org/x/net/http/httpproxy`), which is that of `kubectl` and of Argo CD.

use std::net::IpAddr;

use hyper::Uri;
use ipnet::IpNet;

/// What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    http: Option<Uri>,
    https: Option<Uri>,
    direct: Vec<Direct>,
}

/// Servers that are reached without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Direct {
    All,
    Network(IpNet),
    Address(IpAddr, Option<u16>),
    /// Domains below one, which begins with a dot; and perhaps that one.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Proxies {
    /// Reads the values of the variables. What is no URL leads nowhere, and what cannot be read in `no_proxy` means no
    /// server.
    #[must_use]
    pub fn new(http: Option<&str>, https: Option<&str>, no_proxy: Option<&str>) -> Self {
        let direct = no_proxy.unwrap_or_default().split(',').filter_map(Direct::parse).collect();
        Self { http: http.and_then(url), https: https.and_then(url), direct }
    }

    /// The proxy that leads to a server; `None`: the server is reached directly.
    #[must_use]
    pub fn of(&self, server: &Uri) -> Option<&Uri> {
        let (proxy, usual) = match server.scheme_str()? {
            "https" => (self.https.as_ref()?, 443),
            "http" => (self.http.as_ref()?, 80),
            _ => return None,
        };
        let host = server.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
        let port = server.port_u16().unwrap_or(usual);
        let address = host.parse::<IpAddr>().ok();
        // Go would ask the proxy for 0.0.0.0, which is the machine itself, too, and of which no proxy knows.
        let is_own = host == "localhost" || address.is_some_and(|it| it.is_loopback() || it.is_unspecified());
        let is_direct = is_own || self.direct.iter().any(|direct| direct.means(&host, address, port));
        (!is_direct).then_some(proxy)
    }
}

/// The scheme may be left out.
fn url(text: &str) -> Option<Uri> {
    let text = text.trim();
    let complete = text.parse::<Uri>().ok().filter(|url| url.scheme().is_some() && url.host().is_some());
    complete.or_else(|| format!("http://{text}").parse().ok())
}

impl Direct {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry == "*" {
            return Some(Self::All);
        }
        if let Ok(network) = entry.parse() {
            return Some(Self::Network(network));
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.starts_with('[') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (entry.as_str(), None),
        };
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Some(Self::Address(address, port));
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        match host {
            "" => None,
            _ if host.starts_with('.') => Some(Self::Domain { suffix: host.to_owned(), itself: false, port }),
            _ => Some(Self::Domain { suffix: format!(".{host}"), itself: true, port }),
        }
    }

    fn means(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        let is_port = |wanted: &Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        match self {
            Self::All => true,
            Self::Network(network) => address.is_some_and(|address| network.contains(&address)),
            Self::Address(wanted, port) => address == Some(*wanted) && is_port(port),
            Self::Domain { suffix, itself, port } => {
                let is_meant = host.ends_with(suffix) || *itself && host == &suffix[1..];
                address.is_none() && is_meant && is_port(port)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(no_proxy: &str, server: &str) -> bool {
        let proxies = Proxies::new(None, Some("proxy.example:3128"), Some(no_proxy));
        let server = server.parse().expect("a URL");
        proxies
            .of(&server)
            .inspect(|proxy| assert_eq!(proxy.to_string(), "http://proxy.example:3128/"))
            .is_some()
    }

    /// Each case is one of Go's own, or says why it is not.
    #[test]
    fn servers_are_reached_as_go_reaches_them() {
        for (no_proxy, server, is_proxied) in [
            ("", "https://k.example", true),
            ("", "http://k.example", false),
            ("", "https://localhost:6443", false),
            ("", "https://127.0.0.9:6443", false),
            ("", "https://[::1]:6443", false),
            ("", "https://0.0.0.0:6443", false),
            ("", "https://localhost.example", true),
            ("*", "https://k.example", false),
            ("10.0.0.5,", "https://10.0.0.5:6443", false),
            (" 10.0.0.5 , ", "https://10.0.0.5:6443", false),
            ("10.0.0.0/8", "https://10.1.2.3:6443", false),
            ("10.0.0.0/8", "https://11.1.2.3:6443", true),
            ("10.0.0.5:6443", "https://10.0.0.5:6443", false),
            ("10.0.0.5:443", "https://10.0.0.5:6443", true),
            ("fd00::/8", "https://[fd00::5]:6443", false),
            ("[fd00::5]:6443", "https://[fd00::5]:6443", false),
            ("fd00::5", "https://[fd00::5]", false),
            ("example", "https://k.example", false),
            ("k.example", "https://K.Example:6443", false),
            (".example", "https://k.example", false),
            (".k.example", "https://k.example", true),
            ("*.k.example", "https://a.k.example", false),
            ("*.k.example", "https://k.example", true),
            ("ample", "https://k.example", true),
            ("k.example:6443", "https://k.example:6443", false),
            ("k.example:6443", "https://k.example", true),
            (":6443, nonsense/99, k.example", "https://k.example", false),
        ] {
            assert_eq!(leads(no_proxy, server), is_proxied, "NO_PROXY={no_proxy} {server}");
        }
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let proxies = Proxies::new(Some("http://a:1"), Some("socks5://b:2"), None);
        let of = |server: &str| proxies.of(&server.parse().expect("a URL")).map(ToString::to_string);
        assert_eq!(of("http://k.example").as_deref(), Some("http://a:1/"));
        assert_eq!(of("https://k.example").as_deref(), Some("socks5://b:2/"));
        assert_eq!(Proxies::new(None, Some(""), None).of(&"https://k".parse().expect("a URL")), None);
    }
}
