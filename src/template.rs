//! Templates: what an operator may want to edit. They are part of the binary; a file of the same name in the
//! folder `templates/` under the root wins.
//!
//! The delimiters `[= =]`, `[% %]` and `[# #]` leave Argo CD's own `{{ }}` alone. Every text that a template
//! takes in becomes one quoted YAML scalar, so that no value can change the shape of a document.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tera::{Context, Delimiters, Tera};

use crate::files::{self, FileError};

/// The templates that are part of the binary.
const EMBEDDED: [(&str, &str); 8] = [
    ("bootstrap/addons.yaml", include_str!("../templates/bootstrap/addons.yaml")),
    ("bootstrap/workloads.yaml", include_str!("../templates/bootstrap/workloads.yaml")),
    ("eks/network.yaml", include_str!("../templates/eks/network.yaml")),
    ("init/eks.toml", include_str!("../templates/init/eks.toml")),
    ("init/existing.toml", include_str!("../templates/init/existing.toml")),
    ("init/inventory.toml", include_str!("../templates/init/inventory.toml")),
    ("init/k3s.toml", include_str!("../templates/init/k3s.toml")),
    ("init/local.toml", include_str!("../templates/init/local.toml")),
];

/// A template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// There is no template of that name.
    #[error("there is no template `{0}`")]
    Unknown(String),
    /// The file that replaces it cannot be read.
    #[error("cannot use the template `{name}`")]
    File {
        /// The template.
        name: String,
        /// What failed.
        source: FileError,
    },
    /// It is malformed, or wants a value that there is not.
    #[error("cannot render `{}`", .place.display())]
    Render {
        /// The file, or the template's name where it is part of the binary.
        place: PathBuf,
        /// Where and why.
        source: Box<tera::Error>,
    },
}

/// Renders a template.
///
/// # Errors
/// When there is none of that name, or it cannot be read or rendered.
pub fn render(root: Option<&Path>, name: &str, values: &impl Serialize) -> Result<String, TemplateError> {
    let (place, text) = find(root, name)?;
    let failed = |error| TemplateError::Render { place: place.clone(), source: Box::new(error) };
    fill(name, &text, values).map_err(failed)
}

fn find(root: Option<&Path>, name: &str) -> Result<(PathBuf, String), TemplateError> {
    let unknown = || TemplateError::Unknown(name.to_owned());
    let (_, embedded) = EMBEDDED.into_iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
    let place = root.map(|root| root.join("templates").join(name)).unwrap_or_default();
    let file = files::read_if_present(&place);
    let file = file.map_err(|source| TemplateError::File { name: name.to_owned(), source })?;
    Ok(file.map_or_else(|| (name.into(), embedded.to_owned()), |text| (place, text)))
}

fn fill(name: &str, text: &str, values: &impl Serialize) -> Result<String, tera::Error> {
    let mut tera = Tera::new();
    tera.set_delimiters(Delimiters {
        block_start: "[%".into(),
        block_end: "%]".into(),
        variable_start: "[=".into(),
        variable_end: "=]".into(),
        comment_start: "[#".into(),
        comment_end: "#]".into(),
    })?;
    tera.autoescape_on([".yaml", ".toml"]);
    tera.set_escape_fn(quote);
    tera.add_raw_template(name, text)?;
    tera.render(name, &Context::from_serialize(values)?)
}

/// Writes a text as a double-quoted scalar of YAML, which is a basic string of TOML as well. Everything but printable ASCII is escaped: YAML's versions do
/// not agree about what else may stand for itself.
fn quote(text: &str, output: &mut dyn Write) -> io::Result<()> {
    output.write_all(b"\"")?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(output, "\\{character}")?,
            ' '..='~' => write!(output, "{character}")?,
            _ => write!(output, "\\U{:08X}", u32::from(character))?,
        }
    }
    output.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const HOSTILE: [&str; 8] = [
        "\"}}\nkind: Secret",
        "a: b # c",
        "'single' and \\back",
        "{{ .name }} [= x =]",
        "yes",
        "",
        "tab\tbell\u{7}nel\u{85}line\u{2028}bom\u{feff}\u{1f6f0}",
        "&anchor *alias !tag |",
    ];

    fn tree(name: &str, value: &str) -> Value {
        let text = render(None, name, &json!({ "argocd_namespace": value })).expect("it renders");
        serde_saphyr::from_str(&text).expect("it is YAML")
    }

    fn replaced(tree: Value, from: &str, to: &str) -> Value {
        match tree {
            Value::String(text) if text == from => to.into(),
            Value::Array(items) => items.into_iter().map(|item| replaced(item, from, to)).collect(),
            Value::Object(map) => {
                map.into_iter().map(|(key, value)| (key, replaced(value, from, to))).collect()
            }
            scalar => scalar,
        }
    }

    #[test]
    fn no_value_changes_the_shape_of_a_document() {
        for (name, _) in EMBEDDED.into_iter().filter(|(name, _)| name.starts_with("bootstrap/")) {
            let plain = tree(name, "PLAIN");
            assert_ne!(plain, replaced(plain.clone(), "PLAIN", "other"), "{name} takes the value in");
            for value in HOSTILE {
                assert_eq!(
                    tree(name, value),
                    replaced(plain.clone(), "PLAIN", value),
                    "{name} with {value:?}"
                );
            }
        }
    }

    #[test]
    fn a_network_has_what_its_zones_need() {
        let zones: Vec<_> = (0..2)
            .map(|number| {
                json!({
                    "number": number, "public": number, "private": number + 2, "public_name": "a: b", "private_name": "c",
                    "has_nat": number == 1, "nat": 1,
                })
            })
            .collect();
        let values = |nat| {
            json!({
                "description": "d", "name": "n", "cidr": "10.0.0.0/16", "nat": nat, "subnet_bits": 13, "zones": zones,
            })
        };
        let resources = |nat| {
            let text = render(None, "eks/network.yaml", &values(nat)).expect("it renders");
            let document: Value = serde_saphyr::from_str(&text).expect("it is YAML");
            let resources = document["Resources"].as_object().expect("a table").clone();
            assert_eq!(resources["Public0"]["Properties"]["Tags"][0]["Value"], "a: b");
            resources
        };
        let single = resources("single");
        assert!(single.contains_key("Nat1") && !single.contains_key("Nat0"));
        assert_eq!(single["Private0DefaultRoute"]["Properties"]["NatGatewayId"], json!({ "Ref": "Nat1" }));
        assert!(!resources("none").contains_key("Private0"));
    }

    #[test]
    fn a_file_under_the_root_wins_and_is_named_when_it_fails() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("templates/bootstrap/addons.yaml");
        files::make_folder(file.parent().expect("it has one")).expect("made");
        let render = || render(Some(root.path()), "bootstrap/addons.yaml", &json!({ "a": "b" }));
        files::replace(&file, b"x: [= a =]", 0o600).expect("written");
        assert_eq!(render().expect("it renders"), "x: \"b\"");
        files::replace(&file, b"x: [= c =]", 0o600).expect("written");
        assert!(render().expect_err("there is no c").to_string().contains("templates/bootstrap/addons.yaml"));
    }
}
