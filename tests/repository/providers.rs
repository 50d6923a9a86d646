//! The choice of provider: outside of `site` it is matched in one place.

use std::collections::BTreeSet;
use std::path::Path;

use bridgehead::files;

use super::layers::sources;
use crate::kit::lab::REPOSITORY;

/// The type that holds a site's choice.
const CHOICE: &str = "Provider";
/// A type of the same name that a library has.
const OTHER: &str = "tls::Provider";
/// Who may name it: who makes the choice of what was typed, and who matches it.
const MAY: [&str; 3] = ["site", "site.rs", "provider.rs"];

/// A source without its tests, which may choose what they like, and without comments.
fn program(file: &Path) -> String {
    let is_test = |part: &str| part == "tests" || part == "tests.rs";
    if file.components().any(|part| part.as_os_str().to_str().is_some_and(is_test)) {
        return String::new();
    }
    let text = files::read(&Path::new(REPOSITORY).join("src").join(file)).unwrap();
    let text = text.split("mod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
}

#[test]
fn only_one_place_outside_of_site_knows_which_providers_there_are() {
    for file in sources() {
        let path = file.strip_prefix(Path::new(REPOSITORY).join("src")).unwrap();
        if MAY.iter().all(|may| !path.starts_with(may)) {
            let names_it = words(&program(path).replace(OTHER, "")).any(|word| word == CHOICE);
            assert!(
                !names_it,
                "{} names `site::{CHOICE}`: what depends on the provider is a method of `provider::Lifecycle` or, \
                 where the profile alone says it, of `site::Cluster`",
                path.display()
            );
        }
    }
}

#[test]
fn each_provider_is_matched_once() {
    let text = program(Path::new("provider.rs"));
    let variants: Vec<_> =
        text.split("Provider::").skip(1).map(|rest| words(rest).next().unwrap().to_owned()).collect();
    assert_eq!(variants.len(), variants.iter().collect::<BTreeSet<_>>().len(), "{variants:?}");
    assert!(variants.len() > 1, "the match was not found");
}
