# Says what a host is like, as `key=value` lines, and changes nothing.
# Given: traces.sh, `ports` (hexadecimal, as the kernel lists them), `files` (whose checksums are asked for).

say() { printf '%s=%s\n' "$1" "$2"; }

# Who listens on our ports: `<protocol> <port> <ours|other> <program>`.
listeners() {
  for table in tcp tcp6 udp udp6; do
    [ -r "/proc/net/$table" ] && awk -v protocol="${table%6}" -v ports="$ports" '
      { count = split($2, address, ":"); port = address[count] }
      ($4 == "0A" || protocol == "udp") && index(ports, " " protocol ":" port " ") { print protocol, port, $10 }
    ' "/proc/net/$table"
  done | while read -r protocol port inode; do
    holder=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" 2>/dev/null | head -n 1)
    holder=${holder#/proc/}
    holder=${holder%%/*}
    whose=other
    if [ -z "$holder" ]; then
      # The kernel's own: flannel's link has the port of VXLAN.
      [ -e /sys/class/net/flannel.1 ] && whose=ours
    elif grep -Eqs "$our_cgroup" "/proc/$holder/cgroup"; then
      whose=ours
    fi
    say listener "$protocol $port $whose $(cat "/proc/${holder:-none}/comm" 2>/dev/null)"
  done
}

say name "$(uname -n)"
say machine "$(uname -m)"
[ -s /etc/machine-id ] && say machine_id "$(cat /etc/machine-id)"
say user "$(id -u)"
say clock "$(date +%s)"
awk '/\/32 host LOCAL/ { print "address=" address } { address = $2 }' /proc/net/fib_trie 2>/dev/null | sort -u
awk '{ print "address6=" $1 }' /proc/net/if_inet6 2>/dev/null
say memory "$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
[ -d /run/systemd/system ] && say systemd running
awk '$2 == "00000000" && $8 == "00000000" { found = 1 } END { exit !found }' /proc/net/route 2>/dev/null && say route ipv4
awk '$1 ~ /^0+$/ && $2 == "00" && $10 != "lo" { found = 1 } END { exit !found }' /proc/net/ipv6_route 2>/dev/null \
  && say route ipv6
folder=/usr/local/bin
while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done
[ -w "$folder" ] && say writable yes
for tool in kubectl crictl ctr; do
  # A link that leads nowhere has the name all the same.
  if [ -n "$(command -v "$tool")" ] || [ -L "/usr/local/bin/$tool" ]; then say tool "$tool"; fi
done
for file in $files; do
  [ -f "$file" ] && say checksum "$(sha256sum "$file")"
done
[ -x /usr/local/bin/k3s ] && say version "$(/usr/local/bin/k3s --version 2>/dev/null | sed -n 's/^k3s version \([^ ]*\).*/\1/p')"
# Certificates: of every file the first one, which those of authorities follow.
find "$data/server/tls" "$data/agent" -maxdepth 2 -name '*.crt' -exec awk '
  FNR == 1 { count = 0 }
  /^-----BEGIN / { count++; text = ""; next }
  /^-----END / { if (count == 1) print "certificate=" FILENAME " " text; next }
  { text = text $0 }
' {} + 2>/dev/null
for mark in /etc/bridgehead/*.json; do
  [ -f "$mark" ] && say mark "$(base64 < "$mark" | tr -d '\n')"
done
listeners
traces | sed 's/^/trace=/'
say end host
