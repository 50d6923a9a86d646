//! Kubeconfigs on this machine, and the names of contexts in them.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::Check;
use crate::site::Kube;
use crate::site::finding::Finding;
use crate::site::load::Overrides;
use crate::site::name::SiteName;

impl Check<'_> {
    pub(super) fn kube(&mut self, site: &SiteName, overrides: &Overrides) -> Option<Kube> {
        let table = &self.profile.kube;
        let kubeconfig = match &table.kubeconfig {
            Some(typed) => self.path_of(typed),
            None => Some(self.usual(overrides, site)),
        };
        let mut contexts = Vec::new();
        for (key, typed) in &table.contexts {
            contexts.push(self.context_name(typed).map(|name| (key.get_ref().clone(), name)));
        }
        let saved = overrides.k3s_kubeconfig.as_deref().and_then(|typed| self.places.resolve(typed));
        Some(Kube {
            kubeconfig: kubeconfig?,
            contexts: contexts.into_iter().collect::<Option<_>>()?,
            saved: saved.unwrap_or_else(|| self.below_home(&format!(".kube/{site}.yml"))),
            saved_rke2: self.below_home(&format!(".kube/{site}-rke2.yml")),
        })
    }

    /// As for `kubectl`: what `KUBECONFIG` says, or the file in the home. A shell in which the site's own kubeconfigs are
    /// in use says nothing of where other contexts are.
    fn usual(&self, overrides: &Overrides, site: &SiteName) -> PathBuf {
        let own = [".yml", "-rke2.yml"].map(|end| self.below_home(&format!(".kube/{site}{end}")));
        let is_own = |path: &PathBuf| own.contains(path) || overrides.k3s_kubeconfig.as_ref() == Some(path);
        let named = overrides.usual_kubeconfig.iter().flat_map(std::env::split_paths);
        let others: Vec<_> = named.filter(|path| !path.as_os_str().is_empty() && !is_own(path)).collect();
        let joined = std::env::join_paths(others).ok().filter(|paths| !paths.is_empty());
        joined.map_or_else(|| self.below_home(".kube/config"), PathBuf::from)
    }

    /// A file that the profile names.
    pub(super) fn path_of(&mut self, typed: &Spanned<String>) -> Option<PathBuf> {
        if typed.get_ref().is_empty() {
            return self.found(Finding::new(typed.span(), "the path of a file must not be empty"));
        }
        self.places.resolve(Path::new(typed.get_ref())).or_else(|| {
            let message = format!(
                "`{}` is a relative path, and there is no folder that it could start from",
                typed.get_ref()
            );
            self.found(Finding::new(typed.span(), message).with_help("write an absolute path"))
        })
    }

    /// The name of a context: any, but one that can be seen.
    pub(super) fn context_name(&mut self, typed: &Spanned<String>) -> Option<String> {
        if typed.get_ref().trim().is_empty() || typed.get_ref().contains(char::is_control) {
            return self.found(Finding::new(typed.span(), "the name of a context must not be empty"));
        }
        Some(typed.get_ref().clone())
    }

    /// Where a user has no home, the system says `/`.
    fn below_home(&self, path: &str) -> PathBuf {
        self.places.home.as_deref().unwrap_or(Path::new("/")).join(path)
    }
}
