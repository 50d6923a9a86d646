//! Becoming another user.

use bridgehead::engine::Failure;
use bridgehead::site::inventory::Host;
use bridgehead::ssh::SshError;

use super::{host, identity, machine, run};
use crate::kit::Lab;
use crate::kit::hosts::{ADMIN, GUEST, KEEPER};

#[tokio::test]
async fn everybody_becomes_whom_the_machine_lets_them_become() {
    let lab = Lab::new();
    let machines = machine(&lab);
    let password = machines.password.as_str();
    let admin = host("server", ADMIN);
    assert_eq!(identity(&lab, None, &admin).await.unwrap(), "root");
    assert_eq!(identity(&lab, Some("never asked for"), &admin).await.unwrap(), "root");
    let nobody = Host { become_user: "nobody".to_owned(), ..admin.clone() };
    assert_eq!(identity(&lab, None, &nobody).await.unwrap(), "nobody");
    let itself = Host { become_user: GUEST.to_owned(), ..host("server", GUEST) };
    assert_eq!(identity(&lab, None, &itself).await.unwrap(), GUEST);
    let unknown = Host { become_user: "no-such".to_owned(), ..admin.clone() };
    let error = identity(&lab, None, &unknown).await.unwrap_err();
    assert!(matches!(error, SshError::NotAllowed { .. }) && error.to_string().contains("no-such"), "{error}");
    let error = identity(&lab, Some(password), &host("server", GUEST)).await.unwrap_err();
    assert!(matches!(error, SshError::NotAllowed { .. }), "{error}");
    assert!(error.to_string().contains("guest is not in the sudoers file"), "{error}");
    machines["server"].ok("mv /usr/bin/sudo /usr/bin/not-sudo");
    let error = identity(&lab, None, &admin).await.unwrap_err();
    assert!(matches!(error, SshError::NoSudo { .. }), "{error}");
    assert_eq!(identity(&lab, None, &itself).await.unwrap(), GUEST);
}

#[tokio::test]
async fn sudo_takes_the_password_and_nothing_of_the_script() {
    let lab = Lab::new();
    let machines = machine(&lab);
    let server = &machines["server"];
    let hosts = run(&lab, Some(&machines.password));
    let connection = hosts.get(&host("server", KEEPER)).await.unwrap();
    for _ in 0..2 {
        let output = connection.run("look", "id -un; cat; echo end").await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.stderr.as_str()), (&b"root\nend\n"[..], ""));
    }
    let large = vec![b'x'; 20 << 20];
    for content in [&b"one\ntwo\n"[..], &large] {
        connection.put("/root/file", 0o600, content).await.unwrap();
        assert!(connection.get("/root/file").await.unwrap().unwrap() == content);
        assert_eq!(server.ok("stat -c '%U %a' /root/file; ls /root"), "root 600\nfile\n");
    }
    assert_eq!(connection.opened(), 1);
    hosts.close().await;
}

#[tokio::test]
async fn a_password_that_is_missing_or_wrong_for_sudo_is_said_so() {
    let lab = Lab::new();
    let machines = machine(&lab);
    let keeper = host("server", KEEPER);
    let error = identity(&lab, None, &keeper).await.unwrap_err();
    assert!(matches!(error, SshError::PasswordNeeded { .. }), "{error}");
    assert!(Failure::from(error).hint().unwrap().contains("ASK_PASS=true"));
    let error = identity(&lab, Some("canary"), &keeper).await.unwrap_err();
    assert!(matches!(error, SshError::WrongPassword { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    let tries = machines["server"].ok("journalctl -q -t sudo | grep -c 'incorrect password attempt'");
    assert_eq!(tries, "1\n", "a script's lines were taken for passwords");
}

/// A `sudo` with other words, as those of `sudo-rs`.
const OTHER_WORDS: &str = r#"
cat >/usr/local/bin/sudo <<'END'
#!/bin/sh
case " $* " in *" -n "*) echo 'sudo: interactive authentication is required' >&2; exit 1 ;; esac
/usr/bin/sudo "$@" 2>/tmp/said || {
  status=$?
  echo 'sudo: Authentication failed, maximum 3 incorrect authentication attempts' >&2
  exit $status
}
END
chmod 755 /usr/local/bin/sudo
"#;

#[tokio::test]
async fn a_sudo_that_asks_in_other_words_is_told_the_password() {
    let lab = Lab::new();
    let machines = machine(&lab);
    machines["server"].ok(OTHER_WORDS);
    let keeper = host("server", KEEPER);
    assert_eq!(identity(&lab, Some(&machines.password), &keeper).await.unwrap(), "root");
    let error = identity(&lab, None, &keeper).await.unwrap_err();
    assert!(matches!(error, SshError::PasswordNeeded { .. }), "{error}");
    let error = identity(&lab, Some("canary"), &keeper).await.unwrap_err();
    assert!(matches!(error, SshError::WrongPassword { .. }), "{error:?}");
}
