# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here is set in scripts/engine.sh
# What is tried of the stack when something is wrong. Sourced by scripts/engine.sh, inside the namespaces.

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
  if version_2; then
    holds "the build's words" "why: failed to solve: executor failed" "$said"
  else
    holds "the build's words" "returned a non-zero code" "$said"
  fi
  sed -i 's/^RUN false && /RUN /' docker/nginx-rtmp/Dockerfile
  nothing_but_volumes
  ok "a failed build is quoted"

  if real_mediamtx; then
    sed -i 's/^apiAddress:/apiAddres:/' docker/mediamtx.yml
    ends 6 "$msconv" up --backend docker --timeout 30s
    holds "MediaMTX's words" 'unknown field "apiAddres"' "$said"
    sed -i 's/^apiAddres:/apiAddress:/' docker/mediamtx.yml
    nothing_but_volumes
    ok "a wrong docker/mediamtx.yml is quoted in MediaMTX's own words"
  fi

  sed -i 's/^services:$/servces:/' docker-compose.yml
  # msconv takes a folder for its project by the names of the services alone.
  ends 6 "$msconv" up --backend docker
  holds "the broken file" "compose does not understand the stack" "$said"
  holds "the broken file" servces "$said"
  sed -i 's/^servces:$/services:/' docker-compose.yml
  nothing_but_volumes
  ok "a broken compose file is told as that"

  if version_2; then interrupted; fi

  kill "$daemon"
  wait "$daemon" || true
  ends 6 "$msconv" up --backend docker
  holds "no engine" "the Docker engine does not run" "$said"
  engine_up
  nothing_but_volumes
  ok "an engine that does not run is told"
}
# Ctrl-C, and then SIGKILL, while compose builds: its plugin is a process of its own, and must not go on alone.
interrupted() {
  local signal up code
  sed -i 's/^RUN apt-get update/RUN sleep 300 \&\& apt-get update/' docker/nginx-rtmp/Dockerfile
  for signal in INT KILL; do
    "$msconv" up --backend docker >"$WORK/up.out" 2>&1 &
    up=$!
    soon "the build" 60 grep -q 'RUN sleep 300' "$WORK/up.out"
    kill "-$signal" "$up"
    code=0
    wait "$up" 2>/dev/null || code=$?
    if [ $signal = INT ]; then same "exit code after Ctrl-C" 130 $code; fi
    soon "the end of compose after SIG$signal" 20 no_compose
  done
  sed -i 's/^RUN sleep 300 && /RUN /' docker/nginx-rtmp/Dockerfile
  ends 0 env MSCONV_BACKEND=docker "$msconv" down
  nothing_but_volumes
  ok "Ctrl-C and SIGKILL during a build leave neither compose nor its plugin"
}
no_compose() { ! pgrep -f 'docker-compose compose|docker compose' >/dev/null; }
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

