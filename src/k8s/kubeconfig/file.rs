//! A kubeconfig's file as it was read.

use std::path::{Path, PathBuf};

use super::yaml::{Document, Node, YamlError};
use crate::files::{self, FileError};

/// The lists of a kubeconfig, each with the key under which an entry has its content.
pub(super) const LISTS: [(&str, &str); 3] =
    [("clusters", "cluster"), ("contexts", "context"), ("users", "user")];

/// A kubeconfig cannot be used. Nothing of its content is told but names: the rest may be secret.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is in it cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        source: YamlError,
    },
    /// It is YAML, and no kubeconfig.
    #[error("`{}` is not a kubeconfig: {what}", .path.display())]
    Structure {
        /// The file.
        path: PathBuf,
        /// What is in it instead.
        what: String,
    },
    /// There is no file.
    #[error("there is no kubeconfig `{}`", .0.display())]
    Absent(PathBuf),
    /// It has no such context.
    #[error("the kubeconfig `{}` has no context `{context}`; {there}", .path.display())]
    NoContext {
        /// The file, or the files.
        path: PathBuf,
        /// The context.
        context: String,
        /// Which there are.
        there: String,
    },
    /// A context names something that is not there.
    #[error("the context `{context}` of the kubeconfig `{}` {what}", .path.display())]
    Context {
        /// The file, or the files.
        path: PathBuf,
        /// The context.
        context: String,
        /// What it lacks, or has too much.
        what: String,
    },
    /// An entry of that name is somebody else's.
    #[error("`{}` has an entry `{name}` under `{list}` that is not the site's", .path.display())]
    Stranger {
        /// The file.
        path: PathBuf,
        /// The list that has the entry.
        list: &'static str,
        /// The entry's name.
        name: String,
    },
}

/// A kubeconfig's file: where it is, and what is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct KubeconfigFile {
    pub(super) path: PathBuf,
    /// `None`: nothing.
    pub(super) document: Option<Node>,
    /// The line at which a second document begins, which nobody reads.
    pub(super) rest: Option<usize>,
    /// Whether its lines end as Windows ends them.
    pub(super) has_crlf: bool,
}

/// The files that a path means, which may be several as in the variable `KUBECONFIG`: `a:b`.
#[must_use]
pub fn paths(path: &Path) -> Vec<PathBuf> {
    std::env::split_paths(path).filter(|path| !path.as_os_str().is_empty()).collect()
}

/// Reads those of the files that are there.
///
/// # Errors
/// When one cannot be read, or is no kubeconfig.
pub fn read(path: &Path) -> Result<Vec<KubeconfigFile>, KubeconfigError> {
    let files = paths(path).into_iter().map(|path| KubeconfigFile::read(&path));
    files.filter_map(Result::transpose).collect()
}

impl KubeconfigFile {
    /// A file that is not there yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), document: None, rest: None, has_crlf: false }
    }

    /// Reads a file; `None` if it is not there.
    ///
    /// # Errors
    /// When it cannot be read, or is no kubeconfig.
    pub fn read(path: &Path) -> Result<Option<Self>, KubeconfigError> {
        files::read_if_present(path)?.map(|text| Self::parse(path, &text)).transpose()
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it is no kubeconfig.
    pub fn parse(path: &Path, text: &str) -> Result<Self, KubeconfigError> {
        let document = Node::parse(text);
        let document = document.map_err(|source| KubeconfigError::Yaml { path: path.to_owned(), source })?;
        let has_crlf = text.contains('\n') && text.matches("\r\n").count() == text.matches('\n').count();
        let Document { content: document, rest } = document;
        let file = Self { path: path.to_owned(), document, rest, has_crlf };
        match file.fault() {
            Some(what) => Err(KubeconfigError::Structure { path: path.to_owned(), what }),
            None => Ok(file),
        }
    }

    /// Finds out whether all that the file has can be kept when it is written again.
    ///
    /// # Errors
    /// When it has more than one document.
    pub fn editable(&self) -> Result<(), KubeconfigError> {
        let Some(line) = self.rest else { return Ok(()) };
        let source = YamlError::Unsupported { line, what: "a second document" };
        Err(KubeconfigError::Yaml { path: self.path.clone(), source })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it should say.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.document.as_ref().map(|document| document.to_yaml() + "\n").unwrap_or_default();
        if self.has_crlf { text.replace('\n', "\r\n") } else { text }
    }

    /// What is not as in a kubeconfig.
    fn fault(&self) -> Option<String> {
        let document = self.document.as_ref()?;
        if !matches!(document, Node::Mapping(_)) {
            return Some("it is not a map".to_owned());
        }
        LISTS.into_iter().find_map(|(list, _)| match document.get(list) {
            Some(Node::Sequence(_)) => None,
            Some(node) if !node.is_null() => Some(format!("its `{list}` are not a list")),
            _ => None,
        })
    }

    /// The names of its contexts.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.entries("contexts").iter().map(name_of)
    }

    /// The entries of a list.
    pub(super) fn entries(&self, list: &str) -> &[Node] {
        match self.document.as_ref().and_then(|document| document.get(list)) {
            Some(Node::Sequence(entries)) => entries,
            _ => &[],
        }
    }

    /// The first entry of a name, which is the one that counts.
    pub(super) fn find(&self, list: &str, name: &str) -> Option<&Node> {
        self.entries(list).iter().find(|entry| name_of(entry) == name)
    }
}

/// The name of a list's entry.
pub(super) fn name_of(entry: &Node) -> &str {
    entry.get("name").and_then(Node::text).unwrap_or_default()
}
