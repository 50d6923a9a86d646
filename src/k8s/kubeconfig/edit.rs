//! Our entries in somebody's kubeconfig: put in, and taken out again. Everything else stays as it is.
//!
//! An entry is ours if it says so: it has an extension of our own, as `minikube` and others keep theirs, which
//! `kubectl` leaves alone when it rewrites the file. An entry without it is never changed or removed.

use serde_json::{Value, json};

use super::file::{KubeconfigError, KubeconfigFile, LISTS, name_of};
use super::yaml::Node;
use crate::k8s::SITE_LABEL;
use crate::site::name::SiteName;

impl KubeconfigFile {
    /// The file with the entries of a kubeconfig that is the site's, in the place of those that it had before.
    ///
    /// # Errors
    /// When somebody else's entry has the name of one of them.
    pub fn merged(&self, site: &SiteName, document: &Value) -> Result<Self, KubeconfigError> {
        self.refuse_strangers(site, document)?;
        let mut merged = self.clone();
        let content = merged.document.get_or_insert_with(|| {
            Node::from_json(&json!({ "apiVersion": "v1", "kind": "Config", "preferences": {} }))
        });
        for (list, key) in LISTS {
            let Some(node) = content.entry(list) else { continue };
            if node.is_null() {
                *node = Node::Sequence(Vec::new());
            }
            let Node::Sequence(entries) = node else { continue };
            for entry in document[list].as_array().into_iter().flatten() {
                put(entries, key, entry, site);
            }
        }
        if content.get("current-context").is_none() {
            content.set("current-context", "");
        }
        Ok(merged)
    }

    /// The file with another current context.
    #[must_use]
    pub fn using(&self, context: &str) -> Self {
        let mut changed = self.clone();
        if let Some(content) = &mut changed.document {
            content.set("current-context", context);
        }
        changed
    }

    /// The file without the site's entries, but for those that `stays` names. The current context is taken back if
    /// it is one of them.
    #[must_use]
    pub fn without(&self, site: &SiteName, stays: impl Fn(&str) -> bool) -> Self {
        let goes = |entry: &Node, key: &str| is_marked(entry, key, site) && !stays(name_of(entry));
        let mut changed = self.clone();
        let Some(content) = &mut changed.document else { return changed };
        let current = content.get("current-context").and_then(Node::text).unwrap_or_default();
        if self.find("contexts", current).is_some_and(|entry| goes(entry, "context")) {
            content.set("current-context", "");
        }
        for (list, key) in LISTS {
            if self.entries(list).iter().any(|entry| goes(entry, key))
                && let Some(Node::Sequence(entries)) = content.entry(list)
            {
                entries.retain(|entry| !goes(entry, key));
            }
        }
        changed
    }

    /// The names of the contexts that are the site's.
    #[must_use]
    pub fn contexts_of(&self, site: &SiteName) -> Vec<String> {
        let ours = self.entries("contexts").iter().filter(|entry| is_marked(entry, "context", site));
        ours.map(|entry| name_of(entry).to_owned()).collect()
    }

    /// Whether it has no entries but the site's.
    #[must_use]
    pub fn holds_only(&self, site: &SiteName) -> bool {
        LISTS.iter().all(|(list, key)| self.entries(list).iter().all(|entry| is_marked(entry, key, site)))
    }

    /// Finds out whether names are taken.
    ///
    /// # Errors
    /// When an entry that is not the site's has the name of one of a kubeconfig's.
    pub fn refuse_strangers(&self, site: &SiteName, document: &Value) -> Result<(), KubeconfigError> {
        for (list, key) in LISTS {
            let names =
                document[list].as_array().into_iter().flatten().filter_map(|entry| entry["name"].as_str());
            for name in names {
                if self.find(list, name).is_some_and(|entry| !is_marked(entry, key, site)) {
                    let (path, name) = (self.path.clone(), name.to_owned());
                    return Err(KubeconfigError::Stranger { path, list, name });
                }
            }
        }
        Ok(())
    }
}

/// Whether a key of an entry's content says how the cluster is reached, or who is: then it is as the site says. What else
/// a person adds there stays, such as a context's namespace or the proxy that leads to a cluster from this machine.
fn is_of_the_site(content: &str, key: &str) -> bool {
    match content {
        "cluster" => ["server", "certificate-authority", "certificate-authority-data", "tls-server-name"]
            .contains(&key),
        "context" => ["cluster", "user"].contains(&key),
        _ => !["as", "as-uid", "as-groups", "as-user-extra", "extensions"].contains(&key),
    }
}

/// Renews the first entry of the same name, which is the one that counts, or adds one.
fn put(entries: &mut Vec<Node>, key: &str, new: &Value, site: &SiteName) {
    let name = new["name"].as_str().unwrap_or_default();
    let Some(entry) = entries.iter_mut().find(|entry| name_of(entry) == name) else {
        let mut entry = new.clone();
        entry[key]["extensions"] = json!([mark(site)]);
        return entries.push(Node::from_json(&entry));
    };
    let Some(content) = entry.entry(key) else { return };
    content.retain(|name| !is_of_the_site(key, name) || new[key].get(name).is_some());
    for (name, value) in new[key].as_object().into_iter().flatten() {
        content.put(name, value);
    }
}

fn mark(site: &SiteName) -> Value {
    json!({ "name": SITE_LABEL, "extension": { "site": site.as_str() } })
}

fn is_marked(entry: &Node, key: &str, site: &SiteName) -> bool {
    let Some(Node::Sequence(extensions)) = entry.get(key).and_then(|content| content.get("extensions"))
    else {
        return false;
    };
    let marks = extensions.iter().filter(|extension| name_of(extension) == SITE_LABEL);
    let sites = marks.filter_map(|mark| mark.get("extension")?.get("site")?.text());
    sites.into_iter().any(|name| name == site.as_str())
}
