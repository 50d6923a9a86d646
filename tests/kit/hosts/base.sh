# Makes what mmdebstrap unpacked a host of the tests. Runs in it, as root, once for all hosts.
# Whoever logs in: with a key and free sudo, with a key and sudo that wants a password, with a password only, and
# with a key and no sudo. The passwords come with each lab.
useradd --uid 2001 --create-home --shell /bin/bash admin
useradd --uid 2002 --create-home --shell /bin/bash --groups sudo keeper
useradd --uid 2003 --create-home --shell /bin/bash --groups sudo typist
useradd --uid 2004 --create-home --shell /bin/bash guest
echo 'admin ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/admin
chmod 440 /etc/sudoers.d/admin

# Every host gets a key of its own before it boots.
rm -f /etc/ssh/ssh_host_*
echo 'HostKey /etc/ssh/ssh_host_ed25519_key' >/etc/ssh/sshd_config.d/host-key.conf

# What would change a host by itself while a test compares it.
systemctl --quiet disable apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
systemctl --quiet mask e2scrub_reap.service systemd-tmpfiles-clean.timer
: >/etc/machine-id
rm -rf /var/lib/apt/lists /var/cache/apt /var/log/apt /var/log/dpkg.log
