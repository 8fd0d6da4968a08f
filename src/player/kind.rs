//! The players that are known by name, and the protocols they read.

use std::path::Path;

/// A player program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// VLC, under any of its names (`vlc`, `cvlc`, `nvlc`).
    Vlc,
    /// mpv.
    Mpv,
    /// ffplay, which comes with ffmpeg.
    Ffplay,
    /// Any other program: it gets the URL as its last argument and nothing else of ours.
    Other,
}

impl Kind {
    /// The players that are looked for, best first.
    pub const KNOWN: [Kind; 3] = [Kind::Vlc, Kind::Mpv, Kind::Ffplay];

    /// Told from the program's file name: `/opt/mpv-0.38/bin/mpv` is mpv, `cvlc` is VLC.
    pub fn of(program: &Path) -> Kind {
        let name = program.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        if name.contains("vlc") {
            Kind::Vlc
        } else if name.contains("ffplay") {
            Kind::Ffplay
        } else if name.contains("mpv") {
            Kind::Mpv
        } else {
            Kind::Other
        }
    }

    /// The name of the program on the PATH; empty for [`Kind::Other`].
    pub fn program(self) -> &'static str {
        match self {
            Kind::Vlc => "vlc",
            Kind::Mpv => "mpv",
            Kind::Ffplay => "ffplay",
            Kind::Other => "",
        }
    }

    /// The name as people write it.
    pub fn shown(self) -> &'static str {
        match self {
            Kind::Vlc => "VLC",
            Kind::Mpv => "mpv",
            Kind::Ffplay => "ffplay",
            Kind::Other => "the player",
        }
    }
}

/// How a player reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RTSP over TCP.
    Rtsp,
    /// RTMP.
    Rtmp,
    /// HLS.
    Hls,
    /// WebRTC (WHEP), which browsers play.
    WebRtc,
}

impl Protocol {
    /// Lowercase, as in flags and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Rtsp => "rtsp",
            Protocol::Rtmp => "rtmp",
            Protocol::Hls => "hls",
            Protocol::WebRtc => "webrtc",
        }
    }

    /// As people write it.
    pub fn shown(self) -> &'static str {
        match self {
            Protocol::Rtsp => "RTSP",
            Protocol::Rtmp => "RTMP",
            Protocol::Hls => "HLS",
            Protocol::WebRtc => "WebRTC",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_file_name() {
        for (path, kind) in [
            ("/usr/bin/vlc", Kind::Vlc),
            ("cvlc", Kind::Vlc),
            ("/opt/mpv.AppImage", Kind::Mpv),
            ("./ffplay-7", Kind::Ffplay),
            ("/usr/bin/totem", Kind::Other),
            ("/", Kind::Other),
        ] {
            assert_eq!(Kind::of(Path::new(path)), kind, "{path}");
        }
    }
}
