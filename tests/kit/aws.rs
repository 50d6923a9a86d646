//! An AWS account on loopback: the emulator of `tests/aws`, with real API servers and nodes of the node agent.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bridgehead::files;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Lab;
use super::command::{Outcome, run};
use super::lab::REPOSITORY;
use super::process::signal;
use super::wait::until;

/// What the emulator runs on is installed anew when this changes.
const REQUIREMENTS: &str = include_str!("../aws/requirements.txt");

/// Ends, with everything that it has started, when it is dropped.
pub(crate) struct Aws {
    process: Child,
    folder: TempDir,
    announced: Value,
}

impl Aws {
    /// Starts an empty account whose changes take half a second.
    pub(crate) fn start(lab: &Lab) -> Self {
        Self::start_with(lab, &[])
    }

    /// Starts an empty account with further arguments of the emulator.
    pub(crate) fn start_with(lab: &Lab, arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("bridgehead-aws-").tempdir().unwrap();
        let components = lab.component("etcd").parent().unwrap().to_owned();
        let mut command = python();
        command.args(["-m", "emulator", "--state"]).arg(folder.path().join("state"));
        command.arg("--components").arg(components).arg("--node-agent").arg(node_agent());
        command.args(["--parent", &std::process::id().to_string()]).args(arguments);
        let log = files::open_log(&folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut aws = Self { process: command.spawn().unwrap(), folder, announced: Value::Null };
        until("the account is there", || {
            let ended = aws.process.try_wait().unwrap();
            assert!(ended.is_none(), "the emulator has ended: {}", aws.log());
            aws.announcement().is_file()
        });
        aws.announced = serde_json::from_str(&files::read(&aws.announcement()).unwrap()).unwrap();
        aws
    }

    /// Where clients find it.
    pub(crate) fn endpoint(&self) -> &str {
        self.text("endpoint")
    }

    /// The variables with which any AWS client finds it, as a user who may do everything, and nothing of the
    /// person's own settings.
    pub(crate) fn env(&self) -> Vec<(&str, &str)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", self.text("access_key_id")),
            ("AWS_SECRET_ACCESS_KEY", self.text("secret_access_key")),
            ("AWS_REGION", self.text("region")),
            // What Python's clients read.
            ("AWS_DEFAULT_REGION", self.text("region")),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]
    }

    /// Everything in the account, by kind and name.
    pub(crate) fn inventory(&self) -> Value {
        self.ask("GET", "inventory", &Value::Null)
    }

    /// Every call so far: service, operation, region and status.
    pub(crate) fn calls(&self) -> Vec<Value> {
        self.ask("GET", "calls", &Value::Null).as_array().unwrap().clone()
    }

    /// Lets nobody do something any more. `*` may stand for anything.
    pub(crate) fn deny(&self, service: &str, operation: &str) {
        self.ask("POST", "deny", &json!({ "service": service, "operation": operation }));
    }

    /// Lets something fail that is made in the background, as `tests/aws/emulator/rules.py` says.
    pub(crate) fn fail(&self, failure: &Value) {
        self.ask("POST", "fail", failure);
    }

    /// Sets a quota of the account.
    pub(crate) fn quota(&self, service: &str, code: &str, value: u32) {
        self.ask("POST", "quota", &json!({ "service": service, "code": code, "value": value }));
    }

    /// Takes back denials, failures and quotas.
    pub(crate) fn obey(&self) {
        self.ask("DELETE", "rules", &Value::Null);
    }

    /// Runs the emulator's own check.
    pub(crate) fn check(&self) -> Outcome {
        let mut command = python();
        command.args(["-m", "emulator.check"]).arg(self.announcement());
        run(command)
    }

    /// Runs a Python script that has boto3 and talks to the account.
    pub(crate) fn boto(&self, script: &str) -> Outcome {
        let mut command = python();
        command.args(["-c", script]).envs(self.env());
        run(command)
    }

    /// The processes that it has started.
    pub(crate) fn children(&self) -> Vec<Pid> {
        let announced: Value = serde_json::from_str(&files::read(&self.announcement()).unwrap()).unwrap();
        let pids = announced["children"].as_object().unwrap().values();
        pids.map(|pid| Pid::from_raw(i32::try_from(pid.as_i64().unwrap()).unwrap()).unwrap()).collect()
    }

    /// Where it keeps everything.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The emulator itself.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        files::read(&self.folder.path().join("log")).unwrap()
    }

    fn announcement(&self) -> PathBuf {
        self.folder.path().join("state/emulator.json")
    }

    fn text(&self, name: &str) -> &str {
        self.announced[name].as_str().unwrap()
    }

    fn ask(&self, method: &str, what: &str, order: &Value) -> Value {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--request", method]);
        if !order.is_null() {
            command.args(["--data", &order.to_string()]);
        }
        let outcome = run({
            command.arg(format!("{}/{what}", self.text("admin")));
            command
        });
        assert_eq!(outcome.code(), 0, "{method} {what}: {}", outcome.stderr);
        outcome.document()
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        signal(self.pid(), Signal::TERM);
        self.process.wait().unwrap();
    }
}

/// The executable that plays nodes, which cargo builds for the tests.
fn node_agent() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_bridgehead")).with_file_name("examples").join("eks-node");
    assert!(path.is_file(), "`cargo test --test it` does not build it: run `cargo build --examples` first");
    path
}

/// A Python that finds the emulator and what it runs on, and has no settings of AWS.
fn python() -> Command {
    let mut command = Command::new("python3");
    command.current_dir(Path::new(REPOSITORY).join("tests/aws"));
    command.env("PYTHONPATH", packages()).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The folder of the emulator's Python packages; installed once, and moved to its place when it is complete.
fn packages() -> PathBuf {
    let digest = digest(REQUIREMENTS);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("aws-{digest:016x}"));
    if !folder.is_dir() {
        let unfinished = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
        pip.arg(unfinished.path()).arg("--requirement");
        pip.arg(Path::new(REPOSITORY).join("tests/aws/requirements.txt"));
        let outcome = run(pip);
        assert_eq!(outcome.code(), 0, "the emulator's packages are not to be had: {}", outcome.stderr);
        // Another test may have been faster.
        match files::rename(unfinished.path(), &folder) {
            Ok(()) => drop(unfinished.keep()),
            Err(error) => assert!(folder.is_dir(), "{error}"),
        }
    }
    folder
}

fn digest(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
