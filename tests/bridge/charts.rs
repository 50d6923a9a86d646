//! A chart repository, as addons come from: an index and packages behind HTTP.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bridgehead::files;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::kit::Lab;
use crate::kit::command::run;
use crate::kit::lab::REPOSITORY;

/// Serves until it is dropped.
pub(super) struct Charts {
    pub(super) url: String,
    server: JoinHandle<()>,
}

impl Charts {
    /// Packages the chart of the tests in several versions and serves them.
    pub(super) async fn serve(lab: &Lab, chart: &str, versions: &[&str]) -> Self {
        let folder = lab.path("charts");
        files::make_folder(&folder).unwrap();
        let packages = versions.iter().map(|version| package(lab, &folder, chart, version));
        let entries: String = packages.collect();
        let index = format!("apiVersion: v1\nentries:\n  {chart}:\n{entries}");
        files::replace(&folder.join("index.yaml"), index.as_bytes(), 0o600).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { url, server: tokio::spawn(serve(listener, Arc::new(folder))) }
    }
}

impl Drop for Charts {
    fn drop(&mut self) {
        self.server.abort();
    }
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

async fn serve(listener: TcpListener, folder: Arc<PathBuf>) {
    while let Ok((stream, _)) = listener.accept().await {
        let folder = Arc::clone(&folder);
        let answer = service_fn(move |request: Request<Incoming>| {
            let file = folder.join(request.uri().path().trim_start_matches('/'));
            async move { Ok::<_, Infallible>(answer(&file)) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
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
