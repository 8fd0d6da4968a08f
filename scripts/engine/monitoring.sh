# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here is set in scripts/engine.sh
# The profile `monitoring` in an engine run: every target scraped, the rules loaded, an alert that fires and clears. Sourced
# by scripts/engine.sh, inside the namespaces.

whole_monitoring() {
  step "the profile monitoring"
  monitoring_images
  local ours
  ours="our own image (docker/msconv/Dockerfile, by this machine's Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml))"
  if [ -n "$part_rust" ]; then
    real+=("$ours")
  else
    cp "$msconv" src/msconv
    printf 'FROM debian:bookworm-slim\nCOPY src/msconv /usr/local/bin/msconv\nENV MSCONV_HOME=/data\nWORKDIR /data\nENTRYPOINT ["msconv"]\n' \
      >docker/msconv/Dockerfile
    standins+=("$ours: not built, the program was copied into the base image")
  fi
  ok "images"
  rules_hold

  # Without a password Grafana does not start. Nothing else of the stack is asked for.
  ends 0 "${compose[@]}" --profile monitoring up -d --no-deps grafana
  soon "Grafana's refusal" 30 refuses
  ends 0 "${compose[@]}" --profile monitoring down -v
  ok "Grafana does not start without a password"

  MOST=1800 ends 0 "$msconv" up --backend docker --monitoring --timeout 3m
  holds "the summary" "Grafana: http://localhost:3000, user admin, the password in $project/pids/.docker/grafana-password" "$said"
  local service password
  for service in nginx-rtmp mediamtx exporter prometheus node-exporter grafana; do
    healthy $service || wrong "up came back before $service was healthy"
    [ "$service" = exporter ] || [ "$(awk '/^Uid/ { print $2 }' "/proc/$(of $service '{{.State.Pid}}')/status")" != 0 ] || wrong "$service runs as root"
    same "$service: effective capabilities" 0000000000000000 "$(awk '/CapEff/ { print $2 }' "/proc/$(of $service '{{.State.Pid}}')/status")"
  done
  same "addresses" 127.0.0.1 "$(docker ps --format '{{.Ports}}' | tr ',' '\n' | grep -o '[0-9.]*:[0-9-]*->' | sed 's/:.*//' | sort -u)"
  same "mode of the password's file" 600 "$(stat -c %a pids/.docker/grafana-password)"
  password=$(cat pids/.docker/grafana-password)
  holds "Grafana's environment" "GF_SECURITY_ADMIN_PASSWORD=$password" "$(of grafana '{{.Config.Env}}')"
  case $said$(cat pids/.docker/stack.json) in *"$password"*) wrong "the password is shown, or stands in stack.json" ;; esac
  ok "up --monitoring: all services healthy, no capabilities, loopback only; a password was made for Grafana (0600)"

  soon "every target" 60 all_up
  ok "Prometheus $(prometheus_says status/buildinfo '.*"version":"\([^"]*\)".*') scrapes msconv, mediamtx, node and itself"
  local rules
  rules=$(grep -c '^ *- alert:' docker/prometheus/rules.yml)
  soon "the first evaluation of every rule" 60 evaluated "$rules"
  ok "$rules rules are loaded and evaluated without a fault"

  ends 0 "$msconv" publish -s film --test --variants 180p:300k:320:180
  soon "the stream in Prometheus" 60 has 'msconv_publish_state{stream="film",state="live"} == 1'
  soon "its bytes in Prometheus" 60 has 'rate(msconv_rendition_received_bytes_total{stream="film"}[1m]) > 0'
  if real_mediamtx; then
    plays film_180p 320 180
    soon "MediaMTX's path in Prometheus" 60 has 'paths{name="film_180p"}'
  fi
  panels
  # What a busy machine brings about is not asked here.
  same "alerts" "" "$(firing | grep -E 'StreamDown|StreamNoBytes|TargetDown|ServerDown|ExporterBlind' || true)"
  local supervisor since
  supervisor=$("$msconv" status film --json | sed -n 's/.*"supervisor_pid":\([0-9]*\).*/\1/p')
  kill -KILL "$supervisor"
  since=$SECONDS
  soon "StreamDown" 180 fires StreamDown
  ok "the stream was killed: StreamDown fires after $((SECONDS - since)) s"
  ends 0 "$msconv" publish -s film --test --variants 180p:300k:320:180
  since=$SECONDS
  soon "the end of the alert" 120 gone StreamDown
  ok "the stream is back: the alert is gone after $((SECONDS - since)) s"
  docker pause "$(container mediamtx)" >/dev/null
  soon "TargetDown" 180 fires TargetDown
  docker unpause "$(container mediamtx)" >/dev/null
  soon "the end of the alert" 120 gone TargetDown
  ok "a frozen MediaMTX: TargetDown fires, and is gone when it answers"

  local before
  before=$(container grafana)
  ends 0 "$msconv" up --backend docker --monitoring -q
  same "after a second up" "$before$password" "$(container grafana)$(cat pids/.docker/grafana-password)"
  ends 0 "$msconv" stop -s film
  ends 0 "$msconv" down
  same "volumes after down" "msconv_grafana msconv_prometheus" "$(docker volume ls -q | sort | xargs)"
  same "the password after down" "$password" "$(cat pids/.docker/grafana-password)"
  ends 0 "$msconv" up --backend docker --monitoring -q
  ends 0 "$msconv" down --volumes
  nothing_left
  [ ! -e pids/.docker ] || wrong "pids/.docker is left"
  ok "up again, down keeps the volumes and the password, down --volumes leaves nothing"
}

# The rules by the promtool of the Prometheus that the stack runs.
rules_hold() {
  local tool=(docker run --rm --network none -v "$project/docker/prometheus:/rules:ro" -w /rules --entrypoint /bin/promtool "prom/prometheus:$(tag prom/prometheus)")
  ends 0 "${tool[@]}" check config --lint=all --lint-fatal prometheus.yml
  ends 0 "${tool[@]}" check rules --lint=all --lint-fatal rules.yml
  ends 0 "${tool[@]}" test rules rules_test.yml
  ok "promtool of that Prometheus: configuration and rules are good, the rules' own tests pass"
}
# Every question of both dashboards, put to the real Prometheus while a stream is live.
panels() {
  local asked=0 answered=0 question answer
  while IFS= read -r question; do
    answer=$(curl -s -m 10 --data-urlencode "query=$question" http://127.0.0.1:9090/api/v1/query)
    holds "the answer to a panel's $question" '"status":"success"' "$answer"
    asked=$((asked + 1))
    case $answer in *'"value":['*) answered=$((answered + 1)) ;; esac
  done < <(questions)
  [ $asked -ge 50 ] || wrong "the dashboards have $asked questions only"
  # The rest is of what did not happen: alerts, restarts, dropped viewers.
  [ $((answered * 10)) -ge $((asked * 7)) ] || wrong "of $asked questions of the dashboards $answered have an answer"
  ok "all $asked questions of the dashboards are understood, $answered have figures of the live stream"
}
# shellcheck disable=SC2016 # the dashboards' own variables
questions() {
  sed -n 's/^ *"expr": "\(.*\)",\{0,1\}$/\1/p' docker/grafana/dashboards/*.json |
    sed 's/\\"/"/g; s/\$__rate_interval/1m/g; s/\$stream/film/g'
}
refuses() {
  local id
  id=$(docker ps -aq --filter label=com.docker.compose.service=grafana)
  docker logs "$id" 2>&1 | grep -q 'MSCONV_GRAFANA_PASSWORD is not set'
}
# prometheus_says PATH [PATTERN]: an answer of its API, or the part of it between \( and \).
prometheus_says() {
  local answer
  answer=$(curl -s -m 5 "http://127.0.0.1:9090/api/v1/$1") || return 1
  if [ $# -gt 1 ]; then printf '%s' "$answer" | sed -n "s/$2/\1/p"; else printf '%s' "$answer"; fi
}
all_up() { [ "$(prometheus_says 'targets?state=active' | grep -o '"health":"up"' | wc -l)" -eq 4 ]; }
evaluated() { [ "$(prometheus_says rules | grep -o '"health":"ok"' | wc -l)" -eq "$1" ]; }
has() { curl -s -m 5 --data-urlencode "query=$1" http://127.0.0.1:9090/api/v1/query | grep -q '"value":\['; }
firing() {
  curl -s -m 5 --data-urlencode 'query=ALERTS{alertstate="firing"}' http://127.0.0.1:9090/api/v1/query | grep -o '"alertname":"[^"]*"' || true
}
fires() { firing | grep -q "\"$1\""; }
gone() { prometheus_says alerts >/dev/null && ! fires "$1"; }
