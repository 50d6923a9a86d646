//! What Argo CD knows Git servers by.
//!
//! The keys of all of them are one text in one `ConfigMap`, which comes with the release and is edited by people
//! (`argocd cert add-ssh`). Of its lines only those are ours that say so at their end, where OpenSSH has its comments
//! (`sshd(8)`, `SSH_KNOWN_HOSTS FILE FORMAT`).

use std::collections::BTreeMap;

use kube::Client;
use serde_json::json;

use crate::k8s::{ApiError, Kind, Object, api, owns_data};
use crate::site::GitServer;

/// The `ConfigMap` with the keys, and where in it they are.
const SSH: &str = "argocd-ssh-known-hosts-cm";
const SSH_KEY: &str = "ssh_known_hosts";
/// The comment of our lines.
const OURS: &str = "bridgehead";

/// The entries of `argocd-tls-certs-cm`, which have a host's name each.
pub(super) fn certificates(servers: &BTreeMap<String, GitServer>) -> BTreeMap<String, String> {
    let vouched =
        servers.iter().filter_map(|(host, server)| Some((host, server.certificate_authority.as_ref()?)));
    vouched.map(|(host, pem)| (host.clone(), pem.clone())).collect()
}

/// Writes the keys into the object of a release. Returns the entry if it is to be written whoever wrote it last.
pub(super) async fn place(
    client: &Client,
    namespace: &str,
    servers: &BTreeMap<String, GitServer>,
    objects: &mut [Object],
) -> Result<Option<(String, String)>, ApiError> {
    let Some(object) = objects.iter_mut().find(|each| each.kind() == "ConfigMap" && each.name() == SSH)
    else {
        return Ok(None);
    };
    let live = api::get(client, &Kind::CONFIG_MAP, Some(namespace), SSH).await?;
    let text = |object: &Object| object.text(&["data", SSH_KEY]).map(ToOwned::to_owned);
    let there = live.as_ref().and_then(text);
    let wanted = lines(servers);
    let has_ours = there.as_deref().is_some_and(|there| there.lines().any(is_ours));
    if wanted.is_empty() && !has_ours {
        return Ok(None);
    }
    let all = merged(&there.clone().or_else(|| text(object)).unwrap_or_default(), &wanted);
    let differs = there.is_none_or(|there| there != all);
    if !differs && live.is_some_and(|live| !owns_data(&live, SSH_KEY)) {
        // Somebody added a key beside ours: the text is theirs now, and says what it should.
        object.fields_mut().remove("data");
        return Ok(None);
    }
    object.fields_mut()["data"] = json!({ SSH_KEY: all });
    Ok(differs.then(|| (SSH.to_owned(), SSH_KEY.to_owned())))
}

/// The text with these lines as the only ones of ours. Where they are in it does not matter.
fn merged(there: &str, wanted: &[String]) -> String {
    if there.lines().filter(|line| is_ours(line)).eq(wanted) {
        return there.to_owned();
    }
    let theirs = there.lines().filter(|line| !is_ours(line)).map(ToOwned::to_owned);
    theirs.chain(wanted.iter().cloned()).map(|line| line + "\n").collect()
}

fn lines(servers: &BTreeMap<String, GitServer>) -> Vec<String> {
    let keys = servers.iter().flat_map(|(host, server)| server.ssh.iter().map(move |key| (host, key)));
    keys.map(|(host, key)| format!("{host} {key} {OURS}")).collect()
}

fn is_ours(line: &str) -> bool {
    line.split_ascii_whitespace().nth(3) == Some(OURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_others_stay_where_they_are() {
        let ours = |host: &str| format!("{host} ssh-ed25519 AAAA bridgehead");
        let there = format!("a ssh-rsa AAAA\n{}\nb ssh-rsa AAAA\n", ours("x"));
        assert_eq!(merged(&there, &[ours("x")]), there);
        let both = format!("a ssh-rsa AAAA\nb ssh-rsa AAAA\n{}\n", ours("y"));
        assert_eq!(merged(&there, &[ours("y")]), both);
        assert_eq!(merged(&both, &[]), "a ssh-rsa AAAA\nb ssh-rsa AAAA\n");
    }

    #[test]
    fn a_line_of_ours_says_so_and_one_of_somebody_elses_does_not() {
        let server = GitServer { ssh: vec!["ssh-ed25519 AAAA".to_owned()], certificate_authority: None };
        let written = lines(&[("[git.example]:2222".to_owned(), server)].into());
        assert_eq!(written, ["[git.example]:2222 ssh-ed25519 AAAA bridgehead"]);
        assert!(is_ours(&written[0]));
        for theirs in
            ["github.com ssh-rsa AAAA", "bridgehead ssh-rsa AAAA", "git.example ssh-rsa AAAA someone", ""]
        {
            assert!(!is_ours(theirs), "{theirs}");
        }
    }
}
