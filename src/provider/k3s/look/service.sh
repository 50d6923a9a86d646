# Says how the service of k3s is, as `key=value` lines, and changes nothing.
# Given: `unit`, `role` (server or agent).

say() { printf '%s=%s\n' "$1" "$2"; }
content() { [ -r "$2" ] && say "$1" "$(base64 < "$2" | tr -d '\n')"; }

config=/etc/rancher/k3s/config.yaml
[ -f "$config" ] && say config "$(sha256sum < "$config" | cut -d ' ' -f 1)"
state=$(systemctl show --property=ActiveState,SubState,Result,UnitFileState,NRestarts,NeedDaemonReload "$unit")
printf '%s\n' "$state"
# What the unit noted when it started; see unit.rs.
started=/run/bridgehead/started
if [ -f "$started" ] && [ "$(files_of_unit)" = "$(cat "$started")" ]; then say current yes; fi
case $state in
  *SubState=running*) ;;
  *)
    say journal "$(journalctl --unit="$unit" --lines=1 --output=cat --quiet --no-pager 2>/dev/null | tail -n 1)"
    ;;
esac
case $state in
  *SubState=running*) ;;
  *ActiveState=failed* | *NRestarts=[1-9]*)
    say fatal "$(journalctl --unit="$unit" --lines=200 --output=cat --quiet --no-pager 2>/dev/null \
      | grep -E 'level=fatal|[Ff]atal|FATAL|[Ee]rror:' | tail -n 1)"
    ;;
esac
if [ "$role" = server ]; then
  content kubeconfig /etc/rancher/k3s/k3s.yaml
  content token /var/lib/rancher/k3s/server/node-token
fi
say end service
