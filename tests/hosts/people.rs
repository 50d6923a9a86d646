//! Those who log in, and what they may.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use bridgehead::files;

use crate::kit::command::run;
use crate::kit::hosts::{ADMIN, GUEST, Hosts, KEEPER, Plan, TYPIST};
use crate::kit::{Lab, Outcome};

#[test]
fn everybody_may_what_they_are_for() {
    let lab = Lab::new();
    let hosts = Hosts::up(&lab, &[Plan::named("server")]);
    let ask = |user, script: &str| hosts.ssh(&lab, user, "server", script);

    assert_eq!(ask(ADMIN, "sudo -n id -un").stdout, "root\n");
    let asked = ask(KEEPER, "sudo -n id -un");
    assert!(asked.stderr.contains("a password is required"), "{asked:?}");
    let password = &hosts.password;
    assert_eq!(ask(KEEPER, &format!("echo {password} | sudo -S -p '' id -un")).stdout, "root\n");
    assert_ne!(ask(KEEPER, "echo wrong | sudo -S -p '' id -un").code(), 0);
    let refused = ask(GUEST, &format!("echo {password} | sudo -S -p '' id -un"));
    assert!(refused.stderr.contains("not in the sudoers file"), "{refused:?}");

    let refused = ask(TYPIST, "id -un");
    assert!(refused.stderr.contains("Permission denied"), "{refused:?}");
    assert_eq!(typed(&lab, password).stdout, "typist\n");
    assert!(typed(&lab, "wrong").stderr.contains("Permission denied"));
}

/// Logs the typist in by a password.
fn typed(lab: &Lab, password: &str) -> Outcome {
    let askpass: PathBuf = lab.path("askpass");
    files::replace(&askpass, format!("#!/bin/sh\necho {password}\n").as_bytes(), 0o700).unwrap();
    assert_eq!(askpass.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let mut ssh = lab.command("ssh");
    ssh.arg("-F").arg(lab.path("ssh/config")).args(["-o", "NumberOfPasswordPrompts=1", "-l", TYPIST]);
    ssh.args(["server", "id -un"]).env("SSH_ASKPASS", askpass).env("SSH_ASKPASS_REQUIRE", "force");
    run(ssh)
}
