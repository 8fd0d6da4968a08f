//! Every setting there is: its name, its default and what it means. Flag, environment variable and file key all
//! derive from the name: `nginx_stat_url` is `--nginx-stat-url`, `MSCONV_NGINX_STAT_URL` and `nginx_stat_url = ...`.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Snake case.
    pub name: &'static str,
    /// The default as text; empty where it is worked out from something else or simply absent.
    pub default: &'static str,
    /// One line for `config show` and the reference.
    pub help: &'static str,
    /// Whether a configuration file may set it (`home` and `config` of a file would chase their own tail otherwise).
    pub in_files: bool,
}

const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key { name, default, help, in_files: true }
}

/// All settings, in the order in which `config show` prints them.
pub const KEYS: &[Key] = &[
    key("home", ".", "folder that holds pids/ and logs/"),
    Key { name: "config", default: "", help: "read this configuration file and no other", in_files: false },
    key("nginx_rtmp_url", "rtmp://localhost:1935/live", "where renditions are published"),
    key("nginx_stat_url", "", "status page, as nginx-rtmp has it; follows nginx_rtmp_url (port 8080)"),
    key("mediamtx_url", "", "API, as MediaMTX has it; follows nginx_rtmp_url (port 9997)"),
    key("rtsp_url", "", "where streams are read over RTSP; follows nginx_rtmp_url (port 8554)"),
    key(
        "backend",
        "embedded",
        "which servers `up` starts: embedded (built in), native (nginx, MediaMTX) or docker (both in containers)",
    ),
    key("json", "false", "print JSON"),
    key("quiet", "false", "print nothing but errors"),
    key("no_input", "false", "never ask anything"),
    key("color", "auto", "auto, always or never"),
    key("log_level", "info", "error, warn, info, debug or trace"),
    key("stream_key", "", "the stream key where none is given"),
    key("variants", "", "the ladder, label:bitrate:width:height,..."),
    key("quality", "auto", "auto (the best that this machine carries), fastest, fast, balanced or best"),
    key("leave_out", "top", "which variants go where the machine cannot carry all: top, bottom or none"),
    key("encoder", "auto", "auto, x264 or an encoder of ffmpeg by name"),
    key("fps", "", "frame rate of the renditions"),
    key("keyframe_interval", "2s", "time between keyframes"),
    key("audio_bitrate", "128k", "bitrate of the audio"),
    key(
        "passthrough",
        "auto",
        "copy a rung that the source fits: auto (files), always (live sources too) or never",
    ),
    key(
        "b_frames",
        "auto",
        "what may have B-frames: true (all), auto (a copied source) or false (nothing); WebRTC cannot carry them",
    ),
    key(
        "wait",
        "15s",
        "how long publish waits for a source to come, and then for the first bytes; 0 returns at once",
    ),
    key("restart", "on-failure", "on-failure, always or no"),
    key("stop_timeout", "10s", "how long stop may take before it kills"),
    key("player", "", "vlc, mpv, ffplay or a path"),
    key("protocol", "", "rtsp, rtmp, hls or webrtc for play; webrtc opens a browser"),
    key("ffmpeg", "", "path of ffmpeg; otherwise the PATH is searched"),
    key("ffprobe", "", "path of ffprobe; otherwise the PATH is searched"),
    key("nginx", "", "path of nginx; otherwise the PATH is searched"),
    key("mediamtx", "", "path of mediamtx; otherwise the PATH is searched"),
    key("listen", "127.0.0.1", "where serve listens: an IP address; 0.0.0.0 is every network of the machine"),
    key("control_listen", "", "where the control endpoints of serve listen; follows listen"),
    key("rtmp_port", "1935", "serve: RTMP; 0 takes a free port, as everywhere; follows nginx_rtmp_url"),
    key("rtsp_port", "8554", "serve: RTSP; follows rtsp_url"),
    key(
        "rtp_port",
        "8000",
        "serve: RTP over UDP, even, RTCP is the next; a free pair unless rtsp_port is 8554",
    ),
    key("stat_port", "8080", "serve: /stat, in the form of nginx-rtmp; follows nginx_stat_url"),
    key("api_port", "9997", "serve: /v3, in the form of MediaMTX; follows mediamtx_url"),
    key("metrics_port", "9998", "serve: /metrics for Prometheus; a free port unless api_port is 9997"),
    key(
        "web_port",
        "8000",
        "serve: pages, HLS and the offers of WebRTC, TCP; a free port unless rtsp_port is 8554",
    ),
    key("webrtc_port", "8189", "serve: media of WebRTC, UDP; a free port unless rtsp_port is 8554"),
    key(
        "public_address",
        "",
        "serve: addresses or names under which this machine is reached from outside, for WebRTC behind NAT",
    ),
    key("ice_server", "", "serve: STUN and TURN servers that pages are told, as turn:host:3478"),
    key(
        "ladder",
        "off",
        "serve, up: the ladder of what others publish: off, auto, or rungs as in variants; never of a ladder",
    ),
    key("web", "true", "serve, up: whether there is a web port: pages, HLS and WebRTC"),
    key("applications", "live", "serve: RTMP applications, separated by commas"),
    key("stat_path", "/stat", "serve: path of the status page"),
    key(
        "trusted",
        "",
        "serve, exporter: networks that may do what this machine may, as 10.0.0.0/8,192.168.1.7",
    ),
    key("readers_per_address", "500", "serve: readers from one address, 1 to 4096; an office is one address"),
    key("publishers_per_address", "32", "serve: publishers from one address, 1 to 4096"),
    key("media_workers", "", "serve: threads that carry media, 1 to 256; as many as processors unless set"),
    key(
        "database",
        "",
        "serve: postgres://user@host/name keeps streams, keys and events there; a file in the data folder unless set",
    ),
    key(
        "hooks_command",
        "",
        "serve: program, without arguments, that is run for each event, which it finds in MSCONV_EVENT and beside it",
    ),
    key("open_registration", "false", "serve: let anybody register a stream and get a key for it"),
    key(
        "data",
        "",
        "serve: folder of what the server keeps, such as a long hls_window; data in the home unless set",
    ),
    key("hls_segment", "2s", "serve: length of HLS segments, 1s to 10s; a keyframe is waited for"),
    key("hls_part", "100ms", "serve: length of the parts that low-latency HLS is made of, 100ms to 1s"),
    key(
        "hls_window",
        "12s",
        "serve: how far back viewers over HLS can go, three segments to 12h; over 60s on disk",
    ),
    key("tls_cert", "", "serve: certificate of the web port, a file in PEM; it then speaks https"),
    key("tls_key", "", "serve: the private key of tls_cert, a file in PEM"),
    key("publish_user", "publish", "serve: user who may publish, where publish_password is set"),
    key("publish_password", "", "serve: asked of every publisher; needed for publishers from outside"),
    key("publish_password_file", "", "serve: file with publish_password in its first line"),
    key("read_user", "read", "serve: user who may read, where read_password is set"),
    key("read_password", "", "serve: asked of every reader"),
    key("read_password_file", "", "serve: file with read_password in its first line"),
    key("admission_url", "", "serve: back end that is asked who may publish and read, http or https"),
    key(
        "admission_form",
        "msconv",
        "serve: how it is asked: streamly, nginx-rtmp, srs, mediamtx, ome, nms or msconv",
    ),
    key("admission_secret_file", "", "serve: file with the secret that signs what is asked (ome, msconv)"),
    key("admission_on", "publish,read", "serve: what the back end decides: publish, read or both"),
    key("admission_timeout", "3s", "serve: how long the back end may take, 100ms to 9s"),
    key("admission_cache", "10s", "serve: how long its answer holds for the same question, 0 to 10m"),
    key(
        "admission_when_silent",
        "deny",
        "serve: without an answer: deny, or allow-known (what it allowed within 24 hours)",
    ),
    key("exporter_listen", "127.0.0.1:9781", "where the exporter listens, address and port"),
];

/// The setting with this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.name == name)
}

/// The known name nearest to a mistyped one, if it is near enough to be meant.
pub fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(name, KEYS.iter().map(|k| k.name))
}

/// The candidate nearest to `word`, at most a third of its letters away.
pub fn nearest_of<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    candidates
        .map(|c| (distance(word, c), c))
        .filter(|(d, _)| *d <= most)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Edits between two words of at most 128 letters: a letter added, left out or replaced, or two neighbours swapped.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(128).collect();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut above_that: Vec<usize> = Vec::new();
    let mut last = None;
    for (i, letter) in a.chars().take(128).enumerate() {
        let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
        let mut row = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let mut least = (at(&above, j) + usize::from(letter != *other))
                .min(at(&above, j + 1) + 1)
                .min(at(&row, j) + 1);
            let swapped = j > 0 && last == Some(*other) && b.get(j - 1) == Some(&letter);
            if swapped {
                least = least.min(at(&above_that, j - 1) + 1);
            }
            row.push(least);
        }
        above_that = std::mem::replace(&mut above, row);
        last = Some(letter);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_snake_case() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(key.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", key.name);
            assert!(KEYS.iter().skip(i + 1).all(|k| k.name != key.name), "{}", key.name);
        }
    }

    #[test]
    fn finds_the_near_name() {
        assert_eq!(nearest("nginx_rtmp_ulr"), Some("nginx_rtmp_url"));
        assert_eq!(nearest("qualty"), Some("quality"));
        assert_eq!(nearest("zzzzzz"), None);
        assert_eq!(nearest("wiat"), Some("wait"));
        for (a, b, edits) in [
            ("kitten", "sitting", 3),
            ("", "ab", 2),
            ("ab", "", 2),
            ("ab", "ba", 1),
            ("abcd", "badc", 2),
            ("ca", "abc", 3),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (edits, edits), "{a} {b}");
        }
    }
}
