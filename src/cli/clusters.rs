//! Which clusters a command is for: by name, by label, or all.

use std::collections::BTreeSet;

use clap::Args;

use super::error::CommandError;
use crate::engine::crowd::first;
use crate::site::name::ClusterName;
use crate::site::{Cluster, Site};

/// What every command takes that can leave clusters alone.
#[derive(Debug, Args)]
pub(super) struct Clusters {
    /// Only this cluster (repeatable)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
    /// Only clusters whose Secret has this label by the profile, such as environment=dev (repeatable: all must match)
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<Label>,
}

/// A label and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Label {
    key: String,
    value: String,
}

impl std::str::FromStr for Label {
    type Err = &'static str;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        match typed.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err("a label is written KEY=VALUE, such as environment=dev"),
        }
    }
}

impl Label {
    fn is_of(&self, cluster: &Cluster) -> bool {
        cluster.profile_labels().get(&self.key) == Some(&self.value)
    }
}

impl Clusters {
    /// The clusters that are meant; `None`: all of them, as nobody said otherwise.
    ///
    /// # Errors
    /// When the site has no cluster of a name, or none that is meant.
    pub(super) fn of(&self, site: &Site) -> Result<Option<BTreeSet<ClusterName>>, CommandError> {
        let Self { cluster: names, label: labels } = self;
        all_known(site, names)?;
        if names.is_empty() && labels.is_empty() {
            return Ok(None);
        }
        let is_meant = |cluster: &&Cluster| {
            (names.is_empty() || names.contains(&cluster.name))
                && labels.iter().all(|label| label.is_of(cluster))
        };
        let meant: BTreeSet<_> =
            site.clusters().filter(is_meant).map(|cluster| cluster.name.clone()).collect();
        if meant.is_empty() { Err(self.nothing(site)) } else { Ok(Some(meant)) }
    }

    /// Why nothing is meant, with what would be something.
    fn nothing(&self, site: &Site) -> CommandError {
        let matching = |label: &&Label| site.clusters().any(|cluster| label.is_of(cluster));
        let Some(Label { key, value }) = self.label.iter().find(|label| !matching(label)) else {
            let labels = self.label.iter().map(|Label { key, value }| format!("{key}={value}"));
            let all: Vec<_> =
                self.cluster.iter().map(|name| format!("the name {name}")).chain(labels).collect();
            let error = format!("no cluster of site `{}` has all of these: {}", site.name, all.join(", "));
            let hint = "every --label has to match, and one of the names, where some are given";
            return CommandError::NothingSelected(error, hint.to_owned());
        };
        let values: BTreeSet<_> =
            site.clusters().filter_map(|cluster| cluster.profile_labels().remove(key)).collect();
        if values.is_empty() {
            let keys: BTreeSet<_> =
                site.clusters().flat_map(|cluster| cluster.profile_labels().into_keys()).collect();
            let error = format!("by its profile no cluster of site `{}` has a label `{key}`", site.name);
            return CommandError::NothingSelected(error, format!("there are: {}", listed(&keys)));
        }
        let error = format!("no cluster of site `{}` has the label {key}={value}", site.name);
        CommandError::NothingSelected(error, format!("values of `{key}` there: {}", listed(&values)))
    }
}

fn listed(texts: &BTreeSet<String>) -> String {
    const SHOWN: usize = 20;
    first(texts.iter(), SHOWN)
}

/// Makes sure that a site has all these clusters.
pub(super) fn all_known(site: &Site, names: &[ClusterName]) -> Result<(), CommandError> {
    let known: BTreeSet<_> = site.clusters().map(|cluster| &cluster.name).collect();
    match names.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(CommandError::UnknownCluster(name.clone(), site.name.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load;

    fn selected(names: &[&str], labels: &[&str]) -> Result<Vec<String>, (String, String)> {
        let text = "[hub.local]\n[addons]\nkeda = true\n[spokes.a]\nenvironment = \"dev\"\n[spokes.a.labels]\ntier = \"gold\"\n\
                    [spokes.a.local]\n[spokes.b]\nenvironment = \"dev\"\n[spokes.b.local]\n[spokes.b.addons]\nkeda = false\n";
        let site = load::from_text(None, &"home".parse().expect("valid"), text, &load::Overrides::default());
        let clusters = Clusters {
            cluster: names.iter().map(|name| name.parse().expect("valid")).collect(),
            label: labels.iter().map(|label| label.parse().expect("valid")).collect(),
        };
        match clusters.of(&site.expect("valid")) {
            Ok(meant) => Ok(meant.into_iter().flatten().map(|name| name.to_string()).collect()),
            Err(CommandError::NothingSelected(error, hint)) => Err((error, hint)),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn labels_are_those_that_the_profile_gives_the_secret() {
        for (labels, expected) in [
            (&["environment=dev"][..], &["a", "b"][..]),
            (&["environment=dev", "tier=gold"], &["a"]),
            (&["fleet_member=control-plane"], &["hub"]),
            (&["cluster_name=b"], &["b"]),
            (&["enable_keda=true"], &["a", "hub"]),
            (&["enable_keda=false"], &["b"]),
        ] {
            assert_eq!(selected(&[], labels), Ok(expected.iter().map(ToString::to_string).collect()));
        }
        assert_eq!(selected(&["b", "hub"], &["environment=dev"]), Ok(vec!["b".to_owned()]));
        assert_eq!(selected(&[], &[]), Ok(Vec::new()));
    }

    #[test]
    fn what_matches_nothing_says_what_would() {
        let (error, hint) = selected(&[], &["environment=stage"]).expect_err("there is none");
        assert_eq!(error, "no cluster of site `home` has the label environment=stage");
        assert_eq!(hint, "values of `environment` there: control-plane, dev");
        let (error, hint) = selected(&[], &["enviroment=dev"]).expect_err("there is none");
        assert!(error.ends_with("has a label `enviroment`"), "{error}");
        assert!(hint.contains("cluster_name, enable_argocd, enable_keda, environment"), "{hint}");
        let (error, _) = selected(&["b"], &["tier=gold"]).expect_err("there is none");
        assert_eq!(error, "no cluster of site `home` has all of these: the name b, tier=gold");
        for typed in ["dev", "=dev", ""] {
            assert!(typed.parse::<Label>().is_err(), "{typed}");
        }
    }
}
