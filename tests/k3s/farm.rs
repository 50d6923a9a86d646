//! Hosts, a mirror with a release, and a site on them.

use std::path::PathBuf;

use bridgehead::files;

use crate::kit::command::run;
use crate::kit::hosts::{Hosts, Plan};
use crate::kit::mirror::Mirror;
use crate::kit::world::{World, differences};
use crate::kit::{Lab, Outcome, standin};

pub(super) const SITE: &str = "home";
pub(super) const TAG: &str = "v1.34.4+k3s1";
pub(super) const NOTHING: [&str; 0] = [];

/// A site whose first host is the server and whose others are agents.
pub(super) struct Farm {
    pub(super) hosts: Hosts,
    pub(super) mirror: Mirror,
    pub(super) lab: Lab,
    names: Vec<String>,
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

    /// Writes the site's inventory, each host with further lines.
    pub(super) fn write_inventory(&self, more: &str) {
        let table =
            |name: &String| format!("[vms.{name}]\nansible_host = {:?}\n{more}\n", self.hosts[name].address);
        let inventory: String = self.names.iter().map(table).collect();
        let path = self.lab.profile(SITE).with_file_name("inventory.toml");
        files::replace(&path, inventory.as_bytes(), 0o600).unwrap();
    }

    /// Runs bridgehead with a cache of its own: what is in it has been fetched by this test.
    pub(super) fn run_with(&self, arguments: &[&str], fault: Option<&str>) -> Outcome {
        let mut command = self.lab.prepare(&[arguments, &["--output", "json"]].concat());
        command.env("XDG_CACHE_HOME", self.lab.path("cache"));
        command.env("BRIDGEHEAD_COMPONENTS", &self.components);
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
        let outcome = self.run(&["k3s", "install", SITE]);
        assert_eq!(outcome.code(), 4, "{}{}", outcome.stdout, outcome.stderr);
        let failed = outcome.events_of("failed");
        assert_eq!(failed.len(), 1, "{}", outcome.stdout);
        failed[0].to_string()
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

    /// Everything that bridgehead logged.
    pub(super) fn logs(&self) -> String {
        let folder = self.lab.path("state/bridgehead/log");
        files::names(&folder).unwrap().iter().map(|name| files::read(&folder.join(name)).unwrap()).collect()
    }
}

/// The steps of which a run has an event.
pub(super) fn steps(outcome: &Outcome, event: &str) -> Vec<String> {
    outcome.events_of(event).iter().map(|event| event["step"].as_str().unwrap().to_owned()).collect()
}
