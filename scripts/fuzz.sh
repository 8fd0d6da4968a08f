#!/bin/sh
# Fuzzes every parser of outside bytes for a while: scripts/fuzz.sh [SECONDS] [TARGET...]
# Needs a nightly compiler and cargo-fuzz (cargo install cargo-fuzz). What crashes is left in fuzz/artifacts/.
set -eu
cd "$(dirname "$0")/.."

seconds=60
case "${1:-}" in
'' | *[!0-9]*) ;;
*)
    seconds=$1
    shift
    ;;
esac

if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "fuzz.sh: needs a nightly compiler and cargo-fuzz" >&2
    echo "  try: rustup toolchain install nightly && cargo install cargo-fuzz" >&2
    exit 5
fi

# Seeds: the recorded answers of real programs, and small texts of our own.
seeds() {
    case "$1" in
    stat_xml) echo tests/data/nginx_stat ;;
    mtx_json) echo tests/data/mediamtx ;;
    docker_inspect) echo tests/data/docker ;;
    ffprobe_json) echo tests/data/ffprobe ;;
    ffmpeg_progress) echo tests/data/ffmpeg_progress ;;
    ffmpeg_log) echo tests/data/ffmpeg_log ;;
    capability) echo tests/data/ffmpeg ;;
    rtsp_describe) echo tests/data/rtsp ;;
    esac
    echo "fuzz/seeds/$1"
}

nice -n 10 cargo +nightly fuzz build
# shellcheck disable=SC2046 # names of targets have no blanks
[ $# -gt 0 ] || set -- $(cargo +nightly fuzz list)
failed=
for target in "$@"; do
    mkdir -p "fuzz/corpus/$target"
    folders="fuzz/corpus/$target"
    for folder in $(seeds "$target"); do
        [ ! -d "$folder" ] || folders="$folders $folder"
    done
    echo "== $target: $seconds s"
    # shellcheck disable=SC2086 # the folders are words on purpose
    if ! nice -n 10 cargo +nightly fuzz run "$target" $folders -- \
        -max_total_time="$seconds" -max_len=200000 -rss_limit_mb=512 -timeout=5 -verbosity=0 -print_final_stats=1; then
        failed="$failed $target"
    fi
done
if [ -n "$failed" ]; then
    echo "fuzz.sh: failed:$failed (see fuzz/artifacts/)" >&2
    exit 1
fi
