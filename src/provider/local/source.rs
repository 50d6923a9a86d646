//! The step `site/repositories/<name>`: a repository that is a folder of this machine stands as a bare repository
//! that the hub's Argo CD reads, with the content that the folder has right now, committed or not.

mod git;
mod listing;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git::{Git, GitError};
use listing::{Kind, Listing, list};

use crate::engine::facts::RepositoryFacts;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::files;
use crate::site::name::{ClusterName, RepositoryName, SiteName};
use crate::site::{Repository, RepositorySource};

/// The step of one repository. One that is somewhere else only yields its URL.
#[must_use]
pub fn step(env: &Env, site: &SiteName, name: &RepositoryName, repository: &Repository) -> impl Step + use<> {
    PublishRepository {
        name: name.clone(),
        state: env.state.clone(),
        kind: match &repository.source {
            RepositorySource::Url(url) => SourceKind::Elsewhere(url.clone()),
            RepositorySource::Folder(folder) => SourceKind::Served(Served {
                folder: folder.clone(),
                bare: env.site_folder(site).join("git").join(format!("{name}.git")),
                branch: format!("refs/heads/{}", repository.revision),
            }),
        },
    }
}

struct PublishRepository {
    name: RepositoryName,
    state: PathBuf,
    kind: SourceKind,
}

enum SourceKind {
    Elsewhere(String),
    Served(Served),
}

/// A folder and where its content is served from.
struct Served {
    folder: PathBuf,
    bare: PathBuf,
    branch: String,
}

/// Blob and mode of every path, as `git ls-tree` and `git update-index` write them: `<mode> <id>`.
type Content = BTreeMap<Vec<u8>, String>;

/// What stands in the bare repository.
struct Present {
    commit: String,
    content: Content,
}

/// What is to stand in the bare repository.
struct Work {
    listing: Listing,
    content: Content,
}

/// What was written is not what was looked at.
#[derive(Debug, thiserror::Error)]
#[error("the folder `{}` changed while it was read", .0.display())]
struct Moving(PathBuf);

impl Step for PublishRepository {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::site(&format!("repositories/{}", self.name))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "this machine serves the folder as a Git repository"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Work>, Stop> {
        match &self.kind {
            SourceKind::Elsewhere(url) => Ok(Observed::ready(self.facts(url.clone(), None))),
            SourceKind::Served(served) => self.compare(served).await,
        }
    }

    async fn apply(&self, work: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        match &self.kind {
            SourceKind::Elsewhere(_) => Ok(()),
            SourceKind::Served(served) => served.refresh(&work, writer).await,
        }
    }
}

impl PublishRepository {
    fn facts(&self, url: String, commit: Option<String>) -> Facts {
        Facts::of_repository(&self.name, RepositoryFacts { url, commit })
    }

    async fn compare(&self, served: &Served) -> Result<Observed<Work>, Stop> {
        let subject = format!("repository {}", self.name);
        let present = served.present().await.map_err(GitError::into_failure)?;
        let listing = list(&served.folder, &self.state).await?;
        let content = served.content(&listing, &[]).await.map_err(GitError::into_failure)?;
        let change = match &present {
            None => Some(Change::create(subject)),
            Some(present) => {
                difference(&present.content, &content).map(|detail| Change::update(subject, detail))
            }
        };
        let changes = change.map(|change| change.with_content(&shown(&content))).into_iter().collect();
        let facts = self.facts(served.url(), present.map(|present| present.commit));
        Ok(Observed { facts, changes, work: Some(Work { listing, content }) })
    }
}

impl Served {
    fn url(&self) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        let mut url = "file://".to_owned();
        for byte in self.bare.as_os_str().as_bytes() {
            if plain(*byte) {
                url.push(char::from(*byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(url, "%{byte:02X}");
            }
        }
        url
    }

    async fn refresh(&self, Work { listing, content }: &Work, writer: &Writer) -> Result<(), Failure> {
        for path in &listing.left_out {
            writer.progress(format!("left out, being a repository of its own: {}", path.display()));
        }
        writer.perform(self.make()).await?;
        let written = writer.perform(self.content(listing, &["-w"])).await.map_err(GitError::into_failure)?;
        if written != *content {
            return Err(Failure::from(Moving(self.folder.clone())).with_hint("run the same command again"));
        }
        let tree = writer.perform(self.write_tree(content)).await?;
        let commit = writer.perform(self.write_commit(&tree)).await.map_err(GitError::into_failure)?;
        writer.perform(self.point_at(&commit)).await.map_err(GitError::into_failure)
    }

    fn git(&self, command: &str) -> Git {
        Git::of_ours(&self.bare, &self.folder, command)
    }

    /// What the branch has; `None` without a branch, or a repository.
    async fn present(&self) -> Result<Option<Present>, GitError> {
        if !self.bare.join("HEAD").is_file() {
            return Ok(None);
        }
        let commit =
            self.git("rev-parse").args(["--verify", "--quiet", &format!("{}^{{commit}}", self.branch)]);
        let Some(commit) = commit.ask().await? else { return Ok(None) };
        let commit = line(&commit);
        let tree = self.git("ls-tree").args(["-r", "-z", "--full-tree", &commit]).run(&[]).await?;
        let content = tree.split(|byte| *byte == 0).filter_map(entry).collect();
        Ok(Some(Present { commit, content }))
    }

    /// Blob and mode of everything listed; with `-w` among the options the blobs are written too.
    async fn content(&self, listing: &Listing, options: &[&str]) -> Result<Content, GitError> {
        let files = listing.files.iter().filter(|(_, kind)| !matches!(kind, Kind::Link(_)));
        let names: Vec<u8> = files.clone().flat_map(|(path, _)| quoted(path)).collect();
        let hash = |input| self.git("hash-object").args(options).args(["--no-filters", input]);
        let ids = String::from_utf8_lossy(&hash("--stdin-paths").run(&names).await?).into_owned();
        let mut content: Content = files
            .zip(ids.lines())
            .map(|((path, kind), id)| (path.clone(), format!("{} {id}", kind.mode())))
            .collect();
        for (path, kind) in &listing.files {
            if let Kind::Link(target) = kind {
                let id = line(&hash("--stdin").run(target).await?);
                content.insert(path.clone(), format!("{} {id}", kind.mode()));
            }
        }
        Ok(content)
    }

    /// Makes the bare repository; one that is there, or half there, is completed.
    async fn make(&self) -> Result<(), Failure> {
        files::make_folder(&self.bare)?;
        let branch = self.branch.trim_start_matches("refs/heads/");
        let make =
            self.git("init").args(["--quiet", "--bare", "--object-format=sha1", "--initial-branch", branch]);
        make.run(&[]).await.map(|_| ()).map_err(GitError::into_failure)
    }

    async fn write_tree(&self, content: &Content) -> Result<String, Failure> {
        let index = self.bare.join("index.new");
        files::remove(&index)?;
        let entries: Vec<u8> = content
            .iter()
            .flat_map(|(path, entry)| [entry.as_bytes(), b"\t", path, b"\0"].concat())
            .collect();
        let update = self.git("update-index").env("GIT_INDEX_FILE", &index).args(["-z", "--index-info"]);
        update.run(&entries).await.map_err(GitError::into_failure)?;
        let write = self.git("write-tree").env("GIT_INDEX_FILE", &index);
        let tree = write.run(&[]).await.map_err(GitError::into_failure)?;
        files::remove(&index)?;
        Ok(line(&tree))
    }

    async fn write_commit(&self, tree: &str) -> Result<String, GitError> {
        let message = format!("Content of {}\n", self.folder.display());
        let commit = self.git("commit-tree").args([tree]).run(message.as_bytes()).await?;
        Ok(line(&commit))
    }

    async fn point_at(&self, commit: &str) -> Result<(), GitError> {
        self.git("update-ref").args([&self.branch, commit]).run(&[]).await.map(|_| ())
    }
}

/// One entry of `git ls-tree -z`: `<mode> <type> <id>`, a tab and the path.
fn entry(text: &[u8]) -> Option<(Vec<u8>, String)> {
    let tab = text.iter().position(|byte| *byte == b'\t')?;
    let head = String::from_utf8_lossy(&text[..tab]);
    let mut words = head.split(' ');
    Some((text[tab + 1..].to_owned(), format!("{} {}", words.next()?, words.nth(1)?)))
}

/// A path as a line for `--stdin-paths`: quoted as in C where it would be read as something else.
fn quoted(path: &[u8]) -> Vec<u8> {
    let control = |byte: &u8| byte.is_ascii_control();
    if !path.starts_with(b"\"") && !path.iter().any(control) {
        return [path, b"\n"].concat();
    }
    let escaped = path.iter().flat_map(|byte| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        byte if control(byte) => format!("\\{byte:03o}").into_bytes(),
        byte => vec![*byte],
    });
    [b'"'].into_iter().chain(escaped).chain(*b"\"\n").collect()
}

/// The content as plans compare it.
fn shown(content: &Content) -> Vec<(String, &str)> {
    let path = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    content.iter().map(|(name, entry)| (path(name), entry.as_str())).collect()
}

/// What a person is told of the difference; `None` where there is none.
fn difference(present: &Content, wanted: &Content) -> Option<String> {
    let paths: BTreeSet<_> = present.keys().chain(wanted.keys()).collect();
    let differs: Vec<_> = paths.into_iter().filter(|path| present.get(*path) != wanted.get(*path)).collect();
    let shown = differs.iter().take(3).map(|path| Path::new(OsStr::from_bytes(path)).display().to_string());
    let shown = shown.collect::<Vec<_>>().join(", ");
    match differs.len() {
        0 => None,
        count @ 1..=3 => Some(format!("{count} changed: {shown}")),
        count => Some(format!("{count} changed: {shown} and more")),
    }
}

fn line(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim().to_owned()
}

#[cfg(test)]
mod tests;
