//! The inventory that is rendered for Ansible, read by Ansible itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use bridgehead::files;
use serde_json::{Value, json};

use crate::kit::Lab;
use crate::kit::command::run;

/// The release that is installed where the machine has no Ansible.
const ANSIBLE: &str = "ansible-core==2.19.14";

/// Names and values that YAML, or Ansible, would take for something else if they stood there bare.
const INVENTORY: &str = r#"[vms.argocd]
ansible_host = "172.31.0.10"
ansible_port = 2222
ansible_user = "tirosh"
ansible_become_user = "root"
proxmox_vm_name = "0123"
workloads = ["k3s", "argocd"]

[vms.yes]
ansible_host = "fd00::1"
ansible_user = "no"
proxmox_vm_name = "1e3"
workloads = ["k3s", "rke2"]

[vms."1.5"]
ansible_host = "12:30:45"
ansible_user = "~"
host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
"#;

#[test]
fn ansible_reads_the_inventory_as_it_is_meant() {
    let lab = Lab::new();
    lab.write_profile("home", "[hub.local]\n");
    files::replace(&lab.path("root/sites/home/inventory.toml"), INVENTORY.as_bytes(), 0o600).unwrap();
    let rendered = lab.path("inventory.yml");
    files::replace(&rendered, lab.ok(&["inventory", "render", "home"]).stdout.as_bytes(), 0o600).unwrap();

    let read = ansible_inventory(&rendered);
    let hosts = json!({
        "argocd": {
            "ansible_host": "172.31.0.10", "ansible_port": 2222, "ansible_user": "tirosh",
            "ansible_become_user": "root", "proxmox_vm_name": "0123", "workloads": ["k3s", "argocd"],
        },
        "yes": {
            "ansible_host": "fd00::1", "ansible_user": "no", "ansible_become_user": "root",
            "proxmox_vm_name": "1e3", "workloads": ["k3s", "rke2"],
        },
        "1.5": {
            "ansible_host": "12:30:45", "ansible_user": "~", "ansible_become_user": "root", "workloads": [],
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        },
    });
    assert_eq!(read["_meta"]["hostvars"], hosts);
    let group = |name: &str| read[name]["hosts"].clone();
    assert_eq!(group("workload_k3s"), json!(["argocd", "yes"]));
    assert_eq!((group("workload_argocd"), group("workload_rke2")), (json!(["argocd"]), json!(["yes"])));
    assert_eq!(group("ungrouped"), json!(["1.5"]));
    // JSON says the same, and is YAML.
    files::replace(
        &rendered,
        lab.ok(&["inventory", "render", "home", "--output", "json"]).stdout.as_bytes(),
        0o600,
    )
    .unwrap();
    assert_eq!(ansible_inventory(&rendered), read);
}

/// What `ansible-inventory --list` makes of a file, without a warning.
fn ansible_inventory(file: &Path) -> Value {
    let mut command = Command::new("python3");
    command.args(["-m", "ansible", "inventory", "--list", "--inventory"]).arg(file);
    command.env("PYTHONPATH", ansible()).env("ANSIBLE_LOCALHOST_WARNING", "false");
    let outcome = run(command);
    assert_eq!((outcome.code(), outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    outcome.document()
}

/// The folder of Ansible's Python packages; installed once, and moved to its place when it is complete.
fn ansible() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(ANSIBLE.replace("==", "-"));
    if !folder.is_dir() {
        let unfinished = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
        pip.arg(unfinished.path()).arg(ANSIBLE);
        let outcome = run(pip);
        assert_eq!(outcome.code(), 0, "Ansible is not to be had: {}", outcome.stderr);
        files::rename(&unfinished.keep(), &folder).unwrap();
    }
    folder
}
