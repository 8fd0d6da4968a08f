# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here is set in scripts/engine.sh
# The images of an engine run: no registry is asked, so each is made here under the name and tag that docker-compose.yml
# or a Dockerfile gives it. Sourced by scripts/engine.sh, inside the namespaces.

real=()     # What ran as its makers publish it.
standins=() # What something else took the part of.

# image NAME FOLDER [FILE...]: builds tests/docker/FOLDER with these files beside its own.
image() {
  local name=$1 folder=$2 context=$WORK/images/$2
  shift 2
  mkdir -p "$context"
  cp -r "$root/tests/docker/$folder/." "$context"
  [ $# -eq 0 ] || cp -rL "$@" "$context"
  local code=0
  DOCKER_BUILDKIT=0 timeout 900 docker build -q -t "$name" "$context" >"$WORK/image.log" 2>&1 || code=$?
  rm -rf "$context"
  [ $code -eq 0 ] || wrong "the image $name cannot be built" "$(tail -n 5 "$WORK/image.log")"
}
# kept NAME FILE COMMAND...: an image that costs minutes and is the same each time.
kept_image() {
  local name=$1 file=$KEPT/$2
  shift 2
  if [ -s "$file" ]; then docker load -q -i "$file" >/dev/null && return 0; fi
  "$@"
  docker save -o "$file.new" "$name"
  mv "$file.new" "$file"
}

base_images() {
  docker import "$KEPT/base.tar" debian:bookworm-slim >/dev/null
  local name
  name=bluenviron/mediamtx:$(tag bluenviron/mediamtx)
  if [ -n "$part_mediamtx" ]; then
    kept_image msconv-engine/asking:1 asking.tar image msconv-engine/asking:1 asking
    kept_image msconv-engine/ffmpeg:1 ffmpeg.tar image msconv-engine/ffmpeg:1 ffmpeg
    mkdir -p "$WORK/mediamtx"
    cp -L "$part_mediamtx" "$WORK/mediamtx/mediamtx"
    # The stack mounts a configuration of its own over it.
    printf '{}\n' >"$WORK/mediamtx/mediamtx.yml"
    image "$name" mediamtx-built "$WORK/mediamtx/mediamtx" "$WORK/mediamtx/mediamtx.yml"
    real+=("MediaMTX $("$part_mediamtx" --version) (built from its module, in Debian's surroundings)")
    ok "debian:bookworm-slim by debootstrap; $name by a real MediaMTX $("$part_mediamtx" --version)"
  else
    image "$name" mediamtx
    standins+=("$name: no media, RTSP answers OPTIONS, the API an empty list")
    ok "debian:bookworm-slim by debootstrap; $name by a stand-in without media"
  fi
}

monitoring_images() {
  kept_image msconv-engine/asking:1 asking.tar image msconv-engine/asking:1 asking
  local name bin=$WORK/bin
  mkdir -p "$bin"
  if [ -n "$part_prometheus" ] && [ -n "$part_promtool" ]; then
    cp "$part_prometheus" "$bin/prometheus"
    cp "$part_promtool" "$bin/promtool"
  fi
  name=prom/prometheus:$(tag prom/prometheus)
  image "$name" prometheus "$bin"
  told prometheus "$name" /bin/prometheus
  rm -rf "$bin"
  mkdir -p "$bin"
  [ -z "$part_node" ] || cp "$part_node" "$bin/node_exporter"
  name=prom/node-exporter:$(tag prom/node-exporter)
  image "$name" node-exporter "$bin"
  told node_exporter "$name" /bin/node_exporter
  rm -rf "$bin"
  name=grafana/grafana:$(tag grafana/grafana)
  image "$name" grafana
  standins+=("$name: answers /api/health alone; provisioning and dashboards are held by the tests of their files")

  if [ -n "$part_rust" ]; then
    mkdir -p "$WORK/rust"
    cp -r "$part_rust" "$WORK/rust/rust"
    rm -rf "$WORK/rust/rust/share"
    cp -L /etc/ssl/certs/ca-certificates.crt "$WORK/rust/"
    image "$(sed -n 's/^FROM \(rust:[^ ]*\).*/\1/p' "$root/docker/msconv/Dockerfile")" rust "$WORK/rust/rust" "$WORK/rust/ca-certificates.crt"
    rm -rf "$WORK/rust"
  fi
}
# told PROGRAM IMAGE PATH: whether the pinned version is what runs.
told() {
  local version
  version=$(docker run --rm --network none --entrypoint "$3" "$2" --version 2>&1 | sed -n 's/^.*version \([0-9][^ ,]*\).*/\1/p' | head -n 1)
  if [ "v$version" = "${2##*:}" ]; then real+=("$1 $version (built from its module, in Debian's surroundings)"); else standins+=("$2: Debian's $version"); fi
}
