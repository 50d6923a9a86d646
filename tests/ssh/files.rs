//! Files on a host.

use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use bridgehead::files;
use bridgehead::ssh::SshError;

use crate::kit::sshd::Sshd;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_put_and_read_again() {
    let sshd = Sshd::start().await;
    let hosts = sshd.hosts();
    let connection = hosts.get(&sshd.host()).await.unwrap();
    let path = sshd.path("it's a \"file\" $x");
    let name = path.to_str().unwrap();
    assert_eq!(connection.get(name).await.unwrap(), None);
    for content in [&b""[..], b"one\n", b"ready\n\0\xff{ exit 1; }\n", &vec![7; 100_000]] {
        connection.put(name, 0o640, content).await.unwrap();
        assert_eq!(connection.get(name).await.unwrap().unwrap(), content);
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o640);
    }
    let before = files::names(path.parent().unwrap()).unwrap().len();
    connection.put(name, 0o600, "last").await.unwrap();
    assert_eq!(files::names(path.parent().unwrap()).unwrap().len(), before, "nothing is left beside it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_or_read_changes_nothing() {
    let sshd = Sshd::start().await;
    let hosts = sshd.hosts();
    let connection = hosts.get(&sshd.host()).await.unwrap();
    let folder = sshd.path("folder");
    files::make_folder(&folder).unwrap();
    let error = connection.put(folder.to_str().unwrap(), 0o600, "x").await.unwrap_err();
    assert!(error.to_string().contains("folder"), "{error}");
    assert!(files::names(&folder).unwrap().is_empty());
    let absent = sshd.path("absent/file");
    let error = connection.put(absent.to_str().unwrap(), 0o600, "x").await.unwrap_err();
    assert!(matches!(error, SshError::Failed { .. }), "{error}");
    assert!(connection.get(folder.to_str().unwrap()).await.is_err());
    let error = connection.put("/x", 0o600, sshd.path("none").as_path()).await.unwrap_err();
    assert!(matches!(error, SshError::Content { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_streamed() {
    let sshd = Sshd::start().await;
    let hosts = sshd.hosts();
    let connection = hosts.get(&sshd.host()).await.unwrap();
    let (from, to) = (sshd.path("from"), sshd.path("to"));
    let content: Vec<u8> = (0..70_u32 << 20).map(|number| (number % 251) as u8).collect();
    files::replace(&from, &content, 0o600).unwrap();
    let started = Instant::now();
    connection.put(to.to_str().unwrap(), 0o755, from.as_path()).await.unwrap();
    println!("70 MiB in {:.1} s", started.elapsed().as_secs_f64());
    assert!(files::read_bytes(&to).unwrap() == content);
    assert_eq!(to.metadata().unwrap().mode() & 0o7777, 0o755);
}
