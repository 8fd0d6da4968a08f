#!/usr/bin/env bash
# Tries the docker stack on a real engine, in network, mount and process namespaces of its own: nothing of it touches the
# machine's own Docker or network, and all of it goes with the namespaces. Called by scripts/test.sh --docker; needs root.
#
# No registry is asked: the base image is made by debootstrap (kept in target/engine), and for MediaMTX a stand-in of the
# same name answers (tests/docker/mediamtx), which has no media. The report says so.
set -euo pipefail
# shellcheck source=scripts/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
cd "$root"
kept=$target/engine
mediamtx=$(sed -n 's/^ *image: *\(bluenviron\/mediamtx:.*\)/\1/p' docker-compose.yml)

usage() {
  cat <<'TEXT'
usage: scripts/engine.sh

  MSCONV_BIN=PATH  the msconv to try; otherwise target/debug/msconv is built
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
    env WORK="$work" BASE="$kept/base.tar" bash "$root/scripts/engine.sh" --inside &
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
ends() {
  local expected=$1 code=0
  shift
  said=$(timeout 300 "$@" 2>&1) || code=$?
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
  ip link set lo up
  soon "the network" 20 network
  # Shared within, as a machine's root is: node-exporter looks at it.
  mount --make-rprivate / && mount --make-rshared /
  mount -t tmpfs tmpfs /run
  printf 'nameserver 10.0.2.3\n' >"$WORK/resolv.conf"
  mount --bind "$WORK/resolv.conf" /etc/resolv.conf
  export DOCKER_HOST=unix://$WORK/docker.sock DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0 DOCKER_CONFIG=$WORK
  export HOME=$WORK XDG_RUNTIME_DIR=$WORK/xdg MSCONV_NO_INPUT=1 MSCONV_COLOR=never
  mkdir -p "$XDG_RUNTIME_DIR"
  engine_up
  ok "engine $(docker version --format '{{.Server.Version}}'), docker-compose $(docker-compose version --short)"

  # The limit that the stack asks for, as far as this engine may give it.
  local most
  most=$(awk '/Max open files/ { print $5 }' "/proc/$daemon/limits")
  if [ "$most" != unlimited ] && [ "$most" -lt 65536 ]; then
    say "note: this engine may open $most files only; MSCONV_OPEN_FILES=$most for the stack"
    export MSCONV_OPEN_FILES=$most
  fi
  docker import "$BASE" debian:bookworm-slim >/dev/null
  docker build -q -t "$mediamtx" "$root/tests/docker/mediamtx" >/dev/null 2>&1 || wrong "the stand-in cannot be built"
  ok "debian:bookworm-slim by debootstrap; $mediamtx by a stand-in without media"

  msconv=$WORK/msconv-under-test
  project=$WORK/msconv
  mkdir -p "$project"
  # What a clone has; logs/ and pids/ with it.
  git -c safe.directory='*' -C "$root" ls-files -z -- docker docker-compose.yml .dockerignore logs pids |
    (cd "$root" && tar --null -T - -c) | tar -C "$project" -x --no-same-owner
  cd "$project"
  plain_compose
  by_msconv
  by_msconv_elsewhere
  addresses
  faults
  step "the whole stack passed on a real engine"
  say "stand-ins: $mediamtx (no media: RTSP answers OPTIONS, the API an empty list)"
  kill "$daemon"
  wait "$daemon" || true
}

network() { ip -4 -o address show dev tap0 2>/dev/null | grep -q 10.0.2; }

# ---------------------------------------------------------------- what is tried

container() { docker ps -q --no-trunc --filter "label=com.docker.compose.service=$1"; }
of() { docker inspect --format "$2" "$(container "$1")" 2>/dev/null; }
healthy() { [ "$(of "$1" '{{.State.Health.Status}}')" = healthy ]; }
stat_page() { curl -s -m 5 http://127.0.0.1:8080/stat; }
live() { stat_page | grep -q "<name>$1</name>"; }

nothing_left() {
  same "containers left" "" "$(docker ps -aq)"
  same "volumes left" "" "$(docker volume ls -q)"
  same "networks left" "bridge host none" "$(docker network ls --format '{{.Name}}' | sort | xargs)"
  same "mounts left" "" "$(grep "$WORK/data/overlay2/.*merged" /proc/mounts | cut -d' ' -f2 || true)"
  local port name
  for name in docker-proxy nginx containerd-shim; do
    same "processes left" "" "$(pgrep -l "$name" || true)"
  done
  for port in 1935 8080 8554 9997 9998; do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || wrong "something still listens on port $port"
  done
}

hardened() {
  local service pid
  for service in nginx-rtmp mediamtx; do
    same "$service: read-only root" true "$(of $service '{{.HostConfig.ReadonlyRootfs}}')"
    same "$service: capabilities" '[ALL] []' "$(of $service '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}')"
    same "$service: privileges" '[no-new-privileges:true]' "$(of $service '{{.HostConfig.SecurityOpt}}')"
    same "$service: restart" unless-stopped "$(of $service '{{.HostConfig.RestartPolicy.Name}}')"
    same "$service: log" 'json-file 10m 3' "$(of $service '{{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config "max-size"}} {{index .HostConfig.LogConfig.Config "max-file"}}')"
    pid=$(of $service '{{.State.Pid}}')
    same "$service: stack" 134217728 "$(awk '/Max stack size/ { print $4 }' "/proc/$pid/limits")"
    same "$service: open files" "${MSCONV_OPEN_FILES:-65536}" "$(awk '/Max open files/ { print $4 }' "/proc/$pid/limits")"
    same "$service: effective capabilities" 0000000000000000 "$(awk '/CapEff/ { print $2 }' "/proc/$pid/status")"
    [ "$(awk '/^Uid/ { print $2 }' "/proc/$pid/status")" != 0 ] || wrong "$service runs as root"
  done
  same "addresses" 127.0.0.1 "$(docker ps --format '{{.Ports}}' | tr ',' '\n' | grep -o '[0-9.]*:[0-9-]*->' | sed 's/:.*//' | sort -u)"
}

plain_compose() {
  step "docker-compose up --build -d"
  ends 0 docker-compose up --build -d
  soon "nginx-rtmp's health" 60 healthy nginx-rtmp
  soon "MediaMTX's health" 60 healthy mediamtx
  hardened
  ok "healthy; read-only, no capabilities, no root, limits, loopback only"
  docker ps --format '    {{.Names}}  {{.Status}}  {{.Ports}}'

  ends 0 ffmpeg -nostdin -hide_banner -loglevel error -re -f lavfi -i testsrc2=size=320x180:rate=25 -t 4 \
    -c:v libx264 -preset ultrafast -pix_fmt yuv420p -f flv rtmp://127.0.0.1:1935/live/by-hand
  mkdir -p "$WORK/home"
  ends 0 "$msconv" --home "$WORK/home" publish -s film --test --variants 180p:300k:320:180
  live film_180p || wrong "/stat does not show film_180p" "$(stat_page)"
  ends 0 ffprobe -v error -rw_timeout 10000000 -show_entries stream=codec_name -of csv=p=0 rtmp://127.0.0.1:1935/live/film_180p
  holds "what is read back" h264 "$said"
  ends 0 "$msconv" list
  holds "msconv list" film "$said"
  case $said in *note:* | *401*) wrong "a server did not let list in" "$said" ;; esac
  ends 0 "$msconv" list --json
  same "servers that answer" 2 "$(printf '%s' "$said" | grep -o '"ok":true' | wc -l)"
  ok "published from outside the containers, in /stat, read back; msconv list without flags asks both servers"

  holds "logs/nginx/rtmp.log" 'PUBLISH "live" "by-hand"' "$(cat logs/nginx/rtmp.log)"
  [ -s logs/mediamtx/mediamtx.log ] || wrong "logs/mediamtx/mediamtx.log is empty"
  same "owner of the logs" 1000 "$(stat -c %u logs/nginx/error.log logs/mediamtx/mediamtx.log | sort -u)"
  head -c 11000000 /dev/zero | tr '\0' 'x' >>logs/nginx/http.log
  soon "the rotation of logs/nginx/http.log" 30 test -s logs/nginx/http.log.1
  soon "logs/nginx/http.log, emptied" 30 small logs/nginx/http.log
  ok "logs on the host, owned by 1000, rotated at 10 MB"

  local before
  before=$(of nginx-rtmp '{{.State.Pid}}')
  kill -KILL "$before"
  soon "nginx-rtmp's return" 60 returned "$before"
  soon "nginx-rtmp's health after its return" 60 healthy nginx-rtmp
  soon "the return of the stream" 60 live film_180p
  before=$(of mediamtx '{{.State.Pid}}')
  kill -KILL "$before"
  soon "MediaMTX's return" 60 returned_mediamtx "$before"
  soon "MediaMTX's health after its return" 60 healthy mediamtx
  ok "each container killed, back and healthy; the stream is on the air again"
  ends 0 "$msconv" --home "$WORK/home" stop -s film
  ends 0 docker-compose down -v
  nothing_left
  ok "docker-compose down -v left nothing"
}
small() { [ "$(stat -c %s "$1")" -lt 1000000 ]; }
returned() { local now; now=$(of nginx-rtmp '{{.State.Pid}}') && [ "${now:-0}" -gt 0 ] && [ "$now" != "$1" ]; }
returned_mediamtx() { local now; now=$(of mediamtx '{{.State.Pid}}') && [ "${now:-0}" -gt 0 ] && [ "$now" != "$1" ]; }

by_msconv() {
  step "msconv up --backend docker, in the project"
  ends 0 "$msconv" up --backend docker
  holds "the summary" "nginx answers after" "$said"
  holds "the progress" "Step 1/" "$said"
  healthy nginx-rtmp || wrong "up came back before nginx-rtmp was healthy"
  healthy mediamtx || wrong "up came back before MediaMTX was healthy"
  same "project" msconv "$(of nginx-rtmp '{{index .Config.Labels "com.docker.compose.project"}}')"
  hardened
  local before
  before=$(container nginx-rtmp)
  ends 0 "$msconv" up --backend docker -q
  same "after a second up" "$before" "$(container nginx-rtmp)"
  ends 0 docker-compose ps
  holds "docker-compose ps in the same folder" nginx-rtmp "$said"
  ends 0 "$msconv" status
  holds "msconv status" "nginx	running" "$said"
  ends 0 "$msconv" list
  case $said in *note:* | *401*) wrong "a server did not let list in" "$said" ;; esac
  ends 0 "$msconv" logs --service nginx
  holds "msconv logs --service nginx" "start worker process" "$said"
  ends 0 "$msconv" logs --service mediamtx
  holds "msconv logs --service mediamtx" "stand-in" "$said"
  ends 0 env MSCONV_BACKEND=docker "$msconv" doctor
  holds "msconv doctor" "engine 2" "$said"
  ends 8 "$msconv" up --backend embedded
  ends 0 "$msconv" down --volumes
  holds "msconv down" "nginx (pid" "$said"
  nothing_left
  [ ! -e pids/.docker ] || wrong "pids/.docker is left"
  ok "up, up again, status, list, logs, doctor, down --volumes; nothing left"
}

by_msconv_elsewhere() {
  step "msconv up --backend docker, in a folder without the project"
  mkdir -p "$WORK/elsewhere/a b"
  cd "$WORK/elsewhere/a b"
  ends 0 "$msconv" up --backend docker --json
  holds "the summary" '"schema":"msconv.up/1"' "$said"
  [ -s logs/nginx/error.log ] || wrong "there is no logs/nginx/error.log here"
  ends 0 "$msconv" publish -s film --test --variants 180p:300k:320:180
  ends 0 "$msconv" list -q
  holds "msconv list -q" film "$said"
  ends 0 "$msconv" stop -s film
  ends 0 "$msconv" down
  nothing_left
  cd "$project"
  ok "the copy in the program does as well"
}

addresses() {
  step "other addresses"
  ends 0 env MSCONV_LISTEN=0.0.0.0 "$msconv" up --backend docker
  holds "the warning" "may publish and watch" "$said"
  same "RTMP" 0.0.0.0 "$(docker port "$(container nginx-rtmp)" 1935 | head -n 1 | sed 's/:.*//')"
  same "/stat" 127.0.0.1 "$(docker port "$(container nginx-rtmp)" 8080 | sed 's/:.*//')"
  same "API" 127.0.0.1 "$(docker port "$(container mediamtx)" 9997 | sed 's/:.*//')"
  ends 0 "$msconv" down --volumes
  ends 0 "$msconv" up --backend docker --nginx-rtmp-url rtmp://localhost:21935/live --nginx-stat-url http://localhost:28080/stat
  same "RTMP" 21935 "$(docker port "$(container nginx-rtmp)" 1935 | sed 's/.*://')"
  ends 0 "$msconv" down --volumes
  ends 2 env MSCONV_LISTEN=999.1.1.1 "$msconv" up --backend docker
  local wrong_one
  for wrong_one in 999.1.1.1 nonsense 203.0.113.9; do
    ends 1 env MSCONV_LISTEN=$wrong_one docker-compose up -d
    same "running with MSCONV_LISTEN=$wrong_one" "" "$(docker ps -q)"
    ends 0 docker-compose down -v
  done
  ends 1 env MSCONV_SUBNET=nonsense docker-compose up -d
  docker-compose down -v >/dev/null 2>&1 || true
  nothing_left
  ok "every network, other ports, and wrong values refused"
}

# After a failed `up` in the project: docker-compose 1.29 makes the volumes of every profile, and only -v takes them away.
nothing_but_volumes() {
  same "containers left" "" "$(docker ps -aq)"
  docker volume prune --force >/dev/null
  nothing_left
}

faults() {
  step "faults"
  perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8554, Listen => 1) or die; sleep 600' &
  local squatter=$!
  soon "the squatter" 10 listens 8554
  ends 6 "$msconv" up --backend docker
  holds "the busy port" "port 8554 is taken by perl (pid $squatter)" "$said"
  kill "$squatter"
  wait "$squatter" 2>/dev/null || true
  nothing_but_volumes
  ok "a busy port is named with its owner"

  docker network create --subnet 10.193.85.0/25 clash >/dev/null
  ends 6 "$msconv" up --backend docker
  holds "the clash" MSCONV_SUBNET "$said"
  ends 0 env MSCONV_SUBNET=10.193.86.0/24 "$msconv" up --backend docker
  ends 0 env MSCONV_SUBNET=10.193.86.0/24 "$msconv" list
  case $said in *note:* | *401*) wrong "the other subnet is not let in" "$said" ;; esac
  ends 0 env MSCONV_SUBNET=10.193.86.0/24 "$msconv" down --volumes
  docker network rm clash >/dev/null
  nothing_but_volumes
  ok "a clash of networks is told, and another network does"

  sed -i 's/^events {/nonsense on;\nevents {/' docker/nginx-rtmp/nginx.conf
  ends 6 "$msconv" up --backend docker --timeout 30s
  holds "the container's words" 'unknown directive "nonsense"' "$said"
  sed -i '/^nonsense on;/d' docker/nginx-rtmp/nginx.conf
  nothing_but_volumes
  ok "a container that does not start is quoted and taken away"

  sed -i 's/^RUN apt-get update/RUN false \&\& apt-get update/' docker/nginx-rtmp/Dockerfile
  ends 6 "$msconv" up --backend docker
  holds "the build's words" "returned a non-zero code" "$said"
  sed -i 's/^RUN false && /RUN /' docker/nginx-rtmp/Dockerfile
  nothing_but_volumes
  ok "a failed build is quoted"

  kill "$daemon"
  wait "$daemon" || true
  ends 6 "$msconv" up --backend docker
  holds "no engine" "the Docker engine does not run" "$said"
  engine_up
  nothing_but_volumes
  ok "an engine that does not run is told"
}
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

case ${1:-} in
  --inside) inside ;;
  "") outside ;;
  -h | --help) usage ;;
  *) usage >&2 && exit 2 ;;
esac
