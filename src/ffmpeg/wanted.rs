//! What goes into the plan of a publish: what is wanted, and what was found out beyond the source's description.

use super::cost::Power;
use super::encoder::Encoder;
use super::packet_times::Times;
use super::packets::Packets;
use crate::model::rung::Label;
use crate::model::{BFrames, Ladder, LeaveOut, Passthrough, Quality, RtmpUrl, Source, StreamKey};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What is wanted. Holds secrets: serialised, it travels only through the pipe to the supervisor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The stream.
    pub key: StreamKey,
    /// Where it comes from; the path of a file is absolute.
    pub source: Source,
    /// Send it on as it is.
    pub original: bool,
    /// The ladder; `None` is the default one, fitted to the source.
    pub ladder: Option<Ladder>,
    /// Play a file once.
    pub once: bool,
    /// The effort.
    pub quality: Quality,
    /// Which rungs go where no effort keeps up.
    pub leave_out: LeaveOut,
    /// `auto`, `x264` or another encoder by name.
    pub encoder: String,
    /// The frame rate, if one was asked for.
    pub fps: Option<f64>,
    /// Time between keyframes.
    pub keyframe_interval: Duration,
    /// Bits per second of the audio.
    pub audio_bitrate_bps: u64,
    /// Which sources may be copied into a rung that they fit.
    pub passthrough: Passthrough,
    /// What may have B-frames.
    pub b_frames: BFrames,
    /// Arguments for the output, after all others.
    pub output_args: Vec<OsString>,
    /// Where the renditions go.
    pub endpoint: RtmpUrl,
    /// Our own program, which stands between ffmpeg and some sources.
    pub own_program: PathBuf,
}

/// What was found out beyond the source's description.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// A font for the key and the time of day in the test picture was found
    /// (see [`caption_trial`](super::test_source::caption_trial)).
    pub caption: bool,
    /// The packets of the picture; `None` if they were not read, or not to the end.
    pub packets: Option<Packets>,
    /// What the times of all packets are like.
    pub times: Times,
    /// Read it through a feeder whatever its times are like: ffmpeg alone got stuck in it.
    pub fed: bool,
    /// The encoder that was found to work; `None` is the one that the request names, `auto` being x264.
    pub encoder: Option<Encoder>,
    /// How many renditions it encodes at once, the larger ones; x264 makes the rest. `None` is no limit.
    pub sessions: Option<usize>,
    /// What this machine can give; `None` if that is not known, and nothing is said of it then.
    pub power: Option<Power>,
    /// The labels of a stream that runs already and is planned again: these stay.
    pub kept: Option<Vec<Label>>,
}
