//! Becoming a node: what an agent asks the supervisor for, in k3s's order and with k3s's refusals.

use std::path::Path;
use std::time::Duration;

use bridgehead::files;
use reqwest::{Certificate, Client, StatusCode};

use crate::data::{Data, NODE_PASSWORD};
use crate::fatal::Fatal;
use crate::host::Host;
use crate::pki::Pair;
use crate::system::{make_folder, random, write};
use crate::token::Token;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What makes a host a node.
pub(crate) struct Joined {
    /// The authority of servers, PEM.
    pub(crate) authority: String,
    /// The authority of clients, PEM.
    pub(crate) client_authority: String,
    /// The node's identity at the API server.
    pub(crate) client: Pair,
    /// The certificate of its kubelet API.
    pub(crate) serving: Pair,
}

/// Gets the server's authorities and checks that they are those that the token was made for.
pub(crate) async fn authorities(server: &str, token: &Token) -> Result<String, Fatal> {
    let url = format!("{server}/cacerts");
    let insecure =
        Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().timeout(PATIENCE).build();
    let insecure = insecure.map_err(|error| Fatal::of("failed to get CA certs", &error))?;
    let bundle = fetch(insecure.get(&url))
        .await
        .map_err(|fatal| Fatal::new(format!("failed to get CA certs: {fatal}")))?;
    fetch(trusting(&bundle)?.get(&url))
        .await
        .map_err(|fatal| Fatal::new(format!("CA cert validation failed: {fatal}")))?;
    token.expect(&bundle)?;
    Ok(bundle)
}

/// Joins with a token whose server is known.
pub(crate) async fn join(
    server: &str,
    token: &Token,
    bundle: &str,
    (host, data): (&Host, &Data),
) -> Result<Joined, Fatal> {
    let client = trusting(bundle)?;
    let get =
        |path: &str| client.get(format!("{server}/v1-k3s/{path}")).basic_auth("node", Some(&token.password));
    fetch(get("config"))
        .await
        .map_err(|fatal| Fatal::new(format!("failed to retrieve configuration from server: {fatal}")))?;
    let client_authority = fetch(get("client-ca.crt")).await?;
    let authority = fetch(get("server-ca.crt")).await?;
    let password = node_password()?;
    let certificate = async |name: &str| -> Result<Pair, Fatal> {
        let request = get(&format!("{name}.crt"))
            .header("k3s-Node-Name", &host.name)
            .header("k3s-Node-Password", &password)
            .header("k3s-Node-IP", host.address.to_string());
        let pair = split(&fetch(request).await?);
        pair.write(&data.agent(""), name)?;
        Ok(pair)
    };
    make_folder(&data.agent(""), 0o755)?;
    write(&data.agent("client-ca.crt"), &client_authority, 0o600)?;
    write(&data.agent("server-ca.crt"), &authority, 0o600)?;
    let serving = certificate("serving-kubelet").await?;
    let client = certificate("client-kubelet").await?;
    Ok(Joined { authority, client_authority, client, serving })
}

fn trusting(bundle: &str) -> Result<Client, Fatal> {
    let failed = |error| Fatal::of("CA cert validation failed", &error);
    let roots = Certificate::from_pem_bundle(bundle.as_bytes()).map_err(failed)?;
    Client::builder().tls_certs_only(roots).no_proxy().timeout(PATIENCE).build().map_err(failed)
}

async fn fetch(request: reqwest::RequestBuilder) -> Result<String, Fatal> {
    let answer = request.send().await.map_err(|error| Fatal::of("Get", &error))?;
    match answer.status() {
        status if status.is_success() => answer.text().await.map_err(|error| Fatal::of("Get", &error)),
        StatusCode::FORBIDDEN => Err(Fatal::new(format!(
            "Node password rejected, duplicate hostname or contents of '{NODE_PASSWORD}' may not match server \
             node-passwd entry, try enabling a unique node name with the --with-node-id flag"
        ))),
        status => Err(Fatal::new(format!("{}: {status}", answer.url()))),
    }
}

/// The host's own password, made when it joins for the first time.
fn node_password() -> Result<String, Fatal> {
    let path = Path::new(NODE_PASSWORD);
    let known = files::read_if_present(path).map_err(|error| Fatal::of("node password", &error))?;
    if let Some(known) = known {
        return Ok(known.trim().to_owned());
    }
    make_folder(path.parent().unwrap_or(path), 0o755)?;
    let password = random(16)?;
    write(path, &format!("{password}\n"), 0o600)?;
    Ok(password)
}

/// Certificates first, and then the key.
fn split(text: &str) -> Pair {
    let at = text.find("-----BEGIN EC PRIVATE KEY").unwrap_or(text.len());
    let (certificate, key) = text.split_at(at);
    Pair { certificate: certificate.to_owned(), key: key.to_owned() }
}
