//! The lab's root as a Git repository, and a server that clusters elsewhere reach it from.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};

use super::Lab;
use super::command::run;
use super::http::Server;

/// Commits all that the lab's root has; the first time it becomes a repository, of the branch `main`.
pub(crate) fn commit(lab: &Lab) {
    for arguments in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "."],
        &["commit", "--quiet", "--message", "content"],
    ] {
        let mut git = lab.command("git");
        git.args(["-c", "user.name=tests", "-c", "user.email=tests@example.com"]).args(arguments);
        let outcome = run(git);
        assert!(outcome.status.success(), "git {arguments:?}: {}", outcome.stderr);
    }
}

/// Serves what the lab's root has by now as `<url>/fleet.git`, as a server of Git's own does: `git http-backend`.
pub(crate) fn serve(lab: &Lab, address: Ipv4Addr) -> Server {
    let folder = bare(lab);
    Server::start(address, move |request| answer(folder.clone(), request))
}

/// The same by HTTPS, for who knows a password. Returns the server's certificate as well.
pub(crate) fn serve_privately(lab: &Lab, address: Ipv4Addr, user: &str, password: &str) -> (Server, String) {
    let folder = bare(lab);
    let login = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    Server::start_secured(address, move |request| {
        let knows = request.headers().get(AUTHORIZATION).is_some_and(|said| *said == login);
        let folder = folder.clone();
        async move {
            if knows {
                return answer(folder, request).await;
            }
            let mut refusal = Response::new(Full::default());
            *refusal.status_mut() = StatusCode::UNAUTHORIZED;
            refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"git\""));
            refusal
        }
    })
}

/// The repository that is served, `fleet.git` in the folder that is returned.
fn bare(lab: &Lab) -> PathBuf {
    commit(lab);
    let folder = lab.path("git");
    let mut clone = lab.command("git");
    clone.args(["clone", "--quiet", "--bare"]).arg(lab.path("root")).arg(folder.join("fleet.git"));
    let outcome = run(clone);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    folder
}

async fn answer(folder: PathBuf, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap());
    let mut git = Command::new("git");
    git.arg("http-backend").env("GIT_PROJECT_ROOT", folder).env("GIT_HTTP_EXPORT_ALL", "1");
    git.env("REQUEST_METHOD", parts.method.as_str()).env("PATH_INFO", parts.uri.path());
    git.env("QUERY_STRING", parts.uri.query().unwrap_or_default());
    git.env("CONTENT_TYPE", header("content-type")).env("CONTENT_LENGTH", body.len().to_string());
    git.env("HTTP_CONTENT_ENCODING", header("content-encoding")).env("GIT_PROTOCOL", header("git-protocol"));
    let mut git = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(&body).unwrap();
    response(&git.wait_with_output().unwrap().stdout)
}

/// What a program says by the rules of CGI (RFC 3875, section 6).
fn response(said: &[u8]) -> Response<Full<Bytes>> {
    const END: &[u8] = b"\r\n\r\n";
    let end = said.windows(END.len()).position(|window| window == END).expect("there are headers");
    let lines = std::str::from_utf8(&said[..end]).unwrap().split("\r\n");
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").expect("it is a header");
        (HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    let mut headers: HeaderMap = lines.map(header).collect();
    let status = headers.remove("status").map(|status| status.to_str().unwrap()[..3].parse().unwrap());
    let mut response = Response::new(Full::new(said[end + END.len()..].to_vec().into()));
    *response.status_mut() = status.unwrap_or(StatusCode::OK);
    *response.headers_mut() = headers;
    response
}
