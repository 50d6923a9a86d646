//! A profile as it was typed. Only [`load`](super::load) and [`validate`](super::validate) see these types.
//!
//! Every key is optional here: what is missing or misshapen has been found, and taken out, before these types
//! are filled, so that everything else can still be checked. No `flatten`, `untagged` or `tag`: they lose the
//! position of what they read.

pub(super) mod schema;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// A table whose keys the person chose.
pub(super) type Map<T> = BTreeMap<Spanned<String>, T>;

/// The whole profile.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) site: SiteTable,
    pub(super) hub: Option<ClusterTable>,
    pub(super) spokes: Map<ClusterTable>,
    pub(super) addons: Map<bool>,
    pub(super) repos: Map<RepositoryTable>,
    pub(super) argocd: ArgoCdTable,
}

/// `[site]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SiteTable {
    pub(super) protect: bool,
}

/// `[hub]` or `[spokes.<name>]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClusterTable {
    /// Of the hub only; a spoke is named by its table.
    pub(super) name: Option<Spanned<String>>,
    pub(super) environment: Option<Spanned<String>>,
    pub(super) local: Option<LocalTable>,
    pub(super) addons: Map<bool>,
    pub(super) labels: Map<Spanned<String>>,
    pub(super) annotations: Map<Spanned<String>>,
}

/// `[hub.local]` or `[spokes.<name>.local]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LocalTable {
    pub(super) nodes: Option<Spanned<i64>>,
}

/// `[repos.<name>]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RepositoryTable {
    pub(super) url: Option<Spanned<String>>,
    pub(super) basepath: Option<Spanned<String>>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) revision: Option<Spanned<String>>,
}

/// `[argocd]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ArgoCdTable {
    pub(super) version: Option<Spanned<String>>,
    pub(super) namespace: Option<Spanned<String>>,
}
