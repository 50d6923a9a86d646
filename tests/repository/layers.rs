//! The direction of dependencies: who may name whom.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bridgehead::files;

use crate::kit::lab::REPOSITORY;

/// Layer, and the layers (or modules of one) that it may name besides itself.
const ARROWS: [(&str, &[&str]); 15] = [
    // `node::process`, `provider::local` and `ssh::password` for the commands that bridgehead is re-executed with.
    (
        "cli",
        &[
            "aws",
            "components",
            "engine",
            "env",
            "files",
            "flow",
            "node::process",
            "provider::local",
            "report",
            "site",
            "ssh::password",
            "template",
        ],
    ),
    ("flow", &["components", "engine", "env", "files", "gitops", "k8s", "provider", "site"]),
    ("provider", &["aws", "components", "engine", "env", "files", "k8s", "node", "site", "ssh", "template"]),
    ("gitops", &["engine", "env", "files", "k8s", "site", "template"]),
    // It knows no site and no profile.
    ("node", &["engine", "files", "k8s", "site::secret"]),
    ("components", &["engine", "env", "files", "site"]),
    ("env", &["aws", "k8s", "site::name", "site::secret", "ssh"]),
    ("report", &["engine", "site::name"]),
    ("aws", &["engine", "site::secret"]),
    ("k8s", &["engine", "files", "site::name", "site::secret"]),
    ("ssh", &["engine", "files", "site::inventory", "site::secret"]),
    ("template", &["files"]),
    ("engine", &["site::name", "site::secret"]),
    ("files", &[]),
    // In tests, which write the profiles that they load.
    ("site", &["files"]),
];

/// What the modules of every layer name of other layers.
fn names() -> Vec<(PathBuf, String, String)> {
    let mut found = Vec::new();
    for file in sources() {
        let path = file.strip_prefix(Path::new(REPOSITORY).join("src")).unwrap().to_owned();
        let layer = path.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        let text = files::read(&file).unwrap();
        let others = named(&text).into_iter().filter(|name| !leads_to(&layer, name) && !is_macro(name));
        found.extend(others.map(|name| (path.clone(), layer.clone(), name)));
    }
    found
}

fn leads_to(arrow: &str, name: &str) -> bool {
    name == arrow || name.starts_with(&format!("{arrow}::"))
}

#[test]
fn every_module_names_only_what_its_layer_may() {
    let mut unused: BTreeSet<_> =
        ARROWS.iter().flat_map(|(layer, arrows)| arrows.iter().map(move |arrow| (*layer, *arrow))).collect();
    for (path, layer, name) in names() {
        let (layer, arrows) = ARROWS.iter().find(|(known, _)| *known == layer).unwrap_or_else(|| {
            panic!("the layer `{layer}` of {} is not in the list of arrows", path.display())
        });
        let arrow = arrows.iter().find(|arrow| leads_to(arrow, &name));
        let arrow = arrow.unwrap_or_else(|| panic!("{} may not name crate::{name}", path.display()));
        unused.remove(&(*layer, *arrow));
    }
    assert_eq!(unused, BTreeSet::new(), "arrows that nothing needs");
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

/// Every source of the program.
pub(super) fn sources() -> Vec<PathBuf> {
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
