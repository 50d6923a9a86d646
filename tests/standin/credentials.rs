//! What a server hands out: tokens for agents, and a kubeconfig for its administrator.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridgehead::files;

use crate::data::Data;
use crate::fatal::Fatal;
use crate::log;
use crate::options::Options;
use crate::pki::{Pair, Pki};
use crate::supervisor::Passwords;
use crate::system::{make_folder, random, write};
use crate::token::{self, Token};

const KUBECONFIG: &str = "/etc/rancher/k3s/k3s.yaml";

/// The passwords as configured or made before. The first one cannot be changed: it also locks the datastore.
pub(crate) fn passwords(data: &Data, options: &Options) -> Result<Passwords, Fatal> {
    let given = options.token("token")?.map(|text| Token::parse(&text)).transpose()?;
    let known = files::read_if_present(&data.server("token")).map_err(|error| Fatal::of("token", &error))?;
    let known = known.map(|text| Token::parse(text.trim())).transpose()?;
    let server = match (given, known) {
        (Some(given), Some(known)) if given.password != known.password => {
            return Err(Fatal::new("bootstrap data already found and encrypted with different token"));
        }
        (Some(token), _) | (None, Some(token)) => token.password,
        (None, None) => random(16)?,
    };
    let node = options.token("agent-token")?.map(|text| Token::parse(&text)).transpose()?;
    Ok(Passwords { node: node.map_or_else(|| server.clone(), |token| token.password), server })
}

/// Writes the tokens in their full form. `node-token` and, unless it is one of its own, `agent-token` are links.
pub(crate) fn write_tokens(data: &Data, pki: &Pki, passwords: &Passwords) -> Result<(), Fatal> {
    let bundle = &pki.server.certificate;
    let token = data.server("token");
    write(&token, &(token::full(bundle, "server", &passwords.server) + "\n"), 0o600)?;
    let failed = |error| Fatal::of("token", &error);
    files::link(&token, &data.server("node-token")).map_err(failed)?;
    let agent_token = data.server("agent-token");
    if passwords.node == passwords.server {
        return files::link(&token, &agent_token).map_err(failed);
    }
    files::remove(&agent_token).map_err(failed)?;
    write(&agent_token, &(token::full(bundle, "node", &passwords.node) + "\n"), 0o600)
}

/// Writes how the administrator reaches the API server from the host itself.
pub(crate) fn write_kubeconfig(pki: &Pki, port: u16, options: &Options) -> Result<(), Fatal> {
    let Pair { certificate, key } = pki.pair("client-admin")?;
    let [authority, certificate, key] =
        [&pki.server.certificate, &certificate, &key].map(|text| STANDARD.encode(text));
    let content = format!(
        "apiVersion: v1\n\
         clusters:\n\
         - cluster:\n    certificate-authority-data: {authority}\n    server: https://127.0.0.1:{port}\n  name: default\n\
         contexts:\n\
         - context:\n    cluster: default\n    user: default\n  name: default\n\
         current-context: default\n\
         kind: Config\n\
         preferences: {{}}\n\
         users:\n\
         - name: default\n  user:\n    client-certificate-data: {certificate}\n    client-key-data: {key}\n"
    );
    let path = options.text("write-kubeconfig").unwrap_or(KUBECONFIG).as_ref();
    let mode = options.text("write-kubeconfig-mode").unwrap_or("0600");
    let mode = u32::from_str_radix(mode, 8).unwrap_or_else(|error| {
        log::error(format!("Failed to set {KUBECONFIG} to mode {mode}: {error}"));
        0o600
    });
    make_folder(Path::new("/etc/rancher/k3s"), 0o755)?;
    write(path, &content, mode)?;
    log::info(format!("Wrote kubeconfig {}", path.display()));
    Ok(())
}
