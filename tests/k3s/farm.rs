//! Hosts, a mirror with a release, and a site on them.

use std::path::PathBuf;
use std::process::Command;

use bridgehead::files;

use crate::kit::command::run;
use crate::kit::hosts::{Hosts, Plan};
use crate::kit::mirror::Mirror;
use crate::kit::world::{World, differences};
use crate::kit::{Lab, Outcome, standin};

/// Lets k3s not start as long as `/run/slow` is there.
pub(super) const SLOW_START: &str = r#"
touch /run/slow
mkdir /etc/systemd/system/k3s.service.d
cat >/etc/systemd/system/k3s.service.d/slow.conf <<'END'
[Service]
ExecStartPre=/bin/sh -c "while [ -e /run/slow ]; do sleep 0.1; done"
END
"#;

pub(super) const SITE: &str = "home";
pub(super) const TAG: &str = "v1.34.4+k3s1";
pub(super) const NOTHING: [&str; 0] = [];

/// A site whose first host is the server and whose others are agents.
pub(super) struct Farm {
    pub(super) hosts: Hosts,
    pub(super) mirror: Mirror,
    pub(super) lab: Lab,
    /// The hosts that the profile names.
    pub(super) names: Vec<String>,
    components: PathBuf,
}

impl Farm {
    pub(super) fn new(names: &[&str], plans: &[Plan]) -> Self {
        let lab = Lab::new();
        let components = lab.component("etcd").parent().unwrap().to_owned();
        let hosts = Hosts::up(&lab, plans);
        let mirror = Mirror::serve();
        mirror.release(TAG, &[("k3s", &standin::executable())]);
        let names = names.iter().map(ToString::to_string).collect();
        let farm = Self { hosts, mirror, lab, names, components };
        farm.write(&format!("version = {TAG:?}"), "");
        farm
    }

    /// Writes the site's profile and inventory.
    pub(super) fn write(&self, release: &str, config: &str) {
        let (server, agents) = self.names.split_first().unwrap();
        let profile = format!(
            "[hub.k3s]\nservers = [{server:?}]\nagents = {agents:?}\n{release}\nmirror = {:?}\n\
             [hub.k3s.config]\nwrite-kubeconfig-mode = \"0644\"\n{config}\n",
            self.mirror.releases
        );
        self.lab.write_profile(SITE, &profile);
        self.write_inventory("");
    }

    /// Takes all agents out of the profile. They stay in the inventory.
    pub(super) fn forget_agents(&self) {
        let profile = self.lab.profile(SITE);
        let text = files::read(&profile).unwrap();
        let lines = text.lines().map(|line| if line.starts_with("agents = ") { "agents = []" } else { line });
        files::replace(&profile, (lines.collect::<Vec<_>>().join("\n") + "\n").as_bytes(), 0o600).unwrap();
    }

    /// Writes the site's inventory, each host with further lines.
    pub(super) fn write_inventory(&self, more: &str) {
        self.write_hosts(|_| more);
    }

    /// The same, with other lines for each.
    pub(super) fn write_hosts<'a>(&self, more: impl Fn(&str) -> &'a str) {
        let table = |name: &String| {
            format!("[vms.{name}]\nansible_host = {:?}\n{}\n", self.hosts[name].address, more(name))
        };
        let inventory: String = self.names.iter().map(table).collect();
        let path = self.lab.profile(SITE).with_file_name("inventory.toml");
        files::replace(&path, inventory.as_bytes(), 0o600).unwrap();
    }

    /// A bridgehead command with a cache of its own: what is in it has been fetched by this test.
    pub(super) fn prepare(&self, arguments: &[&str]) -> Command {
        let mut command = self.lab.prepare(&[arguments, &["--output", "json"]].concat());
        command.env("XDG_CACHE_HOME", self.lab.path("cache"));
        command.env("BRIDGEHEAD_COMPONENTS", &self.components);
        command
    }

    /// Runs bridgehead to its end, or to where it is to be killed.
    pub(super) fn run_with(&self, arguments: &[&str], fault: Option<&str>) -> Outcome {
        let mut command = self.prepare(arguments);
        if let Some(fault) = fault {
            command.env("BRIDGEHEAD_FAULT", fault);
        }
        run(command)
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(arguments, None)
    }

    pub(super) fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code(), 0, "{arguments:?}\n{}\n{}", outcome.stdout, outcome.stderr);
        outcome
    }

    pub(super) fn install(&self) -> Outcome {
        self.ok(&["k3s", "install", SITE])
    }

    /// Runs `k3s install`, which must fail in one step; what it says and advises.
    pub(super) fn refusal(&self) -> String {
        refusal(&self.run(&["k3s", "install", SITE]))
    }

    /// Runs bridgehead to its end with a password for hosts.
    pub(super) fn run_with_password(&self, arguments: &[&str], password: &str) -> Outcome {
        let file = self.lab.path("password");
        files::replace(&file, password.as_bytes(), 0o600).unwrap();
        let mut command = self.prepare(arguments);
        command.env("BRIDGEHEAD_PASSWORD_FILE", file);
        run(command)
    }

    /// What `k3s status` says of the node of every host.
    pub(super) fn nodes(&self, status: &Outcome) -> Vec<String> {
        let status = status.document();
        let hosts = status[0]["hosts"].as_array().unwrap();
        assert_eq!(hosts.len(), self.names.len(), "{status}");
        hosts.iter().map(|host| host["node"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(super) fn worlds(&self) -> Vec<World> {
        self.names.iter().map(|name| self.hosts[name].world()).collect()
    }

    /// Every host is as it was.
    pub(super) fn assert_untouched(&self, before: &[World]) {
        for (before, after) in before.iter().zip(self.worlds()) {
            assert_eq!(differences(before, &after), Vec::<String>::new());
        }
    }

    /// The files that a secret is in: those of the lab, and those of hosts that a user there can read.
    pub(super) fn files_with(&self, secret: &str, user: &str) -> Vec<String> {
        const FOLDERS: &str = "/etc /home /root /run /tmp /usr/local /var";
        let mut grep = self.lab.command("grep");
        grep.args(["-rlF", "-e", secret]).arg(self.lab.path(""));
        let find =
            format!("setpriv --reuid {user} --clear-groups grep -rlFs --devices=skip -e {secret} {FOLDERS}");
        let hosts = self.names.iter().map(|name| self.hosts[name].run(&find).stdout);
        let found = std::iter::once(run(grep).stdout).chain(hosts).collect::<String>();
        found.lines().map(ToOwned::to_owned).collect()
    }

    /// Everything that bridgehead logged.
    pub(super) fn logs(&self) -> String {
        let folder = self.lab.path("state/bridgehead/log");
        files::names(&folder).unwrap().iter().map(|name| files::read(&folder.join(name)).unwrap()).collect()
    }
}

/// What a run says and advises that must have failed in one step.
pub(super) fn refusal(outcome: &Outcome) -> String {
    assert_eq!(outcome.code(), 4, "{}{}", outcome.stdout, outcome.stderr);
    let failed = outcome.events_of("failed");
    assert_eq!(failed.len(), 1, "{}", outcome.stdout);
    failed[0].to_string()
}

/// The steps of which a run has an event.
pub(super) fn steps(outcome: &Outcome, event: &str) -> Vec<String> {
    outcome.events_of(event).iter().map(|event| event["step"].as_str().unwrap().to_owned()).collect()
}
