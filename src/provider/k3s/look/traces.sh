# `traces` names everything on this host that k3s makes or leaves, a line each. Whatever of it was there before the
# first install is noted in the mark, and is not ours.

PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# k3s brings its own iptables along for hosts that have none.
PATH=$PATH:/var/lib/rancher/k3s/data/current/bin:/var/lib/rancher/k3s/data/current/bin/aux
export PATH LC_ALL=C

data=/var/lib/rancher/k3s
our_cgroup='/k3s(-agent)?\.service|kubepods'
our_chain='^(KUBE-|CNI-|FLANNEL)'
our_rule='-[jg] (KUBE-|CNI-|FLANNEL)|--comment "?(flannel|kubernetes )'

paths() {
  for path in /usr/local/bin/k3s /usr/local/bin/k3s.*new \
    /usr/local/bin/kubectl /usr/local/bin/crictl /usr/local/bin/ctr \
    /etc/systemd/system/k3s.service /etc/systemd/system/k3s-agent.service /etc/systemd/system/k3s*.service.*.new \
    /etc/systemd/system/multi-user.target.wants/k3s.service \
    /etc/systemd/system/multi-user.target.wants/k3s-agent.service \
    /etc/rancher/k3s/config.yaml /etc/rancher/k3s/config.yaml.*.new /etc/rancher/k3s/k3s.yaml \
    /etc/rancher/k3s/agent-token /etc/rancher/k3s/agent-token.new \
    /etc/rancher/k3s /etc/rancher/node /etc/rancher /etc/bridgehead \
    "$data/server" "$data/agent" "$data/data" "$data/storage" "$data" /var/lib/rancher \
    /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /usr/libexec/kubernetes \
    /run/k3s /run/flannel /run/bridgehead /run/netns; do
    if [ ! -e "$path" ] && [ ! -L "$path" ]; then continue; fi
    case $path in
      # Only a link of ours: the name may be somebody else's program.
      */kubectl | */crictl | */ctr) [ "$(readlink "$path")" = k3s ] || continue ;;
      # Folders that others use as well.
      /etc/rancher) holds_only "$path" 'k3s|node' || continue ;;
      /var/lib/rancher) holds_only "$path" k3s || continue ;;
      # Only with a mark that was begun and never made.
      /etc/bridgehead) holds_only "$path" '.*\.new' || continue ;;
      /run/netns) holds_only "$path" 'cni-.*' || continue ;;
    esac
    echo "$path"
  done
}

holds_only() { ! ls -A "$1" | grep -Evxq "$2"; }

units() {
  for unit in k3s.service k3s-agent.service; do
    case $(systemctl show --property=LoadState,ActiveState "$unit" 2>/dev/null | sort | tr '\n' ' ') in
      '' | 'ActiveState=inactive LoadState=not-found ') ;;
      *) echo "$unit" ;;
    esac
  done
}

processes() {
  {
    grep -Els "$our_cgroup" /proc/[0-9]*/cgroup
    find /proc/[0-9]*/exe -lname "$data/*" 2>/dev/null
  } | cut -d / -f 3 | sort -u
}

mounts() {
  awk '{ print $5 }' /proc/self/mountinfo | grep -E "^(/run/k3s/|/var/lib/kubelet/|$data/|/run/netns/cni-)" | sort -ru
  mountpoint -q /run/netns && holds_only /run/netns 'cni-.*' && echo /run/netns
}

namespaces() {
  for path in /run/netns/cni-*; do [ -e "$path" ] && echo "${path#/run/netns/}"; done
}

links() {
  for folder in /sys/class/net/*; do
    case ${folder#/sys/class/net/} in
      cni0 | flannel.1 | flannel-v6.1 | flannel-wg | flannel-wg-v6 | kube-ipvs0) echo "${folder#/sys/class/net/}" ;;
      *) case $(readlink "$folder/master") in */cni0) echo "${folder#/sys/class/net/}" ;; esac ;;
    esac
  done
}

# Chains of ours, and rules of other chains that lead there: `<tool> <table> <chain>`, `<tool> <table> -A <rule>`.
firewall() {
  for tool in iptables ip6tables; do
    "$tool-save" 2>/dev/null | awk -v tool="$tool" -v chain="$our_chain" -v rule="$our_rule" '
      /^\*/ { table = substr($1, 2) }
      /^:/ && substr($1, 2) ~ chain { print tool, table, substr($1, 2) }
      /^-A/ && $2 !~ chain && $0 ~ rule { print tool, table, $0 }'
  done
}

sets() {
  ipset list -name 2>/dev/null | grep -E '^(inet6:)?KUBE-'
}

traces() {
  for kind in paths units processes mounts namespaces links firewall sets; do
    $kind | sed "s/^/$kind /"
  done
}
