//! Keys of hosts.

use bridgehead::engine::Failure;
use bridgehead::files;
use bridgehead::ssh::{Hosts, Settings, SshError};

use crate::kit::sshd::Sshd;

fn hint(error: SshError) -> String {
    Failure::from(error).hint().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_refused_until_it_is_accepted_once() {
    let sshd = Sshd::start().await;
    sshd.write("known_hosts", "");
    let error = sshd.hosts().get(&sshd.host()).await.unwrap_err();
    assert!(matches!(error, SshError::UnknownHostKey { .. }), "{error}");
    assert_eq!(files::read(&sshd.path("known_hosts")).unwrap(), "", "nothing is recorded");
    let hint = hint(error);
    let port = sshd.port().to_string();
    assert!(hint.contains("--accept-new-host-keys") && hint.contains(&format!(" -p {port} ")), "{hint}");
    let accepting = || Hosts::new(Settings { accept_new_host_keys: true, ..sshd.settings() });
    for _ in 0..2 {
        let hosts = accepting();
        hosts.get(&sshd.host()).await.unwrap();
        hosts.close().await;
    }
    let recorded = files::read(&sshd.path("known_hosts")).unwrap();
    assert_eq!(recorded.trim(), format!("[127.0.0.1]:{port} {}", sshd.public("host_key")));
    sshd.hosts().get(&sshd.host()).await.unwrap();
    // A changed key is not a new one.
    sshd.make_key("other", "");
    sshd.know(&sshd.public("other"));
    let error = accepting().get(&sshd.host()).await.unwrap_err();
    assert!(matches!(error, SshError::ChangedHostKey { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_is_refused_with_the_line_of_the_known_one() {
    let sshd = Sshd::start().await;
    sshd.make_key("other", "");
    sshd.know(&sshd.public("other"));
    let error = sshd.hosts().get(&sshd.host()).await.unwrap_err();
    assert!(matches!(error, SshError::ChangedHostKey { .. }), "{error}");
    let place = format!("{}:2", sshd.path("known_hosts").display());
    assert!(error.to_string().contains(&place), "{error}");
    assert_eq!(sshd.logins(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_key_counts_alone() {
    let sshd = Sshd::start().await;
    sshd.make_key("other", "");
    let pinned =
        |key: &str| bridgehead::site::inventory::Host { host_key: Some(sshd.public(key)), ..sshd.host() };
    sshd.write("known_hosts", "");
    sshd.hosts().get(&pinned("host_key")).await.unwrap();
    assert_eq!(files::read(&sshd.path("known_hosts")).unwrap(), "", "nothing is recorded");
    sshd.know(&sshd.public("host_key"));
    let hosts = Hosts::new(Settings { accept_new_host_keys: true, ..sshd.settings() });
    let error = hosts.get(&pinned("other")).await.unwrap_err();
    assert!(matches!(error, SshError::ChangedHostKey { .. }), "{error}");
    assert!(error.to_string().contains("the inventory"), "{error}");
    assert!(hint(error).contains("[vms.box]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hashed_names_are_known() {
    let sshd = Sshd::start().await;
    let mut command = std::process::Command::new("ssh-keygen");
    command.arg("-H").arg("-f").arg(sshd.path("known_hosts"));
    crate::kit::command::run(command);
    assert!(files::read(&sshd.path("known_hosts")).unwrap().contains("|1|"));
    sshd.hosts().get(&sshd.host()).await.unwrap();
}
