//! Scripts on a host.

use std::time::{Duration, Instant};

use bridgehead::ssh::{SshError, quote};

use crate::kit::sshd::Sshd;
use crate::kit::wait::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn many_scripts_go_over_one_connection_that_ends_with_the_run() {
    let sshd = Sshd::start().await;
    let hosts = sshd.hosts();
    let host = sshd.host();
    let counts = (0..40).map(|number| {
        let (hosts, host) = (&hosts, &host);
        async move {
            let connection = hosts.get(host).await.unwrap();
            let script = format!("sleep 0.05; echo {number}; echo said >&2; exit {}", number % 3);
            let output = connection.run("count", &script).await.unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{number}\n"));
            assert_eq!((output.status, output.stderr.as_str()), (number % 3, "said\n"));
        }
    });
    futures::future::join_all(counts).await;
    assert_eq!(hosts.get(&host).await.unwrap().opened(), 1);
    assert_eq!(sshd.logins(), 1);
    assert_eq!(sshd.clients().len(), 1);
    hosts.close().await;
    eventually("ssh ends", async || sshd.clients().is_empty()).await;
    assert!(!sshd.path("connections").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_says_what_went_wrong_with_it() {
    let sshd = Sshd::start().await;
    let hosts = sshd.hosts();
    let connection = hosts.get(&sshd.host()).await.unwrap();
    let run = async |script: &str| connection.run("look", script).await;
    assert_eq!(run("echo a; echo b").await.unwrap().text().unwrap(), "a\nb");
    let error = run("echo why >&2; exit 3").await.unwrap().success().unwrap_err().to_string();
    assert!(error.starts_with("cannot look on host `box` (127.0.0.1:"), "{error}");
    assert!(error.ends_with("why (the status is 3)"), "{error}");
    assert_eq!(run("no-such-command").await.unwrap().status, 127);
    assert_eq!(run("exit 255").await.unwrap().status, 255);
    assert!(matches!(run("kill -9 $$").await, Err(SshError::Ended { .. })));
    let late = connection.run_for(Duration::from_millis(300), "wait", "sleep 5").await.unwrap_err();
    assert!(matches!(late, SshError::TimedOut { .. }), "{late}");
    let flood = run("head -c 80000000 /dev/zero").await.unwrap_err();
    assert!(matches!(flood, SshError::TooMuch { .. }), "{flood}");
    assert_eq!(run("echo still").await.unwrap().text().unwrap(), "still");
    assert_eq!((connection.opened(), sshd.logins()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_all_that_its_shell_reads() {
    let sshd = Sshd::start().await;
    let hosts = sshd.hosts();
    let connection = hosts.get(&sshd.host()).await.unwrap();
    // A command that reads its input does not swallow the rest of the script.
    let output = connection.run("read", "cat; echo after # and a comment").await.unwrap();
    assert_eq!(output.text().unwrap(), "after");
    let hostile = "a'b\"$(touch /tmp/never)`id`\n\\ ; exit 9 #";
    let script = format!("printf %s {}", quote(hostile));
    assert_eq!(connection.run("print", &script).await.unwrap().stdout, hostile.as_bytes());
    // A script that was cut off is not run at all.
    let cut = connection.run("break", "echo half\nif true; then").await.unwrap();
    assert!(cut.status != 0 && cut.stdout.is_empty(), "{cut:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_of_a_run_that_was_killed_ends_by_itself() {
    let sshd = Sshd::start().await;
    let hosts = sshd.hosts();
    hosts.get(&sshd.host()).await.unwrap();
    assert_eq!(sshd.clients().len(), 1);
    // As when the kernel closes what a killed process had open.
    drop(hosts);
    let started = Instant::now();
    eventually("ssh ends", async || sshd.clients().is_empty()).await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_allows_one_session_at_a_time_gets_one_at_a_time() {
    let mut sshd = Sshd::start().await;
    let config = bridgehead::files::read(&sshd.path("sshd_config")).unwrap();
    sshd.write("sshd_config", &format!("MaxSessions 1\n{config}"));
    sshd.kill();
    sshd.serve().await;
    let hosts = sshd.hosts();
    let connection = hosts.get(&sshd.host()).await.unwrap();
    let counts = (0..12).map(|number| {
        let connection = &connection;
        async move {
            let output = connection.run("count", &format!("sleep 0.05; echo {number}")).await.unwrap();
            assert_eq!(output.text().unwrap(), number.to_string());
        }
    });
    futures::future::join_all(counts).await;
    assert_eq!((connection.opened(), sshd.logins()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_ends_although_a_connection_hangs() {
    let sshd = Sshd::start().await;
    let hosts = sshd.hosts();
    hosts.get(&sshd.host()).await.unwrap();
    for client in sshd.clients() {
        crate::kit::process::signal(client.pid, rustix::process::Signal::STOP);
    }
    tokio::time::timeout(Duration::from_mins(1), hosts.close()).await.unwrap();
}
