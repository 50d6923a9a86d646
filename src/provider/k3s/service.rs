//! The step `<cluster>/provision/<host>/service`: k3s is configured and runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::files::sha256;
use super::look::ServiceLook;
use super::{CONFIG, Member, Memory, config};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::name::ClusterName;

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

pub(super) struct Service {
    member: Member,
    memory: Memory,
    /// Whether this run has (re)started it. What kept ending before deserves a fresh start; what does so after
    /// that has a reason.
    started: AtomicBool,
}

impl Service {
    pub(super) fn new(member: &Member) -> Self {
        Self { member: member.clone(), memory: Memory::default(), started: AtomicBool::new(false) }
    }

    fn config(&self, facts: &Facts) -> Result<String, Stop> {
        let Member { subject, host, role } = &self.member;
        let join = if self.member.is_agent() { Some(facts.join(&subject.cluster)?) } else { None };
        let text = config::text(&subject.k3s, *role, join);
        Ok(text.map_err(|source| ConfigError { host: host.name.to_string(), source })?)
    }

    async fn look(&self, facts: &Facts) -> Result<Observed, Stop> {
        let look = self.member.service_look(self.memory.is_second()).await?;
        let mut changes = Vec::new();
        let wanted = sha256(&self.config(facts)?);
        if look.config.as_ref() != Some(&wanted) {
            let path = self.member.subject_of(CONFIG);
            changes.push(match look.config {
                Some(_) => Change::update(path, "other content"),
                None => Change::create(path),
            });
        }
        changes.extend(self.unit(&look)?);
        Ok(Observed::differs(changes, ()))
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

    async fn start(&self, facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let text = self.config(facts).map_err(Stop::into_failure)?;
        let look = self.member.service_look(true).await?;
        let is_configured = look.config == Some(sha256(&text));
        if !is_configured {
            let connection = self.member.connection().await?;
            writer.perform(connection.put(CONFIG, 0o600, text.as_str())).await?;
        }
        let verb = if is_configured && look.is_running() && look.current { "start" } else { "restart" };
        let unit = self.member.role.unit();
        let script = format!(
            "rm -f {CONFIG}.*.new\n\
             systemctl daemon-reload && systemctl enable --quiet {unit} || exit\n\
             systemctl reset-failed {unit} 2>/dev/null\n\
             systemctl {verb} --no-block {unit}\n"
        );
        writer.perform(self.member.run("start k3s", &script)).await?;
        self.started.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Step for Service {
    type Work = ();

    fn id(&self) -> StepId {
        self.member.step("provision", "service")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.member.subject.cluster)
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        self.look(facts).await
    }

    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        self.start(facts, writer).await
    }

    /// A small host unpacks for minutes.
    fn patience(&self) -> Duration {
        Duration::from_mins(6)
    }
}
