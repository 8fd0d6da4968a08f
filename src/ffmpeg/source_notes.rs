//! What there is to say about a source: why it is refused, and what will be done to it.

use super::capability::Capability;
use super::encoder::{Encoder, Making};
use super::frame_rate::Rate;
use super::ladder_plan::PlannedRung;
use super::packet_times::Times;
use super::plan::Known;
use super::report::{Report, Transfer, VideoTrack};
use crate::base::{Failure, Kind, Outcome};
use crate::model::Source;

/// Demuxers that follow references to other files and hosts.
const PLAYLISTS: [&str; 9] =
    ["hls", "applehttp", "dash", "webm_dash_manifest", "concat", "sdp", "imf", "vapoursynth", "avisynth"];
/// Demuxers that see a picture in any text, and those of subtitles and tags.
const TEXTS: [&str; 11] =
    ["tty", "ansi", "bin", "xbin", "adf", "idf", "srt", "ass", "webvtt", "lrc", "ffmetadata"];

/// Refuses what ffmpeg could open and nobody means.
///
/// # Errors
/// Input (7).
pub fn refuse(report: &Report, source: &Source) -> Outcome<()> {
    // Whoever allowed http has been told where a playlist may lead.
    let allowed = matches!(source, Source::Url(url) if url.reaches_others()) && report.in_several_sizes();
    if report.is_format(&PLAYLISTS) && !allowed {
        return Err(Failure::new(Kind::Input, "the source is a playlist, not a film")
            .why(format!("ffprobe reads it as {}, which may lead to other files and hosts", report.format))
            .hint("name the film itself, or push the stream over RTMP and use -r"));
    }
    if report.is_format(&TEXTS) {
        return Err(Failure::new(Kind::Input, "the source is text, not a film")
            .why(format!("ffprobe takes it for {}", report.format))
            .hint("name a film"));
    }
    Ok(())
}

/// What a person should know about the tracks of this source.
pub fn tracks(report: &Report, has_audio: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if report.video_tracks > 1 {
        notes.push(chosen_of(report.video_tracks, "video tracks", report.video.as_ref().map(|v| v.index)));
    }
    if report.audio_tracks > 1 {
        notes.push(chosen_of(report.audio_tracks, "audio tracks", report.audio.as_ref().map(|a| a.index)));
    }
    if let Some(kind) = report.undecodable {
        let word = kind.word();
        notes.push(format!("the {word} of the source cannot be decoded: it goes out without {word}"));
    } else if !has_audio {
        notes.push("no audio in the source: video only".into());
    }
    notes
}

/// What the B-frames of a source mean that is copied into `copied`; `without` is how to have none. A decoder that has to
/// be ready for them is as good as having them: readers go by that, whether or not any come.
pub fn b_frames(video: &VideoTrack, reordered: bool, copied: &str, without: &str) -> Option<String> {
    (reordered || video.b_frames > 0).then(|| {
        format!(
            "{copied} keeps the source's B-frames: over RTSP ffmpeg -c copy fails on them (over RTMP it does not), and \
             WebRTC cannot carry them; {without} encodes them away"
        )
    })
}

/// What is mended in a file's times.
pub fn mended(known: &Known) -> Option<String> {
    match &known.times {
        Times::Faulty(fault) => Some(format!("the times in the file are mended: {fault}")),
        Times::Unread | Times::Plain => None,
    }
}

/// What is done to the picture when it is encoded.
pub fn picture(video: &VideoTrack, capability: &Capability) -> Vec<String> {
    let mut notes = Vec::new();
    let has = |name: &str| capability.filters.contains(name);
    if video.interlaced && (has("bwdif") || has("yadif")) {
        notes.push("the source is interlaced: it is deinterlaced".into());
    }
    if video.transfer != Transfer::Sdr {
        notes.push(if has("zscale") && has("tonemap") {
            "the source is HDR: it is mapped to ordinary colours, which costs work".into()
        } else {
            "the source is HDR and this ffmpeg cannot map it (no zscale): colours will look pale".into()
        });
    }
    notes
}

/// What is said of the frame rate, if it is not simply the source's.
pub fn rate_note(video: &VideoTrack, rate: Rate, asked: Option<f64>) -> Option<String> {
    let source = video.timing.constant();
    if asked.is_some() {
        return source
            .filter(|s| rate.value() > s.value() * 1.01)
            .map(|s| format!("{rate} fps repeats frames: the source has {s}"));
    }
    match source {
        None => Some(format!("the source's frame rate is unknown: published at {rate} fps")),
        Some(s) if rate.value() > s.value() * 1.01 => Some(format!(
            "{s} fps published as {rate}, since at fewer every viewer waits long for the first picture"
        )),
        Some(s) if rate.value() < s.value() * 0.99 => {
            Some(format!("{s} fps published as {rate}; --fps {s} keeps them all"))
        }
        Some(_) if video.timing.variable() => Some(format!("the frame rate varies: published at {rate} fps")),
        Some(_) => None,
    }
}

/// How the variants are made: `in 4 variants with x264`, `in 4 variants, 1080p copied, the others with x264`.
pub fn summary(rungs: &[PlannedRung], making: &[Making]) -> String {
    let variants = match rungs.len() {
        1 => "in 1 variant".to_string(),
        n => format!("in {n} variants"),
    };
    let mut encoders: Vec<&str> = Vec::new();
    for encoder in making.iter().filter_map(Making::encoder) {
        if !encoders.contains(&encoder.called.as_str()) {
            encoders.push(&encoder.called);
        }
    }
    let copied = rungs.iter().zip(making).find(|(_, making)| **making == Making::Copied);
    match (copied, encoders.join(" and ")) {
        (None, encoders) => format!("{variants} with {encoders}"),
        (Some((rung, _)), none) if none.is_empty() => format!("{variants}, {} copied", rung.rung.label),
        (Some((rung, _)), encoders) if making.len() == 2 => {
            format!("{variants}, {} copied, the other with {encoders}", rung.rung.label)
        }
        (Some((rung, _)), encoders) => {
            format!("{variants}, {} copied, the others with {encoders}", rung.rung.label)
        }
    }
}

/// What is said where hardware cannot encode all renditions at once.
pub fn sessions(rungs: &[PlannedRung], making: &[Making], encoder: &Encoder) -> Option<String> {
    let beside: Vec<&str> = rungs
        .iter()
        .zip(making)
        .filter(|(_, making)| making.encoder().is_some_and(|own| own != encoder))
        .map(|(rung, _)| rung.rung.label.as_str())
        .collect();
    (!beside.is_empty()).then(|| {
        format!("{} with x264: {} takes no more renditions at once", beside.join(", "), encoder.called)
    })
}

fn chosen_of(count: usize, what: &str, index: Option<u32>) -> String {
    match index {
        Some(index) => format!("{count} {what} in the source: track {index} is used"),
        None => format!("{count} {what} in the source"),
    }
}
