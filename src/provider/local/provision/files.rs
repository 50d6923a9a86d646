//! The step `<cluster>/provision/files`: folder, ports and certificates.

use std::time::Duration;

use super::Subject;
use crate::engine::ChangeKind;
use crate::engine::wait::Pace;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files::{self, FileError};
use crate::provider::local::pki::Pki;
use crate::provider::local::ports::{MOST_NODES, Ports};
use crate::provider::local::state;
use crate::site::name::ClusterName;

/// How long the ports of a killed process may stay in use.
const LETTING_GO: Duration = Duration::from_secs(3);

pub(super) struct Files(pub(super) Subject);

#[derive(Debug, thiserror::Error)]
#[error("{0} has {1} nodes; a local cluster has at most {MOST_NODES}")]
struct TooManyNodes(ClusterName, usize);

impl Files {
    fn pki(&self) -> Pki {
        Pki::new(&self.0.layout, &self.0.nodes)
    }

    /// What is wrong with the ports, if anything.
    async fn ports(&self) -> Result<Option<Change>, FileError> {
        let Some(ports) = Ports::read(&self.0.layout)? else {
            return Ok(Some(Change::create(format!("ports of {}", self.0.cluster))));
        };
        // While the cluster runs, it is the one that listens.
        if state::ask(&self.0.layout).await.is_ok_and(|state| state.is_none())
            && let Some(port) = ports.in_use().next()
        {
            let detail = format!("another program listens on {port}");
            return Ok(Some(Change::update(format!("ports of {}", self.0.cluster), detail)));
        }
        Ok(None)
    }

    /// Whether other ports are needed. A process that was killed a moment ago may still be letting go of its own.
    async fn lacks_ports(&self) -> Result<bool, FileError> {
        let mut pace = Pace::new(LETTING_GO);
        loop {
            match self.ports().await? {
                None => return Ok(false),
                Some(change) if change.kind == ChangeKind::Create => return Ok(true),
                Some(_) if !pace.pause().await => return Ok(true),
                Some(_) => {}
            }
        }
    }
}

impl Step for Files {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.0.cluster, "provision/files")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster)
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed, Stop> {
        let Subject { cluster, nodes, layout, .. } = &self.0;
        if nodes.len() > usize::from(MOST_NODES) {
            return Err(TooManyNodes(cluster.clone(), nodes.len()).into());
        }
        let mut changes = Vec::new();
        if !layout.logs().is_dir() {
            changes.push(Change::create(format!("folder {}", layout.folder().display())));
        }
        changes.extend(self.ports().await?);
        if !self.pki().missing().is_empty() {
            changes.push(Change::create(format!("certificates of {cluster}")));
        }
        Ok(Observed::differs(changes, ()))
    }

    async fn apply(&self, _work: (), _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let Subject { layout, env, .. } = &self.0;
        writer.perform(async { files::make_folder(&layout.logs()) }).await?;
        if self.lacks_ports().await? {
            writer.perform(async { Ports::choose(layout, &env.sites_folder()) }).await?;
        }
        if !self.pki().missing().is_empty() {
            writer.perform(async { self.pki().make() }).await?;
        }
        Ok(())
    }
}
