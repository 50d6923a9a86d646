//! A chart repository, as addons come from: an index and packages behind HTTP.

use std::future::ready;
use std::net::Ipv4Addr;
use std::path::Path;

use bridgehead::files;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};

use crate::kit::Lab;
use crate::kit::command::run;
use crate::kit::http::Server;
use crate::kit::lab::REPOSITORY;

/// Packages the chart of the tests in several versions and serves them.
pub(super) fn serve(lab: &Lab, chart: &str, versions: &[&str]) -> Server {
    let folder = lab.path("charts");
    files::make_folder(&folder).unwrap();
    let packages = versions.iter().map(|version| package(lab, &folder, chart, version));
    let entries: String = packages.collect();
    let index = format!("apiVersion: v1\nentries:\n  {chart}:\n{entries}");
    files::replace(&folder.join("index.yaml"), index.as_bytes(), 0o600).unwrap();
    Server::start(Ipv4Addr::LOCALHOST, move |request| {
        ready(answer(&folder.join(request.uri().path().trim_start_matches('/'))))
    })
}

/// Makes a package; its entry in the index.
fn package(lab: &Lab, folder: &Path, chart: &str, version: &str) -> String {
    let source = Path::new(REPOSITORY).join("tests/bridge/files").join(chart);
    let copy = folder.join(version);
    files::make_folder(&copy.join(chart).join("templates")).unwrap();
    for file in ["Chart.yaml", "values.yaml", "templates/told.yaml"] {
        let text = files::read(&source.join(file)).unwrap().replace("CHART_VERSION", version);
        files::replace(&copy.join(chart).join(file), text.as_bytes(), 0o600).unwrap();
    }
    let name = format!("{chart}-{version}.tgz");
    let mut tar = lab.command("tar");
    tar.arg("-czf").arg(folder.join(&name)).arg("-C").arg(&copy).arg(chart);
    assert!(run(tar).status.success(), "{name} was not packed");
    format!("    - {{name: {chart}, version: {version}, urls: [{name}]}}\n")
}

fn answer(file: &Path) -> Response<Full<Bytes>> {
    let (status, body) = match files::read_bytes(file) {
        Ok(body) => (StatusCode::OK, body),
        Err(_) => (StatusCode::NOT_FOUND, Vec::new()),
    };
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}
