//! `schema`: the profile as JSON Schema.

use std::io::Write;

use clap::Args;

use super::exit::Exit;
use crate::site::schema;

/// Print the JSON Schema of profiles, for editors that check and complete TOML
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bridgehead schema > profile.schema.json     then, as a profile's first line: #:schema ../../profile.schema.json
  bridgehead schema --inventory")]
pub(super) struct Schema {
    /// That of inventory.toml
    #[arg(long)]
    inventory: bool,
}

impl Schema {
    pub(super) fn run(&self) -> Exit {
        let schema = if self.inventory { schema::inventory() } else { schema::profile() };
        let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        let _ = writeln!(std::io::stdout().lock(), "{text}");
        Exit::Done
    }
}
