# Puts k3s on a server and agents as people do it by hand: one host after the other, with ssh and scp.
# Given: an ssh_config, where the files of the release are, the address of the server, those of the agents.
set -eu
umask 077
config=$1 release=$2 server=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

on() { ssh -F "$config" "$@"; }

install_on() {
  host=$1 role=$2
  cat >k3s.service <<EOF
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Type=notify
ExecStart=/usr/local/bin/k3s $role
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
EOF
  scp -q -F "$config" k3s k3s.service config.yaml "$host:/tmp"
  on "$host" 'set -e; cd /tmp
    sudo install -m 755 k3s /usr/local/bin/k3s
    sudo install -D -m 600 config.yaml /etc/rancher/k3s/config.yaml
    sudo install -m 644 k3s.service /etc/systemd/system/k3s.service
    rm k3s k3s.service config.yaml
    sudo systemctl daemon-reload
    sudo systemctl --quiet enable --now k3s'
}

curl -fsSLO "$release/k3s"
curl -fsSLO "$release/sha256sum-amd64.txt"
grep ' k3s$' sha256sum-amd64.txt | sha256sum --check --quiet

echo 'write-kubeconfig-mode: "0644"' >config.yaml
install_on "$server" server
token=$(on "$server" 'sudo cat /var/lib/rancher/k3s/server/node-token')
printf 'server: https://%s:6443\ntoken: %s\n' "$server" "$token" >config.yaml
for agent in "$@"; do
  install_on "$agent" agent
done
on "$server" 'cat /etc/rancher/k3s/k3s.yaml' | sed "s/127.0.0.1/$server/" >kubeconfig
kubectl --kubeconfig kubeconfig wait --for=condition=Ready --timeout=5m node --all
