//! Arguments for what ffmpeg puts out, beside the video encoders and the delivery.

use super::capability::Capability;
use super::frame_rate::Rate;
use super::head_start::HeadStart;
use super::plan::Request;
use crate::base::command_line::Argument;
use crate::model::rung::bitrate_text;

/// Packets a second of AAC at 48 kHz: 1024 samples each.
pub const AUDIO_PACKETS: f64 = 48_000.0 / 1024.0;

/// How times are written: at even distances, or, beside copied packets, as they are in the source. These may begin
/// below zero (B-frames), and each connection would move them by an amount of its own; a second more keeps them together,
/// and one more where a head start left them in the past.
pub(super) fn clocked(capability: &Capability, copied: Option<HeadStart>) -> Vec<Argument> {
    let mode = if capability.at_least(5, 1) { "-fps_mode" } else { "-vsync" };
    let mut args = vec![mode];
    args.extend(match copied {
        Some(HeadStart::Past) => &["passthrough", "-output_ts_offset", "2"][..],
        Some(_) => &["passthrough", "-output_ts_offset", "1"],
        None => &["cfr"],
    });
    args.into_iter().map(Argument::from).collect()
}

pub(super) fn map(what: &str) -> Vec<Argument> {
    vec!["-map".into(), what.into()]
}

/// One AAC encoder for all renditions.
pub(super) fn audio_encoding(bps: u64) -> Vec<Argument> {
    vec!["-c:a".into(), "aac".into(), "-b:a".into(), bitrate_text(bps).into()]
}

/// How long one track waits for the other before it goes out alone, in microseconds: what the encoder holds back and
/// a second. ffmpeg's own 10 s would let a silent stretch of the source stop the picture for as long.
pub(super) fn interleaving(delay: u32, rate: Rate) -> Vec<Argument> {
    let seconds = (f64::from(delay) / rate.value() + 1.0).clamp(1.0, 30.0);
    vec!["-max_interleave_delta".into(), format!("{}", (seconds * 10.0).ceil() as u64 * 100_000).into()]
}

/// What stands last before the output: headers in the container, where FLV wants them, and the user's own arguments.
pub(super) fn closing(request: &Request) -> Vec<Argument> {
    let mut args: Vec<Argument> = vec!["-flags".into(), "+global_header".into()];
    args.extend(request.output_args.iter().cloned().map(Argument::plain));
    args
}
