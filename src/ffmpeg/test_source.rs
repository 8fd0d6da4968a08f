//! The test picture: moving shapes with a running clock, and a tone, made by ffmpeg's own filters.

use super::frame_rate::{Rate, Timing};
use super::report::{AudioTrack, Report, VideoTrack};
use crate::base::CommandLine;
use crate::base::command_line::Argument;
use std::path::Path;

/// Size of the test picture.
pub const SIZE: (u32, u32) = (1920, 1080);
/// Its frame rate unless another is asked for.
const RATE: u32 = 30;

impl Report {
    /// What a probe of the test picture would find.
    pub fn test_picture() -> Report {
        let rate = Rate::new(RATE, 1);
        Report {
            format: "lavfi".into(),
            video: Some(VideoTrack {
                codec: "rawvideo".into(),
                width: SIZE.0,
                height: SIZE.1,
                coded_width: SIZE.0,
                coded_height: SIZE.1,
                square: true,
                pix_fmt: "yuv420p".into(),
                bit_depth: 8,
                timing: Timing { average: rate, real: rate, interlaced: false },
                ..VideoTrack::default()
            }),
            audio: Some(AudioTrack {
                index: 1,
                codec: "pcm_s16le".into(),
                sample_rate_hz: 48_000,
                channels: 1,
                ..AudioTrack::default()
            }),
            video_tracks: 1,
            audio_tracks: 1,
            ..Report::default()
        }
    }
}

/// The filters of the source: video on the first output, audio on the second. `caption` writes the time of day and
/// a name into the picture; it needs drawtext and a font, which [`caption_trial`] finds out.
pub fn graph(rate: &str, caption: Option<&str>) -> String {
    let (width, height) = SIZE;
    let picture = format!("testsrc2=size={width}x{height}:rate={rate}");
    let picture = match caption {
        Some(name) => format!("{picture},{}", drawtext(name)),
        None => picture,
    };
    // The tone is quiet, with a short higher one every second to judge the lips by.
    format!("{picture}[out0];sine=frequency=330:beep_factor=4:sample_rate=48000,volume=0.4[out1]")
}

/// The input arguments, `-i` included.
pub fn input(rate: &str, caption: Option<&str>) -> Vec<Argument> {
    vec!["-f".into(), "lavfi".into(), "-i".into(), graph(rate, caption).into()]
}

/// A command that ends with 0 if this ffmpeg can write into frames: drawtext is listed even where no font is there.
pub fn caption_trial(ffmpeg: &Path) -> CommandLine {
    let mut command = CommandLine::new(ffmpeg);
    command.args(["-nostdin", "-hide_banner", "-loglevel", "level+error", "-f", "lavfi", "-i"]);
    command.arg(format!("color=size=320x180:rate=5,{}", drawtext("trial")));
    command.args(["-frames:v", "1", "-f", "null", "-"]);
    command
}

/// `name` is reduced to what needs no escaping in a filter graph.
fn drawtext(name: &str) -> String {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    // `%T` of strftime; three levels read this text (graph, filter, drawtext), so its colons need none of their own.
    format!(
        "drawtext=text='{name}  %{{localtime\\:%T}}':fontsize=h/18:fontcolor=white:box=1:boxcolor=black@0.6:\
         boxborderw=12:x=(w-tw)/2:y=h/12"
    )
}
