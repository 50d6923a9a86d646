//! Argo CD on the hub.

mod git_server;
mod repository;

use std::collections::BTreeMap;

use toml::Spanned;

use super::{Check, labels};
use crate::site::finding::Finding;
use crate::site::profile::{IngressTable, Map};
use crate::site::{ARGOCD_VERSION, ArgoCd, Ingress, Login};

/// The parameter that `argocd.server_insecure` is.
const INSECURE: &str = "server.insecure";

impl Check<'_> {
    pub(super) fn argocd(&mut self) -> Option<ArgoCd> {
        let table = &self.profile.argocd;
        let version = match &table.version {
            Some(typed) if typed.get_ref() != ARGOCD_VERSION => {
                let message = format!("no other Argo CD than {ARGOCD_VERSION} is built yet");
                let help = format!("its manifest is pinned: write `{ARGOCD_VERSION}`, or leave it out");
                self.found(Finding::new(typed.span(), message).with_help(help))
            }
            _ => Some(ARGOCD_VERSION.to_owned()),
        };
        let namespace = match &table.namespace {
            Some(typed) => self.accept(typed.span(), labels::namespace(typed.get_ref())),
            None => Some("argocd".to_owned()),
        };
        if let Some(typed) = table.params.keys().find(|key| key.get_ref() == INSECURE) {
            let message = format!("`{INSECURE}` is written by bridgehead");
            self.found::<()>(
                Finding::new(typed.span(), message).with_help("write `argocd.server_insecure` instead"),
            );
        }
        let ingress = table.ingress.as_ref().map_or(Some(None), |ingress| self.ingress(ingress));
        let projects: Vec<_> =
            table.projects.iter().map(|(name, spec)| Some((self.name(name)?, spec.clone()))).collect();
        let repositories = self.known_repositories();
        let git_servers = self.git_servers();
        let text = |typed: &Option<Spanned<String>>| typed.as_ref().map(|typed| typed.get_ref().clone());
        Some(ArgoCd {
            version: version?,
            namespace: namespace?,
            server_insecure: table.server_insecure,
            ingress: ingress?,
            cm: entries(&table.cm),
            params: entries(&table.params),
            rbac: entries(&table.rbac),
            notifications: entries(&table.notifications),
            projects: projects.into_iter().collect::<Option<_>>()?,
            repositories: repositories?,
            git_servers: git_servers?,
            login: Login {
                server: text(&table.server),
                arguments: text(&table.login_args),
                auto_port_forward: table.auto_port_forward,
            },
        })
    }

    /// `Some(None)` for one that is not enabled.
    #[expect(clippy::option_option, reason = "the outer one says whether it is valid")]
    fn ingress(&mut self, table: &IngressTable) -> Option<Option<Ingress>> {
        let enabled = table.enabled.as_ref()?;
        let class_name = table.class_name.as_ref().map(|typed| self.dns_name(typed));
        let host = table.host.as_ref().map(|typed| self.dns_name(typed));
        let port = table.service_port.as_ref().map(|typed| self.port(typed));
        if !enabled.get_ref() {
            return Some(None);
        }
        let Some(host) = host else {
            let help = "name the host that the ingress answers to";
            return self
                .found(Finding::new(enabled.span(), "`argocd.ingress.host` is missing").with_help(help));
        };
        if let Some(port) = table.service_port.as_ref().filter(|port| *port.get_ref() == 80)
            && !self.profile.argocd.server_insecure
        {
            let message = "Argo CD answers plain HTTP by sending the browser to HTTPS, which comes back here: an endless redirect";
            let help = "write `server_insecure = true` under `[argocd]`, or leave `service_port` out";
            return self.found(Finding::new(port.span(), message).with_help(help));
        }
        let plain = if self.profile.argocd.server_insecure { 80 } else { 443 };
        Some(Some(Ingress {
            class_name: class_name.map_or(Some(None), |name| name.map(Some))?,
            host: host?,
            service_port: port.unwrap_or(Some(plain))?,
            tls: table.tls,
        }))
    }

    /// A DNS name (RFC 1123), as Kubernetes wants it for hosts and for the names of classes.
    fn dns_name(&mut self, typed: &Spanned<String>) -> Option<String> {
        let name = typed.get_ref();
        if name.len() <= 253 && name.split('.').all(labels::is_dns_label) {
            return Some(name.clone());
        }
        let message = "this must be a DNS name: lower-case letters, digits, `-` and `.` (RFC 1123)";
        self.found(Finding::new(typed.span(), message))
    }

    fn port(&mut self, typed: &Spanned<i64>) -> Option<u16> {
        self.accept(typed.span(), super::inventory::port(*typed.get_ref()))
    }
}

fn entries(table: &Map<String>) -> BTreeMap<String, String> {
    table.iter().map(|(key, value)| (key.get_ref().clone(), value.clone())).collect()
}
