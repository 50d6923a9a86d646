//! The rules of a profile, each checked once, all of them in one go. Pure but for asking which folders exist.

mod argocd;
mod cluster;
mod eks;
mod inventory;
mod k3s;
mod kube;
mod labels;
mod repository;
mod secret;
mod together;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

pub(super) use inventory::{Hosts, inventory};

use toml::Spanned;

use super::Site;
use super::finding::Finding;
use super::load::Overrides;
use super::name::{AddonName, HostName, RepositoryName, SiteName};
use super::profile::{Map, Profile};

/// What paths in a profile are relative to.
pub(super) struct Places {
    /// The profile's folder.
    pub(super) base: Option<PathBuf>,
    /// The folder that `~` stands for.
    pub(super) home: Option<PathBuf>,
    /// Whether a folder is there.
    pub(super) is_folder: fn(&Path) -> bool,
}

impl Places {
    /// The file or folder that a path of the profile means, without `.` and `..`; `None` where nothing says what it
    /// is relative to.
    fn resolve(&self, typed: &Path) -> Option<PathBuf> {
        let whole = match typed.strip_prefix("~") {
            Ok(below) => self.home.as_ref()?.join(below),
            Err(_) if typed.is_absolute() => typed.to_owned(),
            Err(_) => self.base.as_ref()?.join(typed),
        };
        let mut path = PathBuf::new();
        for part in whole.components() {
            match part {
                Component::ParentDir => _ = path.pop(),
                Component::CurDir => {}
                part => path.push(part),
            }
        }
        Some(path)
    }
}

/// Validates a profile; `None` when something that a site needs is wrong. Adds to `findings` what it finds.
pub(super) fn validate(
    name: &SiteName,
    profile: &Profile,
    hosts: &Hosts,
    overrides: &Overrides,
    places: &Places,
    findings: &mut Vec<Finding>,
) -> Option<Site> {
    let mut check = Check { profile, hosts, places, used: BTreeMap::new(), findings };
    let defaults = check.addons(&profile.addons);
    let kube = check.kube(name, overrides);
    let hub = check.hub(kube.as_ref());
    let spokes = check.spokes(kube.as_ref());
    let repositories: Vec<_> =
        profile.repos.iter().map(|(name, table)| check.repository(name, table)).collect();
    for cluster in profile.hub.iter().chain(profile.spokes.values()) {
        check.own_annotations(cluster, &profile.repos);
    }
    let argocd = check.argocd();
    let secrets: Vec<_> = profile.secrets.iter().map(|(name, table)| check.secret(name, table)).collect();
    let mut site = Site {
        name: name.clone(),
        profile: None,
        protect: profile.site.protect,
        hub: hub?,
        spokes: spokes.into_iter().collect::<Option<_>>()?,
        repositories: repositories.into_iter().collect::<Option<_>>()?,
        argocd: argocd?,
        kube: kube?,
        inventory: hosts.values().flatten().map(|host| (host.name.clone(), host.clone())).collect(),
        secrets: secrets.into_iter().collect::<Option<_>>()?,
        overrides: overrides.clone(),
    };
    check.together(&site);
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
    profile: &'a Profile,
    hosts: &'a Hosts,
    places: &'a Places,
    /// The hosts that clusters are on, and what they are there.
    used: BTreeMap<HostName, &'static str>,
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
}
