//! How a person reaches Argo CD.

use std::sync::Arc;

use serde::Serialize;

use super::address;
use crate::env::Env;
use crate::site::{Login, Site};

/// Where Argo CD is, and what to type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// `host:port` where its API answers from this machine; `None` if it does not.
    pub address: Option<String>,
    /// Where it is for a browser.
    pub url: Option<String>,
    /// The `argocd login` that leads there.
    pub login: Option<String>,
}

impl Reach {
    /// What the profile says, and where a `local` hub really is.
    pub async fn of(site: &Arc<Site>, env: &Arc<Env>) -> Self {
        let address = address(site, env).await;
        let (url, login) = (url(site, address.as_deref()), login(site, address.as_deref()));
        Self { address, url, login }
    }
}

fn url(site: &Site, address: Option<&str>) -> Option<String> {
    let argocd = &site.argocd;
    if let Some(address) = address {
        let scheme = if argocd.server_insecure { "http" } else { "https" };
        return Some(format!("{scheme}://{address}"));
    }
    // Whatever stands in front of it ends TLS.
    let server = argocd.login.server.as_ref().map(|server| format!("https://{server}"));
    let ingress = argocd.ingress.as_ref().map(|ingress| {
        let scheme = if ingress.tls { "https" } else { "http" };
        format!("{scheme}://{}", ingress.host)
    });
    server.or(ingress)
}

fn login(site: &Site, address: Option<&str>) -> Option<String> {
    let Login { server, arguments, auto_port_forward } = &site.argocd.login;
    // The certificate is the server's own; what stands in front of it has a proper one.
    let unproven = if site.argocd.server_insecure { " --plaintext" } else { " --insecure" };
    let (to, unproven) = match (server, address) {
        _ if *auto_port_forward => {
            (format!("--port-forward --port-forward-namespace {}", site.argocd.namespace), unproven)
        }
        (Some(server), _) => (server.clone(), ""),
        (None, Some(address)) => (address.to_owned(), unproven),
        (None, None) => return None,
    };
    let further = arguments.as_ref().map(|arguments| format!(" {arguments}")).unwrap_or_default();
    Some(format!("argocd login {to} --username admin{unproven}{further}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{Ingress, load};

    fn site(argocd: &str) -> Site {
        let profile = format!("[hub.local]\n[argocd]\n{argocd}\n");
        let name = "home".parse().expect("valid");
        load::from_text(None, &name, &profile, &load::Overrides::default()).expect("valid")
    }

    #[test]
    fn a_login_is_as_the_profile_says() {
        let login = |argocd, address| login(&site(argocd), address);
        assert_eq!(login("", None), None);
        let local = Some("127.0.0.1:1");
        assert_eq!(login("", local).unwrap(), "argocd login 127.0.0.1:1 --username admin --insecure");
        let plain = login("server_insecure = true", local).unwrap();
        assert_eq!(plain, "argocd login 127.0.0.1:1 --username admin --plaintext");
        let named = "server = \"gitops.example\"\nlogin_args = \"--grpc-web --prompts-enabled\"";
        let line = "argocd login gitops.example --username admin --grpc-web --prompts-enabled";
        assert_eq!(login(named, local).unwrap(), line);
        let forwarded = login("server = \"x.example\"\nauto_port_forward = true", None).unwrap();
        let line = "argocd login --port-forward --port-forward-namespace argocd --username admin --insecure";
        assert_eq!(forwarded, line);
    }

    #[test]
    fn the_place_is_where_it_answers_or_what_the_profile_says() {
        let url = |argocd, address| url(&site(argocd), address);
        let local = Some("127.0.0.1:1");
        assert_eq!(url("", local).unwrap(), "https://127.0.0.1:1");
        assert_eq!(url("server_insecure = true", local).unwrap(), "http://127.0.0.1:1");
        assert_eq!(url("server = \"gitops.example\"", None).unwrap(), "https://gitops.example");
        assert_eq!(url("", None), None);
        let mut site = site("");
        let ingress =
            Ingress { class_name: None, host: "g.example".to_owned(), service_port: 80, tls: false };
        site.argocd.ingress = Some(ingress.clone());
        assert_eq!(super::url(&site, None).unwrap(), "http://g.example");
        site.argocd.ingress = Some(Ingress { tls: true, ..ingress });
        assert_eq!(super::url(&site, None).unwrap(), "https://g.example");
    }
}
