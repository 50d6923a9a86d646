use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::*;
use crate::files;

/// A server on loopback that gives one answer and closes.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        stream.write_all(answer.as_bytes()).unwrap();
    });
    format!("http://{address}/v1.34.4%2Bk3s1/k3s")
}

/// A checksum that nothing here has.
const SUM: &str = "00";

async fn fetch_to(folder: &Path, answer: &'static str) -> Result<(), DownloadError> {
    file(&answering(answer), &folder.join("k3s"), SUM, &|_| {}).await
}

#[tokio::test]
async fn only_what_the_release_lists_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        fetch_to(folder.path(), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil").await.unwrap_err();
    assert!(error.to_string().contains("/v1.34.4%2Bk3s1/k3s has the SHA-256 "), "{error}");
    let error = fetch_to(folder.path(), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nk3").await.unwrap_err();
    assert!(error.to_string().contains(" broke off after 2 bytes: "), "{error}");
    let error =
        fetch_to(folder.path(), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap_err();
    assert!(error.to_string().ends_with("/k3s answers 404 Not Found"), "{error}");
    assert_eq!(files::names(folder.path()).unwrap(), Vec::<String>::new());

    let sum: String = Sha256::digest("k3s").iter().map(|byte| format!("{byte:02x}")).collect();
    let url = answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nk3s");
    file(&url, &folder.path().join("k3s"), &sum, &|_| {}).await.unwrap();
    assert_eq!(files::names(folder.path()).unwrap(), ["k3s"]);
}

#[tokio::test]
async fn a_mirror_that_is_not_there_is_named() {
    let error = text("http://127.0.0.1:1/list").await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cannot reach http://127.0.0.1:1/list: "), "{text}");
    assert!(error.hint().contains("mirror"));
}

#[tokio::test]
async fn a_channel_is_where_it_redirects_to() {
    let to = "HTTP/1.1 302 Found\r\nLocation: https://example.test/k3s/releases/tag/v1.34.4%2Bk3s1\r\n\
              Content-Length: 0\r\n\r\n";
    assert_eq!(redirect(&answering(to)).await.unwrap(), "v1.34.4+k3s1");
    let error = redirect(&answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await.unwrap_err();
    assert!(error.to_string().ends_with("answers 200 OK and does not redirect to a release"), "{error}");
}

#[tokio::test]
async fn a_mirror_does_not_lead_away_from_https() {
    let elsewhere = "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/k3s\r\nContent-Length: 0\r\n\r\n";
    let error = text(&answering(elsewhere)).await.unwrap_err().to_string();
    assert!(error.ends_with("it redirects to http://192.0.2.1/k3s, which is not `https://`"), "{error}");
}
