//! Becoming another user, with real PAM and real `sudo`.

use std::path::Path;

use bridgehead::engine::step::Failure;
use bridgehead::site::inventory::Host;
use bridgehead::site::secret::Secret;
use bridgehead::ssh::{Hosts, Settings, SshError};

use crate::kit::sshd::{PASSWORD, Sshd};

fn with_password(sshd: &Sshd, password: &str) -> Hosts {
    Hosts::new(Settings { password: Some(Secret::new(password.to_owned())), ..sshd.settings() })
}

async fn identity(hosts: &Hosts, host: &Host) -> Result<String, SshError> {
    hosts.get(host).await?.run("ask who it is", "id -un").await?.text()
}

fn hint(error: SshError) -> String {
    Failure::from(error).hint().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sudo_without_a_password_is_used_as_it_is() {
    let sshd = Sshd::with_sudoers("ops ALL=(ALL) NOPASSWD: ALL").await;
    let hosts = sshd.hosts();
    assert_eq!(identity(&hosts, &sshd.host()).await.unwrap(), "root");
    let nobody = Host { become_user: "nobody".to_owned(), ..sshd.host() };
    assert_eq!(identity(&hosts, &nobody).await.unwrap(), "nobody");
    let itself = Host { become_user: "ops".to_owned(), ..sshd.host() };
    assert_eq!(identity(&hosts, &itself).await.unwrap(), "ops");
    let unknown = Host { become_user: "no-such".to_owned(), ..sshd.host() };
    let error = identity(&hosts, &unknown).await.unwrap_err();
    assert!(matches!(error, SshError::NotAllowed { .. }) && error.to_string().contains("no-such"), "{error}");
    // A password that nobody asks for goes nowhere.
    let hosts = with_password(&sshd, "wrong");
    assert_eq!(identity(&hosts, &sshd.host()).await.unwrap(), "root");
}

#[tokio::test(flavor = "multi_thread")]
async fn sudo_with_a_password_takes_it_and_nothing_of_the_script() {
    let sshd = Sshd::with_sudoers("ops ALL=(ALL) ALL").await;
    let hosts = with_password(&sshd, PASSWORD);
    let connection = hosts.get(&sshd.host()).await.unwrap();
    for _ in 0..2 {
        let output = connection.run("look", "id -un; cat; echo end").await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.stderr.as_str()), (&b"root\nend\n"[..], ""));
    }
    let path = sshd.path("of-root");
    let name = path.to_str().unwrap();
    connection.put(name, 0o600, "one\ntwo\n").await.unwrap();
    assert_eq!(connection.get(name).await.unwrap().unwrap(), b"one\ntwo\n");
    assert!(is_of_root(&path));
    assert_eq!(sshd.logins(), 1);
}

fn is_of_root(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.metadata().unwrap().uid() == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_missing_or_wrong_is_said_so() {
    let sshd = Sshd::with_sudoers("ops ALL=(ALL) ALL").await;
    let error = identity(&sshd.hosts(), &sshd.host()).await.unwrap_err();
    assert!(matches!(error, SshError::PasswordNeeded { .. }), "{error}");
    assert!(hint(error).contains("ASK_PASS=true"));
    let hosts = with_password(&sshd, "canary-wrong");
    for _ in 0..2 {
        let error = identity(&hosts, &sshd.host()).await.unwrap_err();
        assert!(matches!(error, SshError::WrongPassword { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
    assert_eq!(sshd.logins(), 2, "one connection for each run");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_or_cannot_become_root_is_told_why() {
    let sshd = Sshd::with_sudoers("").await;
    let error = identity(&with_password(&sshd, PASSWORD), &sshd.host()).await.unwrap_err();
    assert!(matches!(error, SshError::NotAllowed { .. }), "{error}");
    assert!(error.to_string().contains("ops is not in the sudoers file"), "{error}");
    let mut sshd = Sshd::with_sudoers("ops ALL=(ALL) NOPASSWD: ALL").await;
    sshd.kill();
    sshd.write("without_sudo", "");
    sshd.write("password", "ops:x");
    sshd.serve().await;
    let error = identity(&sshd.hosts(), &sshd.host()).await.unwrap_err();
    assert!(matches!(error, SshError::NoSudo { .. }), "{error}");
}
