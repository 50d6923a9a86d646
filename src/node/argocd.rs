//! What is particular to Argo CD's programs: which containers are run for real, and what they must be told
//! to live as plain processes beside others.
//!
//! Addresses and ports have no key in `argocd-cmd-params-cm`, or an unused one, so they are passed here, and the
//! ConfigMap stays the user's. TLS between the parts stays on.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::api::core::v1::{Container, Pod};

/// A program that containers of Argo CD's manifest start, and how it differs from a container's life.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Role {
    /// The name by which the program is started.
    pub(super) program: &'static str,
    /// The component with its code.
    pub(super) component: &'static str,
    /// Where it listens.
    pub(super) listeners: &'static [Listener],
    /// Arguments that it always gets.
    arguments: &'static [&'static str],
    /// Variables that it always gets.
    variables: &'static [(&'static str, &'static str)],
    /// Variables that it must not get.
    removed: &'static [&'static str],
    /// Services that it connects to.
    pub(super) services: &'static [Peer],
}

/// A port that a program listens on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listener {
    /// The port in the container.
    pub(super) port: u16,
    flag: &'static str,
    /// Whether the flag takes an address rather than a port.
    address: bool,
}

/// A Service that a program connects to by default.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// How the program is told another address.
    pub(super) setting: Setting,
    /// What it would connect to in a cluster.
    pub(super) default: &'static str,
}

/// How a program is told something.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// By a variable.
    Variable(&'static str),
    /// Only by a flag.
    Flag(&'static str),
}

const PLAIN: Role = Role {
    program: "argocd",
    component: "argocd",
    listeners: &[],
    arguments: &[],
    variables: &[],
    removed: &[],
    services: &[],
};

const fn port(port: u16, flag: &'static str) -> Listener {
    Listener { port, flag, address: false }
}

const fn address(port: u16, flag: &'static str) -> Listener {
    Listener { port, flag, address: true }
}

const fn peer(variable: &'static str, default: &'static str) -> Peer {
    Peer { setting: Setting::Variable(variable), default }
}

const REDIS: &str = "argocd-redis:6379";
const REPO_SERVER: &str = "argocd-repo-server:8081";
const LOOPBACK: &str = "127.0.0.1";

const ROLES: [Role; 8] = [
    PLAIN,
    Role {
        program: "argocd-repo-server",
        listeners: &[port(8081, "--port"), port(8084, "--metrics-port")],
        // The manifest's variable for this one has not the name that the program reads.
        arguments: &["--metrics-address", LOOPBACK],
        variables: &[("ARGOCD_REPO_SERVER_LISTEN_ADDRESS", LOOPBACK)],
        services: &[peer("REDIS_SERVER", REDIS)],
        ..PLAIN
    },
    Role {
        program: "argocd-server",
        listeners: &[port(8080, "--port"), port(8083, "--metrics-port")],
        arguments: &["--metrics-address", LOOPBACK],
        variables: &[("ARGOCD_SERVER_LISTEN_ADDRESS", LOOPBACK)],
        // The program takes this variable's value as the name of the flag, and then refuses the flag above.
        removed: &["ARGOCD_SERVER_METRICS_LISTEN_ADDRESS"],
        services: &[
            peer("REDIS_SERVER", REDIS),
            peer("ARGOCD_SERVER_REPO_SERVER", REPO_SERVER),
            peer("ARGOCD_SERVER_DEX_SERVER", "argocd-dex-server:5556"),
        ],
        ..PLAIN
    },
    Role {
        program: "argocd-application-controller",
        // Its metrics listen on every address: there is no setting for it.
        listeners: &[port(8082, "--metrics-port")],
        services: &[
            peer("REDIS_SERVER", REDIS),
            peer("ARGOCD_APPLICATION_CONTROLLER_REPO_SERVER", REPO_SERVER),
        ],
        ..PLAIN
    },
    Role {
        program: "argocd-applicationset-controller",
        listeners: &[
            address(8080, "--metrics-addr"),
            address(8081, "--probe-addr"),
            address(7000, "--webhook-addr"),
        ],
        services: &[peer("ARGOCD_APPLICATIONSET_CONTROLLER_REPO_SERVER", REPO_SERVER)],
        ..PLAIN
    },
    Role {
        program: "argocd-notifications",
        // Its metrics listen on every address: there is no setting for it.
        listeners: &[port(9001, "--metrics-port")],
        services: &[Peer { setting: Setting::Flag("--argocd-repo-server"), default: REPO_SERVER }],
        ..PLAIN
    },
    // There is no dex: `argocd-dex rundex` is real and finds a stand-in for the program that it would run
    // (`host`). Without `dex.config` it only waits, as in any cluster; single sign-on cannot be had.
    Role { program: "argocd-dex", variables: &[("ARGOCD_DEX_SERVER_DISABLE_TLS", "true")], ..PLAIN },
    Role {
        program: "redis-server",
        component: "redis",
        listeners: &[port(6379, "--port")],
        arguments: &["--bind", LOOPBACK],
        ..PLAIN
    },
];

/// The names under which Argo CD's programs find the one binary on their search path.
pub(super) const NAMES: [&str; 5] =
    ["argocd", "argocd-cmp-server", "argocd-dex", "argocd-git-ask-pass", "argocd-k8s-auth"];

/// What runs a container for real; nothing for all others, such as those that copy a binary into a volume.
pub(super) fn role(pod: &Pod, container: &Container) -> Option<&'static Role> {
    let program = match image_name(container.image.as_deref()?) {
        // Dex's container is started by Argo CD's binary, which an init container copied there.
        "argocd" | "dex" => program(container)?,
        "redis" if is_argocds(pod) && program(container).is_none_or(|name| name == "redis-server") => {
            "redis-server"
        }
        _ => return None,
    };
    ROLES.iter().find(|role| role.program == program)
}

/// Others run Redis, too, and their pods are none of ours.
fn is_argocds(pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("app.kubernetes.io/name")).is_some_and(|name| name == "argocd-redis")
}

/// The last part of an image's path, whatever registry or mirror it comes from.
fn image_name(image: &str) -> &str {
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split(['@', ':']).next().unwrap_or_default()
}

/// What a container starts, unless that is left to its image.
fn program(container: &Container) -> Option<&str> {
    let words = container.command.iter().flatten().chain(container.args.iter().flatten());
    let first = words.into_iter().next().filter(|word| !word.starts_with('-'))?;
    Path::new(first).file_name()?.to_str()
}

impl Role {
    /// The arguments of the container, without the program itself and without secrets: `redis` reads its
    /// password from the environment.
    pub(super) fn own_arguments<'a>(&self, container: &'a Container) -> Vec<&'a str> {
        let words = container.command.iter().flatten().chain(container.args.iter().flatten());
        let mut words = words.map(String::as_str).collect::<Vec<_>>();
        if program(container).is_some() {
            words.remove(0);
        }
        let password = words.iter().position(|word| word.split(' ').next() == Some("--requirepass"));
        if let Some(index) = password.filter(|_| self.component == "redis") {
            let end = if words[index].contains(' ') { index } else { words.len().min(index + 2) - 1 };
            words.drain(index..=end);
        }
        words
    }

    /// What comes behind the container's own arguments, where the last one wins.
    pub(super) fn arguments(&self, ports: &BTreeMap<u16, u16>) -> Vec<String> {
        let listeners = self.listeners.iter().filter_map(|listener| {
            let port = ports.get(&listener.port)?;
            let prefix = if listener.address { "127.0.0.1:" } else { "" };
            Some([listener.flag.to_owned(), format!("{prefix}{port}")])
        });
        self.arguments.iter().map(ToString::to_string).chain(listeners.flatten()).collect()
    }

    /// Settles the variables that are the same for every start.
    pub(super) fn settle(&self, pod_name: &str, variables: &mut BTreeMap<String, String>) {
        for name in self.removed {
            variables.remove(*name);
        }
        variables.extend(self.variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        // Replicas find their shard by the host's name, which all of them share here.
        let replicas = variables.get("ARGOCD_CONTROLLER_REPLICAS").is_some_and(|replicas| replicas != "1");
        if let Some((_, ordinal)) = pod_name.rsplit_once('-').filter(|_| replicas) {
            variables.insert("ARGOCD_CONTROLLER_SHARD".into(), ordinal.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(image: &str, command: &[&str], args: &[&str]) -> Container {
        let words = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
        Container {
            image: Some(image.into()),
            command: words(command),
            args: words(args),
            ..Container::default()
        }
    }

    fn redis_pod() -> Pod {
        let mut pod = Pod::default();
        pod.metadata.labels = Some([("app.kubernetes.io/name".into(), "argocd-redis".into())].into());
        pod
    }

    #[test]
    fn programs_are_recognised_by_image_and_command() {
        let found = |image, command: &[&str], args: &[&str]| {
            role(&Pod::default(), &container(image, command, args)).map(|role| role.program)
        };
        let image = "mirror.example:5000/argoproj/argocd:v3.2.11";
        assert_eq!(found(image, &[], &["/usr/local/bin/argocd-server"]), Some("argocd-server"));
        assert_eq!(found(image, &["argocd", "admin", "redis-initial-password"], &[]), Some("argocd"));
        assert_eq!(found(image, &["/bin/cp", "-n"], &["/usr/local/bin/argocd", "/shared"]), None);
        assert_eq!(
            found("ghcr.io/dexidp/dex:v2.43.0", &["/shared/argocd-dex", "rundex"], &[]),
            Some("argocd-dex")
        );
        assert_eq!(found("redis:8", &[], &["--save", ""]), None, "somebody else's");
        assert_eq!(found("nginx", &[], &[]), None);
    }

    #[test]
    fn the_password_of_redis_is_on_no_command_line() {
        let args = ["--save", "", "--appendonly", "no", "--requirepass $(REDIS_PASSWORD)"];
        let container = container("library/redis:8.2.2-alpine", &[], &args);
        let role = role(&redis_pod(), &container).unwrap();
        assert_eq!(role.own_arguments(&container), ["--save", "", "--appendonly", "no"]);
        assert_eq!(role.arguments(&[(6379, 4000)].into()), ["--bind", "127.0.0.1", "--port", "4000"]);
        let args = ["redis-server", "--requirepass", "$(REDIS_PASSWORD)", "--save", ""];
        let container = self::container("redis", &[], &args);
        assert_eq!(role.own_arguments(&container), ["--save", ""]);
    }

    #[test]
    fn replicas_of_the_controller_get_their_shard() {
        let mut variables = BTreeMap::from([("ARGOCD_CONTROLLER_REPLICAS".to_owned(), "2".to_owned())]);
        PLAIN.settle("argocd-application-controller-1", &mut variables);
        assert_eq!(variables["ARGOCD_CONTROLLER_SHARD"], "1");
    }
}
