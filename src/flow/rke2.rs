//! The kubeconfig of the site's RKE2 server, which somebody else installed.

use std::path::Path;
use std::sync::Arc;

use hyper::Uri;

use super::kubeconfig::{self, Contents};
use crate::engine::{Failure, Tree};
use crate::env::Env;
use crate::k8s::kubeconfig::{KubeconfigError, KubeconfigFile, access, of};
use crate::seq;
use crate::site::inventory::Host;
use crate::site::name::{HostName, SiteName};
use crate::site::{RKE2, Site};

/// Where RKE2 keeps the administrator's kubeconfig (RKE2's documentation, "Cluster Access").
const FILE: &str = "/etc/rancher/rke2/rke2.yaml";

/// The context that is in it.
const CONTEXT: &str = "default";

/// The kubeconfig is not to be had.
#[derive(Debug, thiserror::Error)]
enum Rke2Error {
    #[error("the inventory of the site `{0}` has no host whose `workloads` holds `{RKE2}`")]
    NoHost(SiteName),
    #[error("the host `{0}` has no `{FILE}`")]
    NoFile(HostName),
    #[error("`{FILE}` of the host `{0}` is not text")]
    NoText(HostName),
    #[error("`{FILE}` of the host `{host}` cannot be used")]
    Kubeconfig { host: HostName, source: KubeconfigError },
}

/// Fetches the kubeconfig from the inventory's RKE2 server, makes it lead there, and saves it; `merge`: and puts it
/// into the person's own.
///
/// # Errors
/// When there is no such host, it cannot be reached, or has no kubeconfig.
pub async fn kubeconfig(site: &Arc<Site>, env: &Arc<Env>, merge: bool) -> Result<Tree, Failure> {
    let host = site.hosts_for(RKE2).next().ok_or_else(|| {
        let hint = "give one `workloads = [\"rke2\"]` in its inventory.toml";
        Failure::from(Rke2Error::NoHost(site.name.clone())).with_hint(hint)
    })?;
    let found = env.hosts.get(host).await?.get(FILE).await?;
    let found = found.ok_or_else(|| {
        let hint =
            "only a server of RKE2 has it, once it has started; see `systemctl status rke2-server` there";
        Failure::from(Rke2Error::NoFile(host.name.clone())).with_hint(hint)
    })?;
    let text = String::from_utf8(found).map_err(|_| Rke2Error::NoText(host.name.clone()))?;
    let source = Contents::Document(document(site, host, &text)?);
    let saved = kubeconfig::saved(site, &site.kube.saved_rke2, source.clone());
    Ok(if merge { seq![saved, kubeconfig::merged(site, source)] } else { saved })
}

/// The same with the host's address, under the name that the site has for it.
fn document(site: &Site, host: &Host, text: &str) -> Result<serde_json::Value, Failure> {
    let path = Path::new(FILE);
    let file = KubeconfigFile::parse(path, text).and_then(|file| access(path, &[file], CONTEXT));
    let mut access = file.map_err(|source| Rke2Error::Kubeconfig { host: host.name.clone(), source })?;
    access.server = at(&access.server, &host.address);
    Ok(of([(site.rke2_context().as_str(), &access)]))
}

/// A URL with another host: RKE2 writes down how it reaches itself.
fn at(server: &str, address: &str) -> String {
    let port = server.parse::<Uri>().ok().and_then(|url| url.port_u16()).unwrap_or(443);
    if address.contains(':') {
        format!("https://[{address}]:{port}")
    } else {
        format!("https://{address}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_hosts() {
        assert_eq!(at("https://127.0.0.1:6443", "10.0.0.7"), "https://10.0.0.7:6443");
        assert_eq!(at("https://127.0.0.1:9345", "fd00::7"), "https://[fd00::7]:9345");
        for server in ["https://127.0.0.1", "https://127.0.0.1/", "https://[::1]"] {
            assert_eq!(at(server, "10.0.0.7"), "https://10.0.0.7:443", "{server}");
        }
        assert_eq!(at("https://[::1]:6443/", "10.0.0.7"), "https://10.0.0.7:6443");
    }
}
