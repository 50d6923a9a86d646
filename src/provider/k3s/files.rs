//! The step `<cluster>/provision/<host>/files`: the mark, the binary, images, the unit and links are there.

use std::path::Path;

use super::look::HostLook;
use super::mark::Mark;
use super::release::{Architecture, Artifact};
use super::{IMAGES, Member, Memory, unit};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::name::ClusterName;
use crate::ssh::quote;

/// Names that k3s answers to besides its own.
const LINKS: [&str; 3] = ["kubectl", "crictl", "ctr"];

/// The run was to stop while a file was on its way. The host takes away what had arrived of it.
#[derive(Debug, thiserror::Error)]
#[error("stopped before {file} had arrived on {host}")]
struct Stopped {
    file: String,
    host: String,
}

pub(super) struct Files {
    member: Member,
    memory: Memory,
}

/// What a host lacks.
struct Lacking {
    look: HostLook,
    tag: String,
    architecture: Architecture,
    marked: bool,
    artifacts: Vec<(Artifact, String)>,
    unit: bool,
    links: Vec<&'static str>,
}

impl Files {
    pub(super) fn new(member: &Member) -> Self {
        Self { member: member.clone(), memory: Memory::default() }
    }

    async fn lacking(&self, fresh: bool) -> Result<Lacking, Failure> {
        let Member { subject, role, .. } = &self.member;
        let look = self.member.host_look(fresh).await?;
        let architecture = self.member.architecture(&look)?;
        let source = subject.source();
        let tag = source.tag().await?;
        let mut artifacts = Vec::new();
        for artifact in architecture.artifacts(subject.k3s.images) {
            let sum = source.sum(&tag, architecture, &artifact.file).await?;
            if look.checksums.get(&artifact.path) != Some(&sum) {
                artifacts.push((artifact, sum));
            }
        }
        Ok(Lacking {
            marked: look.marks.iter().any(|mark| mark.is_of(&subject.site, &subject.cluster)),
            unit: look.checksums.get(&unit::path(*role)) != Some(&sha256(&unit::text(*role))),
            links: LINKS.into_iter().filter(|name| !look.tools.contains(*name)).collect(),
            look,
            tag,
            architecture,
            artifacts,
        })
    }

    fn changes(&self, lacking: &Lacking) -> Vec<Change> {
        let Member { role, .. } = &self.member;
        let on = |what: &str| self.member.subject_of(what);
        let differs = |path: &str, detail: String| {
            let is_there = lacking.look.checksums.contains_key(path);
            if is_there { Change::update(on(path), detail) } else { Change::create(on(path)) }
        };
        let mut changes = Vec::new();
        if !lacking.marked {
            changes.push(Change::create(on("mark")));
        }
        for (artifact, _) in &lacking.artifacts {
            let installed = lacking.look.version.as_deref().unwrap_or("another file");
            changes.push(differs(&artifact.path, format!("{installed} -> {}", lacking.tag)));
        }
        if lacking.unit {
            changes.push(differs(&unit::path(*role), "other content".to_owned()));
        }
        changes.extend(lacking.links.iter().map(|name| Change::create(on(&format!("link {name}")))));
        changes
    }

    async fn write(&self, writer: &Writer) -> Result<(), Failure> {
        let Member { subject, role, .. } = &self.member;
        let lacking = self.lacking(false).await?;
        let connection = self.member.connection().await?;
        if !lacking.marked {
            let mark = Mark::new(&subject.site, &subject.cluster, *role, &lacking.look.traces);
            writer.perform(self.member.run("write the mark", &mark.script())).await?;
        }
        writer.perform(self.member.run("make folders", &folders(subject.k3s.images))).await?;
        for (artifact, sum) in &lacking.artifacts {
            let kept = subject.source().path(&lacking.tag, lacking.architecture, &artifact.file);
            self.upload(artifact, sum, &kept, writer).await?;
        }
        if lacking.unit {
            let text = unit::text(*role);
            writer.perform(connection.put(&unit::path(*role), 0o644, text.as_str())).await?;
        }
        for name in lacking.links {
            let script = format!("ln -s k3s /usr/local/bin/{name}");
            writer.perform(self.member.run("make a link", &script)).await?;
        }
        Ok(())
    }

    /// Puts a file of the release into place. Of a large one nobody waits for the end who wants to stop.
    async fn upload(
        &self,
        artifact: &Artifact,
        sum: &str,
        kept: &Path,
        writer: &Writer,
    ) -> Result<(), Failure> {
        let (file, host) = (artifact.file.clone(), self.member.host.name.to_string());
        writer.progress(format!("uploading {file} to {host}"));
        let connection = self.member.connection().await?;
        let new = format!("{}.new", artifact.path);
        tokio::select! {
            put = writer.perform(connection.put(&new, artifact.mode, kept)) => put?,
            () = writer.cancelled() => return Err(Stopped { file, host }.into()),
        }
        let script = take_place(&new, &artifact.path, sum);
        writer.perform(self.member.run("check what was uploaded", &script)).await?;
        Ok(())
    }
}

impl Step for Files {
    type Work = ();

    fn id(&self) -> StepId {
        files_id(&self.member)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.member.subject.cluster)
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        Ok(Observed::differs(self.changes(&self.lacking(self.memory.is_second()).await?), ()))
    }

    async fn apply(&self, _work: (), _: &Facts, writer: &Writer) -> Result<(), Failure> {
        self.write(writer).await
    }
}

/// The step that gives a host its files.
pub(super) fn files_id(member: &Member) -> StepId {
    member.step("provision", "files")
}

/// Makes the folders of what is to come, and takes away what an interrupted run left of it.
fn folders(images: bool) -> String {
    let images = if images { format!("mkdir -p {IMAGES}\n") } else { String::new() };
    format!(
        "set -e\nmkdir -p /usr/local/bin /etc/rancher/k3s\n{images}\
         rm -f /usr/local/bin/k3s.*new {IMAGES}/k3s-airgap-images-*.new /etc/systemd/system/k3s*.service.*.new\n"
    )
}

/// Gives a new file its name, if it is what it should be.
fn take_place(new: &str, path: &str, sum: &str) -> String {
    let (new, path) = (quote(new), quote(path));
    format!(
        "found=$(sha256sum < {new} | cut -d ' ' -f 1)\n\
         [ \"$found\" = {sum} ] || {{ echo \"it has the SHA-256 $found, not {sum}\" >&2; exit 1; }}\n\
         mv -f {new} {path}\n"
    )
}

/// The SHA-256 of a text, in hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    crate::components::sha256(text.as_bytes())
}
