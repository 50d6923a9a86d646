//! The password: where it is given, and where it must not be seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use bridgehead::engine::step::Failure;
use bridgehead::files;
use bridgehead::site::inventory::Host;
use bridgehead::site::secret::Secret;
use bridgehead::ssh::{Hosts, Settings, SshError};

use crate::kit::sshd::{PASSWORD, Sshd};
use crate::kit::{Lab, process};

fn with_password(sshd: &Sshd, password: &str) -> Hosts {
    Hosts::new(Settings { password: Some(Secret::new(password.to_owned())), ..sshd.settings() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_logs_in_whichever_way_it_is_asked_for() {
    for method in ["PasswordAuthentication", "KbdInteractiveAuthentication"] {
        let mut sshd = Sshd::with_sudoers("ops ALL=(ALL) ALL").await;
        sshd.write("password", &format!("ops:{PASSWORD}"));
        sshd.take_passwords(method).await;
        let hosts = with_password(&sshd, PASSWORD);
        let connection = hosts.get(&sshd.host()).await.unwrap();
        assert_eq!(
            connection.run("ask who it is", "id -un").await.unwrap().text().unwrap(),
            "root",
            "{method}"
        );
        let error = with_password(&sshd, "wrong").get(&sshd.host()).await.unwrap_err();
        assert!(matches!(error, SshError::LoginRefused { .. }), "{method}: {error}");
        assert!(Failure::from(error).hint().unwrap().contains("wrong"));
        let error = sshd.hosts().get(&sshd.host()).await.unwrap_err();
        assert!(Failure::from(error).hint().unwrap().contains("--ask-pass"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_host_is_not_told_the_password() {
    let mut sshd = Sshd::with_sudoers("").await;
    sshd.write("password", &format!("ops:{PASSWORD}"));
    sshd.take_passwords("PasswordAuthentication").await;
    let port = sshd.port();
    sshd.configure(&format!(
        "Host jump\n  HostName 127.0.0.1\n  Port {port}\n  User ops\nHost inner\n  HostName 127.0.0.1\n  ProxyJump jump"
    ));
    let host = Host { address: "inner".to_owned(), ..sshd.host() };
    let error = with_password(&sshd, PASSWORD).get(&host).await.unwrap_err();
    assert!(matches!(error, SshError::LoginRefused { .. }), "{error}");
    assert!(error.to_string().contains("ops@127.0.0.1"), "{error}");
    assert_eq!(sshd.logins(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_the_password_while_it_is_used() {
    let mut sshd = Sshd::with_sudoers("ops ALL=(ALL) ALL").await;
    sshd.write("password", &format!("ops:{PASSWORD}"));
    sshd.take_passwords("PasswordAuthentication").await;
    let watch = Watch::start("canary");
    let hosts = with_password(&sshd, PASSWORD);
    let connection = hosts.get(&sshd.host()).await.unwrap();
    for _ in 0..5 {
        connection.run("wait", "sleep 0.2").await.unwrap();
    }
    let error = connection.run("fail", "exit 1").await.unwrap().success().unwrap_err();
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    let log = sshd.path("connections").join(std::process::id().to_string()).join("0/log");
    assert!(!files::read(&log).unwrap().contains("canary"));
    hosts.close().await;
    let looks = watch.stop();
    assert!(looks > 5, "only {looks} looks at the processes");
}

/// Looks at the words and the environment of every process, again and again.
struct Watch {
    done: Arc<AtomicBool>,
    looking: Option<JoinHandle<usize>>,
}

impl Watch {
    /// Looks for a text that must not be there.
    fn start(text: &'static str) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&done);
        let look = move || {
            let mut looks = 0;
            while !stopped.load(Ordering::Relaxed) {
                for process in process::all() {
                    let seen = format!("{:?} {:?}", process.arguments, process.environment());
                    assert!(!seen.contains(text), "{seen}");
                }
                looks += 1;
            }
            looks
        };
        Self { done, looking: Some(std::thread::spawn(look)) }
    }

    /// How often it has looked.
    fn stop(mut self) -> usize {
        self.done.store(true, Ordering::Relaxed);
        self.looking.take().unwrap().join().unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_password_that_cannot_be_had_is_a_usage_error() {
    let lab = Lab::new();
    let outcome = lab.bridgehead(&["status", "local", "--ask-pass"]);
    assert_eq!(outcome.code(), 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("BRIDGEHEAD_PASSWORD_FILE"), "{}", outcome.stderr);
    let path = lab.path("password");
    files::replace(&path, b"secret\n", 0o644).unwrap();
    let file = path.to_str().unwrap();
    let outcome = lab.bridgehead_with(&["status", "local"], &[("BRIDGEHEAD_PASSWORD_FILE", file)]);
    assert_eq!(outcome.code(), 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("chmod 600"), "{}", outcome.stderr);
}
