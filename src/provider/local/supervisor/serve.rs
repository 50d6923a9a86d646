//! The supervisor's socket: one request a connection, answered with one JSON document.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::Cluster;
use crate::files::{self, FileError};
use crate::provider::local::layout::Layout;
use crate::provider::local::state::{END, TELL};

/// How long a caller may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens. A socket that a killed predecessor left is replaced: we hold the lock.
pub(super) fn bind(layout: &Layout) -> io::Result<UnixListener> {
    unbind(layout).map_err(io::Error::other)?;
    UnixListener::bind(layout.socket()?.path())
}

pub(super) fn unbind(layout: &Layout) -> Result<(), FileError> {
    files::remove(&layout.folder().join("supervisor.sock"))
}

/// Answers until the supervisor ends. A request to stop cancels `stop`, and its connection stays open.
pub(super) async fn serve(listener: UnixListener, cluster: Rc<Cluster>, stop: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (cluster, stop) = (Rc::clone(&cluster), stop.clone());
                tokio::task::spawn_local(async move {
                    let answered = tokio::time::timeout(PATIENCE, answer(stream, &cluster)).await;
                    if let Ok(Ok(Some(stream))) = answered {
                        stop.cancel();
                        hold(stream).await;
                    }
                });
            }
            // Such as no file descriptors left; that passes.
            Err(_) => crate::engine::wait::pause(Duration::from_millis(100)).await,
        }
    }
}

/// Answers one request; returns the connection if the request is to stop.
async fn answer(stream: UnixStream, cluster: &Cluster) -> io::Result<Option<UnixStream>> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    match request.trim() {
        TELL => {
            let state = serde_json::to_vec(&cluster.state()).unwrap_or_default();
            stream.write_all(&state).await?;
            stream.shutdown().await?;
            Ok(None)
        }
        END => {
            stream.write_all(b"stopping\n").await?;
            Ok(Some(stream.into_inner()))
        }
        _ => Ok(None),
    }
}

/// Keeps a connection open for as long as this process lives.
async fn hold(stream: UnixStream) {
    std::future::pending::<()>().await;
    drop(stream);
}
