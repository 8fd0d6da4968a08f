#!/usr/bin/env bash
# Shows the whole way on this machine: the built-in server up, a film live in several renditions, each of them read back, a
# picture of each saved, all of it ended again. Any failure is an error, and nothing is left running.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/demo.sh [FILE]

Publishes FILE, or a clip that it makes. Without MSCONV_BIN it first runs scripts/setup.sh.

  MSCONV_BIN=PATH    the msconv to use
  DEMO_PICTURES=DIR  where the pictures go; otherwise a new folder in /tmp
TEXT
}
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  -?*) usage >&2 && exit 2 ;;
esac
[ $# -le 1 ] || { usage >&2 && exit 2; }
film=
if [ $# -eq 1 ]; then
  [ -f "$1" ] || { printf 'error: there is no file %s\n' "$1" >&2 && exit 7; }
  film=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
fi

# shellcheck source=scripts/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
work=$(mktemp -d)
msconv=${MSCONV_BIN:-}

# A home, ports and an index of our own: whatever else runs on this machine is left alone.
export MSCONV_HOME=$work/home XDG_RUNTIME_DIR=$work/run MSCONV_NO_INPUT=1 MSCONV_COLOR=never
mkdir -p "$MSCONV_HOME" "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"

finish() {
  local code=$?
  trap - EXIT INT TERM
  if [ -n "$msconv" ]; then
    "$msconv" stop --all -q >/dev/null 2>&1 || true
    "$msconv" down -q >/dev/null 2>&1 || true
  fi
  if [ $code -ne 0 ]; then
    local file
    for file in "$MSCONV_HOME"/logs/*/*.log; do
      [ -s "$file" ] && printf '\n--- the end of %s\n' "${file#"$work"/}" >&2 && tail -n 15 "$file" >&2
    done
    printf '\nthe demonstration failed\n' >&2
  fi
  rm -rf "$work" "$log"
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -z "$msconv" ]; then
  "$root/scripts/setup.sh"
  msconv=$target/release/msconv
fi
[ -x "$msconv" ] || fail "$msconv is no program"

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The usual port, or the next one that is free.
port() {
  local candidate=$1
  while listens "$candidate"; do candidate=$((candidate + 10007)); [ "$candidate" -lt 65000 ] || candidate=$((candidate % 20000 + 12000)); done
  printf '%s' "$candidate"
}
rtmp=$(port 1935)
stat=$(port 8080)
api=$(port 9997)
rtsp=$(port 8554)
export MSCONV_NGINX_RTMP_URL=rtmp://localhost:$rtmp/live MSCONV_NGINX_STAT_URL=http://localhost:$stat/stat
# The rest takes free ports.
export MSCONV_RTP_PORT=0 MSCONV_METRICS_PORT=0
export MSCONV_MEDIAMTX_URL=http://localhost:$api MSCONV_RTSP_URL=rtsp://localhost:$rtsp

# Shows a command as one would type it, and runs it.
shown() {
  printf '\n$ msconv %s\n' "$*"
  "$msconv" "$@"
}

step "the built-in server"
shown up

if [ -z "$film" ]; then
  film=$work/clip.mp4
  step "a clip of 8 s, 1920x1080, with sound"
  ffmpeg -nostdin -hide_banner -loglevel error \
    -f lavfi -i testsrc2=size=1920x1080:rate=25:duration=8 -f lavfi -i sine=frequency=440:sample_rate=48000:duration=8 \
    -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -c:a aac -b:a 128k "$film"
fi

# Reads 3 s and saves a picture; prints what went wrong.
looked_at() {
  timeout 60 ffprobe -hide_banner -loglevel error "${options[@]}" -show_entries stream=codec_name,width,height \
    -of csv=p=0 "$1" >"$2.tracks" 2>"$2.words" || { cat "$2.words" && return 1; }
  tr '\n' ' ' <"$2.tracks" >"$2.form"
  rm -f "$2.tracks" "$2.words"
  timeout 90 ffmpeg -nostdin -hide_banner -loglevel error -y "${options[@]}" -i "$1" \
    -t 3 -f null - -t 3 -map 0:v:0 -frames:v 1 -update 1 "$2" 2>&1
}

step "live"
shown publish -s demo -f "$film"
shown list

pid=$(cat "$MSCONV_HOME/pids/demo.pid")
labels=$("$msconv" list --json | grep -o '"label":"[^"]*"' | cut -d'"' -f4) || true
[ -n "$labels" ] || fail "the list shows no rendition of demo"
protocols="rtmp rtsp"

step "read back: every rendition, over ${protocols// / and }"
pictures=${DEMO_PICTURES:-$(mktemp -d "${TMPDIR:-/tmp}/msconv-demo.XXXXXX")}
mkdir -p "$pictures"
seen=()
for label in $labels; do
  for protocol in $protocols; do
    url=$("$msconv" play -s demo -v "$label" --protocol "$protocol" --print-url)
    picture=$pictures/$label-$protocol.png
    options=(-rw_timeout 20000000)
    [ "$protocol" = rtsp ] && options=(-rtsp_transport tcp)
    # A machine that is suddenly busy makes msconv begin anew once at a lower quality, and readers with it.
    for try in 1 2 3; do
      words=$(looked_at "$url" "$picture") && [ -z "$words" ] && break
      [ $try -lt 3 ] || fail "$url could not be read cleanly: $words"
      say "note: once more, $url: $words"
      sleep 3
    done
    form=$(cat "$picture.form")
    rm -f "$picture.form"
    [ -s "$picture" ] || fail "there is no picture of $url"
    case $form in *h264,*) ;; *) fail "$url carries no H.264: $form" ;; esac
    line=$(printf '%-8s %-5s %-32s %s' "$label" "$protocol" "$form" "$picture")
    say "$line"
    seen+=("$line")
  done
done

step "end"
shown list
shown stop -s demo
shown down
! kill -0 "$pid" 2>/dev/null || fail "ffmpeg (pid $pid) still runs"
for port in "$rtmp" "$stat" "$api" "$rtsp"; do
  ! listens "$port" || fail "something still listens on port $port"
done
[ -z "$(find "$MSCONV_HOME/pids" -name '*.pid' 2>/dev/null)" ] || fail "a PID file is left"

step "seen"
printf '%s\n' "${seen[@]}"
say "${#seen[@]} readings, each decoded for 3 s without an error; nothing is left running"
say "pictures: $pictures"
