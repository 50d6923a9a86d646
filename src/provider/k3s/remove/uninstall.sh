# Takes k3s off this host. Given: traces.sh and `before`, the traces that were there before it came and stay.
# It may be cut off anywhere and be run again: every part asks what is still there.

ours() { "$1" | grep -Fxv "$(printf '%s\n' "$before" | sed -n "s/^$1 //p")"; }

stop_units() {
  for unit in $(ours units); do
    systemctl disable --now "$unit" 2>/dev/null || systemctl stop "$unit" 2>/dev/null
  done
}

# Pods and their shims outlive the unit (KillMode=process). What they have started goes with them.
end_processes() {
  attempt=0
  while [ $attempt -lt 50 ]; do
    found=$(with_children "$(ours processes)")
    [ -z "$found" ] && return
    kill -KILL $found 2>/dev/null
    sleep 0.1 2>/dev/null || sleep 1
    attempt=$((attempt + 1))
  done
}

with_children() {
  found=$1 all=
  while [ -n "$found" ]; do
    all="$all $found"
    found=$(grep -Ehs '^(Pid|PPid):' /proc/[0-9]*/status | awk -v parents=" $(echo $found) " -v known=" $(echo $all) " '
      $1 == "Pid:" { child = $2 }
      $1 == "PPid:" && index(parents, " " $2 " ") && !index(known, " " child " ") { print child }')
  done
  echo $all
}

unmount() {
  ours mounts | grep -v "^$data/" | while read -r path; do
    path=$(printf '%b' "$path")
    umount "$path" 2>/dev/null || umount -l "$path"
  done
}

remove_network() {
  for namespace in $(ours namespaces); do
    ip netns delete "$namespace" 2>/dev/null || rm -f "/run/netns/$namespace"
  done
  for link in $(ours links); do ip link delete "$link" 2>/dev/null; done
}

# The rules of others stay as they are: only ours are taken out, each table at once.
remove_firewall() {
  for tool in iptables ip6tables; do
    ours firewall | awk -v tool="$tool" '
      $1 != tool { next }
      { table = $2; tables[table] = 1; sub(/^[^ ]+ [^ ]+ /, "") }
      /^-A/ { sub(/^-A/, "-D"); rules[table] = rules[table] $0 "\n"; next }
      { flush[table] = flush[table] "-F " $0 "\n"; drop[table] = drop[table] "-X " $0 "\n" }
      END { for (table in tables) printf "*%s\n%s%s%sCOMMIT\n", table, rules[table], flush[table], drop[table] }
    ' | if read -r first; then { echo "$first"; cat; } | "$tool-restore" --noflush; fi
  done
  for set in $(ours sets); do ipset destroy "$set"; done
}

# Everything in a folder, and the folder, but nothing of what is mounted in it.
remove_folder() {
  folder=$1
  set --
  IFS='
'
  for path in $(awk '{ print $5 }' /proc/self/mountinfo | grep "^$folder/"); do
    set -- "$@" -path "$(printf '%b' "$path")" -prune -o
  done
  unset IFS
  find "$folder" "$@" ! -type d -exec rm -f {} +
  find "$folder" "$@" -type d -print | sort -r | tr '\n' '\0' | xargs -0 rmdir 2>/dev/null
}

remove_files() {
  ours paths | while read -r path; do
    if [ -d "$path" ] && [ ! -L "$path" ]; then remove_folder "$path"; else rm -f "$path"; fi
  done
  systemctl daemon-reload
  systemctl reset-failed k3s.service k3s-agent.service 2>/dev/null
}

stop_units
end_processes
unmount
remove_network
remove_firewall
remove_files
exit 0
