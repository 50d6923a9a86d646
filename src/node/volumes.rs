//! Volumes of a pod as folders: filled at its start, and kept up to date as a kubelet does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{
    ConfigMapProjection, Container, DownwardAPIVolumeFile, KeyToPath, Pod, ProjectedVolumeSource,
    SecretProjection, ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
};
use kube::{Client, ResourceExt};
use tokio::sync::Mutex;

use super::field::field;
use super::sources::{Kind, Look, SourceError};
use super::token::{Token, TokenError};
use crate::files::{self, FileError};

/// A volume could not be filled.
#[derive(Debug, thiserror::Error)]
pub(super) enum VolumeError {
    /// What it is made of could not be had.
    #[error("cannot fill volume {volume}")]
    Source {
        /// The volume.
        volume: String,
        /// Why.
        source: SourceError,
    },
    /// Its token was not given.
    #[error("cannot fill volume {volume}")]
    Token {
        /// The volume.
        volume: String,
        /// Why.
        source: TokenError,
    },
    /// Its files could not be written.
    #[error("cannot fill volume {volume}")]
    File {
        /// The volume.
        volume: String,
        /// Why.
        source: FileError,
    },
}

/// The volumes of one pod.
pub(super) struct Volumes {
    client: Client,
    pod: Pod,
    address: Ipv4Addr,
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By volume and path.
    tokens: BTreeMap<(String, String), Token>,
    /// What was written last time, by volume.
    written: BTreeMap<String, BTreeSet<String>>,
}

/// What a volume holds: by path, content and mode.
type Content = BTreeMap<String, (Vec<u8>, Option<i32>)>;

impl Volumes {
    pub(super) fn new(client: Client, pod: Pod, address: Ipv4Addr, folder: PathBuf) -> Self {
        Self { client, pod, address, folder, state: Mutex::default() }
    }

    /// Fills every volume with what it is made of now. A volume of a kind that is unknown here is an empty folder.
    pub(super) async fn refresh(&self, look: &Look) -> Result<(), VolumeError> {
        let mut state = self.state.lock().await;
        let volumes = self.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        for volume in volumes {
            let content = self.content(volume, look, &mut state.tokens).await?;
            let folder = self.folder.join(&volume.name);
            let failed = |source| VolumeError::File { volume: volume.name.clone(), source };
            if volume.empty_dir.is_none() && !state.written.contains_key(&volume.name) {
                // What an earlier agent wrote there may have another source by now.
                files::remove_folder(&folder).map_err(failed)?;
            }
            let written = state.written.entry(volume.name.clone()).or_default();
            write(&folder, content, written).map_err(failed)?;
        }
        Ok(())
    }

    /// Shows the volumes at the paths where a container expects them, below its root.
    pub(super) fn mount(&self, container: &Container, root: &Path) -> Result<(), FileError> {
        let mut mounts = container.volume_mounts.iter().flatten().collect::<Vec<_>>();
        // A volume may be mounted inside of another one.
        mounts.sort_by_key(|mount| &mount.mount_path);
        for mount in mounts {
            let mut target = self.folder.join(&mount.name);
            if let Some(path) = &mount.sub_path {
                target.push(path);
            }
            let place = root.join(mount.mount_path.trim_matches('/'));
            files::make_folder(place.parent().unwrap_or(root))?;
            files::link(&target, &place)?;
        }
        Ok(())
    }

    /// Where a container finds the token of its ServiceAccount, if it is given one.
    pub(super) fn token_path(&self, container: &Container) -> Option<String> {
        let mounts = container.volume_mounts.iter().flatten();
        mounts.into_iter().find_map(|mount| {
            let volumes = self.pod.spec.as_ref()?.volumes.as_ref()?;
            let volume = volumes.iter().find(|volume| volume.name == mount.name)?;
            let projections = volume.projected.as_ref()?.sources.as_ref()?;
            let token =
                projections.iter().find_map(|projection| projection.service_account_token.as_ref())?;
            Some(path_in(mount, &token.path))
        })
    }

    async fn content(
        &self,
        volume: &Volume,
        look: &Look,
        tokens: &mut BTreeMap<(String, String), Token>,
    ) -> Result<Content, VolumeError> {
        let failed = |source| VolumeError::Source { volume: volume.name.clone(), source };
        if let Some(source) = &volume.config_map {
            let keys = Keys::new(&source.name, source.items.as_deref(), source.optional);
            return Ok(with_mode(
                self.keys(look, Kind::ConfigMap, keys).await.map_err(failed)?,
                source.default_mode,
            ));
        }
        if let Some(source) = &volume.secret {
            let name = source.secret_name.as_deref().unwrap_or_default();
            let keys = Keys::new(name, source.items.as_deref(), source.optional);
            return Ok(with_mode(
                self.keys(look, Kind::Secret, keys).await.map_err(failed)?,
                source.default_mode,
            ));
        }
        if let Some(source) = &volume.downward_api {
            return Ok(self.fields(source.items.as_deref()));
        }
        match &volume.projected {
            Some(source) => self.projected(volume, source, look, tokens).await,
            None => Ok(Content::new()),
        }
    }

    async fn projected(
        &self,
        volume: &Volume,
        source: &ProjectedVolumeSource,
        look: &Look,
        tokens: &mut BTreeMap<(String, String), Token>,
    ) -> Result<Content, VolumeError> {
        let mut content = Content::new();
        for projection in source.sources.iter().flatten() {
            if let Some(wanted) = &projection.service_account_token {
                let token = self.token(wanted, &volume.name, tokens).await;
                let token =
                    token.map_err(|source| VolumeError::Token { volume: volume.name.clone(), source })?;
                content.insert(wanted.path.clone(), (token.into_bytes(), None));
            }
            let part = self.projection(projection, look).await;
            let part = part.map_err(|source| VolumeError::Source { volume: volume.name.clone(), source })?;
            content.extend(part);
        }
        Ok(with_mode(content, source.default_mode))
    }

    async fn projection(&self, source: &VolumeProjection, look: &Look) -> Result<Content, SourceError> {
        match source {
            VolumeProjection { config_map: Some(ConfigMapProjection { name, items, optional }), .. } => {
                self.keys(look, Kind::ConfigMap, Keys::new(name, items.as_deref(), *optional)).await
            }
            VolumeProjection { secret: Some(SecretProjection { name, items, optional }), .. } => {
                self.keys(look, Kind::Secret, Keys::new(name, items.as_deref(), *optional)).await
            }
            VolumeProjection { downward_api: Some(source), .. } => Ok(self.fields(source.items.as_deref())),
            _ => Ok(Content::new()),
        }
    }

    async fn token(
        &self,
        wanted: &ServiceAccountTokenProjection,
        volume: &str,
        tokens: &mut BTreeMap<(String, String), Token>,
    ) -> Result<String, TokenError> {
        let key = (volume.to_owned(), wanted.path.clone());
        if let Some(token) = tokens.get(&key).filter(|token| !token.is_due()) {
            return Ok(token.value.expose().clone());
        }
        let token = Token::request(&self.client, &self.pod, wanted).await?;
        let value = token.value.expose().clone();
        tokens.insert(key, token);
        Ok(value)
    }

    async fn keys(&self, look: &Look, kind: Kind, keys: Keys<'_>) -> Result<Content, SourceError> {
        let namespace = self.pod.namespace().unwrap_or_default();
        let Some(data) = look.data(kind, &namespace, keys.name, keys.optional).await? else {
            return Ok(Content::new());
        };
        let Some(items) = keys.items else {
            return Ok(data.iter().map(|(key, value)| (key.clone(), (value.clone(), None))).collect());
        };
        let mut content = Content::new();
        for item in items {
            match data.get(&item.key) {
                Some(value) => {
                    content.insert(item.path.clone(), (value.clone(), item.mode));
                }
                None if keys.optional => {}
                None => {
                    let (name, key) = (keys.name.into(), item.key.clone());
                    return Err(SourceError::NoKey { kind, namespace, name, key });
                }
            }
        }
        Ok(content)
    }

    fn fields(&self, items: Option<&[DownwardAPIVolumeFile]>) -> Content {
        let files = items.into_iter().flatten().filter_map(|item| {
            let value = field(&self.pod, self.address, &item.field_ref.as_ref()?.field_path)?;
            Some((item.path.clone(), (value.into_bytes(), item.mode)))
        });
        files.collect()
    }
}

/// Which keys of an object a volume shows.
struct Keys<'a> {
    name: &'a str,
    items: Option<&'a [KeyToPath]>,
    optional: bool,
}

impl<'a> Keys<'a> {
    fn new(name: &'a str, items: Option<&'a [KeyToPath]>, optional: Option<bool>) -> Self {
        Self { name, items, optional: optional.unwrap_or_default() }
    }
}

fn path_in(mount: &VolumeMount, path: &str) -> String {
    format!("{}/{path}", mount.mount_path.trim_end_matches('/'))
}

fn with_mode(mut content: Content, default: Option<i32>) -> Content {
    for (_, mode) in content.values_mut() {
        *mode = mode.or(default);
    }
    content
}

/// Brings a volume's folder up to date. Files that the program itself put there stay.
fn write(folder: &Path, content: Content, written: &mut BTreeSet<String>) -> Result<(), FileError> {
    files::make_folder(folder)?;
    for (path, (bytes, mode)) in &content {
        let file = folder.join(path);
        files::make_folder(file.parent().unwrap_or(folder))?;
        files::refresh(&file, bytes, own_mode(*mode))?;
    }
    let now = content.into_keys().collect::<BTreeSet<_>>();
    for path in written.difference(&now) {
        files::remove(&folder.join(path))?;
    }
    *written = now;
    Ok(())
}

/// The owner's part of a mode: nobody else runs here, whatever the manifest says.
fn own_mode(mode: Option<i32>) -> u32 {
    mode.and_then(|mode| u32::try_from(mode).ok()).map_or(0o600, |mode| mode & 0o700 | 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_follows_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let mut written = BTreeSet::new();
        let content = |entries: &[(&str, &str)]| {
            let entries = entries.iter();
            entries.map(|(path, text)| ((*path).to_owned(), ((*text).into(), Some(0o644)))).collect()
        };
        write(folder.path(), content(&[("a", "1"), ("below/b", "2")]), &mut written).unwrap();
        write(folder.path(), content(&[("below/b", "3")]), &mut written).unwrap();
        assert_eq!(files::names(folder.path()).unwrap(), ["below"]);
        assert_eq!(files::read(&folder.path().join("below/b")).unwrap(), "3");
    }

    #[test]
    fn only_the_owner_has_a_say() {
        assert_eq!(own_mode(Some(0o755)), 0o700);
        assert_eq!(own_mode(None), 0o600);
    }
}
