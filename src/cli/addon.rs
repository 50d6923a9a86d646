//! `addon`: switched by label.

use std::io::Write;

use clap::{Args, Subcommand};

use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use super::{Global, confirm};
use crate::flow;
use crate::report::{self, Output};
use crate::site::name::{AddonName, ClusterName, SiteName};

/// Addons: what each cluster has, and switching one on or off
#[derive(Debug, Subcommand)]
pub(super) enum Addon {
    /// Show clusters and addons: what the profile says, what the label says, what is there
    List {
        /// The site: a folder under sites/
        site: SiteName,
    },
    /// Switch an addon on: edit the profile, apply the label, wait until its objects are there
    On(Switch),
    /// Switch an addon off: say what goes, edit the profile, apply the label, prove that it is gone
    Off {
        #[command(flatten)]
        switch: Switch,
        /// Leave its objects running
        #[arg(long)]
        keep: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// What to switch and where.
#[derive(Debug, Args)]
pub(super) struct Switch {
    /// The site: a folder under sites/
    site: SiteName,
    /// The addon: the label enable_<ADDON>
    addon: AddonName,
    /// Only on this cluster (repeatable)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
}
