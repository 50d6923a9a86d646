//! What is the user's own: `ssh_config`, jump hosts, the agent.

use bridgehead::site::inventory::Host;
use bridgehead::ssh::SshError;

use crate::kit::agent::Agent;
use crate::kit::sshd::Sshd;

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_of_ssh_config_is_an_address() {
    let sshd = Sshd::start().await;
    sshd.configure(&format!("Host lab\n  HostName 127.0.0.1\n  Port {}", sshd.port()));
    let host = Host { address: "lab".to_owned(), port: None, ..sshd.host() };
    let hosts = sshd.hosts();
    let connection = hosts.get(&host).await.unwrap();
    assert_eq!(connection.run("look", "echo $SSH_CONNECTION").await.unwrap().status, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_reached_through_another_one() {
    let sshd = Sshd::start().await;
    let port = sshd.port();
    sshd.configure(&format!(
        "Host jump\n  HostName 127.0.0.1\n  Port {port}\nHost inner\n  HostName 127.0.0.1\n  Port {port}\n  ProxyJump jump"
    ));
    let host = Host { address: "inner".to_owned(), port: None, ..sshd.host() };
    let hosts = sshd.hosts();
    let connection = hosts.get(&host).await.unwrap();
    assert_eq!(connection.run("look", "echo through").await.unwrap().text().unwrap(), "through");
    assert_eq!(sshd.logins(), 2);
    // One whose key is not known is not believed in, and nobody is asked.
    sshd.configure(&format!(
        "Host jump\n  HostName 127.0.0.1\n  HostKeyAlias strange\n  Port {port}\nHost inner\n  ProxyJump jump"
    ));
    let error = sshd.hosts().get(&host).await.unwrap_err();
    assert!(matches!(error, SshError::UnknownHostKey { .. }), "{error}");
    // One that is not there is named.
    sshd.configure("Host inner\n  HostName 127.0.0.1\n  ProxyJump 127.0.0.1:1");
    let error = sshd.hosts().get(&host).await.unwrap_err();
    assert!(matches!(error, SshError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("port 1: Connection refused"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_says_what_the_host_would_take() {
    let sshd = Sshd::start().await;
    sshd.write("authorized_keys", "");
    let error = sshd.hosts().get(&sshd.host()).await.unwrap_err();
    assert!(matches!(error, SshError::LoginRefused { .. }), "{error}");
    assert!(error.to_string().contains("(publickey)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_a_passphrase_works_through_the_agent() {
    let sshd = Sshd::start().await;
    sshd.make_key("id", "a passphrase");
    sshd.write("authorized_keys", &sshd.public("id"));
    let error = sshd.hosts().get(&sshd.host()).await.unwrap_err();
    assert!(matches!(error, SshError::LoginRefused { .. }), "{error}");
    let socket = sshd.path("agent");
    let agent = Agent::start(&socket);
    agent.add(&sshd.path("id"), "a passphrase");
    sshd.configure(&format!("IdentityAgent {}", socket.display()));
    sshd.hosts().get(&sshd.host()).await.unwrap();
}
