//! How the service of k3s is on a host.

use super::LookError;
use super::lines::Lines;
use crate::site::secret::Secret;

/// What `service.sh` says of a host.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::provider::k3s) struct ServiceLook {
    /// k3s' configuration file.
    pub(in crate::provider::k3s) config: Option<Secret<String>>,
    /// systemd's `ActiveState`.
    pub(in crate::provider::k3s) active: String,
    /// systemd's `SubState`.
    pub(in crate::provider::k3s) sub: String,
    /// Whether it starts with the host.
    pub(in crate::provider::k3s) enabled: bool,
    /// How often systemd has restarted it since somebody last started it.
    pub(in crate::provider::k3s) restarts: u32,
    /// Whether it runs with the files as they are now.
    pub(in crate::provider::k3s) current: bool,
    /// While it does not run: the last line of its journal.
    pub(in crate::provider::k3s) journal: Option<String>,
    /// While it does not run, after it has ended: the last line that says why.
    pub(in crate::provider::k3s) fatal: Option<String>,
    /// The administrator's kubeconfig that k3s wrote.
    pub(in crate::provider::k3s) kubeconfig: Option<Secret<String>>,
    /// The token with which agents join.
    pub(in crate::provider::k3s) token: Option<Secret<String>>,
}

impl ServiceLook {
    /// Understands what the script printed.
    pub(in crate::provider::k3s) fn parse(host: &str, text: &str) -> Result<Self, LookError> {
        let lines = Lines::of(host, text, "service")?;
        let secret = |key| lines.contents(key).map(|found| found.into_iter().next().map(Secret::new));
        let owned = |key| lines.get(key).map(ToOwned::to_owned);
        Ok(Self {
            config: secret("config")?,
            active: lines.text("ActiveState"),
            sub: lines.text("SubState"),
            enabled: lines.get("UnitFileState") == Some("enabled"),
            restarts: lines.number("NRestarts").unwrap_or_default(),
            current: lines.get("current").is_some() && lines.get("NeedDaemonReload") != Some("yes"),
            journal: owned("journal"),
            fatal: owned("fatal"),
            kubeconfig: secret("kubeconfig")?,
            token: secret("token")?,
        })
    }

    /// Whether it runs.
    pub(in crate::provider::k3s) fn is_running(&self) -> bool {
        self.active == "active" && self.sub == "running"
    }

    /// Whether systemd gives up on it or starts it over and over.
    pub(in crate::provider::k3s) fn keeps_ending(&self) -> bool {
        const ENOUGH: u32 = 4;
        self.active == "failed" || self.restarts >= ENOUGH && !self.is_running()
    }

    /// The unit's state and the last thing that it said, for people.
    pub(in crate::provider::k3s) fn state(&self) -> String {
        let state = format!("{} ({})", self.active, self.sub);
        match self.fatal.as_ref().or(self.journal.as_ref()) {
            Some(line) => format!("{state}: {line}"),
            None => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_keeps_ending_tells_its_last_fatal_line() {
        let text = "ActiveState=activating\nSubState=auto-restart\nNRestarts=4\nNeedDaemonReload=no\n\
                    UnitFileState=enabled\njournal=k3s-agent.service: Scheduled restart job\n\
                    fatal=level=fatal msg=\"token CA hash does not match\"\nend=service\n";
        let look = ServiceLook::parse("pi", text).unwrap();
        assert!(look.keeps_ending() && look.enabled && !look.is_running());
        assert_eq!(
            look.state(),
            "activating (auto-restart): level=fatal msg=\"token CA hash does not match\""
        );
    }

    #[test]
    fn what_was_reloaded_by_nobody_is_not_current() {
        let look = |reload| {
            let text =
                format!("ActiveState=active\nSubState=running\ncurrent=yes\nNeedDaemonReload={reload}");
            ServiceLook::parse("pi", &format!("{text}\ntoken=YQ==\nend=service\n")).unwrap()
        };
        assert!(look("no").current && !look("yes").current);
        assert_eq!(look("no").token.unwrap().expose(), "a");
    }
}
