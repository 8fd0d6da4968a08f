//! The text of multivariant playlists (RFC 8216, 4.3.4): every rendition with what a player chooses by.

use super::ladder::Ladder;
use super::member::Member;
use crate::media::fmp4::{audio_codec_name, carries_audio, video_codec_name};
use std::fmt::Write;

/// What a rendition is taken for before it has a complete segment and nobody has told its bitrate, bits a second.
const UNKNOWN_BANDWIDTH: u64 = 1_000_000;

/// The playlist of the renditions, the best first: of those that are published, or of all while none is, since their
/// publisher may return. `uri_of` gives a label's media playlist; one that gives none is
/// left out.
pub fn multivariant_playlist(ladder: &Ladder, uri_of: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    add_renditions(&mut text, ladder, uri_of);
    text
}

/// What [`multivariant_playlist`] says of the renditions, to go behind those of another ladder.
pub fn add_renditions(text: &mut String, ladder: &Ladder, uri_of: impl Fn(&str) -> Option<String>) {
    let away = !ladder.renditions().any(|(_, member)| member.live);
    let mut members: Vec<(&str, &Member)> =
        ladder.renditions().filter(|(_, member)| member.live || (away && member.is_listed())).collect();
    members
        .sort_by_key(|(_, member)| std::cmp::Reverse((member.has_video(), area(member), bandwidth(member))));
    for (label, member) in members {
        let Some(uri) = uri_of(label) else { continue };
        let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={}", bandwidth(member));
        if let Some(average) = average(member) {
            let _ = write!(text, ",AVERAGE-BANDWIDTH={average}");
        }
        let _ = write!(text, ",CODECS=\"{}\"", codecs(member));
        if let Some((width, height)) = member.size() {
            let _ = write!(text, ",RESOLUTION={width}x{height}");
        }
        if let Some(rate) = member.frame_rate() {
            let _ = write!(text, ",FRAME-RATE={rate:.3}");
        }
        let _ = writeln!(text, ",CLOSED-CAPTIONS=NONE\n{uri}");
    }
}

/// Codec names of video and audio, as players ask Media Source Extensions.
pub fn codecs(member: &Member) -> String {
    let video = member.tracks.video().map(video_codec_name);
    let audio = member.tracks.audio().filter(|track| carries_audio(track)).map(audio_codec_name);
    video.into_iter().chain(audio).collect::<Vec<_>>().join(",")
}

fn area(member: &Member) -> u64 {
    member.size().map_or(0, |(width, height)| u64::from(width).saturating_mul(height.into()))
}

/// The highest rate of a segment, or what was planned if that is more, in steps so that it rarely changes.
fn bandwidth(member: &Member) -> u64 {
    let rates =
        member.window.segments().filter_map(|segment| rate(segment.bytes, segment.duration?.as_secs_f64()));
    let peak = rates.max().unwrap_or(0).max(member.about.bitrate_bps);
    let peak = if peak == 0 { UNKNOWN_BANDWIDTH } else { peak };
    peak.div_ceil(50_000).saturating_mul(50_000)
}

fn average(member: &Member) -> Option<u64> {
    let complete = member.window.segments().filter(|segment| segment.duration.is_some() && !segment.is_gap());
    let (bytes, length) = complete.fold((0_usize, 0.0), |(bytes, length), segment| {
        (bytes + segment.bytes, length + segment.length().as_secs_f64())
    });
    rate(bytes, length).map(|rate| rate.div_ceil(50_000).saturating_mul(50_000))
}

fn rate(bytes: usize, seconds: f64) -> Option<u64> {
    (seconds >= 0.1).then(|| (bytes as f64 * 8.0 / seconds) as u64)
}
