//! From a container's specification to a program: folders, environment, arguments and ports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Container;

use super::argocd::{Role, Setting};
use super::environment::{self, expand};
use super::leftovers;
use super::ports::{Lease, NoPort};
use super::sources::{Look, SourceError};
use super::token::kubeconfig;
use super::worker::Worker;
use crate::files::{self, FileError};
use crate::node::process::Program;

/// The folder that is home and working folder in Argo CD's image.
const HOME: &str = "/home/argocd";

/// Folders that Argo CD's image has and programs expect.
const FOLDERS: [&str; 6] =
    [HOME, "/tmp", "/app/config/tls", "/app/config/ssh", "/app/config/gpg/source", "/app/config/gpg/keys"];

/// A container cannot be started (yet).
#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchError {
    /// What it refers to could not be had. The text is a kubelet's.
    #[error(transparent)]
    Source(SourceError),
    /// Every port is in use.
    #[error("cannot give the container its ports")]
    Ports(#[source] NoPort),
    /// Its folders or files could not be made.
    #[error("cannot make the container's folders")]
    File(#[source] FileError),
}

/// A program that is ready to be started, and the ports that it has as long as it runs.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) program: Program,
    pub(super) lease: Lease,
}

/// Composes the program of a container.
pub(super) async fn compose(
    worker: &Worker,
    container: &Container,
    role: &Role,
) -> Result<Launch, LaunchError> {
    let root = worker.root(&container.name);
    let folder = below(&root, container.working_dir.as_deref().unwrap_or(HOME));
    prepare(worker, container, &root, &folder).map_err(LaunchError::File)?;
    let look = Look::new(worker.node.client.clone());
    let mut variables = base(worker, &root);
    environment::add(&mut variables, &worker.pod, worker.address, container, &look)
        .await
        .map_err(LaunchError::Source)?;
    move_paths(&mut variables, container, &root);
    own(&mut variables, worker, &root);
    identify(&mut variables, worker, container, &root).map_err(LaunchError::File)?;
    role.settle(&worker.name, &mut variables);
    let ports = role.listeners.iter().map(|listener| listener.port);
    let lease = worker.node.host.ports.lease(ports).map_err(LaunchError::Ports)?;
    let arguments = role.own_arguments(container).into_iter().map(|word| expand(word, &variables));
    let mut arguments = arguments.chain(role.arguments(&lease.ports)).collect();
    translate(worker, role, &mut variables, &mut arguments);
    let program = Program {
        path: worker.node.host.components.join(role.component),
        name: Some(role.program.into()),
        arguments,
        environment: variables,
        folder,
        log: worker.log(&container.name),
    };
    Ok(Launch { program, lease })
}

/// Where an absolute path of a container is on this machine.
fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn prepare(worker: &Worker, container: &Container, root: &Path, folder: &Path) -> Result<(), FileError> {
    files::make_folder(root)?;
    worker.volumes.mount(container, root)?;
    for path in FOLDERS {
        files::make_folder(&below(root, path))?;
    }
    files::make_folder(folder)
}

/// What a container has unless its specification says otherwise.
fn base(worker: &Worker, root: &Path) -> BTreeMap<String, String> {
    let path = |path| below(root, path).display().to_string();
    let variables = [
        ("HOME", path(HOME)),
        ("TMPDIR", path("/tmp")),
        ("USER", "argocd".to_owned()),
        ("HOSTNAME", worker.name.clone()),
        ("LANG", "C.UTF-8".to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Paths into volumes are below the root here.
fn move_paths(variables: &mut BTreeMap<String, String>, container: &Container, root: &Path) {
    for variable in container.env.iter().flatten() {
        let Some(value) = variables.get_mut(&variable.name) else { continue };
        let mut mounts = container.volume_mounts.iter().flatten();
        if mounts.any(|mount| Path::new(value.as_str()).starts_with(&mount.mount_path)) {
            *value = below(root, value).display().to_string();
        }
    }
}

/// What holds here whatever the specification says: first of all paths that are fixed in Argo CD's image.
fn own(variables: &mut BTreeMap<String, String>, worker: &Worker, root: &Path) {
    let path = |path| below(root, path).display().to_string();
    let settings = [
        ("ARGOCD_APP_CONF_PATH", path("/app/config")),
        ("ARGOCD_TLS_DATA_PATH", path("/app/config/tls")),
        ("ARGOCD_SSH_DATA_PATH", path("/app/config/ssh")),
        ("ARGOCD_GPG_DATA_PATH", path("/app/config/gpg/source")),
        ("ARGOCD_GNUPGHOME", path("/app/config/gpg/keys")),
        // Its agent would leave the process group and outlive the pod.
        ("ARGOCD_GPG_ENABLED", "false".to_owned()),
        ("ARGOCD_PLUGINSOCKFILEPATH", path("/home/argocd/cmp-server/plugins")),
        ("ARGOCD_ENABLE_PROFILER_FILE_PATH", path("/home/argocd/params/profiler.enabled")),
        ("PATH", worker.node.host.search_path()),
        ("ARGOCD_ASK_PASS_SOCK", worker.node.host.socket(&worker.uid).display().to_string()),
        (leftovers::MARK, root.display().to_string()),
    ];
    variables.extend(settings.map(|(name, value)| (name.to_owned(), value)));
}

/// Gives the program its service account at the API server, if its container has one.
fn identify(
    variables: &mut BTreeMap<String, String>,
    worker: &Worker,
    container: &Container,
    root: &Path,
) -> Result<(), FileError> {
    let Some(token) = worker.volumes.token_path(container) else { return Ok(()) };
    let path = worker.folder.join(format!("{}.kubeconfig", container.name));
    let host = &worker.node.host;
    let text = kubeconfig(&host.server, &host.authority, &worker.namespace, &below(root, &token));
    files::refresh(&path, text.as_bytes(), 0o600)?;
    variables.insert("KUBECONFIG".into(), path.display().to_string());
    // Otherwise `https://kubernetes.default.svc` would be looked for where only containers find it.
    variables.insert("ARGOCD_FAKE_IN_CLUSTER".into(), "true".into());
    Ok(())
}

/// Names of Services become addresses of this machine.
fn translate(
    worker: &Worker,
    role: &Role,
    variables: &mut BTreeMap<String, String>,
    arguments: &mut Vec<String>,
) {
    let services = &worker.node.host.services;
    for value in variables.values_mut().chain(arguments.iter_mut()) {
        // An argument may hold a flag as well: `--redis=argocd-redis:6379`.
        let start = if value.starts_with("--") { value.find('=').map_or(0, |index| index + 1) } else { 0 };
        if let Some(address) = services.translate(&value[start..], &worker.namespace, false) {
            value.replace_range(start.., &address);
        }
    }
    for peer in role.services {
        let address = |value: &str| services.translate(value, &worker.namespace, true);
        match &peer.setting {
            Setting::Variable(name) => {
                let value = variables.entry((*name).into()).or_default();
                let named = if value.is_empty() { peer.default } else { value.as_str() };
                if let Some(address) = address(named) {
                    *value = address;
                }
            }
            Setting::Flag(flag) => {
                let given = arguments.iter().any(|word| word.split('=').next() == Some(flag));
                if let Some(address) = address(peer.default).filter(|_| !given) {
                    arguments.extend([(*flag).to_owned(), address]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_into_volumes_move_below_the_root() {
        let container = serde_json::json!({
            "name": "main",
            "env": [{ "name": "IN" }, { "name": "OUT" }, { "name": "NOT" }],
            "volumeMounts": [{ "name": "work", "mountPath": "/helm-working-dir" }],
        });
        let container = serde_json::from_value::<Container>(container).unwrap();
        let values = [("IN", "/helm-working-dir/x"), ("OUT", "/helm-working-dirs"), ("NOT", "text")];
        let mut variables = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        move_paths(&mut variables, &container, Path::new("/pod/root"));
        assert_eq!(variables["IN"], "/pod/root/helm-working-dir/x");
        assert_eq!(variables["OUT"], "/helm-working-dirs");
        assert_eq!(variables["NOT"], "text");
    }
}
