//! The configuration: `/etc/rancher/k3s/config.yaml`, its drop-ins, the command line, and the environment.
//! <https://docs.k3s.io/installation/configuration#configuration-file>
//!
//! What k3s does is done here too, also where it is no help: a key that k3s does not know is skipped with a warning
//! by a server, while an agent refuses to start, also for keys that only servers know.

mod flags;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use bridgehead::files;
use serde_json::{Map, Value};

use crate::fatal::Fatal;
use crate::log;
use crate::system::variable;

const FILE: &str = "/etc/rancher/k3s/config.yaml";

/// What a host is in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Agent,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if *self == Self::Server { "server" } else { "agent" })
    }
}

/// Every flag with its values.
#[derive(Debug)]
pub(crate) struct Options(BTreeMap<&'static str, Vec<String>>);

impl Options {
    /// Reads the files and the command line, which comes last and so wins.
    pub(crate) fn read(role: Role, arguments: &[&str]) -> Result<Self, Fatal> {
        let mut words = configured(role, arguments)?;
        words.extend(arguments.iter().map(ToString::to_string));
        let mut options = Self(BTreeMap::new());
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            options.add(role, &word, &mut words)?;
        }
        for (name, flag) in flags::ENVIRONMENT {
            if let Some(value) = variable(name)
                && flags::find(role, flag).is_some()
            {
                options.0.entry(flag).or_insert_with(|| vec![value]);
            }
        }
        Ok(options)
    }

    /// The value of a flag that has one.
    pub(crate) fn text(&self, flag: &str) -> Option<&str> {
        self.0.get(flag)?.last().map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The values of a flag that may have several, also in one word with commas.
    pub(crate) fn list(&self, flag: &str) -> Vec<String> {
        let values = self.0.get(flag).into_iter().flatten();
        let values = values.flat_map(|value| value.split(',')).map(str::trim);
        values.filter(|value| !value.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// Whether a flag is set that is true or false.
    pub(crate) fn is_set(&self, flag: &str) -> bool {
        self.text(flag) == Some("true")
    }

    /// The port that everybody uses.
    pub(crate) fn port(&self) -> Result<u16, Fatal> {
        let port = self.text("https-listen-port").unwrap_or("6443");
        let invalid =
            |_| Fatal::new(format!("invalid value \"{port}\" for flag -https-listen-port: parse error"));
        port.parse().map_err(invalid)
    }

    /// A token, as it is or from the file that is named.
    pub(crate) fn token(&self, flag: &str) -> Result<Option<String>, Fatal> {
        let Some(file) = self.text(&format!("{flag}-file")) else {
            return Ok(self.text(flag).map(ToOwned::to_owned));
        };
        let text = files::read(Path::new(file)).map_err(|error| Fatal::of("Error", &error))?;
        Ok(Some(text.trim().to_owned()))
    }

    fn add(&mut self, role: Role, word: &str, rest: &mut impl Iterator<Item = String>) -> Result<(), Fatal> {
        let Some(flag) = word.strip_prefix('-') else {
            return Err(Fatal::new(format!("Error: unexpected argument '{word}'")));
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        let known = flags::find(role, name);
        let known = known.ok_or_else(|| Fatal::new(format!("flag provided but not defined: -{name}")))?;
        let value = match value {
            Some(value) => value.to_owned(),
            None if known.is_switch => "true".to_owned(),
            None => rest.next().ok_or_else(|| Fatal::new(format!("flag needs an argument: -{name}")))?,
        };
        if known.is_switch && !["true", "false"].contains(&value.as_str()) {
            return Err(Fatal::new(format!("invalid boolean value \"{value}\" for -{name}: parse error")));
        }
        self.0.entry(known.name).or_default().push(value);
        Ok(())
    }
}

/// What the files say, as words of a command line.
fn configured(role: Role, arguments: &[&str]) -> Result<Vec<String>, Fatal> {
    let named = arguments.iter().position(|word| ["--config", "-c"].contains(word));
    let named = named.and_then(|at| arguments.get(at + 1).map(ToString::to_string));
    let named = variable("K3S_CONFIG_FILE").or(named);
    let file = PathBuf::from(named.as_deref().unwrap_or(FILE));
    let mut merged = BTreeMap::new();
    if file.exists() || named.is_some() {
        merge(&mut merged, &file)?;
    }
    let folder = PathBuf::from(format!("{}.d", file.display()));
    let mut drop_ins = files::names(&folder).map_err(|error| Fatal::of("Error", &error))?;
    drop_ins.retain(|name| matches!(name.rsplit_once('.'), Some((_, "yaml" | "yml"))));
    drop_ins.sort();
    for name in drop_ins {
        merge(&mut merged, &folder.join(name))?;
    }
    let mut words = Vec::new();
    for (key, values) in merged {
        if role == Role::Server && flags::find(role, &key).is_none() {
            log::warning(format!("Unknown flag --{key} found in config.yaml, skipping\n"));
            continue;
        }
        words.extend(values.iter().map(|value| format!("--{key}={value}")));
    }
    Ok(words)
}

/// Adds a file: a key replaces what an earlier file said, unless it ends in `+`.
fn merge(merged: &mut BTreeMap<String, Vec<String>>, file: &Path) -> Result<(), Fatal> {
    let text = files::read(file).map_err(|error| Fatal::of("Error", &error))?;
    let invalid = |error| Fatal::of(&format!("Error: yaml: {}", file.display()), &error);
    let map = serde_saphyr::from_str::<Option<Map<String, Value>>>(&text).map_err(invalid)?;
    for (key, value) in map.unwrap_or_default() {
        let values = match value {
            Value::Array(values) => values.iter().map(word).collect(),
            value => vec![word(&value)],
        };
        match key.strip_suffix('+') {
            Some(key) => merged.entry(key.to_owned()).or_default().extend(values),
            None => drop(merged.insert(key, values)),
        }
    }
    Ok(())
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}
