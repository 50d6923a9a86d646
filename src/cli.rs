//! The command line: parse, resolve, call the library, report. clap's types stay in here.

mod addon;
mod argocd;
mod aws;
mod check;
mod cluster;
mod clusters;
mod completions;
mod components;
mod confirm;
mod descriptors;
mod down;
mod environment;
mod error;
mod exit;
mod graph;
mod hidden;
mod init;
mod inventory;
mod k3s;
mod kubeconfig;
mod log;
mod overrides;
mod password;
mod plan;
mod prune;
mod review;
mod rke2;
mod schema;
mod secret;
mod session;
mod status;
mod typed;
mod up;

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use error::CommandError;
use exit::Exit;

use crate::engine::run::AT_ONCE;
use crate::report::Output;

/// Takes a Kubernetes fleet from a site profile to a running GitOps Bridge, and takes it away again.
#[derive(Debug, Parser)]
#[command(name = "bridgehead", version, propagate_version = true, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  bridgehead up local                        hub, spokes and Argo CD on this machine
  bridgehead plan local --exit-code          what `up` would change; exits 3 if anything
  bridgehead addon on local namespace_quota --cluster dev
  bridgehead status local
  bridgehead down local

Exit codes: 0 done; 1 a bug; 2 usage or invalid profile; 3 changes (--exit-code); 4 a step failed,
run again to continue; 5 not converged in time; 6 another run holds the lock; 130 interrupted.";

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// The folder that holds `sites/` [default: the nearest ancestor of the current folder that does]
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// How to show a run [default: live on a terminal, lines otherwise]
    #[arg(long, global = true, value_name = "FORM")]
    output: Option<OutputChoice>,
    /// Ask for the password of logins and of `sudo` on hosts (or have it in a file: `BRIDGEHEAD_PASSWORD_FILE`)
    #[arg(long, global = true)]
    ask_pass: bool,
    /// Record the keys of hosts that are not known yet, and accept them
    #[arg(long, global = true)]
    accept_new_host_keys: bool,
    /// How many clusters to work on at once
    #[arg(long, global = true, value_name = "N", default_value_t = AT_ONCE)]
    concurrency: NonZeroU16,
    /// How long to wait for any one thing, such as 90s or 10m [default: as long as each takes, at most minutes]
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Log to stderr; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    overrides: overrides::OverrideOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputChoice {
    /// One moving line of what is at work
    Live,
    /// A line for everything that happens
    Lines,
    /// JSON, for machines
    Json,
}

/// A time that somebody may wait.
fn duration(text: &str) -> Result<Duration, String> {
    let time = text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    time.filter(|time| !time.is_zero()).ok_or_else(|| "write it like 90s, 10m or 1h30m".to_owned())
}

impl Global {
    fn output(&self) -> Output {
        match self.output {
            Some(OutputChoice::Live) => Output::Live,
            Some(OutputChoice::Json) => Output::Json,
            None if rustix::termios::isatty(std::io::stderr()) => Output::Live,
            Some(OutputChoice::Lines) | None => Output::Lines,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
    Plan(plan::Plan),
    Status(status::Status),
    Down(down::Down),
    Check(check::Check),
    Init(init::Init),
    Graph(graph::Graph),
    Schema(schema::Schema),
    #[command(subcommand)]
    Addon(addon::Addon),
    #[command(subcommand)]
    Argocd(argocd::ArgoCd),
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    #[command(subcommand)]
    Secret(secret::Secret),
    #[command(subcommand)]
    Inventory(inventory::Inventory),
    #[command(subcommand)]
    Kubeconfig(kubeconfig::Kubeconfig),
    #[command(subcommand)]
    Rke2(rke2::Rke2),
    #[command(subcommand)]
    K3s(k3s::K3s),
    #[command(subcommand)]
    Aws(aws::Aws),
    Components(components::Components),
    Completions(completions::Completions),
    Man(completions::Man),
    #[command(hide = true)]
    Supervise(hidden::Supervise),
    #[command(hide = true)]
    Exec(hidden::Exec),
    #[command(hide = true)]
    Askpass(hidden::Askpass),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse_from(hidden::arguments());
    match command.run(&global) {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.print(global.output());
            error.exit().into()
        }
    }
}

impl Command {
    fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self {
            Self::Up(command) => command.run(global),
            Self::Plan(command) => command.run(global),
            Self::Status(command) => command.run(global),
            Self::Down(command) => command.run(global),
            Self::Check(command) => command.run(global),
            Self::Init(command) => command.run(global),
            Self::Graph(command) => command.run(global),
            Self::Schema(command) => Ok(command.run()),
            Self::Addon(command) => command.run(global),
            Self::Argocd(command) => command.run(global),
            Self::Cluster(command) => command.run(global),
            Self::Secret(command) => command.run(global),
            Self::Inventory(command) => command.run(global),
            Self::Kubeconfig(command) => command.run(global),
            Self::Rke2(command) => command.run(global),
            Self::K3s(command) => command.run(global),
            Self::Aws(command) => command.run(),
            Self::Components(command) => command.run(global),
            Self::Completions(command) => Ok(command.run()),
            Self::Man(command) => Ok(command.run()),
            Self::Supervise(command) => command.run(),
            Self::Exec(command) => command.run(),
            Self::Askpass(command) => command.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// The commands that nothing is below of, but those that are not for people.
    fn leaves(command: &clap::Command) -> Vec<&clap::Command> {
        let below: Vec<_> = command.get_subcommands().filter(|command| !command.is_hide_set()).collect();
        if below.is_empty() { vec![command] } else { below.into_iter().flat_map(leaves).collect() }
    }

    /// The words of an example, without what a shell makes of the rest of its line.
    fn words(example: &str) -> impl Iterator<Item = &str> {
        let (_, command) = example.split_at(example.find("bridgehead ").expect("it is about bridgehead"));
        let ends = ["  ", " > ", ")"].into_iter().filter_map(|end| command.find(end));
        command[..ends.min().unwrap_or(command.len())].split(' ')
    }

    #[test]
    fn every_command_has_examples_that_it_takes() {
        let cli = Cli::command();
        for command in leaves(&cli) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = help.lines().skip_while(|line| *line != "Examples:").skip(1);
            let examples: Vec<_> = examples.take_while(|line| !line.is_empty()).collect();
            assert!(!examples.is_empty(), "{} has none", command.get_name());
            for example in examples {
                let parsed = Cli::try_parse_from(words(example));
                assert!(parsed.is_ok(), "{example}: {}", parsed.expect_err("it is no error"));
            }
        }
    }
}
