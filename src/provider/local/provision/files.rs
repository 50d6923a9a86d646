//! The step `<cluster>/provision/files`: folder, ports and certificates.

use std::time::Duration;

use crate::engine::ChangeKind;
use crate::engine::wait::Pace;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files::{self, FileError};
use crate::provider::local::LocalCluster;
use crate::provider::local::pki::Pki;
use crate::provider::local::ports::Ports;
use crate::provider::local::state;
use crate::site::name::ClusterName;

/// How long the ports of a killed process may stay in use.
const LETTING_GO: Duration = Duration::from_secs(3);

pub(in crate::provider::local) struct MakeFiles(pub(in crate::provider::local) LocalCluster);

/// What there is to make.
pub(in crate::provider::local) struct Work {
    ports: bool,
    certificates: bool,
}

impl MakeFiles {
    fn pki(&self) -> Pki {
        Pki::new(&self.0.layout, &self.0.nodes)
    }

    /// What is wrong with the ports, if anything.
    async fn ports(&self) -> Result<Option<Change>, FileError> {
        let Some(ports) = Ports::read(&self.0.layout)? else {
            return Ok(Some(Change::create(format!("ports of {}", self.0.name))));
        };
        // While the cluster runs, it is the one that listens.
        if state::ask(&self.0.layout).await.is_ok_and(|state| state.is_none())
            && let Some(port) = ports.in_use().next()
        {
            let detail = format!("another program listens on {port}");
            return Ok(Some(Change::update(format!("ports of {}", self.0.name), detail)));
        }
        Ok(None)
    }

    /// The same, once a process that was killed a moment ago has had the time to let go of its ports.
    async fn settled_ports(&self) -> Result<Option<Change>, FileError> {
        let mut pace = Pace::new(LETTING_GO);
        loop {
            match self.ports().await? {
                Some(change) if change.kind == ChangeKind::Update && pace.pause().await => {}
                ports => return Ok(ports),
            }
        }
    }
}

impl Step for MakeFiles {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(&self.0.name, "provision/files")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its keys, ports and configuration are there"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed<Work>, Stop> {
        let LocalCluster { name, layout, .. } = &self.0;
        let mut changes = Vec::new();
        if !layout.logs().is_dir() {
            changes.push(Change::create(format!("folder {}", layout.folder().display())));
        }
        let (ports, missing) = (self.settled_ports().await?, self.pki().missing());
        let work = Work { ports: ports.is_some(), certificates: !missing.is_empty() };
        changes.extend(ports);
        if work.certificates {
            changes.push(Change::create(format!("certificates of {name}")).with_content(&missing));
        }
        Ok(Observed::differs(changes, work))
    }

    async fn apply(&self, work: Work, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let LocalCluster { layout, env, .. } = &self.0;
        writer.perform(async { files::make_folder(&layout.logs()) }).await?;
        if work.ports {
            writer.perform(async { Ports::choose(layout, &env.sites_folder()) }).await?;
        }
        if work.certificates {
            writer.perform(async { self.pki().make() }).await?;
        }
        Ok(())
    }
}
