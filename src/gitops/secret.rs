//! Secrets on the hub, declared by the profile or built in. Their values are in no profile: they are read anew,
//! each time, from where it says.

mod object;
mod source;
mod step;

use std::collections::BTreeMap;

pub use step::secrets;

use crate::env::Env;
use crate::k8s::Kind;
use crate::site::Site;
use crate::site::name::SecretName;
use crate::site::secret::{DeclaredSecret, Source};

/// A Secret, and where its values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: SecretName,
    declared: DeclaredSecret,
    /// The registry of images that `username` and `password` are for: they are written as a login there.
    registry: Option<&'static str>,
    /// What is in it that is no secret, by key.
    open: BTreeMap<&'static str, String>,
    /// What Argo CD takes it for; `None`: for nothing of its own.
    role: Option<&'static str>,
}

impl Wanted {
    /// What a person calls it.
    #[must_use]
    pub fn subject(&self) -> String {
        Kind::SECRET.subject(Some(&self.declared.namespace), self.name.as_str())
    }

    /// What a value would come from that is not there: variables and files.
    #[must_use]
    pub fn missing(&self, env: &Env) -> Vec<String> {
        self.declared.data.values().filter_map(|source| source::missing(source, env)).collect()
    }
}

/// Every Secret of a site. A declared one takes the place of a built-in one.
#[must_use]
pub fn all(site: &Site) -> Vec<Wanted> {
    let declared = site.secrets.iter().map(|(name, declared)| Wanted {
        name: name.clone(),
        declared: declared.clone(),
        registry: None,
        open: BTreeMap::new(),
        role: None,
    });
    let all = built_in(&site.argocd.namespace).chain(repositories(site)).chain(declared);
    let all = all.map(|wanted| (wanted.name.clone(), wanted));
    all.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// What Argo CD knows repositories by
/// (<https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#repositories>).
fn repositories(site: &Site) -> impl Iterator<Item = Wanted> {
    site.argocd.repositories.iter().map(|known| Wanted {
        name: known.secret.clone(),
        declared: DeclaredSecret {
            namespace: site.argocd.namespace.clone(),
            kind: "Opaque".to_owned(),
            data: known.credentials.iter().map(|(key, source)| ((*key).to_owned(), source.clone())).collect(),
        },
        registry: None,
        open: known.open.clone(),
        role: Some(if known.is_template { "repo-creds" } else { "repository" }),
    })
}

/// What Argo CD Image Updater needs to write to Git, and to read from GitHub's registry.
fn built_in(namespace: &str) -> impl Iterator<Item = Wanted> {
    [
        (
            "argocd-image-updater-gitops-writeback",
            "Opaque",
            None,
            ["GITOPS_WRITEBACK_USERNAME", "GITOPS_WRITEBACK_TOKEN"],
        ),
        (
            "argocd-image-updater-ghcr-pull",
            object::DOCKER_CONFIG,
            Some("ghcr.io"),
            ["GHCR_USERNAME", "GHCR_PULL_TOKEN"],
        ),
    ]
    .into_iter()
    .filter_map(move |(name, kind, registry, variables)| {
        let sources = variables.map(|variable| Source::Environment(variable.to_owned()));
        let keys = [object::USERNAME, object::PASSWORD].map(ToOwned::to_owned);
        let declared = DeclaredSecret {
            namespace: namespace.to_owned(),
            kind: kind.to_owned(),
            data: keys.into_iter().zip(sources).collect(),
        };
        Some(Wanted { name: name.parse().ok()?, declared, registry, open: BTreeMap::new(), role: None })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load;

    #[test]
    fn a_declared_secret_takes_the_place_of_a_built_in_one() {
        let site = |profile: &str| {
            let name = "home".parse().expect("valid");
            load::from_text(None, &name, profile, &load::Overrides::default()).expect("valid")
        };
        let names = |wanted: &[Wanted]| wanted.iter().map(|each| each.name.to_string()).collect::<Vec<_>>();
        let built_in = all(&site("[hub.local]\n"));
        let [pull, write] = ["argocd-image-updater-ghcr-pull", "argocd-image-updater-gitops-writeback"];
        assert_eq!(names(&built_in), [pull, write]);
        let declared = all(&site(&format!(
            "[hub.local]\n[argocd]\nnamespace = \"gitops\"\n[secrets.a]\ndata = {{ k = {{ env = \"V\" }} }}\n\
             [secrets.{pull}]\ndata = {{ token = {{ env = \"T\" }} }}\n"
        )));
        assert_eq!(names(&declared), ["a", pull, write]);
        assert!(declared.iter().all(|wanted| wanted.declared.namespace == "gitops"));
        assert_eq!(declared[1].declared.data.keys().collect::<Vec<_>>(), ["token"]);
        assert_eq!((declared[1].registry, built_in[0].registry), (None, Some("ghcr.io")));
    }
}
