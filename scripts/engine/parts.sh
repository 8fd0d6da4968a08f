# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here is set in scripts/engine.sh
# The programs that an engine run is made of beside our own: those that nobody packages are built from their published Go
# modules into target/engine/bin, once for each version. What cannot be had here is named, and something else takes its
# part: see images.sh. Sourced by scripts/engine.sh, outside the namespaces.

# The compose plugin that is tried beside docker-compose 1.29. MSCONV_TEST_COMPOSE names another one; 2.32.0 is known to
# make every container with a folder of the host anew at each `up`.
compose_version=v2.40.3

# The tag of an image in docker-compose.yml.
tag() { sed -n "s|^ *image: *$1:\(.*\)|\1|p" docker-compose.yml; }

# go_part PROGRAM MODULE VERSION LINKER_FLAGS PACKAGE: one program of a module.
go_part() {
  local program=$1 module=$2 version=$3 flags=$4 package=$5 built=$kept/bin/$1-$3 begun=$SECONDS
  [ ! -x "$built" ] || return 0
  have go || { say "note: $program cannot be built: there is no go"; return 1; }
  say "building $program (Go module $module $version)"
  local tree=$kept/tree code=0
  (
    set -e
    export CGO_ENABLED=0 GOWORK=off GOFLAGS=-buildvcs=false
    cd /
    timeout 300 go mod download -json "$module@$version" >"$log" 2>&1
    rm -rf "$tree"
    mkdir -p "$kept/bin"
    cp -r "$(sed -n 's/^\t*"Dir": "\(.*\)",$/\1/p' "$log")" "$tree"
    chmod -R u+w "$tree"
    cd "$tree"
    # Prometheus' ways to find targets in other people's clouds are most of its build; the stack names its targets.
    [ ! -f plugins/minimum.go ] || rm -f plugins/plugins.go
    timeout 1500 nice go build -ldflags "-s -w $flags" -o "$built.new" "$package" >"$log" 2>&1
    mv "$built.new" "$built"
  ) || code=$?
  rm -rf "$tree"
  if [ $code -ne 0 ]; then
    tail -n 5 "$log" >&2
    say "note: $program $version cannot be built here"
    return 1
  fi
  say "(built after $((SECONDS - begun)) s)"
}

# Sets what inside() and images.sh look for; empty where there is none.
find_parts() {
  PATH=$PATH:/usr/local/go/bin
  part_mediamtx=${MSCONV_TEST_MEDIAMTX:-}
  if [ -z "$part_mediamtx" ] && [ -x scripts/mediamtx.sh ]; then
    # Its last line is the path; what it says before and besides is for people.
    part_mediamtx=$(scripts/mediamtx.sh | tee /dev/stderr | tail -n 1) || part_mediamtx=
  fi
  [ -n "$part_mediamtx" ] || part_mediamtx=$target/mediamtx/mediamtx
  [ -x "$part_mediamtx" ] || part_mediamtx=

  part_compose=${MSCONV_TEST_COMPOSE:-}
  if [ -z "$part_compose" ] && go_part docker-compose github.com/docker/compose/v2 $compose_version \
    "-X github.com/docker/compose/v2/internal.Version=$compose_version" ./cmd; then
    part_compose=$kept/bin/docker-compose-$compose_version
  fi
  local folder
  for folder in /usr/local/lib/docker /usr/local/libexec/docker /usr/lib/docker /usr/libexec/docker; do
    if [ -z "$part_compose" ] && [ -x "$folder/cli-plugins/docker-compose" ]; then part_compose=$folder/cli-plugins/docker-compose; fi
  done

  # Prometheus 3.5.0 is 0.305.0 where Go numbers it.
  local pinned numbered
  pinned=$(tag prom/prometheus)
  numbered=$(printf '%s' "$pinned" | awk -F'[v.]' '{ printf "v0.%d%02d.%d", $2, $3, $4 }')
  part_prometheus='' part_promtool='' part_node=''
  if go_part prometheus github.com/prometheus/prometheus "$numbered" \
    "-X github.com/prometheus/common/version.Version=${pinned#v}" ./cmd/prometheus; then
    part_prometheus=$kept/bin/prometheus-$numbered
  fi
  if go_part promtool github.com/prometheus/prometheus "$numbered" \
    "-X github.com/prometheus/common/version.Version=${pinned#v}" ./cmd/promtool; then
    part_promtool=$kept/bin/promtool-$numbered
  fi
  pinned=$(tag prom/node-exporter)
  if go_part node_exporter github.com/prometheus/node_exporter "$pinned" \
    "-X github.com/prometheus/common/version.Version=${pinned#v}" .; then
    part_node=$kept/bin/node_exporter-$pinned
  fi

  # The Rust that our own image is built with, from this machine's rustup.
  local wanted
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  part_rust=
  if have rustup; then part_rust=$(rustup run "$wanted" rustc --print sysroot 2>/dev/null) || part_rust=; fi
  [ -n "$part_rust" ] || say "note: Rust $wanted is not here by rustup (rustup toolchain install $wanted): our own image is not built"
  export part_mediamtx part_compose part_prometheus part_promtool part_node part_rust
}
