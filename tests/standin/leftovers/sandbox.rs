//! A pod's sandbox: a container that does nothing, in a network namespace of its own, with its mounts and logs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bridgehead::files;

use crate::data::Data;
use crate::fatal::Fatal;
use crate::host::Host;
use crate::system::{make_folder, random, run, write};

/// Where containerd keeps what runs, a folder for each.
const TASKS: &str = "/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io";

/// Makes a sandbox, unless one runs.
pub(super) fn make(data: &Data, host: &Host) -> Result<(), Fatal> {
    let tasks = files::names(Path::new(TASKS)).map_err(|error| Fatal::of("containerd", &error))?;
    if tasks.iter().any(|id| is_running(id)) {
        return Ok(());
    }
    let id = random(32)?;
    let namespace = format!("cni-{}", uuid()?);
    // As containerd makes it: `ip netns add` would also mount the folder onto itself.
    let path = format!("/run/netns/{namespace}");
    make_folder(Path::new("/run/netns"), 0o755)?;
    write(Path::new(&path), "", 0o444)?;
    run(&format!("unshare --net={path} true"))?;
    let link = format!("veth{}", &id[..8]);
    run(&format!("ip link add {link} type veth peer name eth0 netns {namespace}"))?;
    run(&format!("ip link set {link} master cni0 up"))?;
    run(&format!("nsenter --net={path} ip link set eth0 up"))?;
    let pod = uuid()?;
    mount(&id, &pod)?;
    keep_files(&id, &pod, host)?;
    let pid = start(data, &path)?;
    write(&task(&id).join("init.pid"), &pid.to_string(), 0o644)
}

fn task(id: &str) -> PathBuf {
    Path::new(TASKS).join(id)
}

fn is_running(id: &str) -> bool {
    let pid = files::read(&task(id).join("init.pid")).unwrap_or_default();
    !pid.is_empty() && Path::new("/proc").join(pid.trim()).exists()
}

/// Mounts as containerd and a kubelet make them. The last one shows a folder of the host (a volume's `subPath`):
/// whoever removes files without unmounting it first removes the host's.
fn mount(id: &str, pod: &str) -> Result<(), Fatal> {
    let root = task(id).join("rootfs");
    let shared = Path::new("/run/k3s/containerd/io.containerd.grpc.v1.cri/sandboxes").join(id).join("shm");
    let volumes = Path::new("/var/lib/kubelet/pods").join(pod);
    let token = volumes.join("volumes/kubernetes.io~projected/kube-api-access-x7k2p");
    for folder in [root, shared, token] {
        make_folder(&folder, 0o755)?;
        run(&format!("mount -t tmpfs -o size=64k tmpfs {}", folder.display()))?;
    }
    let host = volumes.join("volume-subpaths/data/main/0");
    make_folder(&host, 0o755)?;
    run(&format!("mount --bind /srv {}", host.display()))
}

fn keep_files(id: &str, pod: &str, host: &Host) -> Result<(), Fatal> {
    let logs = format!("/var/log/pods/kube-system_sandbox-{}_{pod}/main", host.name);
    make_folder(Path::new(&logs), 0o755)?;
    let log = Path::new(&logs).join("0.log");
    write(&log, "", 0o640)?;
    make_folder(Path::new("/var/log/containers"), 0o755)?;
    let link = format!("/var/log/containers/sandbox-{}_kube-system_main-{id}.log", host.name);
    files::link(&log, Path::new(&link)).map_err(|error| Fatal::of("logs", &error))?;
    write(Path::new("/var/lib/cni/networks/cbr0/10.42.0.2"), &format!("{id}\neth0"), 0o644)?;
    make_folder(Path::new("/var/lib/cni/results"), 0o755)?;
    write(&Path::new("/var/lib/cni/results").join(format!("cbr0-{id}-eth0")), "{}", 0o600)
}

/// Starts the container, which nobody waits for: it belongs to nobody once k3s has ended.
fn start(data: &Data, namespace: &str) -> Result<u32, Fatal> {
    let namespace = format!("--net={namespace}");
    let child = Command::new(data.shim())
        .args(["exec", "0", "", "nsenter", "--", &namespace, "sleep", "infinity"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child.map(|child| child.id()).map_err(|error| Fatal::of("containerd-shim-runc-v2", &error))
}

fn uuid() -> Result<String, Fatal> {
    let random = random(16)?;
    let parts = [&random[..8], &random[8..12], &random[12..16], &random[16..20], &random[20..]];
    Ok(parts.join("-"))
}
