//! Asking ffprobe what a source is, and reading its JSON.
//!
//! The JSON is read as loosely as it is written: numbers come as numbers or as text, fields are missing, new ones
//! appear. Only a document that is no report at all is an error.

use super::capability::Capability;
use super::decodable;
use super::frame_rate::{Rate, Timing};
use super::input;
pub use super::report::{AudioTrack, Report, Transfer, VideoTrack};
use crate::base::command_line::{Argument, CommandLine};
use crate::model::Source;
use serde_json::Value;
use std::path::Path;

/// Longest JSON that is read, in bytes. Chapters and side data are not asked for, so real ones are far smaller.
pub const LARGEST: usize = 4 * 1024 * 1024;
/// Most tracks that are looked at.
const MOST_TRACKS: usize = 512;

/// Why ffprobe's output is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Over [`LARGEST`].
    #[error("ffprobe's report is too large to be one")]
    TooLarge,
    /// No JSON, or not the shape of a report.
    #[error("ffprobe's report cannot be read: {0}")]
    NotReadable(String),
    /// A report without a single track.
    #[error("there is neither video nor audio in it")]
    Nothing,
}

/// The command that reports on `source` as JSON on its standard output, and says on standard error why it cannot.
///
/// The path of a file source must be absolute. A device is opened for a moment; a network source gets 10 s to answer,
/// except RTSP, whose option for that differs by version: see [`command_for`].
pub fn command(ffprobe: &Path, source: &Source) -> CommandLine {
    asking(ffprobe, input::probing(source, None))
}

/// As [`command`], with everything that depends on the version of ffprobe, and with the first packets decoded (see
/// [`decodable`]).
pub fn command_for(ffprobe: &Path, source: &Source, capability: &Capability) -> CommandLine {
    let mut input = decodable::looking(source);
    input.extend(input::probing(source, Some(capability)));
    asking(ffprobe, input)
}

/// The command that looks again, longer, if `report` says that a picture was promised and none has come: an RTMP
/// source whose next keyframe was far; or if the frame rate of an RTMP source is not known and has to be counted.
pub fn second_look(ffprobe: &Path, source: &Source, report: &Report) -> Option<CommandLine> {
    let Source::Url(url) = source else { return None };
    match &report.video {
        None if report.picture_promised => Some(asking(ffprobe, input::probing_again(url, None))),
        Some(video) if url.is_rtmp() && video.timing.told().is_none() => {
            Some(asking(ffprobe, input::probing_to_count(url, None)))
        }
        _ => None,
    }
}

/// The report with the frame rate that a live source means; a recording is seen whole, and is what it is.
pub fn with_its_rate(mut report: Report, source: &Source) -> Report {
    if let (Source::Url(url), Some(video)) = (source, &mut report.video) {
        if url.is_rtmp() {
            video.timing = video.timing.steady(video.timing.told().or_else(|| video.timing.counted()));
        } else if !url.reaches_others() {
            video.timing = video.timing.within_a_look();
        }
    }
    report
}

fn asking(ffprobe: &Path, input: Vec<Argument>) -> CommandLine {
    let mut command = CommandLine::new(ffprobe);
    command.args(["-hide_banner", "-loglevel", "level+warning", "-print_format", "json"]);
    command.args(["-show_format", "-show_streams"]);
    command.args(input);
    command
}

/// Reads what [`command`] printed.
///
/// # Errors
/// If it is no report, or reports nothing that could be published.
pub fn parse(json: &[u8]) -> Result<Report, ProbeError> {
    if json.len() > LARGEST {
        return Err(ProbeError::TooLarge);
    }
    let text = String::from_utf8_lossy(json);
    let document: Value =
        serde_json::from_str(&text).map_err(|error| ProbeError::NotReadable(error.to_string()))?;
    if !document.is_object() {
        return Err(ProbeError::NotReadable("it is no object".into()));
    }
    let format = document.get("format").unwrap_or(&Value::Null);
    let tracks = document.get("streams").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let tracks = tracks.get(..tracks.len().min(MOST_TRACKS)).unwrap_or(tracks);
    let is = |track: &Value, kind: &str| words(track, "codec_type") == kind;
    let video_tracks: Vec<&Value> = tracks.iter().filter(|t| is(t, "video") && usable_video(t)).collect();
    let audio_tracks: Vec<&Value> = tracks.iter().filter(|t| is(t, "audio") && known_codec(t)).collect();
    let mut report = Report {
        format: words(format, "format_name"),
        duration: positive(format, "duration"),
        bit_rate_bps: whole(format, "bit_rate"),
        video: None,
        audio: chosen(&audio_tracks).map(audio),
        video_tracks: video_tracks.len(),
        audio_tracks: audio_tracks.len(),
        picture_promised: promised(format),
        still: still(&words(format, "format_name")) && !video_tracks.is_empty(),
        undecodable: None,
    };
    let picture = if report.in_several_sizes() { largest(&video_tracks) } else { chosen(&video_tracks) };
    report.video = picture.and_then(video);
    // A device says what it delivers; what is counted over its first frames is chance.
    if report.is_format(&["x11grab", "v4l2", "video4linux2", "fbdev"])
        && let Some(video) = &mut report.video
    {
        video.timing.real = video.timing.average;
    }
    if report.video.is_none() && report.audio.is_none() { Err(ProbeError::Nothing) } else { Ok(report) }
}

/// Whether the metadata of an RTMP stream speak of a picture.
fn promised(format: &Value) -> bool {
    let tags = format.get("tags").unwrap_or(&Value::Null);
    ["displayWidth", "width"].into_iter().any(|name| number(tags, name).is_some_and(|n| n > 0.0))
}

/// The largest picture, of equal ones the first.
fn largest<'a>(tracks: &[&'a Value]) -> Option<&'a Value> {
    let side = |track: &Value, name: &str| side(track, name).unwrap_or(0);
    let area = |track: &&&Value| u64::from(side(track, "width")) * u64::from(side(track, "height"));
    tracks.iter().rev().max_by_key(area).copied()
}

/// The default track, else the first.
fn chosen<'a>(tracks: &[&'a Value]) -> Option<&'a Value> {
    tracks.iter().find(|t| flag(t, "default")).or(tracks.first()).copied()
}

/// Cover art and thumbnails are pictures of a kind, but nothing to publish.
fn usable_video(track: &Value) -> bool {
    !flag(track, "attached_pic")
        && !flag(track, "timed_thumbnails")
        && known_codec(track)
        && side(track, "width").is_some()
        && side(track, "height").is_some()
}

/// ffprobe names no codec, or `unknown` or `none`, where it has no decoder.
fn known_codec(track: &Value) -> bool {
    !matches!(words(track, "codec_name").as_str(), "" | "unknown" | "none")
}

/// Demuxers that read one picture from a file: `png_pipe`, `jpeg_pipe`, `image2`, ...
fn still(format: &str) -> bool {
    format == "image2" || (format.ends_with("_pipe") && format != "yuv4mpegpipe")
}

fn video(track: &Value) -> Option<VideoTrack> {
    let (coded_width, coded_height) = (side(track, "width")?, side(track, "height")?);
    let (across, down) = aspect(&words(track, "sample_aspect_ratio"));
    let rotation = rotation(track);
    // Samples wider than high widen the picture, narrower ones heighten it, so that no line is lost.
    let (mut width, mut height) = if across >= down {
        (stretched(coded_width, across, down), coded_height)
    } else {
        (coded_width, stretched(coded_height, down, across))
    };
    if matches!(rotation, 90 | 270) {
        std::mem::swap(&mut width, &mut height);
    }
    let interlaced = matches!(words(track, "field_order").as_str(), "tt" | "bb" | "tb" | "bt");
    let pix_fmt = words(track, "pix_fmt");
    Some(VideoTrack {
        index: index(track),
        codec: words(track, "codec_name"),
        profile: words(track, "profile"),
        width,
        height,
        coded_width,
        coded_height,
        square: across == down,
        rotation,
        timing: Timing {
            average: Rate::parse(&words(track, "avg_frame_rate")),
            real: Rate::parse(&words(track, "r_frame_rate")),
            interlaced,
        },
        interlaced,
        bit_depth: bit_depth(track, &pix_fmt),
        full_range: words(track, "color_range") == "pc" || pix_fmt.starts_with("yuvj"),
        pix_fmt,
        transfer: match words(track, "color_transfer").as_str() {
            "smpte2084" => Transfer::Pq,
            "arib-std-b67" => Transfer::Hlg,
            _ => Transfer::Sdr,
        },
        b_frames: whole(track, "has_b_frames").map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        start: seconds(track, "start_time"),
        duration: length(track),
        bit_rate_bps: whole(track, "bit_rate"),
    })
}

fn audio(track: &Value) -> AudioTrack {
    AudioTrack {
        index: index(track),
        codec: words(track, "codec_name"),
        profile: words(track, "profile"),
        sample_rate_hz: whole(track, "sample_rate").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        channels: whole(track, "channels").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        start: seconds(track, "start_time"),
        duration: length(track),
        bit_rate_bps: whole(track, "bit_rate"),
    }
}

/// A track's length: its own, or what Matroska wrote as a tag.
fn length(track: &Value) -> Option<f64> {
    positive(track, "duration").or_else(|| {
        let tags = track.get("tags")?.as_object()?;
        let tag = tags.iter().find(|(name, _)| name.eq_ignore_ascii_case("duration"))?.1;
        clock(tag.as_str()?)
    })
}

/// `00:00:07.300000000` in seconds.
fn clock(text: &str) -> Option<f64> {
    let mut parts = text.splitn(3, ':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let total = hours.parse::<f64>().ok()? * 3600.0 + minutes.parse::<f64>().ok()? * 60.0;
    Some(total + seconds.parse::<f64>().ok()?).filter(|s| s.is_finite() && *s > 0.0)
}

/// Degrees from the display matrix, else from the tag of older files; a multiple of 90.
fn rotation(track: &Value) -> u32 {
    let matrix = track.get("side_data_list").and_then(Value::as_array).into_iter().flatten();
    let turned = matrix
        .take(64)
        .find_map(|data| number(data, "rotation"))
        .or_else(|| number(track.get("tags")?, "rotate").map(|degrees| -degrees));
    match turned {
        Some(degrees) if degrees.is_finite() => {
            let quarter = (degrees / 90.0).round().rem_euclid(4.0);
            (quarter as u32 % 4) * 90
        }
        _ => 0,
    }
}

/// A sample aspect ratio; square if unknown or absurd.
fn aspect(text: &str) -> (u32, u32) {
    let parsed = text.split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    match parsed {
        Some((a, b)) if a > 0u32 && b > 0u32 => {
            let ratio = f64::from(a) / f64::from(b);
            if (0.1..=10.0).contains(&ratio) { (a, b) } else { (1, 1) }
        }
        _ => (1, 1),
    }
}

/// `side` times `by` over `over`, rounded, at most 65535.
fn stretched(side: u32, by: u32, over: u32) -> u32 {
    let exact = u64::from(side) * u64::from(by);
    let rounded = (exact + u64::from(over) / 2) / u64::from(over.max(1));
    u32::try_from(rounded.clamp(1, 65_535)).unwrap_or(65_535)
}

/// Bits of a sample: what the codec says, else what the pixel format's name says (`yuv420p10le`, `p010le`).
fn bit_depth(track: &Value, pix_fmt: &str) -> u8 {
    let name = pix_fmt.trim_end_matches("le").trim_end_matches("be");
    let named = [9u8, 10, 12, 14, 16].into_iter().find(|bits| {
        let bits = bits.to_string();
        name.ends_with(&format!("p{bits}"))
            || name.ends_with(&format!("0{bits}"))
            || name == format!("gray{bits}")
    });
    let said = whole(track, "bits_per_raw_sample").and_then(|n| u8::try_from(n).ok()).filter(|n| *n > 0);
    named.or(said.filter(|_| pix_fmt.is_empty())).unwrap_or(8)
}

fn index(track: &Value) -> u32 {
    whole(track, "index").and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

/// A side of a picture, 1 to 65535.
fn side(track: &Value, name: &str) -> Option<u32> {
    whole(track, name).and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=65_535).contains(n))
}

fn words(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).map(|s| s.chars().take(200).collect()).unwrap_or_default()
}

/// A number written as a number or as text.
fn number(value: &Value, name: &str) -> Option<f64> {
    let found = value.get(name)?;
    found.as_f64().or_else(|| found.as_str()?.trim().parse().ok()).filter(|n: &f64| n.is_finite())
}

fn whole(value: &Value, name: &str) -> Option<u64> {
    let found = value.get(name)?;
    found.as_u64().or_else(|| found.as_str()?.trim().parse().ok())
}

fn seconds(value: &Value, name: &str) -> Option<f64> {
    number(value, name).filter(|s| s.abs() < 1e9)
}

fn positive(value: &Value, name: &str) -> Option<f64> {
    seconds(value, name).filter(|s| *s > 0.0)
}

fn flag(track: &Value, name: &str) -> bool {
    track.get("disposition").and_then(|d| whole(d, name)).is_some_and(|n| n != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    macro_rules! film {
        ($name:literal) => {
            parse(include_bytes!(concat!("../../tests/data/ffprobe/5.1.9-", $name, ".json")))
        };
    }

    #[test]
    fn sources_are_summed_up() {
        for (report, expected) in [
            (film!("film-mp4"), "h264 1920x1080 24 fps, aac"),
            (film!("ac3-mkv"), "h264 320x180 25 fps, ac3"),
            (film!("anamorphic-mpg"), "mpeg2video 1024x576 25 fps"),
            (film!("cover-mp3"), "mp3"),
            (film!("fps60-mp4"), "h264 320x180 60 fps"),
            (film!("mjpeg-avi"), "mjpeg 320x180 25 fps, pcm_s16le"),
            (film!("oddsize-mkv"), "h264 321x181 25 fps"),
            (film!("pal-ts"), "h264 1024x576 25 fps, mp2"),
            (film!("plain-flv"), "h264 320x180 25 fps, aac"),
            (film!("portrait-mov"), "h264 180x320 25 fps, pcm_s16le"),
            (film!("rotated-mp4"), "h264 180x320 25 fps, aac"),
            (film!("still-png"), "png 300x300 25 fps"),
            (film!("tone-wav"), "pcm_s16le"),
            (film!("twoaudio-mkv"), "h264 320x180 25 fps, aac"),
            (film!("vfr-mp4"), "h264 320x180 30 fps"),
            (film!("vp9-webm"), "vp9 320x180 25 fps, opus"),
            (film!("x11grab"), "rawvideo 800x600 30 fps"),
        ] {
            assert_eq!(report.unwrap().summary(), expected);
        }
        assert_eq!(film!("sub-srt"), Err(ProbeError::Nothing));
    }

    #[test]
    fn what_a_plan_needs_is_found() {
        let of = |report: Result<Report, ProbeError>| report.unwrap().video.unwrap();
        let hdr = of(film!("hdr-mp4"));
        assert_eq!((hdr.transfer, hdr.bit_depth, hdr.codec.as_str()), (Transfer::Pq, 10, "hevc"));
        assert_eq!(of(film!("hlg-mkv")).transfer, Transfer::Hlg);
        assert!(of(film!("pal-ts")).interlaced && !of(film!("film-mp4")).interlaced);
        assert_eq!(of(film!("rotated-mp4")).rotation, 90);
        assert!(of(film!("vfr-mp4")).timing.variable() && !of(film!("film-mp4")).timing.variable());
        assert!(!of(film!("anamorphic-mpg")).square);
        let two = film!("twoaudio-mkv").unwrap();
        assert_eq!((two.audio_tracks, two.audio.unwrap().index), (2, 2), "the default one");
        assert!(film!("still-png").unwrap().still && !film!("vfr-mp4").unwrap().still);
        assert!(film!("list-m3u8").unwrap().is_format(&["hls"]));
        // Matroska writes lengths as tags.
        let mkv = film!("plain-mkv").unwrap();
        assert!((mkv.video.unwrap().duration.unwrap() - 2.0).abs() < 0.1);
        assert_eq!(film!("film-mp4").unwrap().audio.unwrap().channels, 6);
    }

    #[test]
    fn a_promised_picture_is_looked_for_again() {
        let audio_only = film!("rtmp-source-before-keyframe").unwrap();
        assert!(audio_only.video.is_none() && audio_only.picture_promised);
        let source = Source::Url("rtmp://localhost/live/x".parse().unwrap());
        let again = second_look(Path::new("ffprobe"), &source, &audio_only).unwrap();
        assert!(again.shown_args().contains(&"12000000".to_string()));
        let both = film!("rtmp-source").unwrap();
        assert_eq!(both.summary(), "h264 640x360 24 fps, aac");
        assert_eq!(second_look(Path::new("ffprobe"), &source, &both), None);
        let file = Source::File("/a.flv".into());
        assert_eq!(second_look(Path::new("ffprobe"), &file, &audio_only), None);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        assert!(matches!(parse(b""), Err(ProbeError::NotReadable(_))));
        assert!(matches!(parse(b"[]"), Err(ProbeError::NotReadable(_))));
        assert_eq!(parse(b"{}"), Err(ProbeError::Nothing));
        assert_eq!(parse(&vec![b' '; LARGEST + 1]), Err(ProbeError::TooLarge));
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }

    /// A track with odd values in known places.
    fn odd_json() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            Just("null".to_string()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<f64>().prop_map(|n| format!("{n:?}").replace("NaN", "1e999").replace("inf", "1e308")),
            "[0-9]{0,12}(/|:)[0-9]{0,12}".prop_map(|t| format!("\"{t}\"")),
            "[a-z0-9]{0,8}".prop_map(|t| format!("\"{t}\"")),
            Just("{\"default\":1,\"attached_pic\":\"1\"}".to_string()),
            Just("[{\"rotation\":1e300},{\"rotation\":-90}]".to_string()),
        ];
        let names = [
            "index",
            "codec_name",
            "width",
            "height",
            "sample_aspect_ratio",
            "field_order",
            "pix_fmt",
            "avg_frame_rate",
            "r_frame_rate",
            "duration",
            "start_time",
            "sample_rate",
            "channels",
            "side_data_list",
            "disposition",
            "tags",
            "bits_per_raw_sample",
            "has_b_frames",
        ];
        let pair =
            (proptest::sample::select(names.to_vec()), value).prop_map(|(n, v)| format!("\"{n}\":{v}"));
        let track = (any::<bool>(), proptest::collection::vec(pair, 0..18)).prop_map(|(video, pairs)| {
            let kind = if video { "video" } else { "audio" };
            let fields: Vec<String> =
                std::iter::once(format!("\"codec_type\":\"{kind}\"")).chain(pairs).collect();
            format!("{{{}}}", fields.join(","))
        });
        proptest::collection::vec(track, 0..4)
            .prop_map(|tracks| format!("{{\"streams\":[{}]}}", tracks.join(",")))
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn odd_tracks_are_read(json in odd_json()) {
            if let Ok(report) = parse(json.as_bytes()) {
                let _ = report.summary();
                if let Some(video) = report.video {
                    prop_assert!((1..=65_535).contains(&video.width) && (1..=65_535).contains(&video.height));
                    prop_assert!(matches!(video.rotation, 0 | 90 | 180 | 270));
                }
            }
        }
    }
}
