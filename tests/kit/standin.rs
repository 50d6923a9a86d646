//! The stand-in for k3s on a host that somebody set up by hand: an executable, a unit, a configuration.

use std::path::{Path, PathBuf};

use super::Lab;
use super::command::run;
use super::hosts::Host;

/// Where the configuration is.
pub(crate) const CONFIG: &str = "/etc/rancher/k3s/config.yaml";

/// The executable, which cargo builds for the tests.
pub(crate) fn executable() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_bridgehead")).with_file_name("examples").join("k3s");
    assert!(path.is_file(), "`cargo test --test it` does not build it: run `cargo build --examples` first");
    path
}

/// Puts executable and unit on a host. `role` is `server` or `agent`.
pub(crate) fn install(lab: &Lab, host: &Host, role: &str) {
    let mut copy = lab.command("scp");
    copy.arg("-qF").arg(lab.path("ssh/config")).arg(executable()).arg(format!("{}:/tmp/k3s", host.name));
    assert_eq!(run(copy).code(), 0, "{}", host.name);
    let unit = format!(
        "[Service]\nType=notify\nKillMode=process\nDelegate=yes\nTimeoutStartSec=0\nRestart=always\n\
         RestartSec=5s\nExecStart=/usr/local/bin/k3s {role}\n"
    );
    host.ok(&format!(
        "install -m 755 /tmp/k3s /usr/local/bin/k3s\nrm /tmp/k3s\nmkdir -p /etc/rancher/k3s\n\
         printf %s '{unit}' >/etc/systemd/system/k3s.service\nsystemctl daemon-reload"
    ));
}

/// Starts the unit anew with a configuration.
pub(crate) fn start(host: &Host, config: &str) {
    host.ok(&format!(
        "systemctl stop k3s\nprintf %s '{config}' >{CONFIG}\nchmod 600 {CONFIG}\nsystemctl start --no-block k3s"
    ));
}

/// The state of the unit, as systemd calls it.
pub(crate) fn state(host: &Host) -> String {
    host.ok("systemctl show --value --property ActiveState k3s").trim().to_owned()
}

/// What the unit has said since it was started last.
pub(crate) fn journal(host: &Host) -> String {
    host.ok("id=$(systemctl show --value --property InvocationID k3s)\n\
             journalctl --output cat --no-pager _SYSTEMD_INVOCATION_ID=$id")
}

/// Whether the unit is up. One that has given up fails the test with what it said.
pub(crate) fn is_active(host: &Host) -> bool {
    let journal = journal(host);
    assert!(!journal.contains("level=fatal"), "{}: {journal}", host.name);
    state(host) == "active"
}
