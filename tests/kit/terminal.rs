//! A person at a terminal, which `script` makes.

use std::iter::once;
use std::path::Path;
use std::process::Command;

use bridgehead::files;
use bridgehead::ssh::quote;

use super::Outcome;
use super::command::Running;

/// Runs a command on a terminal of its own and answers its questions, in their order. Its standard output goes to a file; what it
/// and whoever answers wrote on the terminal is the outcome's `stderr`.
pub(crate) fn answer(command: &Command, stdout: &Path, answers: &[(&str, &str)]) -> Outcome {
    answer_after(command, stdout, answers, || ())
}

/// The same, but before the first answer something else happens.
pub(crate) fn answer_after(
    command: &Command,
    stdout: &Path,
    answers: &[(&str, &str)],
    meanwhile: impl FnOnce(),
) -> Outcome {
    let words = once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| quote(word.to_str().unwrap())).collect();
    let line = format!("exec {} >{}", words.join(" "), quote(stdout.to_str().unwrap()));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
    // As the lab does: nothing of the surroundings of the tests.
    script.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.current_dir(command.get_current_dir().unwrap());
    let mut running = Running::with_input(script);
    let mut meanwhile = Some(meanwhile);
    for (question, answer) in answers {
        running.until_asked(question);
        if let Some(meanwhile) = meanwhile.take() {
            meanwhile();
        }
        running.answer(answer);
    }
    let Outcome { status, stdout: screen, elapsed, .. } = running.finish();
    Outcome { status, stdout: files::read(stdout).unwrap(), stderr: screen, elapsed, memory: 0 }
}
