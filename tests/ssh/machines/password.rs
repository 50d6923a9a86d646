//! The password: who is told it, and that nobody else can see it.

use bridgehead::engine::Failure;
use bridgehead::files;
use bridgehead::ssh::SshError;

use super::{host, identity, machine, run};
use crate::kit::hosts::{Hosts, Plan, TYPIST};
use crate::kit::{Lab, process};

#[tokio::test]
async fn a_password_logs_in_whichever_way_it_is_asked_for() {
    let lab = Lab::new();
    let machines = machine(&lab);
    let typist = host("server", TYPIST);
    for methods in
        ["PasswordAuthentication yes", "PasswordAuthentication no\nKbdInteractiveAuthentication yes"]
    {
        let file = "/etc/ssh/sshd_config.d/methods.conf";
        machines["server"].ok(&format!("echo '{methods}' >{file}; systemctl restart ssh"));
        assert_eq!(identity(&lab, Some(&machines.password), &typist).await.unwrap(), "root", "{methods}");
        let error = identity(&lab, Some("wrong"), &typist).await.unwrap_err();
        assert!(matches!(error, SshError::LoginRefused { .. }), "{error}");
        assert!(Failure::from(error).hint().unwrap().contains("is wrong"));
        let error = identity(&lab, None, &typist).await.unwrap_err();
        assert!(Failure::from(error).hint().unwrap().contains("--ask-pass"));
    }
}

#[tokio::test]
async fn nobody_sees_the_password_while_it_is_used() {
    let lab = Lab::new();
    let machines = machine(&lab);
    // More than once, because who asks for the password is there for moments only.
    let work = async {
        for _ in 0..8 {
            let hosts = run(&lab, Some(&machines.password));
            let connection = hosts.get(&host("server", TYPIST)).await.unwrap();
            let error = connection.run("fail", "sleep 0.1; exit 1").await.unwrap().success().unwrap_err();
            assert!(!format!("{error:?}").contains(&machines.password), "{error:?}");
            let log = lab.path("connections").join(std::process::id().to_string()).join("0/log");
            assert!(!files::read(&log).unwrap().contains(&machines.password));
            hosts.close().await;
        }
    };
    let mut programs = Vec::new();
    let looking = async {
        loop {
            for process in process::all() {
                let seen = format!("{:?} {:?}", process.arguments, process.environment());
                assert!(!seen.contains(&machines.password), "{seen}");
                programs.push(process.name());
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = work => {}
        () = looking => {}
    }
    for name in ["ssh", "askpass", "sudo", "sh"] {
        assert!(programs.iter().any(|program| program == name), "`{name}` was not seen");
    }
    let journal = machines["server"].ok("journalctl -q");
    assert!(!journal.contains(&machines.password));
}

#[tokio::test]
async fn a_jump_host_is_not_told_the_password() {
    let lab = Lab::new();
    let machines = Hosts::up(&lab, &[Plan::named("jump"), Plan::named("inner").port(2222).behind("jump")]);
    let typist = host("inner", TYPIST);
    // With a key for the jump host, the password is for the host behind it.
    assert_eq!(identity(&lab, Some(&machines.password), &typist).await.unwrap(), "root");
    let config = files::read(&lab.path("ssh/config")).unwrap();
    let config = config.replace("User admin", &format!("User {TYPIST}"));
    files::replace(&lab.path("ssh/config"), config.as_bytes(), 0o600).unwrap();
    let error = identity(&lab, Some(&machines.password), &typist).await.unwrap_err();
    assert!(matches!(error, SshError::LoginRefused { .. }), "{error}");
    assert!(Failure::from(error).hint().unwrap().contains("the jump host"));
    let logins = machines["jump"].run("journalctl -q -t sshd | grep 'Accepted password'");
    assert_eq!(logins.stdout, "");
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
