//! Repositories: where they are, and paths in them that Argo CD accepts.

use std::path::{Component, Path, PathBuf};

use toml::Spanned;

use super::{Check, RepositoryName};
use crate::site::finding::Finding;
use crate::site::profile::RepositoryTable;
use crate::site::secret::url_has_credential;
use crate::site::{Repository, RepositorySource};

const DEFAULT_REVISION: &str = "main";

impl Check<'_> {
    pub(super) fn repository(
        &mut self,
        name: &Spanned<String>,
        table: &RepositoryTable,
    ) -> Option<(RepositoryName, Repository)> {
        let name = self.name(name);
        let source = table.url.as_ref().and_then(|typed| self.source(typed));
        let basepath = table.basepath.as_ref().map_or(Some(String::new()), |typed| self.basepath(typed));
        let path = table.path.as_ref().map_or_else(|| Some(".".to_owned()), |typed| self.path(typed));
        let revision = match &table.revision {
            Some(typed) => self.revision(typed, source.as_ref()),
            None => Some(DEFAULT_REVISION.to_owned()),
        };
        Some((name?, Repository { source: source?, basepath: basepath?, path: path?, revision: revision? }))
    }

    fn source(&mut self, typed: &Spanned<String>) -> Option<RepositorySource> {
        let url = typed.get_ref();
        if is_path(url) {
            return self.folder(typed).map(RepositorySource::Folder);
        }
        let refusal = match url.split_once("://") {
            Some(_) if url_has_credential(url) => (
                "a profile holds no secrets",
                "take user, password and token out of the URL: annotations of the cluster Secrets repeat it",
            ),
            Some((scheme, rest))
                if !scheme.is_empty() && !rest.is_empty() && !url.contains(char::is_whitespace) =>
            {
                return Some(RepositorySource::Url(url.clone()));
            }
            None if is_scp(url) => return Some(RepositorySource::Url(url.clone())),
            _ => (
                "this is neither the URL of a Git repository nor a path",
                "a path begins with `.`, `..`, `~` or `/`",
            ),
        };
        self.found(Finding::new(typed.span(), refusal.0).with_help(refusal.1))
    }

    fn folder(&mut self, typed: &Spanned<String>) -> Option<PathBuf> {
        let Some(folder) = self.places.resolve(Path::new(typed.get_ref())) else {
            let message = format!(
                "`{}` is a relative path, and there is no folder that it could start from",
                typed.get_ref()
            );
            let help = "work in a copy of the repository, name it with `--root`, or write a URL";
            return self.found(Finding::new(typed.span(), message).with_help(help));
        };
        if (self.places.is_folder)(&folder) {
            return Some(folder);
        }
        let help = "a path is relative to the folder of the profile";
        self.found(
            Finding::new(typed.span(), format!("there is no folder `{}`", folder.display())).with_help(help),
        )
    }

    /// The ecosystem's sets put basepath and path together as they are.
    fn basepath(&mut self, typed: &Spanned<String>) -> Option<String> {
        let basepath = self.inside(typed)?;
        Some(if basepath.is_empty() || basepath.ends_with('/') { basepath } else { basepath + "/" })
    }

    fn path(&mut self, typed: &Spanned<String>) -> Option<String> {
        if typed.get_ref().is_empty() {
            let help = "write `.` for the folder itself";
            return self
                .found(Finding::new(typed.span(), "a repository's path must not be empty").with_help(help));
        }
        self.inside(typed)
    }

    /// A path that stays in the repository: Argo CD refuses absolute ones and those that lead out.
    fn inside(&mut self, typed: &Spanned<String>) -> Option<String> {
        let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if Path::new(typed.get_ref()).components().all(stays) {
            return Some(typed.get_ref().clone());
        }
        self.found(Finding::new(typed.span(), "this must be relative to the repository's top and stay in it"))
    }

    fn revision(&mut self, typed: &Spanned<String>, source: Option<&RepositorySource>) -> Option<String> {
        let revision = typed.get_ref();
        let valid = match source {
            Some(RepositorySource::Folder(_)) => is_branch(revision),
            _ => !revision.is_empty() && !revision.contains(char::is_whitespace),
        };
        if valid {
            return Some(revision.clone());
        }
        let message = match source {
            Some(RepositorySource::Folder(_)) => "the revision of a folder is the name of a branch",
            _ => "a revision is a branch, a tag or a commit",
        };
        self.found(Finding::new(typed.span(), message))
    }
}

fn is_path(url: &str) -> bool {
    matches!(url.split('/').next(), Some("" | "." | ".." | "~")) && !url.is_empty()
}

/// Whether it is `user@host:path`.
fn is_scp(url: &str) -> bool {
    let parts = url.split_once(':').and_then(|(host, path)| Some((host.split_once('@')?, path)));
    parts.is_some_and(|((user, host), path)| {
        [user, host, path].iter().all(|part| !part.is_empty() && !part.contains(char::is_whitespace))
    })
}

/// Whether Git takes it as a branch's name (`git check-ref-format --branch`), and not for a commit.
fn is_branch(name: &str) -> bool {
    let refused = |character: char| character.is_ascii_control() || " ~^:?*[\\".contains(character);
    let part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();
    let commit = name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.split('/').all(part)
        && !commit
        && !name.contains(refused)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.starts_with('-')
        && !name.ends_with('.')
        && name != "@"
        && name != "HEAD"
}
