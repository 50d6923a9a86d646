//! The step `<cluster>/provision/<host>/service`: k3s is configured and runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::config::{AGENT_TOKEN, Own};
use super::look::ServiceLook;
use super::{CONFIG, Member, Memory, config};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::name::ClusterName;
use crate::site::secret::Secret;

/// It will not get better by waiting.
#[derive(Debug, thiserror::Error)]
#[error("{unit} on {host} keeps ending: {state}")]
struct KeepsEnding {
    unit: &'static str,
    host: String,
    state: String,
}

/// The configuration cannot be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the configuration of {host} as YAML")]
struct ConfigError {
    host: String,
    source: serde_saphyr::ser::Error,
}

pub(super) struct RunService {
    member: Member,
    memory: Memory,
    /// Whether this run has (re)started it. What kept ending before deserves a fresh start; what does so after
    /// that has a reason.
    started: AtomicBool,
}

impl RunService {
    pub(super) fn new(member: &Member) -> Self {
        Self { member: member.clone(), memory: Memory::default(), started: AtomicBool::new(false) }
    }

    /// What k3s is to be told, given what it is told now.
    async fn config(&self, facts: &Facts, look: &ServiceLook) -> Result<String, Stop> {
        let Member { cluster, host, .. } = &self.member;
        let text = if self.member.is_agent() {
            config::agent(Some(facts.join(&cluster.name)?))
        } else {
            let addresses = self.member.host_look(false).await?.addresses;
            let own = Own::of(&self.member.address().await?, look.config.as_ref(), &addresses);
            config::server(&cluster.k3s, &own)
        };
        Ok(text.map_err(|source| ConfigError { host: host.name.to_string(), source })?)
    }

    async fn look(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let unit = self.member.subject_of(self.member.role.unit());
        let again = self.memory.is_second();
        let look = match self.member.service_look(again).await {
            // It comes back, or the wait ends.
            Err(error) if again && error.is_absence() => {
                return Ok(Observed::waits(vec![Change::wait(unit, error.to_string())]));
            }
            look => look?,
        };
        let text = self.config(facts, &look).await?;
        let is_configured = look.config.as_ref().is_some_and(|present| *present.expose() == text);
        let mut changes = Vec::new();
        if !is_configured {
            changes.push(self.configuration(look.config.as_ref(), &text));
        }
        changes.extend(self.unit(&look)?);
        let is_current = is_configured && look.is_running() && look.current;
        let work = Work { config: (!is_configured).then_some(text), restart: !is_current };
        let is_due = changes.iter().any(|change| !change.is_wait());
        Ok(Observed { facts: Facts::default(), changes, work: is_due.then_some(work) })
    }

    fn configuration(&self, present: Option<&Secret<String>>, wanted: &str) -> Change {
        let path = self.member.subject_of(CONFIG);
        let change = match present {
            Some(present) => Change::update(path, config::difference(present, wanted)),
            None => Change::create(path),
        };
        if self.member.is_agent() {
            change.with_secret_content(&wanted)
        } else {
            change.with_content(&wanted)
        }
    }

    /// What is wrong with the unit.
    fn unit(&self, look: &ServiceLook) -> Result<Option<Change>, Failure> {
        let unit = self.member.subject_of(self.member.role.unit());
        let started = self.started.load(Ordering::Relaxed);
        if look.keeps_ending() && started {
            return Err(self.keeps_ending(look));
        }
        let change = if look.keeps_ending() {
            Change::update(unit, format!("restart, it keeps ending: {}", look.state()))
        } else if look.active == "inactive" && !started {
            Change::create(unit)
        } else if !look.current && !started {
            Change::update(unit, "restart, its files are not those that it started with")
        } else if !look.is_running() || !look.current {
            Change::wait(unit, look.state())
        } else if !look.enabled {
            Change::update(unit, "start it with the host")
        } else if !self.member.is_agent() && (look.kubeconfig.is_none() || look.token.is_none()) {
            Change::wait(unit, "it has not written its kubeconfig and token yet")
        } else {
            return Ok(None);
        };
        Ok(Some(change))
    }

    fn keeps_ending(&self, look: &ServiceLook) -> Failure {
        let Member { host, role, .. } = &self.member;
        let unit = role.unit();
        let error = KeepsEnding { unit, host: host.name.to_string(), state: look.state() };
        Failure::from(error)
            .with_hint(format!("its journal tells more: `journalctl -u {unit}` on {}", host.name))
    }

    async fn start(&self, Work { config, restart }: Work, writer: &Writer) -> Result<(), Failure> {
        if let Some(text) = &config {
            let connection = self.member.connection().await?;
            writer.perform(connection.put(CONFIG, 0o600, text.as_str())).await?;
        }
        let verb = if restart { "restart" } else { "start" };
        let unit = self.member.role.unit();
        let script = format!(
            "rm -f {CONFIG}.*.new\n\
             if grep -qs '^agent-token-file:' {CONFIG} && ! [ -s {AGENT_TOKEN} ]; then {MAKE_TOKEN}; fi || exit\n\
             systemctl daemon-reload && systemctl enable --quiet {unit} || exit\n\
             systemctl reset-failed {unit} 2>/dev/null\n\
             systemctl {verb} --no-block {unit}\n"
        );
        writer.perform(self.member.run("start k3s", &script)).await?;
        self.started.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Draws the token of agents, on the host, where nobody sees it.
const MAKE_TOKEN: &str = "(umask 077; head -c 32 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' > /etc/rancher/k3s/agent-token.new) \
    && sync /etc/rancher/k3s/agent-token.new && mv /etc/rancher/k3s/agent-token.new /etc/rancher/k3s/agent-token";

/// What there is to do about k3s on a host.
pub(super) struct Work {
    /// Its configuration, where that is another.
    config: Option<String>,
    /// Whether what runs is to start anew.
    restart: bool,
}

impl Step for RunService {
    type Work = Work;

    fn id(&self) -> StepId {
        self.member.step("provision", "service")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.member.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the k3s service runs with its configuration"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        self.look(facts).await
    }

    async fn apply(&self, work: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        self.start(work, writer).await
    }

    /// A small host unpacks for minutes.
    fn patience(&self) -> Duration {
        Duration::from_mins(6)
    }
}
