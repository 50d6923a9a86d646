//! Edits a profile's text as a person would: what is not touched keeps its place, its comments and its spaces.

mod entry;
mod spoke;

use toml_edit::{DocumentMut, Item, TomlError};

pub use spoke::{SpokeError, add_spoke, remove_spoke};

use super::Role;
use super::name::{AddonName, ClusterName};

/// Why a profile was not edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It is not TOML.
    #[error("cannot switch the addon `{addon}`: the profile is not valid TOML")]
    Syntax {
        /// The addon.
        addon: AddonName,
        /// Where it is not.
        source: TomlError,
    },
    /// Something else stands where a table belongs.
    #[error("cannot switch the addon `{addon}`: `{table}` is not a table")]
    NotATable {
        /// The addon.
        addon: AddonName,
        /// Where a table belongs.
        table: String,
    },
}

/// Switches an addon in the text of a profile, for some clusters, or else for the whole site.
///
/// For the whole site it is on (or off) on *every* cluster afterwards: tables of clusters that say otherwise are
/// made to say the same, in place, so that their comments stay. Where all that is so already, the text comes back
/// as it was. A cluster of the short form has no table, and gets one for its addons.
///
/// # Errors
/// When the text is not a profile.
pub fn set_addon(
    text: &str,
    clusters: Option<&[(ClusterName, Role)]>,
    addon: &AddonName,
    on: bool,
) -> Result<String, EditError> {
    let mut edit = Edit::new(text, addon, on)?;
    let Some(clusters) = clusters else {
        edit.say_everywhere()?;
        return Ok(edit.finish(text));
    };
    let everywhere = edit.said(&[]);
    for (cluster, role) in clusters {
        let path = match role {
            Role::Hub => vec!["hub"],
            Role::Spoke => vec!["spokes", cluster.as_str()],
        };
        if edit.said(&path).or(everywhere).unwrap_or(false) != on {
            edit.say(&path)?;
        }
    }
    Ok(edit.finish(text))
}

struct Edit<'a> {
    document: DocumentMut,
    addon: &'a AddonName,
    on: bool,
    changed: bool,
}

impl<'a> Edit<'a> {
    fn new(text: &str, addon: &'a AddonName, on: bool) -> Result<Self, EditError> {
        let parsed = text.parse::<DocumentMut>();
        let document = parsed.map_err(|source| EditError::Syntax { addon: addon.clone(), source })?;
        Ok(Self { document, addon, on, changed: false })
    }

    fn say_everywhere(&mut self) -> Result<(), EditError> {
        let spokes = self.document.get("spokes").and_then(Item::as_table_like);
        let spokes: Vec<_> =
            spokes.into_iter().flat_map(|spokes| spokes.iter().map(|(name, _)| name.to_owned())).collect();
        let clusters = spokes.iter().map(|name| vec!["spokes", name]).chain([vec!["hub"]]);
        let mut all_say_so = true;
        for path in clusters {
            let says = self.said(&path);
            if says == Some(!self.on) {
                self.say(&path)?;
            }
            all_say_so &= says.is_some();
        }
        // The default matters only to clusters that say nothing, but a default against all of them misleads.
        let default = self.said(&[]);
        if default == Some(!self.on) || (default.is_none() && self.on && !all_say_so) {
            self.say(&[])?;
        }
        Ok(())
    }

    /// What the table `addons` below `path` says of the addon.
    fn said(&self, path: &[&str]) -> Option<bool> {
        let mut item = self.document.as_item();
        for key in path.iter().chain(&["addons", self.addon.as_str()]) {
            item = item.get(key)?;
        }
        item.as_bool()
    }

    /// Makes the table `addons` below `path` say it.
    fn say(&mut self, path: &[&str]) -> Result<(), EditError> {
        let not_a_table =
            |path: &[&str]| EditError::NotATable { addon: self.addon.clone(), table: path.join(".") };
        let mut item = self.document.as_item_mut();
        for (depth, key) in path.iter().enumerate() {
            let next = entry::table(item, key, entry::Header::OfWhatIsBelow);
            item = next.ok_or_else(|| not_a_table(&path[..=depth]))?;
        }
        let header = entry::Header::Own { before: if path.is_empty() { "\n" } else { "" } };
        let addons =
            entry::table(item, "addons", header).ok_or_else(|| not_a_table(&[path, &["addons"]].concat()))?;
        entry::set(addons, self.addon.as_str(), self.on);
        self.changed = true;
        Ok(())
    }

    /// The edited text.
    fn finish(self, text: &str) -> String {
        if !self.changed {
            return text.to_owned();
        }
        as_typed(self.document.to_string(), text)
    }
}

/// An edited text with the line ends and the byte order mark that `text` has.
fn as_typed(mut edited: String, text: &str) -> String {
    if text.contains('\n') && text.matches("\r\n").count() == text.matches('\n').count() {
        edited = edited.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    if text.starts_with('\u{feff}') && !edited.starts_with('\u{feff}') {
        edited.insert(0, '\u{feff}');
    }
    edited
}

#[cfg(test)]
mod tests;
