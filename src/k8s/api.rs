//! The few calls that we make to an API server, each error naming what was asked.

mod error;
mod read;
mod write;

use kube::Client;
use serde::de::DeserializeOwned;

pub use error::ApiError;
pub use read::{cluster_uid, get, list, list_of, names, resources, time};
pub use write::{apply, delete, delete_seen, merge, patch, set_finalizers, try_apply};

async fn send<T: DeserializeOwned>(
    client: &Client,
    request: Result<hyper::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<T, kube::Error> {
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}
