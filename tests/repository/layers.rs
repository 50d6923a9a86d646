//! The direction of dependencies: who may name whom.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::kit::lab::REPOSITORY;

/// Layer, and the layers (or modules of one) that it may name besides itself.
const ARROWS: [(&str, &[&str]); 13] = [
    ("cli", &["components", "engine", "env", "files", "flow", "provider::local", "report", "site"]),
    ("flow", &["components", "engine", "env", "gitops", "k8s", "provider", "site"]),
    ("provider", &["components", "engine", "env", "files", "k8s", "site"]),
    ("gitops", &["components", "engine", "env", "files", "k8s", "site", "template"]),
    ("components", &["engine", "env", "files"]),
    ("env", &["k8s", "site::name"]),
    ("report", &["engine", "site::finding"]),
    ("k8s", &["engine", "site::name", "site::secret"]),
    ("template", &["files", "site::name", "site::secret"]),
    ("engine", &["site::name", "site::secret"]),
    ("files", &[]),
    ("site", &["components::pins", "files"]),
    ("main", &["cli"]),
];

#[test]
fn every_module_names_only_what_its_layer_may() {
    let mut wrong = Vec::new();
    for file in sources() {
        let text = fs::read_to_string(&file).unwrap();
        let path = file.strip_prefix(Path::new(REPOSITORY).join("src")).unwrap();
        let layer = path.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        if layer == "lib" {
            continue;
        }
        let (_, allowed) = ARROWS.iter().find(|(name, _)| *name == layer).unwrap_or_else(|| {
            panic!("the layer `{layer}` of {} is not in the list of arrows", path.display())
        });
        for named in named(&text) {
            let own = named == layer || named.starts_with(&format!("{layer}::"));
            let fine =
                allowed.iter().any(|arrow| named == *arrow || named.starts_with(&format!("{arrow}::")));
            if !own && !fine && !is_macro(&named) {
                wrong.push(format!("{} names crate::{named}", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn providers_and_gitops_never_name_each_other() {
    // The list of arrows says so; this says that the list does.
    let allowed = |layer| ARROWS.iter().find(|(name, _)| *name == layer).unwrap().1;
    assert!(!allowed("provider").contains(&"gitops") && !allowed("gitops").contains(&"provider"));
}

fn is_macro(name: &str) -> bool {
    ["seq", "par"].contains(&name)
}

/// Every path after `crate::` in a source, groups in braces taken apart one level deep.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in text.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            let group = group.split("};").next().unwrap_or_default();
            found.extend(group.split(',').map(|name| path(name.trim())).filter(|name| !name.is_empty()));
        } else {
            found.insert(path(part));
        }
    }
    found
}

/// The lower-case segments at the front: modules, not items.
fn path(text: &str) -> String {
    let end =
        text.find(|character: char| !(character.is_alphanumeric() || character == '_' || character == ':'));
    let segments = text[..end.unwrap_or(text.len())].split("::");
    let modules =
        segments.take_while(|segment| segment.starts_with(|first: char| first.is_ascii_lowercase()));
    modules.collect::<Vec<_>>().join("::")
}

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![Path::new(REPOSITORY).join("src")];
    while let Some(folder) = open.pop() {
        for entry in folder.read_dir().unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 20, "the sources were not found");
    files
}
