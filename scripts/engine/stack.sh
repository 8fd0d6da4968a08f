# shellcheck shell=bash
# shellcheck disable=SC2154,SC2164 # what is not set here is set in scripts/engine.sh, with set -e
# What is tried of the stack itself, by hand through compose and by msconv. Sourced by scripts/engine.sh, inside the
# namespaces; `compose`, `msconv` and `project` are set there.

whole_stack() {
  by_hand
  by_msconv
  by_msconv_elsewhere
  addresses
  faults
}

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

by_hand() {
  step "${compose[*]} up --build -d ($compose_runs)"
  ends 0 "${compose[@]}" up --build -d
  soon "nginx-rtmp's health" 60 healthy nginx-rtmp
  soon "MediaMTX's health" 60 healthy mediamtx
  hardened
  ok "healthy; read-only, no capabilities, no root, limits, loopback only"
  docker ps --format '    {{.Names}}  {{.Status}}  {{.Ports}}'

  ends 0 ffmpeg -nostdin -hide_banner -loglevel error -re -f lavfi -i testsrc2=size=320x180:rate=25 -t 4 \
    -c:v libx264 -preset ultrafast -pix_fmt yuv420p -f flv rtmp://127.0.0.1:1935/live/by-hand
  mkdir -p "$WORK/home"
  ends 0 "$msconv" --home "$WORK/home" publish -s film --test --variants 180p:300k:320:180,360p:600k:640:360
  live film_180p || wrong "/stat does not show film_180p" "$(stat_page)"
  ends 0 ffprobe -v error -rw_timeout 10000000 -show_entries stream=codec_name -of csv=p=0 rtmp://127.0.0.1:1935/live/film_180p
  holds "what is read back" h264 "$said"
  ends 0 "$msconv" list
  holds "msconv list" film "$said"
  case $said in *note:* | *401*) wrong "a server did not let list in" "$said" ;; esac
  ends 0 "$msconv" list --json
  same "servers that answer" 2 "$(printf '%s' "$said" | grep -o '"ok":true' | wc -l)"
  ok "published from outside the containers, in /stat, read back; msconv list without flags asks both servers"
  watched
  guarded

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
  ! real_mediamtx || soon "frames from MediaMTX after its return" 60 plays_again film_360p
  ok "each container killed, back and healthy; the stream is on the air again"
  ! version_2 || frozen
  ends 0 "$msconv" --home "$WORK/home" stop -s film
  ends 0 "${compose[@]}" down -v
  nothing_left
  ok "${compose[*]} down -v left nothing"
}
small() { [ "$(stat -c %s "$1")" -lt 1000000 ]; }
returned() { local now; now=$(of nginx-rtmp '{{.State.Pid}}') && [ "${now:-0}" -gt 0 ] && [ "$now" != "$1" ]; }
returned_mediamtx() { local now; now=$(of mediamtx '{{.State.Pid}}') && [ "${now:-0}" -gt 0 ] && [ "$now" != "$1" ]; }

by_msconv() {
  step "msconv up --backend docker, in the project"
  ends 0 "$msconv" up --backend docker
  holds "the summary" "nginx answers after" "$said"
  # The plugin builds by BuildKit; from version 5 on only where buildx is there.
  printf '%s\n' "$said" | grep -qE '^ +(#[0-9]+ \[|Step 1/)' || wrong "the build's progress is not shown" "$said"
  healthy nginx-rtmp || wrong "up came back before nginx-rtmp was healthy"
  healthy mediamtx || wrong "up came back before MediaMTX was healthy"
  same "project" msconv "$(of nginx-rtmp '{{index .Config.Labels "com.docker.compose.project"}}')"
  hardened
  local before
  before=$(container nginx-rtmp)
  ends 0 "$msconv" up --backend docker -q
  same "after a second up" "$before" "$(container nginx-rtmp)"
  ends 0 "${compose[@]}" ps
  holds "compose ps in the same folder" nginx-rtmp "$said"
  ends 0 "$msconv" status
  holds "msconv status" "nginx	running" "$said"
  ends 0 "$msconv" list
  case $said in *note:* | *401*) wrong "a server did not let list in" "$said" ;; esac
  ends 0 "$msconv" logs --service nginx
  holds "msconv logs --service nginx" "start worker process" "$said"
  ends 0 "$msconv" logs --service mediamtx
  holds "msconv logs --service mediamtx" "MediaMTX v1." "$said"
  ends 0 env MSCONV_BACKEND=docker "$msconv" doctor
  holds "msconv doctor" "engine 2" "$said"
  holds "msconv doctor" "compose $compose_runs" "$said"
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
  ! real_mediamtx || plays film_180p 320 180
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
    # Plugins of different age end with different codes.
    ! timeout 300 env "MSCONV_LISTEN=$wrong_one" "${compose[@]}" up -d >/dev/null 2>&1 || wrong "compose took MSCONV_LISTEN=$wrong_one"
    same "running with MSCONV_LISTEN=$wrong_one" "" "$(docker ps -q)"
    ends 0 "${compose[@]}" down -v
  done
  ends 1 env MSCONV_SUBNET=nonsense "${compose[@]}" up -d
  "${compose[@]}" down -v >/dev/null 2>&1 || true
  ends 2 env MSCONV_SUBNET=nonsense "$msconv" up --backend docker
  holds "the nonsense" "MSCONV_SUBNET is no network" "$said"
  docker volume prune --force >/dev/null
  nothing_left
  ok "every network, other ports, and wrong values refused"
}

