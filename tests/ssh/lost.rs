//! Hosts that are not there, go away, and come back.

use std::time::{Duration, Instant};

use bridgehead::ssh::SshError;
use rustix::process::Signal;

use crate::kit::sshd::Sshd;
use crate::kit::wait::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_there_cannot_be_reached() {
    let mut sshd = Sshd::start().await;
    sshd.kill();
    let error = sshd.hosts().get(&sshd.host()).await.unwrap_err();
    assert!(matches!(error, SshError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
    let mut host = sshd.host();
    host.address = "no-such-host.invalid".to_owned();
    let error = sshd.hosts().get(&host).await.unwrap_err();
    assert!(matches!(error, SshError::Unreachable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_under_a_script_is_noticed_and_reached_again_once_it_is_back() {
    let mut sshd = Sshd::start().await;
    let hosts = sshd.hosts();
    let connection = hosts.get(&sshd.host()).await.unwrap();
    let script = format!("touch {}; sleep 60", sshd.path("begun").display());
    let running = connection.run("work", &script);
    let killing = async {
        eventually("the script runs", async || sshd.path("begun").exists()).await;
        sshd.kill();
    };
    let (error, ()) = tokio::join!(running, killing);
    let error = error.unwrap_err();
    assert!(matches!(error, SshError::Lost { .. }), "{error}");
    assert!(error.to_string().starts_with("cannot work on host `box`"), "{error}");
    assert!(matches!(connection.run("work", "true").await, Err(SshError::Unreachable { .. })));
    sshd.serve().await;
    assert_eq!(connection.run("work", "echo back").await.unwrap().text().unwrap(), "back");
    assert_eq!(connection.opened(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_falls_silent_is_noticed() {
    let sshd = Sshd::start().await;
    let hosts = sshd.hosts();
    let connection = hosts.get(&sshd.host()).await.unwrap();
    let script = format!("touch {}; sleep 60", sshd.path("begun").display());
    let freezing = async {
        eventually("the script runs", async || sshd.path("begun").exists()).await;
        sshd.freeze(Signal::STOP);
        Instant::now()
    };
    let (error, frozen) = tokio::join!(connection.run("work", &script), freezing);
    let error = error.unwrap_err();
    assert!(matches!(error, SshError::Lost { .. }), "{error}");
    assert!(error.to_string().contains("not responding"), "{error}");
    assert!(frozen.elapsed() < Duration::from_secs(25), "{:?}", frozen.elapsed());
    sshd.freeze(Signal::CONT);
}
