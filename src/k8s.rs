//! Kubernetes API servers: connections, comparison with the live world, server-side apply, readiness.

pub mod api;
mod client;
mod compare;
mod connection;
mod fields;
mod kind;
pub mod kubeconfig;
pub mod lease;
mod object;
mod plugin;
mod proxy;
mod ready;
mod retry;
mod set;
mod step;
mod trust;

pub use api::ApiError;
pub use client::{ClientError, Clients, PLUGINS, REQUESTS, connect};
pub use compare::owns_data;
pub use kind::{Kind, KindName};
pub use object::{ManifestError, Object, parse};
pub use proxy::Proxies;
pub use ready::{unready, workloads};
pub use retry::PATIENCE;
pub use set::{Collection, Differences, EditedData, ObjectSet, Prune, Stranger};
pub use step::{ApplyObjects, Desired};

use crate::site::name::SiteName;

/// The field manager of everything that we apply.
pub const FIELD_MANAGER: &str = "bridgehead";
/// The label that marks what is ours; its value is the site's name.
pub const SITE_LABEL: &str = "bridgehead/site";
/// The label that says which hub an object on another cluster belongs to: two sites of one name have two hubs. Its value is
/// the UID of the hub's namespace `kube-system`.
pub const HUB_LABEL: &str = "bridgehead/hub";
/// The label that says which part of a site's world an object belongs to: what the part drops is found by it.
pub const PART_LABEL: &str = "bridgehead/part";
/// The standard label that says who manages an object; its value is [`FIELD_MANAGER`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// The selector of everything that has a site's mark.
#[must_use]
pub fn marked_by(site: &SiteName) -> String {
    format!("{SITE_LABEL}={site}")
}

/// The same of one part of the site's world.
#[must_use]
pub fn marked_as(site: &SiteName, part: &str) -> String {
    format!("{SITE_LABEL}={site},{PART_LABEL}={part}")
}
