//! Rules between tables: what each says is right, and together it is not.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;

use super::Check;
use crate::site::finding::Finding;
use crate::site::{Cluster, K3s, Provider, RepositorySource, Role, Site};

/// The ingress controller that k3s brings, and the class of what it serves.
const TRAEFIK: &str = "traefik";

impl Check<'_> {
    pub(super) fn together(&mut self, site: &Site) {
        self.target(site);
        self.ingress_class(site);
        self.contexts(site);
        if !site.hub.is_on_this_machine() {
            self.out_of_reach(site);
        }
    }

    /// Argo CD is where the hub is.
    fn target(&mut self, site: &Site) {
        let Some(target) = &self.profile.argocd.target_name else { return };
        let Some(host) = self.known_host(target) else { return };
        let (message, help) = match &site.hub.provider {
            Provider::Local(_) => (
                "a hub of the provider `local` is on no host".to_owned(),
                "take it out, or `hub.local`: without a provider the hub is k3s on this host".to_owned(),
            ),
            Provider::K3s(k3s) if site.overrides.k3s_target.is_none() && !k3s.has(&host.name) => (
                format!("the hub is not on `{}`", host.name),
                "it names a host of `hub.k3s.servers`; without those, the hub is on it".to_owned(),
            ),
            _ => return,
        };
        self.found::<()>(Finding::new(target.span(), message).with_help(help));
    }

    /// An ingress needs a controller that serves its class.
    fn ingress_class(&mut self, site: &Site) {
        let Some(ingress) = &site.argocd.ingress else { return };
        let Some(table) = &self.profile.argocd.ingress else { return };
        let finding = match &site.hub.provider {
            Provider::Local(_) => {
                let message = "nothing on a hub of the provider `local` serves an ingress";
                Finding::new(span(table.enabled.as_ref()), message)
                    .with_help("take it out, or set `enabled = false`")
            }
            Provider::K3s(k3s) if ingress.class_name.as_deref() == Some(TRAEFIK) && disables_traefik(k3s) => {
                let message = "nothing serves this class: `hub.k3s.config.disable` has `traefik` in it";
                let help = "take `traefik` out there, or name the class of another ingress controller here";
                Finding::new(span(table.class_name.as_ref()), message).with_help(help)
            }
            _ => return,
        };
        self.found::<()>(finding);
    }

    /// What only a hub on this machine reaches.
    fn out_of_reach(&mut self, site: &Site) {
        for (name, table) in &self.profile.spokes {
            if table.local.is_some() {
                let message = "only a hub of the provider `local` reaches a spoke of that provider";
                let help = "it listens on loopback addresses of this machine";
                self.found::<()>(Finding::new(name.span(), message).with_help(help));
            }
        }
        for (name, table) in &self.profile.repos {
            let source = site.repositories.iter().find(|(known, _)| known.as_str() == name.get_ref());
            let is_folder =
                source.is_some_and(|(_, known)| matches!(known.source, RepositorySource::Folder(_)));
            if let Some(url) = table.url.as_ref().filter(|_| is_folder) {
                let message = "a folder of this machine is served to a hub of the provider `local` only";
                let help = "write the URL of a Git repository that the hub reaches";
                self.found::<()>(Finding::new(url.span(), message).with_help(help));
            }
        }
    }

    /// A kubeconfig has each name once, and a cluster is in a fleet once.
    fn contexts(&mut self, site: &Site) {
        let clusters: Vec<_> = site.clusters().collect();
        for (index, cluster) in clusters.iter().enumerate() {
            let name = site.context(cluster);
            let same = |other: &&&Cluster| {
                // Two clusters of one name have been found.
                other.name != cluster.name && (site.context(other) == name || same_cluster(other, cluster))
            };
            if let Some(other) = clusters[..index].iter().find(same) {
                let message = format!("`{}` and `{}` have the same context", other.name, cluster.name);
                let help = "every cluster is in a site once, under a context of its own";
                let finding = Finding::new(self.place_of_context(cluster), message);
                self.found::<()>(finding.with_help(help));
            }
        }
    }

    /// Where the name of a spoke's context is said.
    fn place_of_context(&self, cluster: &Cluster) -> Range<usize> {
        let name = cluster.name.as_str();
        let table = self.profile.spokes.iter().find(|(known, _)| known.get_ref() == name);
        let existing = table.and_then(|(_, table)| table.existing.as_ref()?.context.as_ref());
        let short = self.profile.argocd.cluster_context.as_ref().filter(|_| cluster.role == Role::Spoke);
        let named = self.profile.kube.contexts.iter().find(|(key, _)| key.get_ref() == name);
        let said = match &cluster.provider {
            Provider::Existing(_) => existing.or(short),
            _ => None,
        };
        span(said.or(named.map(|(_, typed)| typed)))
    }
}

fn span<T>(typed: Option<&Spanned<T>>) -> Range<usize> {
    typed.map(Spanned::span).unwrap_or_default()
}

fn same_cluster(one: &Cluster, other: &Cluster) -> bool {
    match (&one.provider, &other.provider) {
        (Provider::Existing(one), Provider::Existing(other)) => one == other,
        _ => false,
    }
}

/// `disable` is a list, or words with commas between them.
fn disables_traefik(k3s: &K3s) -> bool {
    let words = |value: &Value| match value {
        Value::String(text) => text.split(',').any(|word| word.trim() == TRAEFIK),
        _ => false,
    };
    ["disable", "disable+"].iter().filter_map(|key| k3s.config.get(*key)).any(|value| match value {
        Value::Array(values) => values.iter().any(words),
        value => words(value),
    })
}
