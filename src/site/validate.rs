//! The rules of a profile, each checked once, all of them in one go. Pure but for asking which folders exist.

mod labels;
mod repository;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::Spanned;

use super::finding::Finding;
use super::name::{AddonName, ClusterName, RepositoryName, SiteName};
use super::profile::{ArgoCdTable, ClusterTable, Map, Profile};
use super::{ARGOCD_VERSION, ArgoCd, Cluster, Local, Provider, Role, Site};

/// The value of the label `environment` that sets select the hub by.
const CONTROL_PLANE: &str = "control-plane";

/// Cluster names that are taken: steps of the whole site are called `site/..`, and a site's folder keeps its
/// repositories under `git` and its lock under `lock`.
const TAKEN: &[&str] = &["git", "lock", "site"];

/// Argo CD's own name for the cluster that it runs on.
const IN_CLUSTER: &str = "in-cluster";

/// The most simulated nodes per cluster: each costs a lease and a status that are renewed all the time.
const MOST_NODES: i64 = 50;

/// What paths in a profile are relative to.
pub(super) struct Places {
    /// The profile's folder.
    pub(super) base: Option<PathBuf>,
    /// The folder that `~` stands for.
    pub(super) home: Option<PathBuf>,
    /// Whether a folder is there.
    pub(super) is_folder: fn(&Path) -> bool,
}

/// Validates a profile; `None` when something that a site needs is wrong. Adds to `findings` what it finds.
pub(super) fn validate(
    name: &SiteName,
    profile: &Profile,
    places: &Places,
    findings: &mut Vec<Finding>,
) -> Option<Site> {
    let mut check = Check { places, findings };
    let defaults = check.addons(&profile.addons);
    let hub = profile.hub.as_ref().map(|table| check.hub(table));
    let spokes: Vec<_> = profile.spokes.iter().map(|(name, table)| check.spoke(name, table)).collect();
    check.unique(profile, hub.as_ref().and_then(Option::as_ref));
    let repositories: Vec<_> =
        profile.repos.iter().map(|(name, table)| check.repository(name, table)).collect();
    for cluster in profile.hub.iter().chain(profile.spokes.values()) {
        check.own_annotations(cluster, &profile.repos);
    }
    let argocd = check.argocd(&profile.argocd);
    let mut site = Site {
        name: name.clone(),
        profile: None,
        protect: profile.site.protect,
        hub: hub.flatten()?,
        spokes: spokes.into_iter().collect::<Option<_>>()?,
        repositories: repositories.into_iter().collect::<Option<_>>()?,
        argocd: argocd?,
        secrets: BTreeMap::new(),
    };
    spread_addons(&mut site, defaults);
    Some(site)
}

/// Gives every cluster every addon that any names: a label that is written out as `"false"` is seen.
fn spread_addons(site: &mut Site, defaults: BTreeMap<AddonName, bool>) {
    let named = site.clusters().flat_map(|cluster| cluster.addons.keys().cloned());
    let mut all: BTreeMap<_, _> = named.map(|addon| (addon, false)).collect();
    all.extend(AddonName::from_str("argocd").map(|addon| (addon, false)));
    all.extend(defaults);
    for cluster in std::iter::once(&mut site.hub).chain(&mut site.spokes) {
        for (addon, on) in &all {
            cluster.addons.entry(addon.clone()).or_insert(*on);
        }
    }
}

struct Check<'a> {
    places: &'a Places,
    findings: &'a mut Vec<Finding>,
}

impl Check<'_> {
    fn found<T>(&mut self, finding: Finding) -> Option<T> {
        self.findings.push(finding);
        None
    }

    /// Notes why something was refused.
    fn accept<T, E: Display>(&mut self, span: Range<usize>, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => self.found(Finding::new(span, error.to_string())),
        }
    }

    fn name<N: FromStr<Err: Display>>(&mut self, name: &Spanned<String>) -> Option<N> {
        self.accept(name.span(), name.get_ref().parse())
    }

    fn hub(&mut self, table: &ClusterTable) -> Option<Cluster> {
        let name = match &table.name {
            Some(name) => self.cluster_name(name),
            None => self.accept(0..0, "hub".parse()),
        };
        self.cluster(name, Role::Hub, table)
    }

    fn spoke(&mut self, name: &Spanned<String>, table: &ClusterTable) -> Option<Cluster> {
        if name.get_ref() == IN_CLUSTER {
            let message =
                format!("a spoke cannot be called `{IN_CLUSTER}`: that is what Argo CD calls the hub");
            self.found::<()>(Finding::new(name.span(), message));
        }
        if let Some(environment) = table.environment.as_ref().filter(|typed| typed.get_ref() == CONTROL_PLANE)
        {
            let message = format!("only the hub's environment is `{CONTROL_PLANE}`");
            let help = "no workload is deployed to clusters of that environment; name another, such as `dev`";
            self.found::<()>(Finding::new(environment.span(), message).with_help(help));
        }
        let name = self.cluster_name(name);
        self.cluster(name, Role::Spoke, table)
    }

    fn cluster_name(&mut self, name: &Spanned<String>) -> Option<ClusterName> {
        if TAKEN.contains(&name.get_ref().as_str()) {
            let message = format!("`{}` is not free as the name of a cluster", name.get_ref());
            return self.found(Finding::new(name.span(), message));
        }
        self.name(name)
    }

    fn cluster(&mut self, name: Option<ClusterName>, role: Role, table: &ClusterTable) -> Option<Cluster> {
        let environment = match &table.environment {
            Some(typed) => self.environment(typed),
            // The smallest fleet has one cluster per environment; sets need a value to select by.
            None => match role {
                Role::Hub => Some(CONTROL_PLANE.to_owned()),
                Role::Spoke => name.as_ref().map(ToString::to_string),
            },
        };
        let nodes = match table.local.as_ref().and_then(|local| local.nodes.as_ref()) {
            Some(typed) => self.nodes(typed),
            None => Some(1),
        };
        let addons = self.addons(&table.addons);
        let labels = self.labels(&table.labels);
        let annotations = self.annotations(&table.annotations);
        let provider = Provider::Local(Local { nodes: nodes? });
        Some(Cluster { name: name?, role, environment: environment?, provider, addons, labels, annotations })
    }

    fn environment(&mut self, typed: &Spanned<String>) -> Option<String> {
        if typed.get_ref().is_empty() {
            return self.found(Finding::new(typed.span(), "an environment must not be empty"));
        }
        self.accept(typed.span(), labels::value(typed.get_ref()))
    }

    fn nodes(&mut self, typed: &Spanned<i64>) -> Option<u16> {
        match u16::try_from(*typed.get_ref()) {
            Ok(nodes) if (1..=MOST_NODES).contains(typed.get_ref()) => Some(nodes),
            _ => self.found(Finding::new(
                typed.span(),
                format!("a cluster has 1 to {MOST_NODES} simulated nodes"),
            )),
        }
    }

    fn addons(&mut self, table: &Map<bool>) -> BTreeMap<AddonName, bool> {
        table.iter().filter_map(|(name, on)| self.addon(name).map(|name| (name, *on))).collect()
    }

    fn addon(&mut self, name: &Spanned<String>) -> Option<AddonName> {
        if let Some(addon) = name.get_ref().strip_prefix(labels::ENABLE) {
            let message = format!("an addon is named without `{}`", labels::ENABLE);
            return self.found(Finding::new(name.span(), message).with_help(format!("write `{addon}`")));
        }
        self.name(name)
    }

    fn unique(&mut self, profile: &Profile, hub: Option<&Cluster>) {
        let same = |spoke: &&Spanned<String>| hub.is_some_and(|hub| hub.name.as_str() == spoke.get_ref());
        if let Some(spoke) = profile.spokes.keys().find(same) {
            let message = format!("a spoke and the hub are both called `{}`", spoke.get_ref());
            let help = "name the hub otherwise with `hub.name`, or the spoke";
            self.found::<()>(Finding::new(spoke.span(), message).with_help(help));
        }
    }

    fn argocd(&mut self, table: &ArgoCdTable) -> Option<ArgoCd> {
        let version = match &table.version {
            Some(typed) if typed.get_ref() != ARGOCD_VERSION => {
                let message = format!("on a hub of the provider `local`, Argo CD is {ARGOCD_VERSION}");
                let help =
                    format!("its binary is built for that hub: write `{ARGOCD_VERSION}`, or leave it out");
                self.found(Finding::new(typed.span(), message).with_help(help))
            }
            _ => Some(ARGOCD_VERSION.to_owned()),
        };
        let namespace = match &table.namespace {
            Some(typed) => self.accept(typed.span(), labels::namespace(typed.get_ref())),
            None => Some("argocd".to_owned()),
        };
        Some(ArgoCd {
            version: version?,
            namespace: namespace?,
            server_insecure: false,
            ingress: None,
            cm: BTreeMap::new(),
            params: BTreeMap::new(),
            login: super::Login::default(),
        })
    }
}
