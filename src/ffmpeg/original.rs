//! Publishing a source as it is: tracks are copied, nothing is decoded but audio that RTMP cannot carry.

use super::capability::Capability;
use super::delivery::{self, Flow};
use super::feeder::{self, Audio};
use super::filter_graph;
use super::head_start::HeadStart;
use super::invocation::Invocation;
use super::loop_input;
use super::output::{AUDIO_PACKETS, audio_encoding, closing};
use super::plan::{Plan, PlannedRendition, Request};
use super::reading::inputs;
use super::report::{AudioTrack, Report, VideoTrack};
use super::source_notes;
use crate::base::command_line::Argument;
use crate::base::printable::bounded;
use crate::base::{Failure, Kind, Outcome};
use crate::model::{Rendition, RenditionName, Source};

/// How long one track waits for the other, in microseconds.
const WAITED: &str = "500000";

/// The plan of `-o`; through a feeder if `fed`.
///
/// # Errors
/// Input (7) if RTMP cannot carry the picture, with the way out.
pub fn plan(request: &Request, source: &Report, capability: &Capability, fed: bool) -> Outcome<Plan> {
    let report = if fed { &feeder::as_fed(source) } else { source };
    if let Some(video) = &report.video {
        carried(video, &request.source)?;
        ordered(video, report)?;
    }
    let name = RenditionName::new(&request.key, &Rendition::Original);
    let mut notes = source_notes::tracks(report, report.audio.is_some());
    let mut output = Vec::new();
    if let Some(video) = &report.video {
        output.extend(pair("-map", &format!("0:{}", report.video_specifier(video))));
        output.extend(pair("-c:v", "copy"));
        // The tag of another container (`avc1` of MP4) is refused behind a queue (5.1); 7 is FLV's own for H.264.
        output.extend(pair("-tag:v", "7"));
    }
    notes.extend(
        report.video.as_ref().and_then(|v| source_notes::b_frames(v, false, "the stream", "leaving out -o")),
    );
    let mut copied = true;
    if let Some(audio) = &report.audio {
        output.extend(pair("-map", &format!("0:{}", report.audio_specifier(audio))));
        match copied_tag(audio) {
            Some(tag) => {
                output.extend(pair("-c:a", "copy"));
                output.extend(pair("-tag:a", tag));
            }
            None => {
                copied = false;
                notes.push(format!("RTMP cannot carry {}: the audio is encoded to AAC", words(&audio.codec)));
                output.extend(pair("-filter:a", &filter_graph::audio(audio, HeadStart::None)));
                output.extend(audio_encoding(request.audio_bitrate_bps));
            }
        }
    }
    if report.video.is_none() && report.audio.is_none() {
        return Err(Failure::new(Kind::Input, "there is neither video nor audio in the source"));
    }
    // Where one track is away the other goes on alone.
    output.extend(pair("-max_interleave_delta", WAITED));
    output.extend(closing(request));
    let video = report.video.as_ref().map_or(0.0, |v| v.timing.constant().map_or(60.0, |r| r.value()));
    let flow = Flow { video, audio: if report.audio.is_some() { AUDIO_PACKETS } else { 0.0 } };
    output.extend(delivery::fifo(&name, &request.endpoint, flow));
    if request.ladder.is_some() {
        notes.push("--variants has no meaning with -o: the source goes out as it is".into());
    }
    Ok(Plan {
        renditions: vec![PlannedRendition {
            rendition: Rendition::Original,
            name,
            size: report.video.as_ref().map_or((0, 0), |v| (v.width, v.height)),
            bitrate_bps: report.bit_rate_bps.unwrap_or(0),
        }],
        summary: "as it is".into(),
        notes,
        warnings: warnings(report),
        quality: None,
        cost: None,
        encoded: Vec::new(),
        invocation: Invocation {
            feeder: feeder::repeating(request, report).or(fed.then(|| {
                let audio = match (&report.audio, copied) {
                    (Some(_), true) => Audio::Copied,
                    _ => Audio::decoded(report),
                };
                feeder::feeder(request, source, capability, audio)
            })),
            globals: Vec::new(),
            inputs: if fed {
                vec![feeder::input()]
            } else {
                inputs(request, report, capability, None, copied, false, HeadStart::None)
            },
            graph: None,
            output,
        },
    })
}

/// FLV's tag of audio that can be copied. MP3 only at the rates FLV has.
fn copied_tag(audio: &AudioTrack) -> Option<&'static str> {
    match audio.codec.as_str() {
        "aac" => Some("10"),
        "mp3" if audio.sample_rate_hz == 44_100 => Some("2"),
        _ => None,
    }
}

/// Whether RTMP carries this picture to every server: H.264 alone. HEVC, AV1 and VP9 need *enhanced* RTMP, which
/// ffmpeg speaks from 6.1 on and nginx-rtmp does not.
fn carried(video: &VideoTrack, source: &Source) -> Outcome<()> {
    if video.codec == "h264" {
        return Ok(());
    }
    let what = match source {
        Source::Device { .. } | Source::Test => "a raw picture".to_string(),
        _ => words(&video.codec),
    };
    Err(Failure::new(Kind::Input, format!("RTMP cannot carry {what}, so the source cannot go out as it is"))
        .why("only H.264 is understood by every RTMP server")
        .hint("leave out -o        (the picture is encoded then)"))
}

/// Whether it is known when each frame is shown. Without a container it is not, once frames come in another order.
fn ordered(video: &VideoTrack, report: &Report) -> Outcome<()> {
    if video.b_frames == 0 || !loop_input::is_bare(report) {
        return Ok(());
    }
    Err(Failure::new(Kind::Input, "the source cannot go out as it is")
        .why("it has B-frames and no container that would say when each is shown")
        .hint("leave out -o        (the picture is encoded then)"))
}

/// What players may not take, and what RTMP does not carry.
fn warnings(report: &Report) -> Vec<String> {
    let Some(video) = &report.video else { return Vec::new() };
    let mut warnings = Vec::new();
    if !matches!(video.pix_fmt.as_str(), "yuv420p" | "yuvj420p" | "") {
        warnings
            .push(format!("many players cannot show {}; without -o it is converted", words(&video.pix_fmt)));
    }
    if video.rotation != 0 {
        warnings.push(format!(
            "RTMP does not carry the turn by {} degrees; without -o it is made",
            video.rotation
        ));
    }
    if video.interlaced {
        warnings.push("the source is interlaced; without -o it is deinterlaced".into());
    }
    warnings
}

fn words(name: &str) -> String {
    if name.is_empty() { "an unknown codec".into() } else { bounded(name, 40) }
}

fn pair(option: &str, value: &str) -> [Argument; 2] {
    [Argument::plain(option), Argument::plain(value)]
}
