//! Settings that are one of a few words.

/// Whether to print colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// On a terminal that wants them.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is said about what goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Someone must act.
    Error,
    /// We recovered.
    Warn,
    /// Life cycle.
    Info,
    /// Decisions.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level with its word.
    pub(super) const ALL: [(&'static str, LogLevel); 5] = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];

    /// Its word in settings.
    pub fn word(self) -> &'static str {
        LogLevel::ALL.iter().find(|(_, level)| *level == self).map_or("info", |(word, _)| word)
    }
}

/// How a player shall read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RTSP.
    Rtsp,
    /// RTMP.
    Rtmp,
    /// HLS.
    Hls,
    /// WebRTC, in a browser.
    WebRtc,
}

/// Which servers `up` starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `msconv serve`.
    Embedded,
    /// nginx with the rtmp module (and MediaMTX) of the host.
    Native,
    /// nginx-rtmp and MediaMTX in containers.
    Docker,
}

impl Backend {
    /// Every backend with its word.
    pub(super) const ALL: [(&'static str, Backend); 3] =
        [("embedded", Backend::Embedded), ("native", Backend::Native), ("docker", Backend::Docker)];

    /// Its word in settings.
    pub fn word(self) -> &'static str {
        Backend::ALL.iter().find(|(_, backend)| *backend == self).map_or("embedded", |(word, _)| word)
    }
}
