//! `argocd password`: the password of `admin`, shown or set.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::environment::SITE;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::session::{Session, Show};
use crate::engine::run::Mode;
use crate::site::name::SiteName;
use crate::site::secret::Secret;
use crate::{files, flow};

/// Print the password that Argo CD made up for `admin`; `update` sets another
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  bridgehead argocd password local\n  bridgehead argocd password update local"
)]
pub(in crate::cli) struct Password {
    /// The site: a folder under sites/
    #[arg(required = true)]
    site: Option<SiteName>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set the password of `admin`, and remove the one that Argo CD made up
    #[command(after_help = "Examples:
  bridgehead argocd password update local
  bridgehead argocd password update local --password-file ~/.argocd-password")]
    Update {
        /// The site: a folder under sites/
        #[arg(env = SITE, hide_env_values = true)]
        site: SiteName,
        /// Take the password from this file, which only you may read [default: ask for it]
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

impl Password {
    pub(in crate::cli) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match (self.command, self.site) {
            (Some(Command::Update { site, password_file }), _) => {
                update(global, &site, password_file.as_deref())
            }
            (None, Some(site)) => show(global, &site),
            (None, None) => unreachable!("clap wants the one or the other"),
        }
    }
}

fn show(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Nothing, async |session| {
        let facts = session.look(&flow::up::clusters(&session.site, &session.env)).await.facts;
        let password = flow::argocd::password(&session.site, &session.env, &facts).await?;
        let _ = writeln!(io::stdout().lock(), "{}", password.expose());
        Ok(Exit::Done)
    })
}

fn update(global: &Global, site: &SiteName, file: Option<&Path>) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Events, async |session| {
        let password = match file {
            Some(file) => from_file(file)?,
            None => from_terminal()?,
        };
        let lock = session.lock()?;
        let tree = flow::argocd::set_password(&session.site, &session.env, password);
        let report = session.walk(Mode::Apply, None, &tree).await;
        drop(lock);
        Ok(session.conclude(&report))
    })
}

fn from_file(file: &Path) -> Result<Secret<String>, CommandError> {
    Ok(Secret::new(without_end(&files::read_private(file)?).to_owned()))
}

/// An editor ends the last line, too, on Windows with two characters.
fn without_end(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').filter(|_| line.len() < text.len()).unwrap_or(line)
}

fn from_terminal() -> Result<Secret<String>, CommandError> {
    let ask = |question: &str| {
        rpassword::prompt_password(question).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => CommandError::Interrupted,
            _ => CommandError::NoPassword(error),
        })
    };
    let password = ask("New password of admin: ")?;
    if ask("The same again: ")? != password {
        return Err(CommandError::OtherPassword);
    }
    Ok(Secret::new(password))
}

#[cfg(test)]
mod tests {
    use super::without_end;

    #[test]
    fn the_end_of_the_line_is_no_part_of_a_password() {
        for text in ["a b", "a b\n", "a b\r\n"] {
            assert_eq!(without_end(text), "a b");
        }
        assert_eq!(without_end("a\n\n"), "a\n");
        assert_eq!(without_end("a\r"), "a\r");
    }
}
