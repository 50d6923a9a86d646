//! Clusters: hub, spokes, and the providers that have no rules of their own.

use toml::Spanned;

use super::{Check, labels};
use crate::site::finding::Finding;
use crate::site::name::ClusterName;
use crate::site::profile::{ClusterTable, ExistingTable, K3sTable, LocalTable};
use crate::site::{Cluster, Existing, Kube, Local, MOST_NODES, Provider, Role};

/// The value of the label `environment` that sets select the hub by.
const CONTROL_PLANE: &str = "control-plane";

/// Cluster names that are taken: steps of the whole site are called `site/..`, and a site's folder keeps its
/// repositories under `git` and its lock under `lock`.
const TAKEN: &[&str] = &["git", "lock", "site"];

/// Argo CD's own name for the cluster that it runs on.
const IN_CLUSTER: &str = "in-cluster";

impl Check<'_> {
    pub(super) fn hub(&mut self, kube: Option<&Kube>) -> Option<Cluster> {
        let absent = ClusterTable::default();
        let table = self.profile.hub.as_ref().unwrap_or(&absent);
        let name = match &table.name {
            Some(name) => self.cluster_name(name),
            None => self.accept(0..0, "hub".parse()),
        };
        let provider = match &self.profile.argocd.target_name {
            Some(target) if !has_provider(table) => self.k3s(&K3sTable::default(), Some(target)),
            target => self.provider(table, target.as_ref(), kube),
        };
        self.cluster(name, Role::Hub, table, provider)
    }

    /// The spokes of the profile, and the one of the short form.
    pub(super) fn spokes(&mut self, kube: Option<&Kube>) -> Vec<Option<Cluster>> {
        let (context, short) = (&self.profile.argocd.cluster_context, &self.profile.argocd.cluster_name);
        self.both(context.as_ref(), short.as_ref());
        let short = short.as_ref().zip(context.as_ref());
        let mut spokes = Vec::new();
        for (name, table) in &self.profile.spokes {
            let existing =
                short.filter(|(short, _)| short.get_ref() == name.get_ref() && !has_provider(table));
            let provider = match existing {
                Some((_, context)) => self.context(context, kube),
                None => self.provider(table, None, kube),
            };
            spokes.push(self.spoke(name, table, provider));
        }
        let tables = &self.profile.spokes;
        let Some((name, context)) = short else { return spokes };
        match tables.iter().find(|(known, _)| known.get_ref() == name.get_ref()) {
            None => {
                let provider = self.context(context, kube);
                spokes.push(self.spoke(name, &ClusterTable::default(), provider));
            }
            Some((_, table)) if has_provider(table) => {
                let message = format!("`spokes.{}` says already what makes this cluster", name.get_ref());
                let help = "take its provider out there, or `cluster_context` and `cluster_name` here";
                self.found::<()>(Finding::new(name.span(), message).with_help(help));
            }
            Some(_) => {}
        }
        spokes
    }

    /// One of the two keys of the short form without the other.
    fn both(&mut self, context: Option<&Spanned<String>>, name: Option<&Spanned<String>>) {
        let (typed, absent) = match (context, name) {
            (Some(context), None) => (context, "cluster_name"),
            (None, Some(name)) => (name, "cluster_context"),
            _ => return,
        };
        let help = "`cluster_context` and `cluster_name` together are a spoke";
        let message = format!("`argocd.{absent}` is missing");
        self.found::<()>(Finding::new(typed.span(), message).with_help(help));
    }

    fn spoke(
        &mut self,
        name: &Spanned<String>,
        table: &ClusterTable,
        provider: Option<Provider>,
    ) -> Option<Cluster> {
        if name.get_ref() == IN_CLUSTER {
            let message =
                format!("a spoke cannot be called `{IN_CLUSTER}`: that is what Argo CD calls the hub");
            self.found::<()>(Finding::new(name.span(), message));
        }
        let hub = self.profile.hub.as_ref().and_then(|hub| hub.name.as_ref());
        if hub.map_or("hub", |hub| hub.get_ref()) == name.get_ref() {
            let message = format!("a spoke and the hub are both called `{}`", name.get_ref());
            let help = "name the hub otherwise with `hub.name`, or the spoke";
            self.found::<()>(Finding::new(name.span(), message).with_help(help));
        }
        if let Some(environment) = table.environment.as_ref().filter(|typed| typed.get_ref() == CONTROL_PLANE)
        {
            let message = format!("only the hub's environment is `{CONTROL_PLANE}`");
            let help = "no workload is deployed to clusters of that environment; name another, such as `dev`";
            self.found::<()>(Finding::new(environment.span(), message).with_help(help));
        }
        let name = self.cluster_name(name);
        self.cluster(name, Role::Spoke, table, provider)
    }

    fn cluster_name(&mut self, name: &Spanned<String>) -> Option<ClusterName> {
        if TAKEN.contains(&name.get_ref().as_str()) {
            let message = format!("`{}` is not free as the name of a cluster", name.get_ref());
            return self.found(Finding::new(name.span(), message));
        }
        self.name(name)
    }

    fn cluster(
        &mut self,
        name: Option<ClusterName>,
        role: Role,
        table: &ClusterTable,
        provider: Option<Provider>,
    ) -> Option<Cluster> {
        let environment = match &table.environment {
            Some(typed) => self.environment(typed),
            // The smallest fleet has one cluster per environment; sets need a value to select by.
            None => match role {
                Role::Hub => Some(CONTROL_PLANE.to_owned()),
                Role::Spoke => name.as_ref().map(ToString::to_string),
            },
        };
        let server = table.server.as_ref().map(|typed| self.url(typed, &["https"]));
        let addons = self.addons(&table.addons);
        let labels = self.labels(&table.labels);
        let annotations = self.annotations(&table.annotations);
        let server = server.map_or(Some(None), |url| url.map(Some));
        Some(Cluster {
            name: name?,
            role,
            environment: environment?,
            provider: provider?,
            server: server?,
            addons,
            labels,
            annotations,
        })
    }

    fn environment(&mut self, typed: &Spanned<String>) -> Option<String> {
        if typed.get_ref().is_empty() {
            return self.found(Finding::new(typed.span(), "an environment must not be empty"));
        }
        self.accept(typed.span(), labels::value(typed.get_ref()))
    }

    /// `target` is the host that `k3s` means where it names no server.
    fn provider(
        &mut self,
        table: &ClusterTable,
        target: Option<&Spanned<String>>,
        kube: Option<&Kube>,
    ) -> Option<Provider> {
        match table {
            ClusterTable { local: Some(local), .. } => self.local(local),
            ClusterTable { k3s: Some(k3s), .. } => self.k3s(k3s, target),
            ClusterTable { eks: Some(eks), .. } => self.eks(eks),
            ClusterTable { existing: Some(ExistingTable { context: Some(context) }), .. } => {
                self.context(context, kube)
            }
            _ => None,
        }
    }

    fn local(&mut self, table: &LocalTable) -> Option<Provider> {
        let nodes = match &table.nodes {
            Some(typed) => match u16::try_from(*typed.get_ref()) {
                Ok(nodes) if (1..=MOST_NODES).contains(&nodes) => nodes,
                _ => {
                    let message = format!("a cluster has 1 to {MOST_NODES} simulated nodes");
                    return self.found(Finding::new(typed.span(), message));
                }
            },
            None => 1,
        };
        Some(Provider::Local(Local { nodes }))
    }

    fn context(&mut self, context: &Spanned<String>, kube: Option<&Kube>) -> Option<Provider> {
        let context = self.context_name(context)?;
        Some(Provider::Existing(Existing { kubeconfig: kube?.kubeconfig.clone(), context }))
    }
}

/// Whether the table says what makes its cluster.
fn has_provider(table: &ClusterTable) -> bool {
    table.local.is_some() || table.k3s.is_some() || table.eks.is_some() || table.existing.is_some()
}
