//! `inventory`: the hosts of a site, for other tools.

use std::io::Write;

use clap::Subcommand;

use super::Global;
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use crate::engine::Failure;
use crate::report::Output;
use crate::site::inventory::AnsibleInventory;
use crate::site::name::SiteName;

/// The hosts of a site
#[derive(Debug, Subcommand)]
pub(super) enum Inventory {
    /// Print the site's inventory as Ansible reads it, with a group `workload_<name>` for every workload
    #[command(after_help = "Examples:
  bridgehead inventory render home > inventory.yml     Ansible wants the ending .yml")]
    Render {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
    },
}

/// The inventory could not be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the inventory as YAML")]
struct YamlError(#[source] serde_saphyr::ser::Error);

impl Inventory {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let Self::Render { site } = self;
        Session::run(global, &site, Show::Nothing, async |session| {
            let inventory = AnsibleInventory::of(&session.site.inventory);
            let text = if session.output == Output::Json {
                serde_json::to_string_pretty(&inventory).unwrap_or_default()
            } else {
                serde_saphyr::to_string(&inventory).map_err(YamlError).map_err(Failure::from)?
            };
            let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
            Ok(Exit::Done)
        })
    }
}
