use super::*;
use crate::engine::Credentials;
use crate::engine::facts::{ClusterFacts, RepositoryFacts};
use crate::site::load::{self, Overrides};
use crate::site::{Local, Provider, Repository};

fn cluster(name: &str, role: Role, environment: &str) -> Cluster {
    let addon = |name: &str, is_on| (name.parse().expect("valid"), is_on);
    Cluster {
        name: name.parse().expect("valid"),
        role,
        environment: environment.to_owned(),
        provider: Provider::Local(Local { nodes: 1 }),
        server: None,
        addons: BTreeMap::from([addon("cert_manager", true), addon("metrics_server", false)]),
        labels: BTreeMap::from([
            ("ring".to_owned(), "a".to_owned()),
            ("cluster_name".to_owned(), "x".to_owned()),
        ]),
        annotations: BTreeMap::from([("cert_manager_namespace".to_owned(), "certificates".to_owned())]),
    }
}

fn site() -> Site {
    let repository = Repository {
        source: RepositorySource::Folder("/somewhere".into()),
        basepath: "addons/".to_owned(),
        path: "bootstrap".to_owned(),
        revision: "main".to_owned(),
    };
    let name = "home".parse().expect("valid");
    let site = load::from_text(None, &name, "[hub.local]\n", &Overrides::default()).expect("valid");
    Site {
        hub: cluster("hub", Role::Hub, "control-plane"),
        spokes: vec![cluster("dev", Role::Spoke, "dev")],
        repositories: BTreeMap::from([("addons".parse().expect("valid"), repository)]),
        ..site
    }
}

fn facts(server: &str) -> Facts {
    let access = Access::new(server, "ca", Credentials::Token(Secret::new("token".to_owned())));
    let known = ClusterFacts {
        version: Some("v1.34.4+k3s1".to_owned()),
        registration: Some(access),
        ..ClusterFacts::default()
    };
    let mut facts = Facts::of(&"dev".parse().expect("valid"), known);
    let repository = RepositoryFacts { url: "file:///served.git".to_owned(), commit: None };
    facts.merge(Facts::of_repository(&"addons".parse().expect("valid"), repository));
    facts
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[test]
fn a_spoke_is_described_as_the_contract_says() {
    let site = site();
    let secret = ClusterSecret::of(&site, &site.spokes[0], &facts("https://127.0.0.1:6443")).expect("known");
    assert_eq!((secret.name.as_str(), secret.server.as_str()), ("dev", "https://127.0.0.1:6443"));
    assert_eq!(
        secret.config.expose(),
        r#"{"bearerToken":"token","tlsClientConfig":{"insecure":false,"caData":"Y2E="}}"#
    );
    assert_eq!(
        pairs(&secret.labels),
        [
            ("argocd.argoproj.io/secret-type", "cluster"),
            ("cluster_name", "dev"),
            ("enable_argocd", "false"),
            ("enable_cert_manager", "true"),
            ("enable_metrics_server", "false"),
            ("environment", "dev"),
            ("fleet_member", "spoke"),
            ("kubernetes_version", "1.34"),
            ("ring", "a"),
        ]
    );
    assert_eq!(
        pairs(&secret.annotations),
        [
            ("addons_repo_basepath", "addons/"),
            ("addons_repo_path", "bootstrap"),
            ("addons_repo_revision", "main"),
            ("addons_repo_url", "file:///served.git"),
            ("argocd_namespace", "argocd"),
            ("cert_manager_namespace", "certificates"),
            ("cert_manager_service_account", "cert-manager"),
            ("cluster_name", "dev"),
            ("environment", "dev"),
        ]
    );
}

#[test]
fn the_hub_is_the_cluster_that_argo_cd_runs_in() {
    let site = site();
    let secret = ClusterSecret::of(&site, &site.hub, &facts("https://10.0.0.5:6443")).expect("known");
    assert_eq!(secret.server, HUB_SERVER);
    assert_eq!(secret.labels["fleet_member"], "control-plane");
    assert!(!secret.labels.contains_key("kubernetes_version"), "nobody found out the hub's version");
    let object = secret.object(&site, "hub");
    assert_eq!(object.to_string(), "Secret argocd/hub");
    assert_eq!(object.data("server").as_deref(), Some(HUB_SERVER));
    assert_eq!(object.label("bridgehead/site"), Some("home"));
}

#[test]
fn a_content_waits_for_its_facts() {
    let site = site();
    for cluster in site.clusters() {
        let stop = ClusterSecret::of(&site, cluster, &Facts::default()).expect_err("nothing is known");
        assert!(matches!(stop, Stop::Blocked(_)), "{stop:?}");
    }
}
