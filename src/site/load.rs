//! From a site's files to a [`Site`]: parse, compare with the schema, read, validate. Everything that is wrong is
//! found in one go.

mod hide;
mod overrides;
mod shape;
mod short;

use std::path::{Path, PathBuf};

pub use overrides::Overrides;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, Deserializer};

use super::Site;
use super::finding::{Finding, Findings, Sources};
use super::name::{NameError, SiteName};
use super::profile::schema::{self, Table};
use super::profile::{Inventory, Profile};
use super::validate::{Places, inventory, validate};

/// The profile of the site `local` where no file says otherwise.
pub const DEFAULT: &str = include_str!("../../sites/local/profile.toml");

/// The site that has a built-in profile.
pub const DEFAULT_SITE: &str = "local";

/// The folder of the logs stands beside those of the sites.
const LOGS: &str = "log";

/// Why a profile did not become a site.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The name is not free.
    #[error("a site cannot be called `{0}`: the logs of all sites are in the folder of that name")]
    Taken(SiteName),
    /// There is no folder to look in.
    #[error("there is no folder `sites` here or above, and no site `{0}` that is built in")]
    NoRoot(SiteName),
    /// The site has no profile.
    #[error("there is no profile `{}`", .0.display())]
    Absent(PathBuf),
    /// A folder cannot be a site.
    #[error("`{}` is no site, and no command sees it", .path.display())]
    Misnamed {
        /// The folder.
        path: PathBuf,
        /// What is wrong with its name.
        source: NameError,
    },
    /// A file of the site cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// The profile's or the inventory's file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The profile says something wrong.
    #[error("{0}")]
    Invalid(Findings),
}

/// The sites below `root`, by name; the built-in one where there are none.
///
/// # Errors
/// When the folder `sites` cannot be read.
pub fn names(root: Option<&Path>) -> Result<Vec<SiteName>, LoadError> {
    let folder = root.map(|root| root.join("sites"));
    let failed = |source| LoadError::Read { path: folder.clone().unwrap_or_default(), source };
    let entries = folder.as_ref().map(|folder| folder.read_dir()).transpose().map_err(failed)?;
    let mut names: Vec<SiteName> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    names.sort();
    if names.is_empty() {
        names.extend(DEFAULT_SITE.parse().ok());
    }
    Ok(names)
}

/// The folders below `root` that look like sites, and can be none: each with what is wrong with its name.
///
/// # Errors
/// When the folder `sites` cannot be read.
pub fn misnamed(root: Option<&Path>) -> Result<Vec<LoadError>, LoadError> {
    let Some(folder) = root.map(|root| root.join("sites")) else { return Ok(Vec::new()) };
    let entries = folder.read_dir().map_err(|source| LoadError::Read { path: folder.clone(), source })?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir());
    let mut found: Vec<_> = paths
        .filter_map(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            // What begins with a dot is hidden on purpose.
            let source = name.parse::<SiteName>().err().filter(|_| !name.starts_with('.'))?;
            Some(LoadError::Misnamed { path, source })
        })
        .collect();
    found.sort_by_key(ToString::to_string);
    Ok(found)
}

/// Loads and validates a site: `sites/<site>/profile.toml` below `root`, and `inventory.toml` beside it.
///
/// # Errors
/// When there is no profile, it cannot be read, or something in it is wrong: then with everything that is.
pub fn load(root: Option<&Path>, name: &SiteName, overrides: &Overrides) -> Result<Site, LoadError> {
    if name.as_str() == LOGS {
        return Err(LoadError::Taken(name.clone()));
    }
    let path = path(root, name);
    let typed = path.as_deref().map(typed).transpose()?.flatten();
    match (typed, path) {
        (Some(text), Some(path)) => {
            Ok(Site { profile: Some(path.clone()), ..from_text(Some(&path), name, &text, overrides)? })
        }
        (_, path) if name.as_str() == DEFAULT_SITE => from_text(path.as_deref(), name, DEFAULT, overrides),
        (_, Some(path)) => Err(LoadError::Absent(path)),
        (_, None) => Err(LoadError::NoRoot(name.clone())),
    }
}

/// Where the profile of a site is, or would be.
#[must_use]
pub fn path(root: Option<&Path>, name: &SiteName) -> Option<PathBuf> {
    root.map(|root| root.join("sites").join(name.as_str()).join("profile.toml"))
}

/// Validates the text of a profile that is, or is to be, the file at `path`, with the inventory beside it.
///
/// # Errors
/// When the inventory cannot be read, or something is wrong: with everything that is.
pub fn from_text(
    path: Option<&Path>,
    name: &SiteName,
    text: &str,
    overrides: &Overrides,
) -> Result<Site, LoadError> {
    let places = Places {
        base: path.and_then(Path::parent).and_then(|folder| std::path::absolute(folder).ok()),
        home: std::env::home_dir(),
        is_folder: Path::is_dir,
    };
    let inventory = path.map(|path| path.with_file_name("inventory.toml"));
    let hosts = inventory.as_deref().map(typed).transpose()?.flatten().unwrap_or_default();
    let shown = |path: Option<&Path>| path.map(|path| path.display().to_string()).unwrap_or_default();
    let file = path.filter(|path| path.is_file());
    let texts = Texts {
        profile: (
            file.map_or_else(|| "sites/local/profile.toml (built in)".to_owned(), |_| shown(path)),
            text,
        ),
        inventory: (shown(inventory.as_deref()), &hosts),
        overrides,
    };
    texts.read(name, &places).map_err(LoadError::Invalid)
}

/// The text of a file; `None` where there is no such file.
#[expect(
    clippy::disallowed_methods,
    reason = "this module knows nothing of ours; the error names the path here"
)]
fn typed(path: &Path) -> Result<Option<String>, LoadError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LoadError::Read { path: path.to_owned(), source }),
    }
}

/// What a site is read from; files with their names.
struct Texts<'a> {
    profile: (String, &'a str),
    inventory: (String, &'a str),
    overrides: &'a Overrides,
}

impl Texts<'_> {
    /// Everything between the texts and the site; it only asks `places` which folders exist.
    fn read(&self, name: &SiteName, places: &Places) -> Result<Site, Findings> {
        let (profile, hosts) = (self.profile.1, self.inventory.1);
        let mut sources = Sources::default();
        sources.add(&self.profile.0, profile);
        let start_of_hosts = sources.add(&self.inventory.0, hosts);
        let start_of_overrides = sources.add("command line", &self.overrides.to_string());

        let (mut findings, mut of_hosts) = (Vec::new(), Vec::new());
        let typed = parse::<Inventory>(hosts, &schema::INVENTORY, |_| {}, &mut of_hosts);
        let hosts = inventory(&typed.unwrap_or_default(), &mut of_hosts);
        findings.extend(of_hosts.into_iter().map(|finding| finding.after(start_of_hosts)));

        let mut hidden = Vec::new();
        let prepare = |table: &mut DeTable<'_>| {
            hidden = hide::secrets(table);
            self.overrides.apply(table, start_of_overrides);
        };
        let typed = parse::<Profile>(profile, &schema::PROFILE, prepare, &mut findings);
        let site =
            typed.and_then(|typed| validate(name, &typed, &hosts, self.overrides, places, &mut findings));
        match site {
            Some(site) if findings.is_empty() => Ok(site),
            _ => {
                for span in hidden {
                    sources.hide(&span);
                }
                Err(Findings::new(sources, findings))
            }
        }
    }
}

/// Reads what fits the schema; everything else becomes findings.
fn parse<T: DeserializeOwned>(
    text: &str,
    schema: &Table,
    prepare: impl FnOnce(&mut DeTable<'_>),
    findings: &mut Vec<Finding>,
) -> Option<T> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    prepare(table.get_mut());
    let mut found = shape::fit(&mut table, schema);
    if !errors.is_empty() {
        found = beside_syntax(text, errors.iter().map(syntax).collect(), found);
    }
    findings.extend(found);
    T::deserialize(Deserializer::from(table)).map_err(|error| findings.push(syntax(&error))).ok()
}

fn syntax(error: &toml::de::Error) -> Finding {
    Finding::new(error.span().unwrap_or_default(), error.message())
}

/// What a line with a syntax error means is a guess: only findings of other lines are kept beside it.
fn beside_syntax(text: &str, mut findings: Vec<Finding>, others: Vec<Finding>) -> Vec<Finding> {
    let line = |finding: &Finding| text[..finding.span.start.min(text.len())].matches('\n').count();
    let lines: Vec<_> = findings.iter().map(line).collect();
    findings.extend(others.into_iter().filter(|other| !lines.contains(&line(other))));
    findings
}

#[cfg(test)]
mod tests;
