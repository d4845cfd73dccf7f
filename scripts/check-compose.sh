#!/usr/bin/env bash
# Brings docker-compose.yml up as a newcomer would, waits for decisions, looks at health and metrics, stops weir as an
# orchestrator would, and removes everything again. Ports and project name of its own: it disturbs no other stack.
# To build behind a certificate authority or a registry of your own: NPM_CONFIG_CA, NPM_CONFIG_REGISTRY.
set -euo pipefail
cd "$(dirname "$0")/.."

if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
compose+=(--project-name "weir-check-$$")
free_port() { node -e "const s = require('net').createServer().listen(0, () => { console.log(s.address().port); s.close() })"; }
KAFKA_PORT=$(free_port) REDIS_PORT=$(free_port) HTTP_PORTS=$(free_port)
export KAFKA_PORT REDIS_PORT HTTP_PORTS

finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  if [ "$status" -ne 0 ]; then
    "${compose[@]}" ps || true
    "${compose[@]}" logs --no-color --tail=40 || true
  fi
  "${compose[@]}" down --volumes --remove-orphans --timeout 3 >/dev/null 2>&1 || true
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '  %s\n' "$*"; }
within() { # SECONDS COMMAND...: until it succeeds
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || { say "gave up on: $*"; return 1; }
    sleep 1
  done
}
get() { curl --silent --fail --max-time 5 "http://127.0.0.1:$HTTP_PORTS$1"; }
weir_state() { docker inspect --format "$1" "$("${compose[@]}" ps -aq weir)"; }

"${compose[@]}" up --build --detach
say "up after $SECONDS s"

[ "$(weir_state '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}}')" = 'node true' ]
say 'weir runs as node on a read-only file system'

within 60 get /readyz >/dev/null
is_healthy() { [ "$(weir_state '{{.State.Health.Status}}')" = healthy ]; }
within 30 is_healthy
say "ready: $(get /readyz)"

decisions=$(timeout 60 "${compose[@]}" exec -T weir node src/main.js tail decisions --from-start --limit 20)
[ "$(wc -l <<<"$decisions")" -eq 20 ]
say "20 decisions, the last: $(tail -1 <<<"$decisions")"

get /metrics | awk '/^weir_transactions_total/ { sum += $NF } END { print "  transactions by metrics: " sum; exit !(sum > 0) }'

started=$(date +%s%N)
"${compose[@]}" stop weir >/dev/null 2>&1
ms=$((($(date +%s%N) - started) / 1000000))
code=$(weir_state '{{.State.ExitCode}}')
say "stopped in $ms ms with exit code $code"
[ "$code" -eq 0 ] && [ "$ms" -lt 5000 ]
