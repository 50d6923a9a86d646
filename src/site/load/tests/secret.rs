//! Declared Secrets: where values come from, and that none is shown.

use super::*;
use crate::site::secret::Source;

fn secret(data: &str) -> String {
    hub(&format!("[secrets.registry]\ndata = {{ {data} }}"))
}

#[test]
fn sources_are_read() {
    let text =
        secret("a = { env = \"A\" }, b = { file = \"~/b\" }, c = { command = [\"pass\", \"show\", \"c\"] }");
    let site = read_text(&text).unwrap();
    let (name, secret) = site.secrets.first_key_value().unwrap();
    assert_eq!(
        (name.as_str(), secret.namespace.as_str(), secret.kind.as_str()),
        ("registry", "argocd", "Opaque")
    );
    let command = ["pass", "show", "c"].map(ToOwned::to_owned).to_vec();
    let expected = [
        ("a".to_owned(), Source::Environment("A".to_owned())),
        ("b".to_owned(), Source::File("/home/x/b".into())),
        ("c".to_owned(), Source::Command(command)),
    ];
    assert_eq!(secret.data, expected.into());
}

#[test]
fn a_profile_holds_no_secrets_and_findings_show_none() {
    let cases = [
        (secret("a = \"hunter2\""), "3:14 `secrets.registry.data.a`: a profile holds no secrets"),
        (secret("a = { value = \"hunter2\" }"), "3:10 `secrets.registry.data.a` says nothing of where"),
        (secret("env = \"hunter2\""), "3:16 `secrets.registry.data.env`: a profile holds no secrets"),
        (hub("[secrets.registry]\npassword = \"hunter2\""), "2:10 `secrets.registry.data` is missing"),
        (
            secret("a = { env = \"A\", file = \"x\" }"),
            "3:27 `secrets.registry.data.a` has more than one source",
        ),
        (secret("a = { env = \"A=B\" }"), "3:22 this is not the name of a variable"),
        (secret("a = { command = [] }"), "3:26 a command begins with the name of a program"),
        (secret("\"a b\" = { env = \"A\" }"), "3:10 a key of a Secret is made of"),
        (hub("[secrets.Registry]\ndata = {}"), "2:10 the name of a Secret is made of"),
        (hub("[repos.addons]\nurl = \"https://u:hunter2@git.example/a\""), "3:7 a profile holds no secrets"),
        (
            "[hub.k3s]\nservers = []\n[hub.k3s.config]\ntoken = \"hunter2\"\n".to_owned(),
            "2:11 a cluster has at least one server",
        ),
    ];
    for (text, expected) in cases {
        let findings = read_text(&text).unwrap_err();
        let shown = findings.render(false, 80);
        assert!(!shown.contains("hunter2"), "{shown}");
        let found = rows(Err(findings));
        assert!(found[0].starts_with(expected), "{text}: {found:?}");
    }
}
