//! Kubernetes API servers: connections, server-side apply, readiness.

mod client;
pub mod kubeconfig;

pub use client::{ClientError, Clients, connect};

/// The field manager of everything that we apply.
pub const FIELD_MANAGER: &str = "bridgehead";
/// The label that marks what is ours; its value is the site's name.
pub const SITE_LABEL: &str = "bridgehead/site";
/// The standard label that says who manages an object; its value is [`FIELD_MANAGER`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
