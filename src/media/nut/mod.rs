//! The part of the NUT container (ffmpeg's `nut` muxer and demuxer, version 4 without syncpoints) that carries packets
//! between two ffmpegs through a pipe: any codec, exact times, changed codec configurations in their place, and no
//! waiting for the next packet. Specification: `nut.txt` of the NUT project; what ffmpeg does was read in its source.

mod read;
mod wire;
mod write;

pub use read::{Item, Reader};
pub use write::Writer;

/// Begins every NUT stream.
const ID: &[u8] = b"nut/multimedia container\0";
const MAIN: u64 = 0x4E4D_7A56_1F5F_04AD;
const STREAM: u64 = 0x4E53_1140_5BF2_F9DB;
const SYNCPOINT: u64 = 0x4E4B_E4AD_EECA_4569;

/// Frame flags.
mod flag {
    pub const KEY: u64 = 1;
    pub const CODED_PTS: u64 = 8;
    pub const STREAM_ID: u64 = 16;
    pub const SIZE_MSB: u64 = 32;
    pub const CHECKSUM: u64 = 64;
    pub const RESERVED: u64 = 128;
    pub const SIDE_DATA: u64 = 256;
    pub const HEADER_IDX: u64 = 1024;
    pub const MATCH_TIME: u64 = 2048;
    pub const CODED: u64 = 4096;
    pub const INVALID: u64 = 8192;
}

/// Seconds of a tick: `num / den`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeBase {
    /// Not 0.
    pub num: u32,
    /// Not 0.
    pub den: u32,
}

impl TimeBase {
    /// Ticks as nanoseconds; what no clock can show is cut to the largest that fits.
    pub fn nanoseconds(self, ticks: i64) -> i64 {
        scaled(ticks, i128::from(self.num) * 1_000_000_000, self.den)
    }

    /// Nanoseconds as ticks, rounded to the nearest.
    pub fn ticks(self, nanoseconds: i64) -> i64 {
        scaled(nanoseconds, i128::from(self.den), u64::from(self.num) * 1_000_000_000)
    }
}

fn scaled(value: i64, by: i128, over: impl Into<i128>) -> i64 {
    let over: i128 = over.into().max(1);
    let exact = i128::from(value) * by;
    let rounded = (exact + exact.signum() * (over / 2)) / over;
    rounded.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// What a track's header says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// 0 for video, 1 for audio.
    pub class: u64,
    /// The codec's four letters, or fewer.
    pub fourcc: Vec<u8>,
    /// The clock of its times.
    pub time_base: TimeBase,
    /// Frames that are decoded before the first one can be shown.
    pub decode_delay: u64,
    /// The codec's configuration.
    pub extradata: Vec<u8>,
    /// Width, height and sample aspect of video (0:0 unknown) and its colour space; rate, 1 and channels of audio.
    pub shape: Vec<u64>,
}

impl Track {
    /// 16 bit PCM at 48 kHz.
    pub fn pcm(channels: u8) -> Track {
        Track {
            class: 1,
            fourcc: b"PSD\x10".to_vec(),
            time_base: TimeBase { num: 1, den: 48_000 },
            decode_delay: 0,
            extradata: Vec::new(),
            shape: vec![48_000, 1, u64::from(channels)],
        }
    }

    /// Whether it is video.
    pub fn is_video(&self) -> bool {
        self.class == 0
    }
}

/// A packet of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it is shown, in ticks of its track.
    pub pts: i64,
    /// One can begin here.
    pub key: bool,
    /// The codec's new configuration, from this frame on.
    pub extradata: Option<Vec<u8>>,
    /// The coded bytes.
    pub data: Vec<u8>,
}

/// Why bytes are no NUT of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It does not begin as NUT does.
    NotNut,
    /// A value is outside of what it may be.
    Invalid(&'static str),
    /// A packet is larger than [`LARGEST`].
    TooLarge,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::NotNut => f.write_str("it is no NUT stream"),
            Error::Invalid(what) => write!(f, "the {what} of the NUT stream cannot be"),
            Error::TooLarge => f.write_str("a packet of the NUT stream is too large"),
        }
    }
}

/// Largest packet that is read, in bytes: a raw picture of 8192 by 8192 with four bytes a pixel.
pub const LARGEST: u64 = 256 * 1024 * 1024;

#[cfg(test)]
mod tests;
