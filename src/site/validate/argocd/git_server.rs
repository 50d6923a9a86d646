//! What Argo CD knows Git servers by.

use std::collections::BTreeMap;

use toml::Spanned;

use crate::site::GitServer;
use crate::site::finding::Finding;
use crate::site::profile::KnownHostTable;
use crate::site::validate::Check;

impl Check<'_> {
    pub(super) fn git_servers(&mut self) -> Option<BTreeMap<String, GitServer>> {
        let tables = &self.profile.argocd.known_hosts;
        let known: Vec<_> = tables.iter().map(|(host, table)| self.git_server(host, table)).collect();
        known.into_iter().collect()
    }

    fn git_server(&mut self, host: &Spanned<String>, table: &KnownHostTable) -> Option<(String, GitServer)> {
        let is_name = !host.get_ref().is_empty() && !host.get_ref().contains([' ', '\t', '\n', '/', ',']);
        if !is_name {
            let help = "write `git.example`, or `[git.example]:2222` where SSH has another port";
            return self.found(Finding::new(host.span(), "this is not the name of a host").with_help(help));
        }
        if table.ssh.is_empty() && table.certificate_authority.is_none() {
            let help = "write `ssh`, `certificate_authority` or both";
            return self.found(
                Finding::new(host.span(), format!("nothing is said of `{}`", host.get_ref())).with_help(help),
            );
        }
        let keys: Vec<_> = table.ssh.iter().map(|typed| self.host_key(typed)).collect();
        let authority = table.certificate_authority.as_ref().map(|typed| self.certificates(typed));
        Some((
            host.get_ref().clone(),
            GitServer {
                ssh: keys.into_iter().collect::<Option<_>>()?,
                certificate_authority: authority.map_or(Some(None), |read| read.map(Some))?,
            },
        ))
    }

    /// Type and key, without what `ssh-keyscan` writes around them.
    fn host_key(&mut self, typed: &Spanned<String>) -> Option<String> {
        let mut words = typed.get_ref().split_ascii_whitespace();
        if let (Some(kind), Some(key)) = (words.next(), words.next())
            && !typed.get_ref().contains('\n')
            && ["ssh-", "ecdsa-", "sk-"].iter().any(|start| kind.starts_with(start))
            && key.starts_with("AAAA")
        {
            return Some(format!("{kind} {key}"));
        }
        let help = "write type and key, as in a `.pub` file: `ssh-ed25519 AAAA...`";
        self.found(Finding::new(typed.span(), "this is not the key of a host").with_help(help))
    }

    fn certificates(&mut self, typed: &Spanned<String>) -> Option<String> {
        let text = typed.get_ref();
        let pem: Result<Vec<_>, _> = x509_parser::pem::Pem::iter_from_buffer(text.as_bytes()).collect();
        if pem.is_ok_and(|pem| !pem.is_empty() && pem.iter().all(|each| each.parse_x509().is_ok())) {
            return Some(text.clone());
        }
        let help = "write the certificates as they are in a PEM file, from `-----BEGIN CERTIFICATE-----` on";
        self.found(Finding::new(typed.span(), "these are no certificates").with_help(help))
    }
}
