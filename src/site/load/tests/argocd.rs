//! What a profile may tell Argo CD.

use super::found;

#[test]
fn what_argo_cd_would_not_understand_is_found() {
    let fleet = "[hub.local]\n[[argocd.repositories]]\nname = \"fleet\"\n";
    let git = format!("{fleet}url = \"https://git.example/fleet.git\"\n");
    let cases = [
        (format!("{fleet}password = {{ env = \"A\" }}\n"), "2:1 `argocd.repositories.url` is missing"),
        (format!("{fleet}url = \"https://me:canary@git.example/a.git\"\n"), "4:7 a profile holds no secrets"),
        (format!("{git}type = \"svn\"\n"), "5:8 Argo CD knows no such repositories"),
        (
            format!("{git}password = \"canary\"\n"),
            "5:12 `argocd.repositories.password`: a profile holds no secrets",
        ),
        (
            format!("{git}password = {{ env = \"A\" }}\nbearer_token = {{ env = \"B\" }}\n"),
            "3:8 a repository is logged in to in one way, here are `password`, `bearer_token`",
        ),
        (
            format!("{git}github_app_private_key = {{ env = \"A\" }}\n"),
            "3:8 a GitHub App needs `github_app_id` and `github_app_installation_id`",
        ),
        (format!("{git}template = true\n"), "3:8 a template of credentials has none"),
        (
            format!("{git}[[argocd.repositories]]\nname = \"fleet\"\nurl = \"https://git.example/b.git\"\n"),
            "6:8 there is one more repository with the name `fleet`",
        ),
        (
            "[hub.local]\n[argocd.projects.a]\nsourceRepo = []\n".to_owned(),
            "3:1 unknown key `argocd.projects.a.sourceRepo`",
        ),
        ("[hub.local]\n[argocd.projects.\"A b\"]\n".to_owned(), "2:18 "),
        (
            "[hub.local]\n[argocd.known_hosts.\"git.example\"]\n".to_owned(),
            "2:21 nothing is said of `git.example`",
        ),
        (
            "[hub.local]\n[argocd.known_hosts.\"git.example\"]\nssh = [\"git.example ssh-rsa AAAA\"]\n"
                .to_owned(),
            "3:8 this is not the key of a host",
        ),
        (
            "[hub.local]\n[argocd.known_hosts.\"git.example\"]\ncertificate_authority = \"ca.pem\"\n"
                .to_owned(),
            "3:25 these are no certificates",
        ),
    ];
    for (text, expected) in cases {
        let found = found(&text);
        assert!(found.iter().any(|found| found.starts_with(expected)), "{text}: {found:?}");
        assert!(!found.concat().contains("canary"), "{found:?}");
    }
}
