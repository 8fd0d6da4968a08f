//! The description that a publisher announces (or a server gives our client): which tracks come, in which payload
//! formats. What msconv does not carry is refused by its name.

use crate::media::codec::{h264, h265, opus};
use crate::media::rtp::sound_unpack::AuHeaders;
use crate::media::{AudioCodec, AudioTrack, VideoCodec, VideoTrack};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use sdp_types::{Media, Session};
use std::collections::BTreeMap;

/// Most tracks of one description.
const MOST_TRACKS: usize = 16;
/// Parameter sets longer than this are no parameter sets.
const LONGEST_SET: usize = 4096;

/// One `m=` line.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Its control URL as it stands there, empty if it has none.
    pub control: String,
    /// The payload type of its packets.
    pub payload_type: u8,
    /// Ticks a second of its RTP time.
    pub clock: u32,
    /// What comes.
    pub format: Format,
}

/// What the packets of a track carry.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Pictures; the track if the description has its parameter sets.
    Video(VideoCodec, Option<VideoTrack>),
    /// AAC, and how its headers are laid out.
    Aac(AudioTrack, AuHeaders),
    /// MPEG audio: rate and channels stand in its frames.
    Mpeg,
    /// Opus or G.711.
    Plain(AudioTrack),
    /// Data that nobody reads (ONVIF metadata and the like): taken and thrown away.
    Ignored,
}

/// Why a description is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It breaks the rules.
    #[error("the description cannot be read")]
    Unreadable,
    /// A codec that is not carried.
    #[error("{0} is not carried; publish H264 or H265 with AAC, Opus, MP3 or G.711")]
    Codec(String),
    /// Something about a codec that is.
    #[error("{0}")]
    Parameters(String),
    /// There is nothing to carry.
    #[error("the description has neither pictures nor sound")]
    Nothing,
    /// More than one of a kind.
    #[error("the description has more than one track of {0}")]
    TooMany(&'static str),
}

/// Reads a description.
///
/// # Errors
/// Why it is refused.
pub fn read(body: &[u8]) -> Result<Vec<Described>, Refused> {
    let session = Session::parse(body).map_err(|_| Refused::Unreadable)?;
    if session.medias.len() > MOST_TRACKS {
        return Err(Refused::Unreadable);
    }
    let tracks = session.medias.iter().map(media).collect::<Result<Vec<_>, _>>()?;
    let video = tracks.iter().filter(|t| matches!(t.format, Format::Video(..))).count();
    let ignored = tracks.iter().filter(|t| t.format == Format::Ignored).count();
    match (video, tracks.len().saturating_sub(video).saturating_sub(ignored)) {
        (0, 0) => Err(Refused::Nothing),
        (2.., _) => Err(Refused::TooMany("pictures")),
        (_, 2..) => Err(Refused::TooMany("sound")),
        _ => Ok(tracks),
    }
}

/// The value of an attribute; sdp-types looks at names as they are written.
fn value<'a>(media: &'a Media, name: &str) -> Option<&'a str> {
    let of = media.attributes.iter().find(|a| a.attribute.eq_ignore_ascii_case(name))?;
    of.value.as_deref().map(str::trim)
}

/// The value of the attribute for a payload type (`rtpmap`, `fmtp`).
fn mapped<'a>(media: &'a Media, name: &str, payload_type: u8) -> Option<&'a str> {
    let all = media.attributes.iter().filter(|a| a.attribute.eq_ignore_ascii_case(name));
    all.filter_map(|a| a.value.as_deref()?.trim().split_once(char::is_whitespace))
        .find(|(number, _)| number.parse() == Ok(payload_type))
        .map(|(_, value)| value.trim())
}

fn media(media: &Media) -> Result<Described, Refused> {
    let first = media.fmt.split_whitespace().next().unwrap_or_default();
    let payload_type = first.parse::<u8>().ok().filter(|p| *p < 128);
    let control = value(media, "control").unwrap_or_default().to_string();
    let sound = media.media.eq_ignore_ascii_case("audio");
    if !sound && !media.media.eq_ignore_ascii_case("video") {
        let payload_type = payload_type.unwrap_or(127);
        return Ok(Described { control, payload_type, clock: 90_000, format: Format::Ignored });
    }
    let payload_type = payload_type.ok_or(Refused::Unreadable)?;
    let map = match (mapped(media, "rtpmap", payload_type), payload_type) {
        (Some(map), _) => map,
        (None, 0) => "PCMU/8000",
        (None, 8) => "PCMA/8000",
        (None, 14) => "MPA/90000",
        (None, other) => return Err(Refused::Codec(format!("payload type {other}"))),
    };
    let mut words = map.split('/').map(str::trim);
    let name = words.next().unwrap_or_default();
    let clock = words.next().and_then(|w| w.parse::<u32>().ok()).filter(|c| (1000..=384_000).contains(c));
    let clock = clock.ok_or(Refused::Unreadable)?;
    let channels = match words.next() {
        Some(word) => word.parse::<u8>().ok().filter(|c| (1..=8).contains(c)).ok_or(Refused::Unreadable)?,
        None => 1,
    };
    let parameters = parameters(mapped(media, "fmtp", payload_type).unwrap_or_default());
    let format = match (sound, name.to_ascii_uppercase().as_str()) {
        (false, "H264") => h264_format(&parameters)?,
        (false, "H265" | "HEVC") => h265_format(&parameters)?,
        (true, "MPEG4-GENERIC") => aac_format(&parameters)?,
        (true, "OPUS") => opus_format(&parameters)?,
        (true, "MPA") => Format::Mpeg,
        (true, "PCMA") => Format::Plain(AudioTrack::plain(AudioCodec::G711A, clock, channels)),
        (true, "PCMU") => Format::Plain(AudioTrack::plain(AudioCodec::G711U, clock, channels)),
        _ => return Err(Refused::Codec(crate::base::printable::bounded(name, 40))),
    };
    if matches!(format, Format::Video(..)) && clock != crate::media::rtp::CLOCK_90K {
        return Err(Refused::Parameters(format!("{name} counts in 90000, not in {clock}")));
    }
    Ok(Described { control, payload_type, clock, format })
}

/// `a=1; B=2` by names in small letters.
fn parameters(text: &str) -> BTreeMap<String, &str> {
    fn pair(text: &str) -> Option<(String, &str)> {
        let (name, value) = text.trim().split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim()))
    }
    text.split(';').take(64).filter_map(pair).collect()
}

/// Base64 with or without its padding, as cameras write it.
fn sets(text: &str) -> Vec<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    let all = text.split(',').take(16).filter(|t| t.len() <= LONGEST_SET);
    all.filter_map(|t| engine.decode(t.trim()).ok())
        .map(without_start_code)
        .filter(|s| !s.is_empty())
        .collect()
}

/// Some cameras put a start code before their parameter sets.
fn without_start_code(set: Vec<u8>) -> Vec<u8> {
    let bare = set.strip_prefix(&[0, 0, 0, 1]).or_else(|| set.strip_prefix(&[0, 0, 1]));
    bare.map(<[u8]>::to_vec).unwrap_or(set)
}

fn h264_format(parameters: &BTreeMap<String, &str>) -> Result<Format, Refused> {
    if parameters.get("packetization-mode").is_some_and(|mode| *mode == "2") {
        return Err(Refused::Parameters("H264 in interleaved packetization mode is not carried".into()));
    }
    let sets = sets(parameters.get("sprop-parameter-sets").unwrap_or(&""));
    let of = |kind| sets.iter().find(|set| h264::nal::kind(set) == kind);
    // Sets that cannot be read are as good as none: they will come with the pictures.
    let track = of(h264::nal::SPS).zip(of(h264::nal::PPS));
    Ok(Format::Video(VideoCodec::H264, track.and_then(|(sps, pps)| h264::track_of_sets(sps, pps).ok())))
}

fn h265_format(parameters: &BTreeMap<String, &str>) -> Result<Format, Refused> {
    if parameters.get("sprop-max-don-diff").is_some_and(|d| *d != "0") {
        return Err(Refused::Parameters("H265 with decoding order numbers is not carried".into()));
    }
    let first = |name| sets(parameters.get(name).unwrap_or(&"")).into_iter().next();
    let track = match (first("sprop-vps"), first("sprop-sps"), first("sprop-pps")) {
        (Some(vps), Some(sps), Some(pps)) => h265::track_of_sets(&vps, &sps, &pps).ok(),
        _ => None,
    };
    Ok(Format::Video(VideoCodec::H265, track))
}

fn aac_format(parameters: &BTreeMap<String, &str>) -> Result<Format, Refused> {
    let bad = |what: &str| Refused::Parameters(format!("the AAC description has no readable {what}"));
    let config = hex(parameters.get("config").unwrap_or(&"")).ok_or_else(|| bad("config"))?;
    let track = AudioTrack::aac(config).map_err(|e| Refused::Parameters(e.to_string()))?;
    let bits = |name: &str, usual: u32| match parameters.get(name) {
        Some(value) => value.parse::<u32>().ok(),
        None => Some(usual),
    };
    let headers = AuHeaders {
        size: bits("sizelength", 13).ok_or_else(|| bad("sizelength"))?,
        index: bits("indexlength", 3).ok_or_else(|| bad("indexlength"))?,
        index_delta: bits("indexdeltalength", 3).ok_or_else(|| bad("indexdeltalength"))?,
    };
    let more = ["ctsdeltalength", "dtsdeltalength", "streamstateindication", "auxiliarydatasizelength"];
    let plain = more.iter().all(|name| parameters.get(*name).is_none_or(|v| *v == "0"));
    if headers.readable() && plain {
        Ok(Format::Aac(track, headers))
    } else {
        Err(Refused::Parameters("this mode of mpeg4-generic is not carried; use AAC-hbr".into()))
    }
}

fn opus_format(parameters: &BTreeMap<String, &str>) -> Result<Format, Refused> {
    let mono = parameters.get("sprop-stereo").is_some_and(|v| *v == "0");
    let track = AudioTrack::opus(opus::head(if mono { 1 } else { 2 }));
    track.map(Format::Plain).map_err(|e| Refused::Parameters(e.to_string()))
}

fn hex(text: &str) -> Option<Bytes> {
    let digits = text.trim_matches('"').as_bytes();
    if digits.is_empty() || digits.len() > 128 || !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16);
    let (pairs, _) = digits.as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| u8::try_from((digit(*high)? << 4) | digit(*low)?).ok();
    pairs.iter().map(byte).collect::<Option<Vec<u8>>>().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::super::sdp_write::describe;
    use super::*;
    use crate::media::Tracks;
    use proptest::prelude::*;

    const HEAD: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n";
    /// As ffmpeg 5.1 announces H.264 with AAC.
    const FFMPEG: &str = "a=tool:libavformat 59.27.100\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
        a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z2QAH6zZQFAFuwEQAAADABAAAAMDwPGDGWA=,aOvjyyLA; \
        profile-level-id=64001F\r\na=control:streamid=0\r\nm=audio 0 RTP/AVP 97\r\nb=AS:128\r\n\
        a=rtpmap:97 MPEG4-GENERIC/48000/2\r\na=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;\
        indexdeltalength=3; config=119056E500\r\na=control:streamid=1\r\n";

    fn of(media: &str) -> Result<Vec<Described>, Refused> {
        read(format!("{HEAD}{media}").as_bytes())
    }

    fn tracks(all: &[Described]) -> Tracks {
        let mut tracks = Tracks::default();
        for one in all {
            match &one.format {
                Format::Video(_, track) => tracks.video = track.clone(),
                Format::Aac(track, _) | Format::Plain(track) => tracks.audio = Some(track.clone()),
                Format::Mpeg => tracks.audio = Some(AudioTrack::plain(AudioCodec::Mp3, 44_100, 2)),
                Format::Ignored => {}
            }
        }
        tracks
    }

    #[test]
    fn what_ffmpeg_announces() {
        let all = of(FFMPEG).unwrap();
        let [video, audio] = &all[..] else { panic!("{all:?}") };
        assert_eq!((video.control.as_str(), video.payload_type, video.clock), ("streamid=0", 96, 90_000));
        let Format::Video(VideoCodec::H264, Some(track)) = &video.format else { panic!("{video:?}") };
        assert_eq!((track.width, track.height), (1280, 720));
        let Format::Aac(track, headers) = &audio.format else { panic!("{audio:?}") };
        assert_eq!((track.sample_rate, track.channels, *headers), (48_000, 2, AuHeaders::HIGH_RATE));
    }

    #[test]
    fn what_is_described_is_read() {
        let ffmpeg = tracks(&of(FFMPEG).unwrap());
        let sounds = [
            ffmpeg.audio.clone(),
            Some(AudioTrack::opus(opus::head(1)).unwrap()),
            Some(AudioTrack::opus(opus::head(2)).unwrap()),
            Some(AudioTrack::plain(AudioCodec::Mp3, 44_100, 2)),
            Some(AudioTrack::plain(AudioCodec::G711A, 8000, 1)),
            Some(AudioTrack::plain(AudioCodec::G711U, 16_000, 2)),
            None,
        ];
        for audio in sounds {
            for video in [ffmpeg.video.clone(), None] {
                let all = Tracks { video, audio: audio.clone() };
                if all.is_empty() {
                    continue;
                }
                let sdp = describe("x", &all, "::1".parse().unwrap(), 1);
                let read = read(&sdp).unwrap_or_else(|e| panic!("{e}: {sdp:?}"));
                assert_eq!(tracks(&read), all, "{sdp:?}");
            }
        }
    }

    #[test]
    fn cameras_without_parameter_sets() {
        for fmtp in ["", "a=fmtp:96 packetization-mode=1\r\n", "a=fmtp:96 sprop-parameter-sets=!!,,AAAA\r\n"]
        {
            let all = of(&format!("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n{fmtp}")).unwrap();
            assert_eq!(all[0].format, Format::Video(VideoCodec::H264, None), "{fmtp}");
        }
        let all =
            of("m=video 0 RTP/AVP 98\r\na=rtpmap:98 H265/90000\r\nm=application 0 RTP/AVP 107\r\n").unwrap();
        assert_eq!(all[0].format, Format::Video(VideoCodec::H265, None));
        assert_eq!(all[1].format, Format::Ignored);
        let start_code = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 \
            sprop-parameter-sets=AAAAAWdkAB+s2UBQBbsBEAAAAwAQAAADA8Dxgxlg,AAAAAWjr48siwA\r\n";
        assert!(matches!(&of(start_code).unwrap()[0].format, Format::Video(_, Some(t)) if t.width == 1280));
        assert!(
            matches!(&of("m=audio 0 RTP/AVP 0\r\n").unwrap()[0].format, Format::Plain(t) if t.sample_rate == 8000)
        );
    }

    #[test]
    fn refusals_name_what_is_refused() {
        let refused = |media: &str| of(media).unwrap_err().to_string();
        let l16 = refused("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L16/48000/2\r\n");
        assert!(l16.starts_with("L16 is not carried"), "{l16}");
        assert!(refused("m=video 0 RTP/AVP 26\r\n").starts_with("payload type 26"));
        assert!(refused("m=video 0 RTP/AVP 96\r\na=rtpmap:96 AV1/90000\r\n").starts_with("AV1"));
        assert!(refused("m=audio 0 RTP/AVP 96\r\na=rtpmap:96 mpeg4-generic/48000/2\r\n").contains("config"));
        assert_eq!(of("").unwrap_err(), Refused::Nothing);
        assert_eq!(of("m=application 0 RTP/AVP 107\r\n").unwrap_err(), Refused::Nothing);
        let two = "m=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/AVP 8\r\n";
        assert_eq!(of(two).unwrap_err(), Refused::TooMany("sound"));
        assert_eq!(of(&"m=audio 0 RTP/AVP 0\r\n".repeat(17)).unwrap_err(), Refused::Unreadable);
        assert_eq!(read(b"").unwrap_err(), Refused::Unreadable);
        assert_eq!(read(b"\xff\xfe").unwrap_err(), Refused::Unreadable);
        for odd in ["96 H264/0", "96 H264", "96 H264/48000", "96 opus/48000/99", "96 /90000"] {
            assert!(of(&format!("m=video 0 RTP/AVP 96\r\na=rtpmap:{odd}\r\n")).is_err(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn any_description_is_borne(text in "(m=(audio|video) 0 RTP/AVP (96|0|.)\r\n|a=(rtpmap|fmtp|control):96 .{0,30}\r\n){0,8}") {
            let _ = of(&text);
            let _ = read(text.as_bytes());
        }
    }
}
