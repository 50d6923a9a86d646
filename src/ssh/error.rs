//! What can go wrong with a host. What the person can do about it is the error's source, a [`Hint`].

use std::io;
use std::path::PathBuf;

use crate::engine::Hint;
use crate::files::FileError;
use crate::site::inventory::Host;

/// Something on or with a host failed. `host` is its alias and address.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The files of a connection could not be made on this machine.
    #[error("cannot prepare the connection to {host}")]
    Prepare {
        /// Alias and address.
        host: String,
        /// What failed.
        source: FileError,
    },
    /// The path of a socket would be longer than the system allows.
    #[error("cannot prepare the connection to {host}: `{}` is too long for a socket", .path.display())]
    LongPath {
        /// Alias and address.
        host: String,
        /// Where the socket would be.
        path: PathBuf,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// The program `ssh`, or the socket of its connection, cannot be used.
    #[error("cannot run `ssh` for the connection to {host}")]
    Client {
        /// Alias and address.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing answers there.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// Alias and address.
        host: String,
        /// What `ssh` says.
        reason: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// No known key, and strictness forbids to believe in a new one.
    #[error("the key of {host} is not known: {reason}")]
    UnknownHostKey {
        /// Alias and address.
        host: String,
        /// What `ssh` says.
        reason: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// The key is another than the known one: another machine, or somebody in between.
    #[error(
        "{host} presents a different host key from the one in {place}: it is a different machine, or somebody is intercepting the connection"
    )]
    ChangedHostKey {
        /// Alias and address.
        host: String,
        /// File and line of the known key, or the inventory.
        place: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// The host does not let the user in.
    #[error("{host} refuses the login: {reason}")]
    LoginRefused {
        /// Alias and address.
        host: String,
        /// What `ssh` says, with the methods that the host would take.
        reason: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// `ssh` does not say where the host is.
    #[error("cannot find out what `ssh` makes of the address of {host}: {reason}")]
    NoAddress {
        /// Alias and address.
        host: String,
        /// What `ssh` says.
        reason: String,
    },
    /// `ssh` failed for another reason.
    #[error("cannot connect to {host}: {reason}")]
    Connect {
        /// Alias and address.
        host: String,
        /// What `ssh` says.
        reason: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// The connection ended while something was done over it.
    #[error("cannot {operation} on {host}: the connection was lost: {reason}")]
    Lost {
        /// Alias and address.
        host: String,
        /// What was being done.
        operation: String,
        /// What `ssh` says.
        reason: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// The host took too long. What it was doing may go on there.
    #[error("cannot {operation} on {host}: not done within {seconds} s")]
    TimedOut {
        /// Alias and address.
        host: String,
        /// What was being done.
        operation: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The connection is there, and the host takes no session more over it.
    #[error("cannot {operation} on {host}: its `sshd` refuses a session, although none of ours is open")]
    SessionRefused {
        /// Alias and address.
        host: String,
        /// What was being done.
        operation: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// Nothing there runs scripts.
    #[error("no shell on {host} runs commands: {reason}")]
    NoShell {
        /// Alias and address.
        host: String,
        /// What was said instead.
        reason: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// The answer has no end.
    #[error("cannot {operation} on {host}: its answer broke off")]
    BrokenOff {
        /// Alias and address.
        host: String,
        /// What was being done.
        operation: String,
    },
    /// A signal ended the script.
    #[error("cannot {operation} on {host}: a signal ended it")]
    Ended {
        /// Alias and address.
        host: String,
        /// What was being done.
        operation: String,
    },
    /// The script wrote more than anything of ours does.
    #[error("cannot {operation} on {host}: it answers with more than {limit} bytes")]
    TooMuch {
        /// Alias and address.
        host: String,
        /// What was being done.
        operation: String,
        /// How much is taken.
        limit: u64,
    },
    /// The script ended with another status than 0.
    #[error("cannot {operation} on {host}: {reason}")]
    Failed {
        /// Alias and address.
        host: String,
        /// What was being done.
        operation: String,
        /// The script's status and what it wrote to its standard error.
        reason: String,
    },
    /// The file to be put on the host cannot be read here.
    #[error("cannot read `{}` to put it on {host}", .path.display())]
    Content {
        /// Alias and address.
        host: String,
        /// The file of this machine.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The user cannot become another one: there is no `sudo`.
    #[error("the user cannot become `{become_user}` on {host}: `sudo` is not installed there")]
    NoSudo {
        /// Alias and address.
        host: String,
        /// Whom the inventory wants.
        become_user: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// `sudo` asks for a password and none was given.
    #[error("`sudo` on {host} asks for a password to become `{become_user}`")]
    PasswordNeeded {
        /// Alias and address.
        host: String,
        /// Whom the inventory wants.
        become_user: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// `sudo` does not take the password.
    #[error("`sudo` on {host} does not take the password")]
    WrongPassword {
        /// Alias and address.
        host: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// The host's rules do not let the user become another one.
    #[error("the user may not become `{become_user}` on {host}: {reason}")]
    NotAllowed {
        /// Alias and address.
        host: String,
        /// Whom the inventory wants.
        become_user: String,
        /// What `sudo` says.
        reason: String,
        /// What to do.
        #[source]
        hint: Hint,
    },
}

impl SshError {
    pub(super) fn prepare(host: &Host, source: FileError) -> Self {
        Self::Prepare { host: label(host), source }
    }
}

/// How errors call a host: its alias and address.
pub(super) fn label(host: &Host) -> String {
    let Host { name, address, port, .. } = host;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("host `{name}` ({address}{port})")
}
