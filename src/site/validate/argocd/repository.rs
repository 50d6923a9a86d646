//! The repositories that Argo CD has credentials for.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use crate::site::finding::Finding;
use crate::site::profile::ArgoCdRepositoryTable;
use crate::site::secret::{Source, url_has_credential};
use crate::site::validate::Check;
use crate::site::{KnownRepository, name::SecretName};

/// What Argo CD reads (<https://argo-cd.readthedocs.io/en/stable/operator-manual/argocd-repositories-yaml/>).
const KINDS: [&str; 3] = ["git", "helm", "oci"];

impl Check<'_> {
    pub(super) fn known_repositories(&mut self) -> Option<Vec<KnownRepository>> {
        let tables = &self.profile.argocd.repositories;
        let mut names = BTreeSet::new();
        let known: Vec<_> = tables.iter().map(|table| self.known_repository(table, &mut names)).collect();
        known.into_iter().collect()
    }

    fn known_repository(
        &mut self,
        table: &ArgoCdRepositoryTable,
        names: &mut BTreeSet<SecretName>,
    ) -> Option<KnownRepository> {
        let name = table.name.as_ref().and_then(|typed| self.known_name(typed, names));
        let open = self.open(table);
        let credentials = self.credentials(table);
        self.is_consistent(table)?;
        Some(KnownRepository {
            secret: name?,
            is_template: table.template,
            open: open?,
            credentials: credentials?,
        })
    }

    /// The name of the Secret.
    fn known_name(
        &mut self,
        typed: &Spanned<String>,
        names: &mut BTreeSet<SecretName>,
    ) -> Option<SecretName> {
        let name: SecretName =
            self.accept(typed.span(), format!("repository-{}", typed.get_ref()).parse())?;
        if names.insert(name.clone()) {
            return Some(name);
        }
        let message = format!("there is one more repository with the name `{}`", typed.get_ref());
        self.found(Finding::new(typed.span(), message).with_help("give each a name of its own"))
    }

    /// What is no secret, by the keys of Argo CD.
    fn open(&mut self, table: &ArgoCdRepositoryTable) -> Option<BTreeMap<&'static str, String>> {
        let url = table.url.as_ref().and_then(|typed| self.known_url(typed));
        let kind = match &table.kind {
            Some(typed) if !KINDS.contains(&typed.get_ref().as_str()) => {
                let help = format!("write one of {}", KINDS.map(|kind| format!("`{kind}`")).join(", "));
                self.found(Finding::new(typed.span(), "Argo CD knows no such repositories").with_help(help))
            }
            Some(typed) => Some(typed.get_ref().clone()),
            None => Some("git".to_owned()),
        };
        let text = |typed: &Option<Spanned<String>>| typed.as_ref().map(|typed| typed.get_ref().clone());
        let number = |typed: &Option<Spanned<i64>>| typed.as_ref().map(|typed| typed.get_ref().to_string());
        let flag = |is_set: bool| is_set.then(|| "true".to_owned());
        let mut open: BTreeMap<_, _> = [
            ("enableOCI", flag(table.oci)),
            ("githubAppEnterpriseBaseUrl", text(&table.github_app_enterprise_base_url)),
            ("githubAppID", number(&table.github_app_id)),
            ("githubAppInstallationID", number(&table.github_app_installation_id)),
            ("insecure", flag(table.insecure)),
            ("noProxy", text(&table.no_proxy)),
            ("project", text(&table.project)),
            ("proxy", text(&table.proxy)),
            ("username", text(&table.username)),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect();
        // A template is found by its URL alone.
        if !table.template {
            open.extend(text(&table.name).map(|name| ("name", name)));
        }
        open.insert("type", kind?);
        open.insert("url", url?);
        Some(open)
    }

    /// Charts in a registry are named without a scheme.
    fn known_url(&mut self, typed: &Spanned<String>) -> Option<String> {
        let url = typed.get_ref();
        if url_has_credential(url) {
            let help = "take user and password out of the URL, and write `username` and `password`";
            return self.found(Finding::new(typed.span(), "a profile holds no secrets").with_help(help));
        }
        if url.is_empty() || url.contains(char::is_whitespace) {
            return self.found(Finding::new(typed.span(), "this is not the URL of a repository"));
        }
        Some(url.clone())
    }

    fn credentials(&mut self, table: &ArgoCdRepositoryTable) -> Option<BTreeMap<&'static str, Source>> {
        let sources = [
            ("bearerToken", &table.bearer_token),
            ("githubAppPrivateKey", &table.github_app_private_key),
            ("password", &table.password),
            ("sshPrivateKey", &table.ssh_private_key),
            ("tlsClientCertData", &table.tls_client_cert),
            ("tlsClientCertKey", &table.tls_client_key),
        ];
        let given = sources.into_iter().filter_map(|(key, source)| Some((key, source.as_ref()?)));
        let read: Vec<_> = given.map(|(key, source)| Some((key, self.secret_source(source)?))).collect();
        read.into_iter().collect()
    }

    /// Whether what it says goes together: Argo CD would take one credential and be silent about the others.
    fn is_consistent(&mut self, table: &ArgoCdRepositoryTable) -> Option<()> {
        let name = table.name.as_ref()?;
        let ways = [
            ("password", table.password.is_some()),
            ("bearer_token", table.bearer_token.is_some()),
            ("ssh_private_key", table.ssh_private_key.is_some()),
            ("github_app_private_key", table.github_app_private_key.is_some()),
        ];
        let ways: Vec<_> =
            ways.into_iter().filter(|(_, is_given)| *is_given).map(|(way, _)| format!("`{way}`")).collect();
        let is_app = table.github_app_private_key.is_some();
        let has_ids = table.github_app_id.is_some() && table.github_app_installation_id.is_some();
        let complaint = if ways.len() > 1 {
            format!("a repository is logged in to in one way, here are {}", ways.join(", "))
        } else if is_app && !has_ids {
            "a GitHub App needs `github_app_id` and `github_app_installation_id`".to_owned()
        } else if table.tls_client_cert.is_some() != table.tls_client_key.is_some() {
            "`tls_client_cert` and `tls_client_key` go together".to_owned()
        } else if table.template && ways.is_empty() && table.tls_client_cert.is_none() {
            "a template of credentials has none".to_owned()
        } else {
            return Some(());
        };
        self.found(Finding::new(name.span(), complaint))
    }
}
