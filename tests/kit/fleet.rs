//! A fleet of many registered clusters on one machine: a hub with Argo CD and one more API server, which plays every spoke
//! behind an address of its own.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridgehead::files;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::Lab;
use super::door::{Door, NAME, Seen};

/// The site, which has one name to those that made its clusters and to those that only use them.
pub(crate) const SITE: &str = "fleet";
const HUB: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// The hub, and the spokes `c0`, `c1` and so on, all of the provider `existing`.
pub(crate) struct Fleet {
    /// Where it is used from.
    pub(crate) lab: Lab,
    /// Where its two clusters are, which end with it.
    pub(crate) made: Lab,
    pub(crate) door: Door,
    count: usize,
    tokens: [String; 2],
}

impl Fleet {
    /// A fleet whose profile has all its spokes, none of which is registered yet.
    pub(crate) async fn of(count: usize) -> Self {
        let (made, lab) = (Lab::new(), Lab::new());
        made.write_profile(SITE, "[hub.local]\n[spokes.x.local]\n");
        made.ok(&["up", SITE]);
        let (hub, spoke) = (made.client(SITE, "hub").await, made.client(SITE, "x").await);
        let tokens = [token(&hub).await, token(&spoke).await];
        let [hub, spoke] = [anybody(&made, "hub").await, anybody(&made, "x").await];
        let spokes = (0..count).map(|number| (address(number), spoke.clone()));
        let door = Door::open(std::iter::once((HUB, hub)).chain(spokes));
        let fleet = Self { lab, made, door, count, tokens };
        let hub = fleet.made.client(SITE, "hub").await;
        Api::<Secret>::namespaced(hub, "argocd").delete("x", &DeleteParams::default()).await.unwrap();
        fleet.write_kubeconfig();
        fleet.write_profile(count, "");
        fleet
    }

    /// Writes a profile with the first so many spokes, and more in its text.
    pub(crate) fn write_profile(&self, count: usize, more: &str) {
        let spoke = |number: usize| {
            let environment = ["dev", "prod"][number % 2];
            format!(
                "[spokes.c{number}]\nenvironment = \"{environment}\"\nserver = \"https://c{number}.example:6443\"\n[spokes.c{number}.existing]\ncontext = \"c{number}\"\n"
            )
        };
        let spokes: String = (0..count).map(spoke).collect();
        let profile = format!("[hub.existing]\ncontext = \"hub\"\n{more}{spokes}");
        self.lab.write_profile(SITE, &profile);
    }

    fn write_kubeconfig(&self) {
        let authority = STANDARD.encode(&self.door.authority);
        let names = std::iter::once(("hub".to_owned(), HUB, &self.tokens[0]));
        let spokes = (0..self.count).map(|number| (format!("c{number}"), address(number), &self.tokens[1]));
        let (mut clusters, mut contexts, mut users) = (String::new(), String::new(), String::new());
        for (name, address, token) in names.chain(spokes) {
            let url = self.door.url(address);
            clusters.push_str(&format!(
                "- name: {name}\n  cluster:\n    server: {url}\n    tls-server-name: {NAME}\n    certificate-authority-data: {authority}\n"
            ));
            contexts
                .push_str(&format!("- name: {name}\n  context:\n    cluster: {name}\n    user: {name}\n"));
            users.push_str(&format!("- name: {name}\n  user:\n    token: {token}\n"));
        }
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: hub\nclusters:\n{clusters}contexts:\n{contexts}users:\n{users}"
        );
        let path = self.lab.path("home/.kube/config");
        files::make_folder(path.parent().unwrap()).unwrap();
        files::replace(&path, text.as_bytes(), 0o600).unwrap();
    }

    /// What came to the hub since it was asked last.
    pub(crate) fn hub(&self) -> Seen {
        self.door.take(HUB)
    }

    /// What came to each spoke since it was asked last.
    pub(crate) fn spokes(&self) -> Vec<Seen> {
        (0..self.count).map(|number| self.door.take(address(number))).collect()
    }
}

/// Where a spoke answers: 127.0.2.1 and so on.
pub(crate) fn address(number: usize) -> Ipv4Addr {
    let [.., third, fourth] = (u32::try_from(number).unwrap() + 0x0201).to_be_bytes();
    Ipv4Addr::new(127, 0, third, fourth)
}

/// A token that may do everything.
async fn token(client: &Client) -> String {
    let metadata = |name: &str| ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    let account = ServiceAccount { metadata: metadata("operator"), ..ServiceAccount::default() };
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let subject = Subject {
        kind: "ServiceAccount".to_owned(),
        name: "operator".to_owned(),
        namespace: Some("default".to_owned()),
        ..Subject::default()
    };
    let binding = ClusterRoleBinding {
        metadata: metadata("operator"),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: "cluster-admin".to_owned(),
        },
        subjects: Some(vec![subject]),
    };
    Api::<ClusterRoleBinding>::all(client.clone()).create(&PostParams::default(), &binding).await.unwrap();
    let spec = TokenRequestSpec { expiration_seconds: Some(24 * 3600), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let answer = accounts.create_token_request("operator", &PostParams::default(), &request).await.unwrap();
    answer.status.unwrap().token
}

/// A connection to a cluster as nobody in particular: each request says who asks.
async fn anybody(lab: &Lab, cluster: &str) -> Client {
    let text = lab.ok(&["kubeconfig", "show", SITE]).stdout;
    let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    let options = KubeConfigOptions { context: Some(format!("{SITE}/{cluster}")), ..Default::default() };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    config.auth_info = kube::config::AuthInfo::default();
    config.default_retry = false;
    config.try_into().unwrap()
}
