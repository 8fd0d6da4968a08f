# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here is set in scripts/engine.sh
# What only a real MediaMTX can show: video and audio over RTSP, who may ask it, a health check that notices. Sourced by
# scripts/engine.sh, inside the namespaces.

real_mediamtx() { [ -n "$part_mediamtx" ]; }

# plays NAME WIDTH HEIGHT: five seconds of it are read over RTSP and decoded. Two of them may pass before a picture comes that
# needs no other.
plays() {
  # In $said are warnings as well: a reader that joins a stream may begin between frames that others refer to.
  ends 0 ffprobe -v error -rtsp_transport tcp -timeout 15000000 -read_intervals %+5 -count_frames \
    -show_entries stream=codec_name,width,height,nb_read_frames -of csv=p=0 "rtsp://127.0.0.1:8554/$1"
  local frames audio
  frames=$(printf '%s\n' "$said" | sed -n "s/^h264,$2,$3,\([0-9]*\).*/\1/p" | head -n 1)
  audio=$(printf '%s\n' "$said" | sed -n 's/^aac,\([0-9]*\).*/\1/p' | head -n 1)
  [ "${frames:-0}" -ge 60 ] || wrong "$1 over RTSP: ${frames:-no} frames of $2x$3 in five seconds" "$said"
  [ "${audio:-0}" -ge 40 ] || wrong "$1 over RTSP: ${audio:-no} audio frames in five seconds" "$said"
}
# Within a minute: a server that was killed reads its source anew.
plays_again() { timeout 20 ffmpeg -nostdin -v error -rtsp_transport tcp -timeout 10000000 -i "rtsp://127.0.0.1:8554/$1" -frames:v 25 -f null - >/dev/null 2>&1; }

# The film's two renditions, through MediaMTX.
watched() {
  real_mediamtx || return 0
  plays film_180p 320 180
  plays live/film_180p 320 180
  plays film_360p 640 360
  ends 0 "$msconv" play -s film -v 360p --print-url
  same "msconv play --print-url" rtsp://localhost:8554/film_360p "$said"

  ffmpeg -nostdin -v quiet -rtsp_transport tcp -i rtsp://127.0.0.1:8554/film_360p -c copy -f null - &
  local reader=$!
  soon "the viewer in msconv list" 20 viewers 1
  kill "$reader"
  wait "$reader" 2>/dev/null || true
  soon "the viewer's end in msconv list" 30 viewers 0
  # What nobody publishes is refused, and takes no longer than the configuration says.
  ends 1 timeout 25 ffprobe -v error -rtsp_transport tcp rtsp://127.0.0.1:8554/nobody
  # No UDP: its ports are not published.
  ends 1 timeout 25 ffprobe -v error -rtsp_transport udp rtsp://127.0.0.1:8554/film_180p
  holds "logs/mediamtx/mediamtx.log" "is reading from path 'film_360p', with TCP" "$(cat logs/mediamtx/mediamtx.log)"
  ok "every rendition read over RTSP from outside and decoded; its viewer counted; play has its address"
}
viewers() {
  local seen
  seen=$("$msconv" list --json | sed -n 's/.*"label":"360p".*"viewers":\([0-9]*\),"rtmp_url":"[^"]*film_360p".*/\1/p')
  [ "$seen" = "$1" ]
}

# Who may ask the API and the metrics: as docker-compose.yml says it, and nobody else.
guarded() {
  real_mediamtx || return 0
  local port path answer
  for path in 9997/v3/paths/list 9998/metrics; do
    same "$path from this machine" 200 "$(status_of "http://127.0.0.1:$path")"
  done
  ends 0 docker exec "$(container nginx-rtmp)" bash -c \
    "exec 3<>/dev/tcp/mediamtx/9997; printf 'GET /v3/paths/list HTTP/1.0\r\n\r\n' >&3; head -n 1 <&3"
  holds "the API from the stack's network" " 200 " "$said"
  for port in 1935 8888 8889 8890 9996 9999; do
    ! docker exec "$(container mediamtx)" bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" 2>/dev/null || wrong "MediaMTX listens on $port"
  done
  # The same image and configuration, but only the container itself may ask.
  local lone address
  lone=$(docker run -d --read-only --user 1000:1000 --cap-drop ALL --tmpfs /logs/mediamtx:mode=1777 \
    -e MTX_AUTHINTERNALUSERS_1_IPS=127.0.0.1 -v "$project/docker/mediamtx.yml:/mediamtx.yml:ro" "$(of mediamtx '{{.Config.Image}}')")
  address=$(docker inspect --format '{{.NetworkSettings.IPAddress}}' "$lone")
  soon "the other MediaMTX" 20 listens_at "$address" 9998
  for path in 9997/v3/paths/list 9998/metrics; do
    answer=$(status_of "http://$address:$path")
    same "$path from where nobody trusts us" 401 "$answer"
  done
  docker rm -f "$lone" >/dev/null
  ok "API and metrics answer this machine and the stack, and refuse others; nothing else listens"
}
status_of() { curl -s -m 5 -o /dev/null -w '%{http_code}' "$1" || true; }
listens_at() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# A server that is there and answers nothing is unhealthy, and well again when it answers.
frozen() {
  real_mediamtx || return 0
  local pid
  pid=$(of mediamtx '{{.State.Pid}}')
  kill -STOP "$pid"
  soon "the notice that MediaMTX is frozen" 120 unhealthy mediamtx
  ends 0 timeout 30 "$msconv" list
  holds "msconv list with a frozen MediaMTX" "did not answer" "$said"
  kill -CONT "$pid"
  soon "MediaMTX's health" 60 healthy mediamtx
  soon "frames from it" 60 plays_again film_180p
  ok "a frozen MediaMTX is called unhealthy, and healthy when it answers again"
}
unhealthy() { [ "$(of "$1" '{{.State.Health.Status}}')" = unhealthy ]; }
