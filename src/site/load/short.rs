//! The short form: `argocd.target_name` says where the hub is, and `argocd.cluster_context` what a spoke is.

use toml::de::{DeTable, DeValue};

/// What a profile says in the short form, so that nothing is missing where the long form would say it.
pub(super) struct Short {
    hub: bool,
    /// The name of the spoke.
    spoke: Option<String>,
}

impl Short {
    pub(super) fn of(profile: &DeTable<'_>) -> Self {
        let argocd = profile.get("argocd").and_then(|argocd| argocd.get_ref().as_table());
        let text = |key| match argocd?.get(key)?.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => None,
        };
        Self {
            hub: text("target_name").is_some(),
            spoke: text("cluster_name").filter(|_| text("cluster_context").is_some()),
        }
    }

    /// Whether what is missing in the table at `path` is said.
    pub(super) fn says(&self, path: &[String]) -> bool {
        match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] | ["hub"] | ["hub", "k3s"] => self.hub,
            ["spokes", name] => self.spoke.as_deref() == Some(name),
            _ => false,
        }
    }
}
