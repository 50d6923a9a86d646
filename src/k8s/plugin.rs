//! Credential plugins of kubeconfigs (`exec`): whether they may ask the person, and what is told when they fail.

use std::error::Error;
use std::io::{IsTerminal, stdin};

use kube::client::AuthError;
use kube::config::{ExecConfig, ExecInteractiveMode};

/// A credential plugin gave no credentials. Neither its arguments nor what it printed is told: both may be secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum PluginError {
    #[error("the credential plugin `{0}` has to ask on a terminal, and there is none")]
    NoTerminal(String),
    #[error("cannot start the credential plugin")]
    Start(#[source] std::io::Error),
    #[error("the credential plugin failed ({status}){said}")]
    Failed { status: std::process::ExitStatus, said: String },
    #[error("what the credential plugin printed is not credentials")]
    Output,
}

/// Decides whether a plugin may ask the person: where there is a terminal, unless it never wants to.
pub(super) fn settle(plugin: &mut ExecConfig) -> Result<(), PluginError> {
    if stdin().is_terminal() {
        return Ok(());
    }
    if plugin.interactive_mode == Some(ExecInteractiveMode::Always) {
        return Err(PluginError::NoTerminal(plugin.command.clone().unwrap_or_default()));
    }
    plugin.interactive_mode = Some(ExecInteractiveMode::Never);
    Ok(())
}

/// What is told of an error: `kube` quotes a plugin's environment and output.
pub(super) fn without_secrets(error: Box<dyn Error + Send + Sync>) -> Box<dyn Error + Send + Sync> {
    let error = match error.downcast::<kube::Error>().map(|error| *error) {
        Ok(kube::Error::Auth(error)) => Ok(error),
        Ok(other) => return other.into(),
        Err(error) => error.downcast::<AuthError>().map(|error| *error),
    };
    match error {
        Ok(AuthError::AuthExecStart(source)) => PluginError::Start(source).into(),
        Ok(AuthError::AuthExecRun { out, .. }) => {
            PluginError::Failed { status: out.status, said: last_line(&out.stderr) }.into()
        }
        Ok(AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed) => PluginError::Output.into(),
        Ok(other) => other.into(),
        Err(other) => other,
    }
}

/// The last thing that a program said on its standard error, where people expect to be talked to.
fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    line.map(|line| format!(": {line}")).unwrap_or_default()
}
