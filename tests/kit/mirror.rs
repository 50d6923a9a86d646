//! A mirror of releases, and the faults that a mirror can have.
//!
//! It answers as the place of k3s's own releases does: a download is a redirect to where the file is, a channel is a
//! redirect to `../releases/tag/<tag>`.

use std::collections::BTreeMap;
use std::future::ready;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bridgehead::files;
use futures::stream::{self, BoxStream, StreamExt};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, LOCATION};
use hyper::{Response, StatusCode};
use sha2::{Digest, Sha256};

use super::http::Server;

/// The file of a release that has the checksums of the others.
const CHECKSUMS: &str = "sha256sum-amd64.txt";

/// What is wrong with a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Its last byte is another one.
    Tampered,
    /// There is none.
    Missing,
    /// The connection ends in the middle of it.
    Truncated,
}

/// Serves until it is dropped.
pub(crate) struct Mirror {
    /// What a profile has as its mirror: a file is at `<releases>/<tag>/<file>`.
    pub(crate) releases: String,
    /// What a profile has as the server of its channel: one is at `<channels>/<name>`.
    pub(crate) channels: String,
    shelf: Arc<Mutex<Shelf>>,
    server: Server,
}

/// What it has.
#[derive(Default)]
struct Shelf {
    /// By tag and name.
    files: BTreeMap<(String, String), PathBuf>,
    channels: BTreeMap<String, String>,
    /// By name.
    faults: BTreeMap<String, Fault>,
    asked: Vec<String>,
}

impl Mirror {
    pub(crate) fn serve() -> Self {
        let shelf = Arc::<Mutex<Shelf>>::default();
        let server = Server::start(Ipv4Addr::LOCALHOST, {
            let shelf = Arc::clone(&shelf);
            move |request| ready(shelf.lock().unwrap().answer(request.uri().path()))
        });
        let releases = format!("{}/releases/download", server.url);
        let channels = format!("{}/channels", server.url);
        Self { releases, channels, shelf, server }
    }

    /// Adds a release of some files by name; the mirror adds their checksums.
    pub(crate) fn release(&self, tag: &str, files: &[(&str, &Path)]) {
        let files =
            files.iter().map(|(name, path)| ((tag.to_owned(), (*name).to_owned()), path.to_path_buf()));
        self.shelf().files.extend(files);
    }

    /// Has a channel name a release.
    pub(crate) fn channel(&self, name: &str, tag: &str) {
        self.shelf().channels.insert(name.to_owned(), tag.to_owned());
    }

    /// Has a file be faulty in every release; the checksums stay as they were.
    pub(crate) fn spoil(&self, file: &str, fault: Fault) {
        self.shelf().faults.insert(file.to_owned(), fault);
    }

    /// Takes all faults of files back.
    pub(crate) fn heal(&self) {
        self.shelf().faults.clear();
    }

    /// Refuses connections from now on.
    pub(crate) fn close(&mut self) {
        self.server.close();
    }

    /// The paths that it was asked for so far, in their order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shelf().asked.clone()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }
}

impl Shelf {
    fn answer(&mut self, path: &str) -> Answer {
        self.asked.push(path.to_owned());
        let path = path.replace("%2B", "+");
        let words: Vec<_> = path.trim_start_matches('/').split('/').collect();
        match words[..] {
            ["channels", name] => match self.channels.get(name) {
                Some(tag) => redirect(&format!("/releases/tag/{tag}")),
                None => missing(),
            },
            ["releases", "tag", tag] if self.has(tag) => file(tag.into(), None),
            ["releases", "download", tag, _] if self.has(tag) => {
                redirect(&path.replace("/releases/download/", "/objects/"))
            }
            ["objects", tag, name] => self.file(tag, name),
            _ => missing(),
        }
    }

    fn has(&self, tag: &str) -> bool {
        self.files.keys().any(|(present, _)| present == tag)
    }

    fn file(&self, tag: &str, name: &str) -> Answer {
        let content = self.files.get(&(tag.to_owned(), name.to_owned()));
        let content = content.map(|path| files::read_bytes(path).unwrap());
        let content = if name == CHECKSUMS { Some(self.checksums(tag).into_bytes()) } else { content };
        match (content, self.faults.get(name).copied()) {
            (None, _) | (_, Some(Fault::Missing)) => missing(),
            (Some(content), fault) => file(content, fault),
        }
    }

    /// As `sha256sum` writes them, with more than what one asks for.
    fn checksums(&self, tag: &str) -> String {
        let mut text = format!("{}  k3s-airgap-images-amd64.tar\n", "0".repeat(64));
        for ((_, name), path) in self.files.iter().filter(|((present, _), _)| present == tag) {
            let hash = Sha256::digest(files::read_bytes(path).unwrap());
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            text += &format!("{hash}  {name}\n");
        }
        text
    }
}

type Answer = Response<StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>>;

fn file(mut content: Vec<u8>, fault: Option<Fault>) -> Answer {
    let length = content.len();
    let mut broken = None;
    match fault {
        Some(Fault::Tampered) => {
            if let Some(last) = content.last_mut() {
                *last ^= 1;
            }
        }
        Some(Fault::Truncated) => {
            content.truncate(length / 2);
            broken = Some(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        _ => {}
    }
    let frames = [Ok(Frame::data(content.into()))].into_iter().chain(broken);
    // The pause sends what comes before an error.
    let frames = stream::iter(frames).then(|frame| async {
        tokio::task::yield_now().await;
        frame
    });
    let mut response = Response::new(StreamBody::new(frames.boxed()));
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

fn redirect(to: &str) -> Answer {
    let mut response = file(Vec::new(), None);
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, to.parse().unwrap());
    response
}

fn missing() -> Answer {
    let mut response = file(Vec::new(), None);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
