//! Objects as an API server takes them: parsed from YAML or built in code, and marked as ours.

use std::fmt;

use k8s_openapi::Resource;
use serde::Serialize;
use serde_json::{Map, Value};

use super::kind::KindName;
use super::{FIELD_MANAGER, MANAGED_BY_LABEL, PART_LABEL, SITE_LABEL};
use crate::site::name::SiteName;

/// One object, desired or live.
#[derive(Clone, PartialEq)]
pub struct Object(Map<String, Value>);

/// A manifest cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not YAML.
    #[error("the manifest of {subject} is not YAML")]
    Yaml {
        /// What the manifest is for.
        subject: String,
        /// Where and why.
        source: Box<serde_saphyr::Error>,
    },
    /// One of its documents is not an object with `apiVersion`, `kind` and `metadata.name`.
    #[error(
        "document {number} of the manifest of {subject} is not an object with apiVersion, kind and metadata.name"
    )]
    Shape {
        /// What the manifest is for.
        subject: String,
        /// Which document, from one.
        number: usize,
    },
}

/// Reads a manifest of any number of documents; empty ones are left out.
///
/// # Errors
/// When it is not YAML, or a document is not an object.
pub fn parse(subject: &str, manifest: &str) -> Result<Vec<Object>, ManifestError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifest)
        .map_err(|error| ManifestError::Yaml { subject: subject.to_owned(), source: Box::new(error) })?;
    let numbered = documents.into_iter().zip(1..).filter(|(document, _)| !document.is_null());
    numbered
        .map(|(document, number)| {
            let refuse = || ManifestError::Shape { subject: subject.to_owned(), number };
            Object::from_value(document).ok_or_else(refuse)
        })
        .collect()
}

impl Object {
    /// An object of a type that is known when compiling.
    ///
    /// # Panics
    /// Never: every Kubernetes type is a JSON object with a name.
    #[must_use]
    pub fn of<T: Resource + Serialize>(object: &T) -> Self {
        let value = serde_json::to_value(object).ok().and_then(Self::from_value);
        value.expect("a Kubernetes type is a JSON object")
    }

    /// An object from JSON, if that is what it is.
    #[must_use]
    pub fn from_value(value: Value) -> Option<Self> {
        let Value::Object(map) = value else { return None };
        let object = Self(map);
        let named = [&["apiVersion"][..], &["kind"], &["metadata", "name"]];
        named.into_iter().all(|path| object.text(path).is_some_and(|text| !text.is_empty())).then_some(object)
    }

    /// The API version and kind.
    #[must_use]
    pub fn kind_name(&self) -> KindName<'_> {
        KindName {
            api_version: self.text(&["apiVersion"]).unwrap_or_default(),
            kind: self.text(&["kind"]).unwrap_or_default(),
        }
    }

    /// The kind, such as `Secret`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.kind_name().kind
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text(&["metadata", "name"]).unwrap_or_default()
    }

    /// The namespace, if it says one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.text(&["metadata", "namespace"])
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.text(&["metadata", "labels", key])
    }

    /// The text at a path of keys.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.get(path).and_then(Value::as_str)
    }

    /// An entry of a Secret's data, decoded.
    #[must_use]
    pub fn data(&self, key: &str) -> Option<String> {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(self.text(&["data", key])?).ok()?;
        String::from_utf8(bytes).ok()
    }

    /// The value at a path of keys.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.0.get(*first)?, |value, key| value.get(*key))
    }

    /// All its fields.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// All its fields, to change them.
    pub fn fields_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// Puts it into a namespace.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.metadata().insert("namespace".to_owned(), namespace.into());
    }

    /// Sets a label.
    pub fn set_label(&mut self, key: &str, value: &str) {
        self.labels().insert(key.to_owned(), value.into());
    }

    /// Marks it as the site's, and as one of `part`.
    pub fn mark(&mut self, site: &SiteName, part: &str) {
        self.set_label(SITE_LABEL, site.as_str());
        self.set_label(PART_LABEL, part);
    }

    /// Marks it as [`mark`](Self::mark) does, and names us as its manager: for what we made up ourselves.
    pub fn mark_as_made(&mut self, site: &SiteName, part: &str) {
        self.mark(site, part);
        self.set_label(MANAGED_BY_LABEL, FIELD_MANAGER);
    }

    /// Takes every mark off again.
    pub fn unmark(&mut self) {
        let labels = self.labels();
        for key in [SITE_LABEL, PART_LABEL, MANAGED_BY_LABEL] {
            labels.remove(key);
        }
        if labels.is_empty() {
            self.metadata().remove("labels");
        }
    }

    fn metadata(&mut self) -> &mut Map<String, Value> {
        entry(&mut self.0, "metadata")
    }

    fn labels(&mut self) -> &mut Map<String, Value> {
        entry(self.metadata(), "labels")
    }
}

/// The map under a key, made if it is not there.
fn entry<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let value = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was just made one")
}

/// What a person calls it: `Secret argocd/dev`, `ClusterRole argocd-manager-role`.
impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.kind())?;
        if let Some(namespace) = self.namespace() {
            write!(formatter, "{namespace}/")?;
        }
        formatter.write_str(self.name())
    }
}

/// Only its name: it may hold secrets.
impl fmt::Debug for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Object({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_document_by_document() {
        let manifest = "---\n# nothing\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: b, namespace: c}\n";
        let objects = parse("a test", manifest).expect("it is a manifest");
        let names: Vec<_> = objects.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["ConfigMap a", "Secret c/b"]);
        let refused = parse("a test", "apiVersion: v1\nkind: Secret\n").expect_err("it has no name");
        assert!(refused.to_string().starts_with("document 1 of the manifest of a test"));
    }

    #[test]
    fn marks_come_and_go() {
        let site: SiteName = "home".parse().expect("valid");
        let manifest = "{apiVersion: v1, kind: Secret, metadata: {name: b}}";
        let plain = parse("a test", manifest).expect("valid").remove(0);
        let mut object = plain.clone();
        object.mark_as_made(&site, "argocd");
        assert_eq!(object.label(SITE_LABEL), Some("home"));
        assert_eq!(object.label(MANAGED_BY_LABEL), Some("bridgehead"));
        object.unmark();
        assert_eq!(object, plain);
    }
}
