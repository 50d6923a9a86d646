//! The stand-in for k3s is no kinder than k3s: what the original refuses, keeps or leaves behind, it does too.

use k8s_openapi::api::core::v1::Node;
use kube::api::DeleteParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};

use crate::kit::Lab;
use crate::kit::hosts::{Hosts, Plan};
use crate::kit::standin::{CONFIG, install, is_active, journal, start, state};
use crate::kit::wait::{eventually, until};

const NODE_PASSWORD: &str = "/etc/rancher/node/password";
const TOKEN: &str = "/var/lib/rancher/k3s/server/node-token";

#[tokio::test]
async fn the_stand_in_for_k3s_is_no_kinder() {
    let lab = Lab::new();
    let hosts = Hosts::up(&lab, &[Plan::named("server"), Plan::named("agent")]);
    for role in ["server", "agent"] {
        install(&lab, &hosts[role], role);
    }
    let farm = Farm { hosts };

    farm.a_taken_port_is_refused();
    let client = farm.a_server_serves_under_its_own_authority().await;
    farm.its_files_are_those_of_k3s();
    farm.strangers_do_not_join();
    farm.an_agent_joins(&client).await;
    farm.a_host_that_lost_its_password_is_refused(&client).await;
    farm.what_runs_and_what_is_set_up_outlives_the_unit();
    farm.the_token_cannot_be_changed();
}

struct Farm {
    hosts: Hosts,
}

impl Farm {
    /// Starts a host's unit anew with a configuration.
    fn start(&self, host: &str, config: &str) {
        start(&self.hosts[host], config);
    }

    /// Waits until a host's unit says something, in which state it then is.
    fn hears(&self, host: &str, words: &str) -> String {
        until(&format!("{host}: {words}"), || self.journal(host).contains(words));
        state(&self.hosts[host])
    }

    fn journal(&self, host: &str) -> String {
        journal(&self.hosts[host])
    }

    fn is_active(&self, host: &str) -> bool {
        is_active(&self.hosts[host])
    }

    fn token(&self) -> String {
        self.hosts["server"].ok(&format!("cat {TOKEN}")).trim().to_owned()
    }

    fn url(&self) -> String {
        format!("https://{}:6443", self.hosts["server"].address)
    }

    fn a_taken_port_is_refused(&self) {
        self.hosts["server"].occupy(6443);
        self.start("server", "");
        self.hears(
            "server",
            "level=fatal msg=\"Error: starting kubernetes: preparing server: listen tcp :6443",
        );
        self.hosts["server"].ok("systemctl stop occupant-6443");
    }

    async fn a_server_serves_under_its_own_authority(&self) -> Client {
        self.hosts["server"]
            .ok(&format!("mkdir {CONFIG}.d\necho 'tls-san+: [k3s.internal.example]' >{CONFIG}.d/more.yaml"));
        self.start("server", "tls-san: [10.9.8.7]\nnode-label: [tier=hub]\nno-such-key: 1\n");
        until("the server is active", || self.is_active("server"));
        assert!(self.journal("server").contains("Unknown flag --no-such-key found in config.yaml, skipping"));
        let kubeconfig = self.hosts["server"].ok("cat /etc/rancher/k3s/k3s.yaml");
        let mut kubeconfig = Kubeconfig::from_yaml(&kubeconfig).unwrap();
        let cluster = kubeconfig.clusters[0].cluster.as_mut().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:6443"));
        cluster.server = Some(self.url());
        cluster.tls_server_name = Some("k3s.internal.example".to_owned());
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.34.4+k3s1");
        let nodes = Api::<Node>::all(client.clone());
        eventually("the server is a node", async || is_ready(&nodes, "server").await).await;
        let labelled =
            async || nodes.get("server").await.unwrap().labels().get("tier").is_some_and(|it| it == "hub");
        eventually("the server has its label", labelled).await;
        let server = nodes.get("server").await.unwrap();
        let address = server.status.unwrap().addresses.unwrap().remove(0).address;
        assert_eq!(address, self.hosts["server"].address);
        client
    }

    fn its_files_are_those_of_k3s(&self) {
        let server = &self.hosts["server"];
        let modes =
            format!("stat -c %a /etc/rancher/k3s/k3s.yaml /var/lib/rancher/k3s/server/token {NODE_PASSWORD}");
        assert_eq!(server.ok(&modes), "600\n600\n600\n");
        let bundle = server.ok("sha256sum /var/lib/rancher/k3s/server/tls/server-ca.crt");
        let token = self.token();
        assert!(token.starts_with(&format!("K10{}::server:", &bundle[..64])), "{token}");
        assert_eq!(server.ok("k3s --version").lines().next(), Some("k3s version v1.34.4+k3s1 (abcdef12)"));
    }

    fn strangers_do_not_join(&self) {
        let (url, token) = (self.url(), self.token());
        let forged = format!("K10{}{}", "0".repeat(64), &token[67..]);
        let hash = "token CA hash does not match the Cluster CA certificate hash";
        let cases = [
            (format!("server: {url}\n"), "--token is required", "activating"),
            (
                format!("server: {url}\ntoken: {token}\ntls-san: [x]\n"),
                "flag provided but not defined: -tls-san",
                "",
            ),
            (format!("server: {url}\ntoken: {token}x\n"), "/v1-k3s/config: 401 Unauthorized", "activating"),
            (format!("server: {url}\ntoken: {forged}\n"), hash, "activating"),
            (
                format!("server: {url}\ntoken: {token}\nnode-name: server\n"),
                "Node password rejected",
                "activating",
            ),
        ];
        for (config, refusal, state) in cases {
            self.start("agent", &config);
            let found = self.hears("agent", refusal);
            assert!(state.is_empty() || found == state, "{refusal}: {found}");
        }
    }

    async fn an_agent_joins(&self, client: &Client) {
        self.start("agent", &format!("server: {}\ntoken: {}\n", self.url(), self.token()));
        until("the agent is active", || self.is_active("agent"));
        let nodes = Api::all(client.clone());
        eventually("the agent is a node", async || is_ready(&nodes, "agent").await).await;
    }

    async fn a_host_that_lost_its_password_is_refused(&self, client: &Client) {
        self.hosts["agent"].ok(&format!("rm {NODE_PASSWORD}\nsystemctl restart --no-block k3s"));
        assert_eq!(self.hears("agent", "Node password rejected, duplicate hostname"), "activating");
        // What the server remembers of a node goes with the node.
        Api::<Node>::all(client.clone()).delete("agent", &DeleteParams::default()).await.unwrap();
        until("the agent is active", || self.is_active("agent"));
    }

    fn what_runs_and_what_is_set_up_outlives_the_unit(&self) {
        for host in ["server", "agent"] {
            self.hosts[host].ok("systemctl stop k3s");
            let left = self.hosts[host].world().into_keys().collect::<Vec<_>>();
            let has = |what: &str| left.iter().any(|name| name.starts_with(what));
            for what in [
                "link cni0",
                "link flannel.1",
                "link veth",
                "iptables filter -A FORWARD -m comment --comment \"flanneld forward\" -j FLANNEL-FWD",
                "ip6tables nat :KUBE-SERVICES",
                "iptables nat :CNI-",
                "mount /run/k3s/",
                "mount /run/netns/cni-",
                "mount /var/lib/kubelet/pods/",
                "process /var/lib/rancher/k3s/data/",
                "process sleep infinity",
                "memory /run/flannel/subnet.env",
                "disk /var/lib/cni/results",
                "disk /etc/rancher/node/password",
            ] {
                assert!(has(what), "{host} has no {what}: {left:#?}");
            }
            assert!(!has("process /opt/parts/etcd"), "{host}");
            self.hosts[host].ok("systemctl kill --kill-whom=all --signal=KILL k3s\npgrep --exact sleep");
        }
    }

    fn the_token_cannot_be_changed(&self) {
        self.start("server", "token: another\n");
        self.hears("server", "bootstrap data already found and encrypted with different token");
    }
}

async fn is_ready(nodes: &Api<Node>, name: &str) -> bool {
    let node = nodes.get_opt(name).await.unwrap();
    let mut conditions = node.into_iter().filter_map(|node| node.status?.conditions).flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
