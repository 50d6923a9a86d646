//! The systemd unit. It is constant: everything that a profile says goes to k3s' own configuration file.

use super::{BINARY, CONFIG, IMAGES, Role};

/// Where it is.
pub(super) fn path(role: Role) -> String {
    format!("/etc/systemd/system/{}", role.unit())
}

/// The command that prints which files a process of the unit starts with: name, inode, time of change and size of
/// binary, configuration, unit and images. Whoever replaces one by renaming changes this.
pub(super) fn identity_of_files(role: Role) -> String {
    let unit = path(role);
    format!("stat --format='%n %i %y %s' {BINARY} {CONFIG} {unit} {IMAGES}/k3s-airgap-images-* 2>/dev/null")
}

/// The unit file.
///
/// At every start the unit notes which files it starts with, in `/run`, where the note goes with the process. So a
/// restart is due if and only if the note is not what the files are now, however a run was interrupted between
/// writing them and restarting, and nobody has to remember anything.
///
/// `KillMode=process`: a restart does not end the pods. That is why taking k3s away has to.
pub(super) fn text(role: Role) -> String {
    // systemd has specifiers of its own.
    let note = identity_of_files(role).replace('%', "%%");
    format!(
        "[Unit]
Description=k3s {role}, kept by bridgehead
Documentation=https://docs.k3s.io
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStartPre=/bin/sh -c \"{note} > /run/bridgehead/started || true\"
ExecStart={BINARY} {role}
RuntimeDirectory=bridgehead
RuntimeDirectoryMode=0700
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s

[Install]
WantedBy=multi-user.target
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_and_the_look_ask_the_same() {
        let text = text(Role::Agent);
        let note = text.lines().find(|line| line.contains("started")).unwrap();
        let (_, command) = note.split_once("-c \"").unwrap();
        let command = command.split(" > ").next().unwrap();
        assert_eq!(command.replace("%%", "%"), identity_of_files(Role::Agent));
        assert!(text.contains("\nExecStart=/usr/local/bin/k3s agent\n"));
    }
}
