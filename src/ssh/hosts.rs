//! The hosts of a run: one connection for each.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Mutex;

use super::connection::Connection;
use super::error::SshError;
use super::folder::Folder;
use super::limits::Limits;
use super::options;
use crate::site::inventory::Host;
use crate::site::secret::Secret;

/// How long closing all connections may take.
const PARTING: Duration = Duration::from_secs(5);

/// What all connections of a run have in common.
#[derive(Debug, Default)]
pub struct Settings {
    /// This executable, which answers when `ssh` asks for the password.
    pub executable: PathBuf,
    /// Where the run keeps its sockets, in a folder of its own. The path has to be short: see `unix(7)`.
    pub folder: PathBuf,
    /// `$BRIDGEHEAD_SSH_CONFIG`: the `ssh_config` instead of the user's and the system's.
    pub config: Option<PathBuf>,
    /// For the login and for `sudo`, where they ask for one.
    pub password: Option<Secret<String>>,
    /// Whether the key of a host that is not known yet is recorded in `known_hosts` and accepted.
    pub accept_new_host_keys: bool,
}

/// The connections of one command.
#[derive(Debug)]
pub struct Hosts {
    settings: Arc<Settings>,
    limits: Arc<Limits>,
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    connections: Vec<Arc<Connection>>,
    // Dropped last: it takes the sockets away.
    folder: Option<Folder>,
}

impl Hosts {
    /// No connections yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), limits: Arc::default(), pool: Mutex::default() }
    }

    /// The connection to a host, which is opened now unless it is open.
    ///
    /// # Errors
    /// When the host cannot be reached, shows another key than it should, refuses the login, or does not let the
    /// user become whom the inventory names.
    pub async fn get(&self, host: &Host) -> Result<Arc<Connection>, SshError> {
        let connection = self.pool.lock().await.connection(host, &self.settings, &self.limits)?;
        connection.open().await?;
        Ok(connection)
    }

    /// Where `ssh` finds a host: what it makes of the host's address, which may be a name of the user's `ssh_config`.
    ///
    /// # Errors
    /// When `ssh` does not say it.
    pub async fn address(&self, host: &Host) -> Result<String, SshError> {
        options::address(host, &self.settings).await
    }

    /// Closes every connection, side by side, and takes away what the run kept for them. One that hangs is left to end
    /// by itself: nothing is connected to it any more.
    pub async fn close(&self) {
        let Pool { connections, folder } = std::mem::take(&mut *self.pool.lock().await);
        let closing = join_all(connections.iter().map(|connection| connection.close()));
        if tokio::time::timeout(PARTING, closing).await.is_err() {
            tracing::debug!("a connection does not close");
        }
        drop(folder);
    }
}

impl Pool {
    fn connection(
        &mut self,
        host: &Host,
        settings: &Arc<Settings>,
        limits: &Arc<Limits>,
    ) -> Result<Arc<Connection>, SshError> {
        if let Some(known) = self.connections.iter().find(|known| known.host() == host) {
            return Ok(Arc::clone(known));
        }
        let folder = match &mut self.folder {
            Some(folder) => folder,
            none => {
                none.insert(Folder::make(&settings.folder).map_err(|source| SshError::prepare(host, source))?)
            }
        };
        let folder = folder.path().join(self.connections.len().to_string());
        let (settings, limits) = (Arc::clone(settings), Arc::clone(limits));
        let connection = Arc::new(Connection::new(host.clone(), settings, limits, folder));
        self.connections.push(Arc::clone(&connection));
        Ok(connection)
    }
}
