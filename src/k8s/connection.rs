//! What is between a client and its API server: a socket, perhaps a proxy, TLS, and what every request carries.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::rt::{Read, Write};
use hyper::{Request, Response, Uri};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::Config;
use kube::client::{Body, ConfigExt as _};
use kube::config::{AuthInfo, Cluster, ExecAuthCluster};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Deserialize as _;
use tower::util::BoxService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt as _};

use super::trust::Trust;
use super::{Proxies, kubeconfig};
use crate::engine::Access;

/// What a request goes through.
pub(super) type Road = BoxService<Request<Body>, Response<Incoming>, BoxError>;

/// A connection cannot be set up.
#[derive(Debug, thiserror::Error)]
enum SetUpError {
    #[error("the credentials are malformed")]
    Credentials,
    #[error("`{0}` is no URL of a server")]
    Server(String),
    #[error("a proxy is reached by http, https or socks5, not by `{0}`")]
    Proxy(String),
    #[error("`{0}` cannot be the name of a server")]
    Name(String),
}

/// How to connect, as `kube` says it.
pub(super) fn config(
    access: &Access,
    proxies: &Proxies,
    silence: Option<Duration>,
) -> Result<Config, BoxError> {
    let server = access.server.parse::<Uri>().map_err(|_| SetUpError::Server(access.server.clone()))?;
    let mut config = Config::new(server);
    let user = AuthInfo::deserialize(kubeconfig::user(access));
    config.auth_info = user.map_err(|_| SetUpError::Credentials)?;
    if let Some(plugin) = config.auth_info.exec.as_mut().filter(|plugin| plugin.provide_cluster_info) {
        let cluster =
            Cluster::deserialize(kubeconfig::cluster(access)).map_err(|_| SetUpError::Credentials)?;
        plugin.cluster = Some(ExecAuthCluster::try_from(&cluster)?);
    }
    config.tls_server_name.clone_from(&access.tls_server_name);
    config.proxy_url = match &access.proxy_url {
        Some(proxy) => Some(proxy.parse().map_err(|_| SetUpError::Proxy(proxy.clone()))?),
        None => proxies.of(&config.cluster_url).cloned(),
    };
    // A dead endpoint is found out within seconds.
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = silence;
    // It goes on for minutes, and waits as long as a server says.
    config.default_retry = false;
    Ok(config)
}

/// Sets a connection up; a credential plugin that it names is run.
pub(super) fn road(config: &Config, authority: Option<&str>) -> Result<Road, BoxError> {
    let tls = tls(config, authority)?;
    let Some(proxy) = config.proxy_url.clone() else { return through(config, tls, socket()) };
    let (user, password) = login(&proxy);
    match proxy.scheme_str() {
        Some("socks5" | "socks5h") => {
            let proxied = SocksV5::new(proxy, socket());
            let proxied = if let Some(user) = user { proxied.with_auth(user, password) } else { proxied };
            through(config, tls, proxied)
        }
        Some("http") => through(config, tls, with_login(Tunnel::new(proxy, socket()), user, &password)),
        Some("https") => {
            let secured = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_only();
            let tunnel = Tunnel::new(proxy, secured.enable_http1().wrap_connector(socket()));
            through(config, tls, with_login(tunnel, user, &password))
        }
        scheme => Err(SetUpError::Proxy(scheme.unwrap_or_default().to_owned()).into()),
    }
}

fn socket() -> HttpConnector {
    let mut socket = HttpConnector::new();
    socket.enforce_http(false);
    socket
}

/// The authority of a kubeconfig is looked at as Go does; without one, the machine's own count.
fn tls(config: &Config, authority: Option<&str>) -> Result<ClientConfig, BoxError> {
    let Some(authority) = authority else { return Ok(config.rustls_client_config()?) };
    // Whom to trust is said right after.
    let mut nobody = config.clone();
    nobody.root_cert = Some(Vec::new());
    let mut tls = nobody.rustls_client_config()?;
    tls.dangerous().set_certificate_verifier(Arc::new(Trust::new(authority)?));
    Ok(tls)
}

/// User and password of a URL.
fn login(url: &Uri) -> (Option<String>, String) {
    let login = url.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
    let Some((login, _)) = login else { return (None, String::new()) };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let plain =
        |text: &str| urlencoding::decode(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned);
    (Some(plain(user)), plain(password))
}

fn with_login<C>(tunnel: Tunnel<C>, user: Option<String>, password: &str) -> Tunnel<C> {
    use base64::Engine as _;
    let Some(user) = user else { return tunnel };
    let login = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    match HeaderValue::try_from(format!("Basic {login}")) {
        Ok(mut login) => {
            login.set_sensitive(true);
            tunnel.with_auth(login)
        }
        Err(_) => tunnel,
    }
}

fn through<C>(config: &Config, tls: ClientConfig, connector: C) -> Result<Road, BoxError>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: std::error::Error + Send + Sync + 'static,
{
    let secured = secured(config, tls, connector)?;
    let mut connector = TimeoutConnector::new(secured);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build(connector);
    let road = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_request(|request: Request<Body>| {
            tracing::debug!(method = %request.method(), url = %request.uri(), "requesting");
            request
        })
        .map_err(BoxError::from)
        .service(client);
    Ok(road.boxed())
}

fn secured<C>(config: &Config, tls: ClientConfig, connector: C) -> Result<HttpsConnector<C>, SetUpError> {
    let mut secured = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = ServerName::try_from(name.clone()).map_err(|_| SetUpError::Name(name.clone()))?;
        secured = secured.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    Ok(secured.enable_http1().wrap_connector(connector))
}
