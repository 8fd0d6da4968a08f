#!/usr/bin/env bash
# Makes this machine ready: installs what is missing, builds msconv, puts it on the PATH. Safe to run again.
set -euo pipefail
# shellcheck source=scripts/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
trap 'rm -f "$log"' EXIT

usage() {
  cat <<'TEXT'
usage: scripts/setup.sh [--players] [--native] [--no-install]

  --players     also install the players VLC and mpv
  --native      also install nginx with its rtmp module, for `msconv up --backend native`
  --no-install  build, but do not put msconv on the PATH

Installs ffmpeg where it is missing (Debian and Ubuntu; elsewhere it names the packages), builds a release with its pages
(npm, or node from Python's registry), and copies msconv to /usr/local/bin, or to ~/.local/bin where that cannot be written. The media server is built in.
TEXT
}

players=
native=
install=yes
for argument in "$@"; do
  case $argument in
    --players) players=yes ;;
    --native) native=nginx ;;
    --no-install) install= ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

# Where msconv goes, and whether that needs root.
place() {
  if [ -w /usr/local/bin ] || [ "$(id -u)" -eq 0 ]; then
    printf '/usr/local/bin'
  else
    printf '%s/.local/bin' "$HOME"
  fi
}

step "programs"
need_programs $native
if [ -n "$players" ]; then
  have apt-get || fail "the players cannot be installed here" "install vlc and mpv by your package manager"
  packages vlc mpv
fi
say "ffmpeg   $(command -v ffmpeg)    $(ffmpeg -hide_banner -version | head -n 1 | cut -d' ' -f1-3)"
if [ -n "$native" ]; then
  rtmp_module || fail "nginx has no rtmp module here"
  say "nginx    $nginx    $("$nginx" -v 2>&1 | cut -d' ' -f3), with its rtmp module"
  have mediamtx || say "mediamtx (not installed: with nginx streams are read over RTMP; RTSP needs https://github.com/bluenviron/mediamtx/releases)"
fi
for player in vlc mpv; do
  have "$player" && say "$player      $(command -v "$player")"
done

step "build"
need_pages only
need_cargo
(cd "$root" && cargo build --release --locked --bin msconv)
built=$target/release/msconv

if [ -n "$install" ]; then
  step "install"
  folder=$(place)
  mkdir -p "$folder"
  if [ -e "$folder/msconv" ] && cmp -s "$built" "$folder/msconv"; then
    say "$folder/msconv is up to date"
  else
    # A copy under another name first: a msconv that runs keeps its file, and nobody sees half of the new one.
    install -m 755 "$built" "$folder/.msconv.new"
    mv -f "$folder/.msconv.new" "$folder/msconv"
    say "$folder/msconv    $("$folder/msconv" --version)"
  fi
  case :$PATH: in
    *:"$folder":*) ;;
    *) say "note: $folder is not on your PATH; add this to your shell's start file: export PATH=\"$folder:\$PATH\"" ;;
  esac
fi

step "ready"
say "msconv up                                  start the built-in server"
say "msconv publish -s stream1 -f video.mp4     go live"
say "msconv list                                see what is live"
