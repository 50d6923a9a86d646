//! Tables of spokes in the text of a profile: one more, one less.

use toml_edit::{DocumentMut, Item, TomlError, Value};

use super::as_typed;
use crate::site::name::ClusterName;

/// Why a spoke was not added or removed.
#[derive(Debug, thiserror::Error)]
pub enum SpokeError {
    /// The profile is not TOML.
    #[error("cannot change the spoke `{name}`: the profile is not valid TOML")]
    Syntax {
        /// The spoke.
        name: ClusterName,
        /// Where it is not.
        source: TomlError,
    },
    /// There is one of that name.
    #[error("the profile has a spoke `{0}` already")]
    Present(ClusterName),
    /// There is none of that name.
    #[error("the profile has no spoke `{0}`")]
    Absent(ClusterName),
}

/// Adds a spoke of the provider `existing` at the end of a profile's text. A text that has just this spoke already
/// comes back as it was.
///
/// # Errors
/// When the text is not TOML, or has another spoke of that name.
pub fn add_spoke(
    text: &str,
    name: &ClusterName,
    context: &str,
    environment: Option<&str>,
) -> Result<String, SpokeError> {
    let document = parse(text, name)?;
    if spoke(&document, name).is_some_and(|spoke| says(spoke, context, environment)) {
        return Ok(text.to_owned());
    }
    if spoke(&document, name).is_some() || is_short(&document, name) {
        return Err(SpokeError::Present(name.clone()));
    }
    let mut edited = text.to_owned();
    if !(edited.is_empty() || edited.ends_with('\n')) {
        edited.push('\n');
    }
    edited.push_str(&format!("\n[spokes.{name}]\n"));
    if let Some(environment) = environment {
        edited.push_str(&format!("environment = {}\n", Value::from(environment)));
    }
    edited.push_str(&format!("[spokes.{name}.existing]\ncontext = {}\n", Value::from(context)));
    Ok(as_typed(edited, text))
}

/// Removes a spoke, in the long form or in the short one.
///
/// # Errors
/// When the text is not TOML, or has no such spoke.
pub fn remove_spoke(text: &str, name: &ClusterName) -> Result<String, SpokeError> {
    let mut document = parse(text, name)?;
    let is_short = is_short(&document, name);
    if spoke(&document, name).is_none() && !is_short {
        return Err(SpokeError::Absent(name.clone()));
    }
    if let Some(spokes) = document.get_mut("spokes").and_then(Item::as_table_like_mut) {
        spokes.remove(name.as_str());
    }
    if let Some(argocd) = document.get_mut("argocd").and_then(Item::as_table_like_mut).filter(|_| is_short) {
        argocd.remove("cluster_name");
        argocd.remove("cluster_context");
    }
    Ok(as_typed(document.to_string(), text))
}

fn parse(text: &str, name: &ClusterName) -> Result<DocumentMut, SpokeError> {
    text.parse().map_err(|source| SpokeError::Syntax { name: name.clone(), source })
}

fn spoke<'a>(document: &'a DocumentMut, name: &ClusterName) -> Option<&'a Item> {
    document.get("spokes")?.get(name.as_str())
}

/// Whether a spoke is of that context and environment.
fn says(spoke: &Item, context: &str, environment: Option<&str>) -> bool {
    let existing = spoke.get("existing").and_then(|existing| existing.get("context"));
    existing.and_then(Item::as_str) == Some(context)
        && spoke.get("environment").and_then(Item::as_str) == environment
}

/// Whether `argocd.cluster_name` means it.
fn is_short(document: &DocumentMut, name: &ClusterName) -> bool {
    let named = document.get("argocd").and_then(|argocd| argocd.get("cluster_name"));
    named.and_then(Item::as_str) == Some(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "# mine\n[hub.local]\n\n# theirs\n[spokes.dev]   # old\nserver = 'x'\n[spokes.dev.existing]\ncontext = 'y'\n\n# last\n[addons]\na = true";

    fn name(name: &str) -> ClusterName {
        name.parse().expect("valid")
    }

    #[test]
    fn a_spoke_comes_and_goes_and_the_rest_stays() {
        let added = add_spoke(PROFILE, &name("lab"), "home/\"lab\"", Some("lab")).expect("it can be added");
        assert_eq!(
            added.strip_prefix(PROFILE).expect("nothing else changed"),
            "\n\n[spokes.lab]\nenvironment = \"lab\"\n[spokes.lab.existing]\ncontext = 'home/\"lab\"'\n"
        );
        let again = |environment| add_spoke(&added, &name("lab"), "home/\"lab\"", environment);
        assert_eq!(again(Some("lab")).expect("it says so already"), added);
        assert!(matches!(again(None), Err(SpokeError::Present(_))));
        let removed = remove_spoke(&added, &name("lab")).expect("it is there");
        assert_eq!(removed.trim_end(), PROFILE);
        assert_eq!(
            remove_spoke(PROFILE, &name("dev")).expect("it is there").trim_end(),
            "# mine\n[hub.local]\n\n# last\n[addons]\na = true"
        );
        let windows = PROFILE.replace('\n', "\r\n");
        let added = add_spoke(&windows, &name("lab"), "lab", None).expect("it can be added");
        assert!(added.starts_with(&windows) && added.ends_with("context = \"lab\"\r\n"), "{added}");
    }

    #[test]
    fn one_that_is_there_is_not_added_and_one_that_is_not_there_not_removed() {
        let short = "[argocd]\ntarget_name = 'a'\ncluster_name = \"gpu\"\ncluster_context = \"home/gpu\"\n";
        for (text, spoke) in [(PROFILE, "dev"), (short, "gpu")] {
            assert!(matches!(add_spoke(text, &name(spoke), "x", None), Err(SpokeError::Present(_))));
            assert!(matches!(remove_spoke(text, &name("lab")), Err(SpokeError::Absent(_))));
        }
        assert_eq!(remove_spoke(short, &name("gpu")).expect("it is there"), "[argocd]\ntarget_name = 'a'\n");
    }
}
