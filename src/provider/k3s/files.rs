//! The step `<cluster>/provision/<host>/files`: the mark, the binary, images, the unit and links are there.

use std::path::PathBuf;

use super::look::HostLook;
use super::mark::Mark;
use super::release::Artifact;
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

pub(super) struct PutFiles {
    member: Member,
    memory: Memory,
}

/// What a host lacks.
pub(super) struct Lacking {
    look: HostLook,
    tag: String,
    mark: Option<Mark>,
    artifacts: Vec<Upload>,
    unit: Option<String>,
    links: Vec<&'static str>,
}

/// A file of the release that a host gets.
struct Upload {
    artifact: Artifact,
    sum: String,
    /// Where this machine has it.
    kept: PathBuf,
}

impl PutFiles {
    pub(super) fn new(member: &Member) -> Self {
        Self { member: member.clone(), memory: Memory::default() }
    }

    async fn lacking(&self, fresh: bool) -> Result<Lacking, Failure> {
        let Member { cluster, role, .. } = &self.member;
        let look = self.member.host_look(fresh).await?;
        let architecture = self.member.architecture(&look)?;
        let source = cluster.source();
        let tag = source.tag().await?;
        let mut artifacts = Vec::new();
        for artifact in architecture.artifacts(cluster.k3s.images) {
            let sum = source.sum(&tag, architecture, &artifact.file).await?;
            if look.checksums.get(&artifact.path) != Some(&sum) {
                let kept = source.path(&tag, architecture, &artifact.file);
                artifacts.push(Upload { artifact, sum, kept });
            }
        }
        let hub = cluster.hub().await;
        let mark = match look.marks.iter().find(|mark| mark.is_of(&cluster.site.name, &cluster.name)) {
            None => Some(Mark::new(&cluster.site.name, &cluster.name, *role, hub, &look.traces)),
            // Made when nobody knew the hub: what was there before that stays in it.
            Some(mark) => (mark.hub.is_none() && hub.is_some()).then(|| Mark { hub, ..mark.clone() }),
        };
        let unit = unit::text(*role);
        let has_unit = look.checksums.get(&unit::path(*role)) == Some(&sha256(&unit));
        Ok(Lacking {
            mark,
            unit: (!has_unit).then_some(unit),
            links: LINKS.into_iter().filter(|name| !look.tools.contains(*name)).collect(),
            look,
            tag,
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
        if let Some(Mark { site, cluster, role, hub, .. }) = &lacking.mark {
            let is_there = lacking.look.marks.iter().any(|mark| mark.site == *site);
            let change = if is_there {
                Change::update(on("mark"), "add which hub it belongs to")
            } else {
                Change::create(on("mark"))
            };
            // What else is in it, the host says at that moment.
            changes.push(change.with_content(&(site, cluster, role, hub)));
        }
        for Upload { artifact, sum, .. } in &lacking.artifacts {
            let installed = lacking.look.version.as_deref().unwrap_or("another file");
            let change = differs(&artifact.path, format!("{installed} -> {}", lacking.tag));
            changes.push(change.with_content(sum));
        }
        if let Some(text) = &lacking.unit {
            changes.push(differs(&unit::path(*role), "other content".to_owned()).with_content(text));
        }
        changes.extend(lacking.links.iter().map(|name| Change::create(on(&format!("link {name}")))));
        changes
    }

    async fn write(&self, lacking: Lacking, writer: &Writer) -> Result<(), Failure> {
        let Member { cluster, role, .. } = &self.member;
        if let Some(mark) = lacking.mark {
            writer.perform(self.member.run("write the mark", &mark.script())).await?;
        }
        writer.perform(self.member.run("make folders", &folders(cluster.k3s.images))).await?;
        for upload in &lacking.artifacts {
            self.upload(upload, writer).await?;
        }
        if let Some(text) = lacking.unit {
            let connection = self.member.connection().await?;
            writer.perform(connection.put(&unit::path(*role), 0o644, text.as_str())).await?;
        }
        for name in lacking.links {
            let script = format!("ln -s k3s /usr/local/bin/{name}");
            writer.perform(self.member.run("make a link", &script)).await?;
        }
        Ok(())
    }

    /// Puts a file of the release into place. Of a large one nobody waits for the end who wants to stop.
    async fn upload(&self, upload: &Upload, writer: &Writer) -> Result<(), Failure> {
        let Upload { artifact, sum, kept } = upload;
        let (file, host) = (artifact.file.clone(), self.member.host.name.to_string());
        writer.progress(format!("uploading {file} to {host}"));
        let connection = self.member.connection().await?;
        let new = format!("{}.new", artifact.path);
        tokio::select! {
            put = writer.perform(connection.put(&new, artifact.mode, kept.as_path())) => put?,
            () = writer.cancelled() => return Err(Stopped { file, host }.into()),
        }
        let script = take_place(&new, &artifact.path, sum);
        writer.perform(self.member.run("check what was uploaded", &script)).await?;
        Ok(())
    }
}

impl Step for PutFiles {
    type Work = Lacking;

    fn id(&self) -> StepId {
        put_files_id(&self.member)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.member.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the host has k3s' files and configuration"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Lacking>, Stop> {
        let lacking = self.lacking(self.memory.is_second()).await?;
        Ok(Observed::differs(self.changes(&lacking), lacking))
    }

    async fn apply(&self, lacking: Lacking, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        self.write(lacking, writer).await
    }
}

/// The step that gives a host its files.
pub(super) fn put_files_id(member: &Member) -> StepId {
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
