//! Declared Secrets: where they are, and where their values come from.

use toml::Spanned;

use super::{Check, labels};
use crate::site::finding::Finding;
use crate::site::name::SecretName;
use crate::site::profile::{SecretTable, SourceTable};
use crate::site::secret::{DeclaredSecret, Source};

impl Check<'_> {
    pub(super) fn secret(
        &mut self,
        name: &Spanned<String>,
        table: &SecretTable,
    ) -> Option<(SecretName, DeclaredSecret)> {
        let name = self.name(name);
        let namespace = if let Some(typed) = &table.namespace {
            self.accept(typed.span(), labels::namespace(typed.get_ref()))
        } else {
            // That of Argo CD, which is checked where it is said.
            let own = self.profile.argocd.namespace.as_ref();
            Some(own.map_or("argocd", |typed| typed.get_ref()).to_owned())
        };
        let kind = match &table.kind {
            Some(typed) if typed.get_ref().is_empty() => {
                self.found(Finding::new(typed.span(), "the type of a Secret must not be empty"))
            }
            Some(typed) => Some(typed.get_ref().clone()),
            None => Some("Opaque".to_owned()),
        };
        let mut data = Vec::new();
        for (key, source) in &table.data {
            let (key, source) = (self.data_key(key), self.secret_source(source));
            data.push(key.zip(source));
        }
        let data = data.into_iter().collect::<Option<_>>();
        Some((name?, DeclaredSecret { namespace: namespace?, kind: kind?, data: data? }))
    }

    /// The rule: <https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data>.
    fn data_key(&mut self, typed: &Spanned<String>) -> Option<String> {
        let key = typed.get_ref();
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=253).contains(&key.len()) && key.bytes().all(letter) {
            return Some(key.clone());
        }
        let message = "a key of a Secret is made of letters, digits, `.`, `_` and `-`";
        self.found(Finding::new(typed.span(), message))
    }

    /// `None` without a finding for a source that was found to say nothing, or too much.
    pub(super) fn secret_source(&mut self, table: &SourceTable) -> Option<Source> {
        match table {
            SourceTable { env: Some(typed), .. } => {
                let name = typed.get_ref();
                if name.is_empty() || name.contains(['=', '\0']) || name.contains(char::is_whitespace) {
                    return self.found(Finding::new(typed.span(), "this is not the name of a variable"));
                }
                Some(Source::Environment(name.clone()))
            }
            SourceTable { file: Some(typed), .. } => self.path_of(typed).map(Source::File),
            SourceTable { command: Some(typed), .. } => {
                if typed.get_ref().first().is_none_or(String::is_empty) {
                    return self
                        .found(Finding::new(typed.span(), "a command begins with the name of a program"));
                }
                Some(Source::Command(typed.get_ref().clone()))
            }
            SourceTable { env: None, file: None, command: None } => None,
        }
    }
}
