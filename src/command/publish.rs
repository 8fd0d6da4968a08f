//! `msconv publish`.

use super::Context;
use crate::base::{Failure, Outcome};
use crate::cli::PublishArgs;

/// The settings that its flags set.
pub fn settings(args: &PublishArgs) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("stream_key", args.stream_key.clone()),
        ("variants", args.variants.clone()),
        ("quality", args.quality.clone()),
        ("fps", args.fps.clone()),
        ("encoder", args.encoder.clone()),
        ("keyframe_interval", args.keyframe_interval.clone()),
        ("audio_bitrate", args.audio_bitrate.clone()),
        ("wait", args.wait.clone()),
        ("restart", args.restart.clone()),
    ]
}

/// Runs it; the exit code.
pub fn run(_context: &Context, _args: &PublishArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
