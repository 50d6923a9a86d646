//! `completions` and `man`: made from the same definitions as `--help`.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::exit::Exit;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bridgehead completions bash > ~/.local/share/bash-completion/completions/bridgehead\n  bridgehead completions zsh > ~/.zfunc/_bridgehead"
)]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Exit {
        clap_complete::generate(self.shell, &mut Cli::command(), "bridgehead", &mut std::io::stdout().lock());
        Exit::Done
    }
}

/// Print the man page
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bridgehead man > ~/.local/share/man/man1/bridgehead.1")]
pub(super) struct Man {}

impl Man {
    #[expect(clippy::unused_self, reason = "every command runs the same way")]
    pub(super) fn run(&self) -> Exit {
        let mut page = Vec::new();
        match clap_mangen::Man::new(Cli::command()).render(&mut page) {
            Ok(()) if std::io::stdout().lock().write_all(&page).is_ok() => Exit::Done,
            _ => Exit::Unexpected,
        }
    }
}
