#!/usr/bin/env bash
# Measures the figures that msconv promises and prints them as a table. Needs ffmpeg, nginx with the rtmp module, and
# a film: MSCONV_TEST_FILM, or the one that scripts/test.sh fetches into target/film.
#   scripts/bench.sh           the command line and the supervisor
#   scripts/bench.sh audio     AAC and G.711 to Opus: cost and delay
#   scripts/bench.sh ladder    cost and quality of the ladder (MSCONV_BENCH_SECONDS, MSCONV_BENCH_ROUNDS,
#                             MSCONV_BENCH_ONLY=fast,balanced, MSCONV_BENCH_VMAF=an ffmpeg with libvmaf)
#   scripts/bench.sh relay     the embedded server against nginx-rtmp (MSCONV_BENCH_SECONDS, MSCONV_BENCH_ROUNDS,
#                             MSCONV_BENCH_ONLY=cpu|players|first|delay|crowd|spread|supervised,
#                             MSCONV_BENCH_CROWD, MSCONV_BENCH_BEFORE=another msconv to measure beside this one)
#   scripts/bench.sh web       low-latency HLS against MediaMTX (MSCONV_BENCH_MEDIAMTX, or scripts/mediamtx.sh --optimised;
#                             MSCONV_BENCH_SECONDS, MSCONV_BENCH_ROUNDS, MSCONV_BENCH_BEFORE)
#   scripts/bench.sh webrtc    WebRTC against MediaMTX: CPU and memory for each viewer (as web, and MSCONV_BENCH_CROWD)
#   scripts/bench.sh platform  publishing with keys, 1,000 streams, 1,000 requests a second beside readers, webhooks, 100,000 events,
#                             chat of 10,000 viewers (MSCONV_BENCH_SECONDS, MSCONV_BENCH_ROUNDS,
#                             MSCONV_BENCH_ONLY=idle,keys,live,requests,events,chat, MSCONV_BENCH_PUBLISHES,
#                             MSCONV_BENCH_EVENTS; needs 20,000 open files, PostgreSQL for its rows)
#   scripts/bench.sh pages     the pages in a real Chromium: first paint, first frame, sizes (MSCONV_BENCH_ROUNDS,
#                             MSCONV_BENCH_TIMELINE=1 says what they wait for; needs chromium and `npm ci` in web/)
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${MSCONV_TEST_FILM:-}" ]; then
  MSCONV_TEST_FILM=$(find "$PWD/target/film" -name '*.mp4' 2>/dev/null | head -n 1 || true)
fi
export MSCONV_TEST_FILM
if [ "${1:-}" = pages ]; then
  (cd web && npm run --silent build)
  cargo build --release --locked --quiet
  exec node web/benches/pages.mjs target/release/msconv
fi
exec cargo bench --quiet --bench "${1:-figures}"
