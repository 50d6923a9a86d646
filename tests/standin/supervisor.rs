//! The supervisor's API: what agents ask for before they can be nodes.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Request, Response, StatusCode};
use kube::Client;
use serde_json::json;

use crate::fatal::Fatal;
use crate::node_password;
use crate::pki::{Authority, Pair, Pki, Subject};
use crate::proxy::{Body, full, status};

/// The passwords of those who join.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    pub(crate) server: String,
    /// Agents'; the server's if none is configured.
    pub(crate) node: String,
}

/// Answers agents.
pub(crate) struct Supervisor {
    pub(crate) pki: Arc<Pki>,
    pub(crate) passwords: Passwords,
    /// The port that everybody uses.
    pub(crate) port: u16,
    /// The administrator's connection, once the API server is ready.
    pub(crate) admin: Arc<OnceLock<Client>>,
}

impl Supervisor {
    /// The answer to a request, unless it is one for the API server.
    pub(crate) async fn answer(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let path = request.uri().path();
        match path {
            "/ping" => return Some(text("pong")),
            "/cacerts" => return Some(text(&self.pki.server.certificate)),
            _ => {}
        }
        let path = path.strip_prefix("/v1-k3s/")?;
        if !self.is_known(request) {
            return Some(status(StatusCode::UNAUTHORIZED, "not authorized"));
        }
        Some(match path {
            "readyz" => self.readyz(),
            "config" => text(&self.configuration()),
            "client-ca.crt" => text(&self.pki.client.certificate),
            "server-ca.crt" => text(&self.pki.server.certificate),
            "client-kubelet.crt" => self.certify(request, &self.pki.client, true).await,
            "serving-kubelet.crt" => self.certify(request, &self.pki.server, false).await,
            _ => status(StatusCode::NOT_FOUND, "not found"),
        })
    }

    fn is_known(&self, request: &Request<Incoming>) -> bool {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let credentials = header.and_then(|value| STANDARD.decode(value.strip_prefix("Basic ")?).ok());
        let credentials = credentials.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        match credentials.split_once(':') {
            Some(("node", password)) => password == self.passwords.node,
            Some(("server", password)) => password == self.passwords.server,
            _ => false,
        }
    }

    fn readyz(&self) -> Response<Body> {
        match self.admin.get() {
            Some(_) => text("ok"),
            None => status(StatusCode::SERVICE_UNAVAILABLE, "runtime core not ready"),
        }
    }

    fn configuration(&self) -> String {
        json!({
            "ClusterDomain": "cluster.local",
            "ClusterIPRange": { "IP": "10.42.0.0", "Mask": "//8AAA==" },
            "FlannelBackend": "vxlan",
            "HTTPSPort": self.port,
            "ServiceIPRange": { "IP": "10.43.0.0", "Mask": "//8AAA==" },
            "SupervisorPort": self.port,
        })
        .to_string()
    }

    /// A node's certificate: for its kubelet API, or for the node itself as a client.
    async fn certify(
        &self,
        request: &Request<Incoming>,
        authority: &Authority,
        client: bool,
    ) -> Response<Body> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let (Some(node), Some(password)) = (header("k3s-node-name"), header("k3s-node-password")) else {
            return status(StatusCode::BAD_REQUEST, "node name and password must be set");
        };
        let Some(admin) = self.admin.get() else {
            return status(StatusCode::SERVICE_UNAVAILABLE, "runtime core not ready");
        };
        match node_password::ensure(admin, node, password).await {
            Ok(true) => {}
            Ok(false) => {
                let reason = format!("unable to verify password for node {node}: hash does not match");
                return status(StatusCode::FORBIDDEN, &reason);
            }
            Err(error) => return status(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
        let addresses = header("k3s-node-ip").unwrap_or_default();
        match issue(authority, node, addresses, client) {
            Ok(pair) => text(&(pair.certificate + &pair.key)),
            Err(fatal) => status(StatusCode::INTERNAL_SERVER_ERROR, &fatal.to_string()),
        }
    }
}

fn issue(authority: &Authority, node: &str, addresses: &str, client: bool) -> Result<Pair, Fatal> {
    if client {
        return authority.issue(&Subject::client(&format!("system:node:{node}"), Some("system:nodes")));
    }
    let addresses = addresses.split(',').filter(|address| !address.is_empty());
    let names = [node, "127.0.0.1", "localhost"].into_iter().chain(addresses);
    let names = names.map(ToOwned::to_owned).collect::<Vec<_>>();
    authority.issue(&Subject::server(node, None, &names))
}

fn text(text: &str) -> Response<Body> {
    Response::new(full(text.to_owned()))
}
