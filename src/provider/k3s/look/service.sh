# Says how the service of k3s is, as `key=value` lines, and changes nothing.
# Given: `unit`, `role` (server or agent).

say() { printf '%s=%s\n' "$1" "$2"; }
content() { [ -r "$2" ] && say "$1" "$(base64 < "$2" | tr -d '\n')"; }

config=/etc/rancher/k3s/config.yaml
content config "$config"
state=$(systemctl show --property=ActiveState,SubState,Result,UnitFileState,NRestarts,NeedDaemonReload "$unit")
printf '%s\n' "$state"
# What the unit noted when it started; see unit.rs.
started=/run/bridgehead/started
if [ -f "$started" ] && [ "$(files_of_unit)" = "$(cat "$started")" ]; then say current yes; fi
# What k3s says, and systemd of it: what runs before k3s is ours, may fail, and is no reason for anything.
journal() {
  journalctl --unit="$unit" --identifier=k3s --identifier='(k3s)' --identifier=systemd \
    --lines="$1" --output=cat --quiet --no-pager 2>/dev/null
}
case $state in
  *SubState=running*) ;;
  *) say journal "$(journal 1 | tail -n 1)" ;;
esac
case $state in
  *SubState=running*) ;;
  *ActiveState=failed* | *NRestarts=[1-9]*)
    say fatal "$(journal 200 | grep -E 'level=fatal|[Ff]atal|FATAL|[Ee]rror:' | tail -n 1)"
    ;;
esac
if [ "$role" = server ]; then
  content kubeconfig /etc/rancher/k3s/k3s.yaml
  # A server that we have set up has a token for agents alone.
  if grep -qs '^agent-token-file:' "$config"; then own=agent-token; else own=node-token; fi
  content token "/var/lib/rancher/k3s/server/$own"
fi
say end service
