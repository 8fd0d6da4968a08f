#!/usr/bin/env bash
# Tries the docker stack on a real engine, in network, mount and process namespaces of its own: nothing of it touches the
# machine's own Docker or network, and all of it goes with the namespaces. Called by scripts/test.sh --docker; needs root.
#
# No registry is asked: the base image is made by debootstrap (kept in target/engine), and the other images from programs
# that are built from their published modules, under the names that docker-compose.yml gives (scripts/engine/images.sh).
# Where one cannot be built a stand-in takes its part. The last lines say what ran real.
set -euo pipefail
# shellcheck source=scripts/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
cd "$root"
kept=$target/engine
# shellcheck source=scripts/engine/parts.sh
. scripts/engine/parts.sh
# shellcheck source=scripts/engine/images.sh
. scripts/engine/images.sh
# shellcheck source=scripts/engine/stack.sh
. scripts/engine/stack.sh
# shellcheck source=scripts/engine/media.sh
. scripts/engine/media.sh
# shellcheck source=scripts/engine/faults.sh
. scripts/engine/faults.sh
# shellcheck source=scripts/engine/monitoring.sh
. scripts/engine/monitoring.sh

usage() {
  cat <<'TEXT'
usage: scripts/engine.sh [PART...]

Parts: compose1 (docker-compose 1.29), compose2 (docker compose), monitoring; otherwise all of them.

  MSCONV_BIN=PATH            the msconv to try; otherwise target/debug/msconv is built
  MSCONV_TEST_MEDIAMTX=PATH  a MediaMTX; otherwise scripts/mediamtx.sh builds it
  MSCONV_TEST_COMPOSE=PATH   a compose plugin; otherwise one is built from its Go module
TEXT
}

# ---------------------------------------------------------------- outside: what is needed, the namespaces, the end

outside() {
  [ "$(id -u)" -eq 0 ] || fail "an engine of its own needs root" "sudo scripts/test.sh --docker"
  step "what the engine needs"
  if have apt-get; then
    packages docker.io docker-compose slirp4netns debootstrap iptables curl procps util-linux
  else
    for program in dockerd docker-compose slirp4netns debootstrap iptables curl; do
      have "$program" || fail "$program is missing" "install it by your package manager"
    done
  fi
  if [ -z "${MSCONV_BIN:-}" ]; then
    need_cargo
    cargo build --quiet --locked --bin msconv
    MSCONV_BIN=$target/debug/msconv
  fi
  mkdir -p "$kept"
  find_parts
  if [ ! -s "$kept/base.tar" ]; then
    say "making the base image by debootstrap (some minutes, once)"
    rm -rf "$kept/base"
    debootstrap --variant=minbase bookworm "$kept/base" >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "debootstrap failed"; }
    tar -C "$kept/base" -c . >"$kept/base.tar.new"
    mv "$kept/base.tar.new" "$kept/base.tar"
    rm -rf "$kept/base"
  fi

  work=$(mktemp -d "${TMPDIR:-/tmp}/msconv-engine.XXXXXX")
  slirp=
  space=
  trap ending EXIT
  trap 'exit 130' INT TERM
  cp -p "$MSCONV_BIN" "$work/msconv-under-test"
  # The namespaces' first process; when it ends, or we do, everything in them ends.
  unshare --net --mount --pid --fork --kill-child --mount-proc \
    env WORK="$work" KEPT="$kept" bash "$root/scripts/engine.sh" --inside "$@" &
  space=$!
  local first=
  soon "the namespaces" 10 first_process
  slirp4netns --configure --mtu=1500 --disable-host-loopback "$first" tap0 >"$work/slirp.log" 2>&1 &
  slirp=$!
  local code=0
  wait "$space" || code=$?
  space=
  return $code
}

first_process() {
  first=$(tr -d ' ' <"/proc/$space/task/$space/children" 2>/dev/null) && [ -n "$first" ]
}

ending() {
  local code=$?
  trap - EXIT INT TERM
  if [ -n "$space" ]; then kill -KILL "$space" 2>/dev/null || true; wait "$space" 2>/dev/null || true; fi
  if [ -n "$slirp" ]; then kill "$slirp" 2>/dev/null || true; wait "$slirp" 2>/dev/null || true; fi
  local left
  left=$(pgrep -f -- "$work" || true)
  if [ -n "$left" ]; then
    say "error: still running: $left" >&2
    [ $code -ne 0 ] || code=1
  fi
  if grep -q " $work" /proc/mounts; then
    say "error: still mounted: $(grep " $work" /proc/mounts)" >&2
    [ $code -ne 0 ] || code=1
  fi
  if [ $code -ne 0 ] && [ -s "$work/dockerd.log" ]; then
    say "--- the end of the engine's log" >&2
    tail -n 5 "$work/dockerd.log" >&2
  fi
  rm -rf "$work" "$log"
  exit $code
}

# soon WHAT SECONDS COMMAND...: until it is true.
soon() {
  local what=$1 until=$((SECONDS + $2))
  shift 2
  until "$@"; do
    [ $SECONDS -lt $until ] || wrong "$what did not come about in time"
    sleep 0.2
  done
}

# ---------------------------------------------------------------- inside: the engine

wrong() {
  printf 'FAILED: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '    %s\n' "$@" >&2
  if [ -S "${WORK:-/nowhere}/docker.sock" ]; then
    docker ps -a --format '    {{.Names}} {{.Status}}' >&2 || true
  fi
  exit 1
}
ok() { say "ok  $*"; }
# same WHAT EXPECTED SEEN
same() { [ "$2" = "$3" ] || wrong "$1: expected '$2', saw '$3'"; }
# holds WHAT WORDS TEXT
holds() { case $3 in *"$2"*) ;; *) wrong "$1 lacks '$2':" "$3" ;; esac; }
# ends CODE COMMAND...: runs it with all it says in $said.
# In at most $MOST seconds, 300 otherwise.
ends() {
  local expected=$1 code=0
  shift
  said=$(timeout "${MOST:-300}" "$@" 2>&1) || code=$?
  [ $code -eq "$expected" ] || wrong "$* ended with $code instead of $expected" "$said"
}

engine_up() {
  dockerd --data-root "$WORK/data" --exec-root "$WORK/exec" --pidfile "$WORK/docker.pid" -H "unix://$WORK/docker.sock" \
    >>"$WORK/dockerd.log" 2>&1 &
  daemon=$!
  soon "the engine" 30 answers
}
answers() { docker version >/dev/null 2>&1; }

inside() {
  SECONDS=0
  ip link set lo up
  soon "the network" 20 network
  # Shared within, as a machine's root is: node-exporter looks at it.
  mount --make-rprivate / && mount --make-rshared /
  mount -t tmpfs tmpfs /run
  printf 'nameserver 10.0.2.3\n' >"$WORK/resolv.conf"
  mount --bind "$WORK/resolv.conf" /etc/resolv.conf
  export DOCKER_HOST=unix://$WORK/docker.sock
  export HOME=$WORK XDG_RUNTIME_DIR=$WORK/xdg MSCONV_NO_INPUT=1 MSCONV_COLOR=never
  mkdir -p "$XDG_RUNTIME_DIR"
  engine_up
  ok "engine $(docker version --format '{{.Server.Version}}')"
  real+=("engine $(docker version --format '{{.Server.Version}}')" "nginx-rtmp (Debian's packages)")

  # The limit that the stack asks for, as far as this engine may give it.
  local most
  most=$(awk '/Max open files/ { print $5 }' "/proc/$daemon/limits")
  if [ "$most" != unlimited ] && [ "$most" -lt 65536 ]; then
    say "note: this engine may open $most files only; MSCONV_OPEN_FILES=$most for the stack"
    export MSCONV_OPEN_FILES=$most
  fi
  base_images
  msconv=$WORK/msconv-under-test
  project=$WORK/msconv
  mkdir -p "$project"
  # What a clone has that the images are built from; logs/ and pids/ with it.
  git -c safe.directory='*' -C "$root" ls-files -z -- docker docker-compose.yml .dockerignore logs pids src benches \
    Cargo.toml Cargo.lock |
    (cd "$root" && tar --null -T - -c) | tar -C "$project" -x --no-same-owner
  cd "$project"
  local part
  [ $# -gt 0 ] || set -- compose1 compose2 monitoring
  for part in "$@"; do
    case $part in
      compose1) compose_1 && whole_stack ;;
      compose2) compose_2 && whole_stack ;;
      monitoring) { compose_2 || compose_1; } && whole_monitoring ;;
    esac
  done
  step "the whole stack passed on a real engine, after $SECONDS s"
  say "real:"
  printf '    %s\n' "${real[@]}"
  if [ ${#standins[@]} -gt 0 ]; then
    say "stand-ins, or not tried:"
    printf '    %s\n' "${standins[@]}"
  fi
  kill "$daemon"
  wait "$daemon" || true
}

# Which compose is used from here on: `compose` by hand, and what msconv finds. The machine's own plugins are hidden.
compose_1() {
  hide_plugins
  compose=(docker-compose)
  export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0 DOCKER_CONFIG=$WORK/config-1
  mkdir -p "$DOCKER_CONFIG"
  compose_runs=$(docker-compose version --short)
  compose_is "docker-compose $compose_runs"
}
compose_2() {
  if [ -z "$part_compose" ]; then
    compose_is "" "docker compose (the plugin): neither built nor installed here"
    return 1
  fi
  export DOCKER_CONFIG=$WORK/config-2
  mkdir -p "$DOCKER_CONFIG/cli-plugins"
  cp -L "$part_compose" "$DOCKER_CONFIG/cli-plugins/docker-compose"
  hide_plugins
  compose=(docker compose)
  unset DOCKER_BUILDKIT COMPOSE_DOCKER_CLI_BUILD
  compose_runs=$(docker compose version --short)
  compose_is "docker compose $compose_runs"
}
# compose_is REAL [NOT]: for the report, once.
compose_is() {
  local one
  for one in "${real[@]}" "${standins[@]:-}"; do [ "$one" != "${1:-$2}" ] || return 0; done
  if [ -n "$1" ]; then real+=("$1"); else standins+=("$2"); fi
}
hide_plugins() {
  local folder
  for folder in /usr/local/lib/docker /usr/local/libexec/docker /usr/lib/docker /usr/libexec/docker; do
    if [ -d "$folder/cli-plugins" ]; then mount -t tmpfs tmpfs "$folder/cli-plugins"; fi
  done
}
version_2() { [ "${compose[0]}" = docker ]; }

network() { ip -4 -o address show dev tap0 2>/dev/null | grep -q 10.0.2; }

case ${1:-} in
  --inside) shift && inside "$@" ;;
  -h | --help) usage ;;
  *)
    for part in "$@"; do
      case $part in compose1 | compose2 | monitoring) ;; *) usage >&2 && exit 2 ;; esac
    done
    outside "$@"
    ;;
esac
