//! `init`: a site to begin with.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::error::CommandError;
use super::exit::Exit;
use super::{Global, confirm, environment};
use crate::engine::Failure;
use crate::files;
use crate::report;
use crate::site::load;
use crate::site::name::SiteName;
use crate::template;

/// Write a commented profile for a new site; nothing is asked of the world, and no file is overwritten
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bridgehead init lab --provider local
  bridgehead init home --provider k3s --address 10.0.0.5 --user ops
  bridgehead init prod --provider eks --region eu-west-1
  bridgehead init team --provider existing --context kind-team")]
pub(super) struct Init {
    /// The site: the folder under sites/ that is made
    site: SiteName,
    /// What makes the hub [default: ask]
    #[arg(long)]
    provider: Option<Maker>,
    /// k3s: the address of the host
    #[arg(long)]
    address: Option<String>,
    /// k3s: who logs in there
    #[arg(long)]
    user: Option<String>,
    /// eks: the region
    #[arg(long)]
    region: Option<String>,
    /// existing: the context of your kubeconfig
    #[arg(long)]
    context: Option<String>,
}

/// What makes the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Maker {
    /// Processes on this machine
    Local,
    /// Machines that are reached over SSH
    K3s,
    /// Amazon EKS
    Eks,
    /// A cluster that is there already
    Existing,
}

/// The site is not made.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("`{}` is there already, and is not overwritten", .0.display())]
    Present(PathBuf),
    #[error("nobody can be asked what makes the hub")]
    NoProvider,
    #[error("`{0}` is none of local, k3s, eks, existing")]
    Unknown(String),
}

impl Init {
    pub(super) fn run(mut self, global: &Global) -> Result<Exit, CommandError> {
        let env = environment::read(global)?;
        let root = match &env.root {
            Some(root) => root.clone(),
            None => std::env::current_dir().map_err(environment::EnvironmentError::CurrentFolder)?,
        };
        let folder = root.join("sites").join(self.site.as_str());
        let names = ["profile.toml", "inventory.toml"];
        if let Some(present) = names.map(|name| folder.join(name)).into_iter().find(|path| path.exists()) {
            let hint = "take another name, or remove it first";
            return Err(CommandError::Usage(Failure::from(InitError::Present(present)).with_hint(hint)));
        }
        let maker = match self.provider {
            Some(maker) => maker,
            None => asked_maker()?,
        };
        self.ask(maker);
        let values = self.values();
        let mut files = vec![("profile.toml", maker.template())];
        if maker == Maker::K3s {
            files.push(("inventory.toml", "init/inventory.toml"));
        }
        let write = |(name, template): (&str, &str)| -> Result<String, Failure> {
            let text = template::render(Some(&root), template, &values)?;
            files::make_folder(&folder)?;
            files::replace(&folder.join(name), text.as_bytes(), 0o644)?;
            Ok(text)
        };
        for file in files {
            let text = write(file)?;
            report::say(&format!("wrote {}", shown(&root, &folder.join(file.0))));
            for (number, line) in text.lines().enumerate().filter(|(_, line)| is_blank(line)) {
                report::say(&format!(
                    "  line {}: fill in {}",
                    number + 1,
                    line.split(" #").next().unwrap_or(line).trim()
                ));
            }
        }
        let _ = writeln!(std::io::stdout().lock(), "{}", shown(&root, &folder.join("profile.toml")));
        report::say(&self.next(&root));
        Ok(Exit::Done)
    }

    /// What is not said is asked on a terminal; an empty answer leaves the blank.
    fn ask(&mut self, maker: Maker) {
        let blanks: Vec<(&str, &mut Option<String>)> = match maker {
            Maker::Local => Vec::new(),
            Maker::K3s => {
                vec![("The address of the host:", &mut self.address), ("Who logs in there:", &mut self.user)]
            }
            Maker::Eks => vec![("The region of AWS:", &mut self.region)],
            Maker::Existing => vec![("The context of your kubeconfig:", &mut self.context)],
        };
        for (question, value) in blanks {
            if value.is_none() {
                *value = answer(question);
            }
        }
    }

    fn values(&self) -> Value {
        let or_blank =
            |value: &Option<String>, name: &str| value.clone().unwrap_or_else(|| format!("<{name}>"));
        json!({
            "site": self.site.as_str(),
            "address": or_blank(&self.address, "the address of the host"),
            "user": or_blank(&self.user, "who logs in"),
            "region": or_blank(&self.region, "the region"),
            "context": or_blank(&self.context, "the context"),
        })
    }

    /// What to type next.
    fn next(&self, root: &Path) -> String {
        let verb = match load::load(Some(root), &self.site, &load::Overrides::default()) {
            Ok(_) => "plan",
            Err(_) => "check",
        };
        format!("next: bridgehead {verb} {}", self.site)
    }
}

impl Maker {
    fn template(self) -> &'static str {
        match self {
            Self::Local => "init/local.toml",
            Self::K3s => "init/k3s.toml",
            Self::Eks => "init/eks.toml",
            Self::Existing => "init/existing.toml",
        }
    }
}

fn asked_maker() -> Result<Maker, CommandError> {
    let hint = "say it: --provider local|k3s|eks|existing";
    let Some(said) = answer("What makes the hub (local, k3s, eks, existing)?") else {
        return Err(CommandError::Usage(Failure::from(InitError::NoProvider).with_hint(hint)));
    };
    Maker::from_str(&said, true)
        .map_err(|_| CommandError::Usage(Failure::from(InitError::Unknown(said)).with_hint(hint)))
}

/// What a person types, if there is somebody to ask and something is typed.
fn answer(question: &str) -> Option<String> {
    confirm::answer(question).ok().filter(|said| !said.is_empty())
}

/// Whether a line of a template has a blank in it that is no comment.
fn is_blank(line: &str) -> bool {
    !line.starts_with('#') && line.contains("\"<")
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
