//! What a test wants of a host.

/// A host to be booted.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(super) name: String,
    pub(super) hostname: String,
    pub(super) port: u16,
    pub(super) behind: Option<String>,
    pub(super) systemd: bool,
}

impl Plan {
    /// A host with systemd whose sshd listens on port 22 and that the operator reaches.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), hostname: name.to_owned(), port: 22, behind: None, systemd: true }
    }

    /// It says that it is called something else than the lab calls it.
    pub(crate) fn hostname(self, hostname: &str) -> Self {
        Self { hostname: hostname.to_owned(), ..self }
    }

    /// Its sshd listens on another port.
    pub(crate) fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// It is in a network of its own, to which the operator has no route: only a host that is in both networks leads
    /// there. The hosts reach each other.
    pub(crate) fn behind(self, jump: &str) -> Self {
        Self { behind: Some(jump.to_owned()), ..self }
    }

    /// It runs sshd and no systemd.
    pub(crate) fn without_systemd(self) -> Self {
        Self { systemd: false, ..self }
    }
}
