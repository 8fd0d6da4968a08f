//! How much the hub keeps, and for how long (the table in `docs/architecture.md`).

use std::time::Duration;

/// The hub's bounds. Values, so that tests can shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A reader further behind than these frames skips to a keyframe.
    pub lag_frames: u64,
    /// A reader further behind than these bytes skips to a keyframe.
    pub lag_bytes: u64,
    /// A reader further behind than this time of media skips to a keyframe.
    pub lag_time: Duration,
    /// A reader whose peer has taken nothing for so long, while there was something to take, is closed.
    pub no_progress: Duration,
    /// The longest group of pictures that is kept for late readers.
    pub gop_time: Duration,
    /// The largest group of pictures that is kept, in bytes of payload.
    pub gop_bytes: u64,
    /// The most frames kept in all.
    pub gop_frames: usize,
    /// How long readers wait for a publisher whose connection broke.
    pub lost: Duration,
    /// How long a description waits for a publisher that has not shown its tracks yet.
    pub ready: Duration,
    /// Bytes of dialog that may wait for a reader; one that asks without reading is closed.
    pub dialog_bytes: usize,
    /// Streams at once.
    pub streams: usize,
}

/// How much a ring keeps for readers that are behind.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Entries.
    pub frames: u64,
    /// Payload.
    pub bytes: u64,
    /// Media.
    pub time: Duration,
}

impl Limits {
    /// What is kept for readers of bytes and for those who only want what is now.
    pub fn keep(&self) -> Keep {
        Keep { frames: self.lag_frames, bytes: self.lag_bytes.max(self.gop_bytes), time: self.lag_time }
    }
}

impl Keep {
    /// As much more as a reader of everything may be behind.
    pub fn at_least(self, bytes: u64, time: Duration) -> Keep {
        // A frame of video or audio every few milliseconds: the number of entries is bounded by the time.
        let frames = u64::try_from(time.as_millis() / 2).unwrap_or(u64::MAX);
        Keep { frames: self.frames.max(frames), bytes: self.bytes.max(bytes), time: self.time.max(time) }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            lag_frames: 512,
            lag_bytes: 8 << 20,
            lag_time: Duration::from_secs(5),
            no_progress: Duration::from_secs(10),
            gop_time: Duration::from_secs(10),
            gop_bytes: 16 << 20,
            gop_frames: 2500,
            lost: Duration::from_secs(10),
            ready: Duration::from_secs(10),
            dialog_bytes: 256 << 10,
            streams: 1024,
        }
    }
}
