//! Shells that print, and shells that are none.

use bridgehead::engine::Failure;
use bridgehead::ssh::SshError;

use super::{host, identity, machine, run};
use crate::kit::Lab;
use crate::kit::hosts::{ADMIN, KEEPER};

/// What a start-up file says that means well, with words that our own scripts use.
const GREETING: &str =
    "echo Welcome; echo own; echo ready; echo sudo: a password is required >&2; echo end=service";

#[tokio::test]
async fn a_greeting_is_not_taken_for_an_answer() {
    let lab = Lab::new();
    let machines = machine(&lab);
    let server = &machines["server"];
    for user in [ADMIN, KEEPER] {
        // Before the line with which Debian's leaves where nobody looks.
        server.ok(&format!("printf '%s\\n' '{GREETING}' >/home/{user}/.bashrc"));
        assert!(machines.ssh(&lab, ADMIN, "server", "true").stdout.starts_with("Welcome"));
        let hosts = run(&lab, Some(&machines.password));
        let connection = hosts.get(&host("server", user)).await.unwrap();
        let output = connection.run("look", "echo one; echo two >&2").await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.stderr.as_str()), (&b"one\n"[..], "two\n"), "{user}");
        connection.put("/root/file", 0o600, "content").await.unwrap();
        assert_eq!(connection.get("/root/file").await.unwrap().unwrap(), b"content", "{user}");
        assert_eq!(connection.get("/root/none").await.unwrap(), None, "{user}");
        hosts.close().await;
    }
}

#[tokio::test]
async fn a_login_without_a_shell_is_said_so() {
    let lab = Lab::new();
    let machines = machine(&lab);
    machines["server"].ok(&format!("usermod --shell /usr/sbin/nologin {ADMIN}"));
    let error = identity(&lab, None, &host("server", ADMIN)).await.unwrap_err();
    assert!(matches!(error, SshError::NoShell { .. }), "{error}");
    assert!(error.to_string().contains("This account is currently not available"), "{error}");
    assert!(Failure::from(error).hint().unwrap().contains("ansible_user"));
}
