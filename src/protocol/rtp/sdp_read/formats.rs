//! What the packets of one track carry: payload type, mapping (`rtpmap`) and parameters (`fmtp`), codec by codec. What is
//! missing or unreadable is taken from the codec's standard where that fixes it, and is a reason else.

use super::super::sdp_lines::{Media, numbered, parameters};
use super::{Format, Reason};
use crate::base::printable::bounded;
use crate::media::codec::bits::Bits;
use crate::media::codec::latm::StreamMux;
use crate::media::codec::{h264, h265, opus};
use crate::media::rtp::CLOCK_90K;
use crate::media::rtp::unpack::audio::AuHeaders;
use crate::media::rtp::unpack::latm;
use crate::media::{AudioCodec, AudioTrack, VideoCodec};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Parameter sets longer than this are no parameter sets, in base64.
const LONGEST_SET: usize = 4096;
/// Longest decoder configuration, in hexadecimal digits.
const LONGEST_CONFIG: usize = 512;

/// Payload type, ticks a second, format.
pub type Found = (u8, u32, Format);

/// The first of a track's payload types that is carried, or why the first one is not.
pub fn read(media: &Media, all: &[Media]) -> Result<Found, Reason> {
    if !matches!(media.kind.as_str(), "video" | "audio") {
        return Err(Reason::Data(data_name(media)));
    }
    if media.protocol.contains("SAVP") {
        return Err(Reason::Encrypted(bounded(&media.protocol, 20)));
    }
    let mut first = None;
    for payload_type in &media.formats {
        match format(media, all, *payload_type) {
            Ok((clock, format)) => return Ok((*payload_type, clock, format)),
            Err(reason) => first = first.or(Some(reason)),
        }
    }
    Err(first.unwrap_or(Reason::NoPayloadType))
}

/// `vnd.onvif.metadata`, or else the kind of the track.
fn data_name(media: &Media) -> String {
    let map = media.attributes.all("rtpmap").find_map(numbered);
    let name = map.map_or("", |(_, map)| map.split('/').next().unwrap_or_default().trim());
    bounded(if name.is_empty() { &media.kind } else { name }, 40)
}

/// Mappings that go without saying (RFC 3551, 6).
fn static_map(payload_type: u8) -> Option<&'static str> {
    Some(match payload_type {
        0 => "PCMU/8000",
        3 => "GSM/8000",
        4 => "G723/8000",
        5 | 6 => "DVI4/8000",
        8 => "PCMA/8000",
        9 => "G722/8000",
        10 => "L16/44100/2",
        11 => "L16/44100",
        14 => "MPA/90000",
        15 => "G728/8000",
        18 => "G729/8000",
        26 => "JPEG/90000",
        31 => "H261/90000",
        32 => "MPV/90000",
        33 => "MP2T/90000",
        34 => "H263/90000",
        _ => return None,
    })
}

type Parameters = BTreeMap<String, String>;

/// By the first of its mappings that is carried, or why the first one is not.
fn format(media: &Media, all: &[Media], payload_type: u8) -> Result<(u32, Format), Reason> {
    let mut maps = media.attributes.about("rtpmap", payload_type).peekable();
    let unsaid = static_map(payload_type).filter(|_| maps.peek().is_none());
    let mut first = None;
    for map in maps.chain(unsaid) {
        match mapped(media, all, payload_type, map) {
            Ok(found) => return Ok(found),
            Err(reason) => first = first.or(Some(reason)),
        }
    }
    Err(first.unwrap_or(Reason::NoMap(payload_type)))
}

fn mapped(media: &Media, all: &[Media], payload_type: u8, map: &str) -> Result<(u32, Format), Reason> {
    let mut words = map.split('/').map(str::trim);
    let name = words.next().unwrap_or_default();
    let clock = words.next().and_then(|w| w.parse::<u32>().ok()).filter(|c| (1000..=384_000).contains(c));
    let channels = words.next().and_then(|w| w.parse::<u8>().ok()).filter(|c| (1..=8).contains(c));
    let parameters = parameters_of(media, all, payload_type);
    match (media.kind.as_str(), name.to_ascii_uppercase().as_str()) {
        ("video", "H264") => Ok((video_clock(name, clock)?, h264_format(&parameters)?)),
        ("video", "H265" | "HEVC") => Ok((video_clock(name, clock)?, h265_format(&parameters)?)),
        ("audio", "MPEG4-GENERIC") => {
            let (track, headers) = aac_format(&parameters)?;
            Ok((clock.unwrap_or(track.sample_rate), Format::Aac(track, headers)))
        }
        ("audio", "MP4A-LATM") => {
            let described = latm_format(&parameters)?;
            let rate = described.track().map_or(CLOCK_90K, |track| track.sample_rate);
            Ok((clock.unwrap_or(rate), Format::Latm(described)))
        }
        // Opus counts in 48 kHz, whatever is inside (RFC 7587, 4.1).
        ("audio", "OPUS") => Ok((48_000, opus_format(&parameters)?)),
        ("audio", "MPA") => Ok((clock.unwrap_or(CLOCK_90K), Format::Mpeg)),
        ("audio", "PCMA" | "PCMU") => {
            let alaw = name.eq_ignore_ascii_case("PCMA");
            let codec = if alaw { AudioCodec::G711A } else { AudioCodec::G711U };
            let clock = clock.unwrap_or(8000);
            Ok((clock, Format::Plain(AudioTrack::plain(codec, clock, channels.unwrap_or(1)))))
        }
        (_, "") => Err(Reason::NoMap(payload_type)),
        _ => Err(Reason::Codec(bounded(name, 40))),
    }
}

/// Frames count in 90 kHz (RFC 6184, 8.2.1; RFC 7798, 7.1).
fn video_clock(name: &str, clock: Option<u32>) -> Result<u32, Reason> {
    match clock {
        None | Some(CLOCK_90K) => Ok(CLOCK_90K),
        Some(other) => {
            let name = bounded(name, 40);
            Err(Reason::Parameters(format!("{name} counts in {CLOCK_90K}, not in {other}")))
        }
    }
}

/// The parameters of a payload type: from its own lines, the first word counting; else from a line that stands below
/// another track; else from the only line of its track, which names a wrong number.
fn parameters_of(media: &Media, all: &[Media], payload_type: u8) -> Parameters {
    let mut out = Parameters::new();
    let mut take = |text: &str| {
        for (name, value) in parameters(text).into_iter().filter(|(_, value)| !value.is_empty()) {
            out.entry(name).or_insert_with(|| value.into_owned());
        }
    };
    let mut own = media.attributes.about("fmtp", payload_type).peekable();
    if own.peek().is_some() {
        own.for_each(&mut take);
        return out;
    }
    let strangers = all.iter().filter(|other| !other.formats.contains(&payload_type));
    if let Some(line) = strangers.flat_map(|other| other.attributes.about("fmtp", payload_type)).next() {
        take(line);
    } else if let [line] = media.attributes.all("fmtp").take(2).collect::<Vec<_>>()[..]
        && let Some((number, line)) = numbered(line)
        && !media.formats.contains(&number)
    {
        take(line);
    }
    out
}

fn get<'a>(parameters: &'a Parameters, name: &str) -> &'a str {
    parameters.get(name).map_or("", String::as_str)
}

/// NAL units of base64 with or without its padding, as cameras write it; some put start codes before and behind them, or
/// several units into one text.
fn sets(text: &str) -> Vec<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    let all = text.split(',').take(16).filter(|t| t.len() <= LONGEST_SET);
    let decoded = all.filter_map(|t| engine.decode(t.trim()).ok());
    decoded.flat_map(|bytes| split_at_start_codes(&bytes)).collect()
}

/// The units between start codes (`00 00 01`), without the zeros behind them: a unit never ends with one (H.264, 7.4.1).
fn split_at_start_codes(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    let mut rest = bytes;
    loop {
        let code = rest.windows(3).position(|w| w == [0, 0, 1]);
        let (unit, behind) = rest.split_at_checked(code.unwrap_or(rest.len())).unwrap_or((rest, &[]));
        let end = unit.iter().rposition(|b| *b != 0).map_or(0, |at| at.saturating_add(1));
        units.extend(unit.get(..end).filter(|unit| !unit.is_empty()).map(<[u8]>::to_vec));
        match behind.get(3..) {
            Some(behind) => rest = behind,
            None => return units,
        }
    }
}

fn h264_format(parameters: &Parameters) -> Result<Format, Reason> {
    if get(parameters, "packetization-mode") == "2" {
        return Err(Reason::Parameters("H264 in interleaved packetization mode is not carried".into()));
    }
    let sets = sets(get(parameters, "sprop-parameter-sets"));
    let of = |kind| sets.iter().find(|set| h264::nal::kind(set) == kind);
    // Sets that cannot be read are as good as none: they will come with the frames.
    let track = of(h264::nal::SPS).zip(of(h264::nal::PPS));
    Ok(Format::Video(VideoCodec::H264, track.and_then(|(sps, pps)| h264::track_of_sets(sps, pps).ok())))
}

fn h265_format(parameters: &Parameters) -> Result<Format, Reason> {
    if get(parameters, "sprop-max-don-diff").parse::<u32>().is_ok_and(|d| d > 0) {
        return Err(Reason::Parameters("H265 with decoding order numbers is not carried".into()));
    }
    let names = ["sprop-vps", "sprop-sps", "sprop-pps"];
    let all: Vec<_> = names.iter().flat_map(|name| sets(get(parameters, name))).collect();
    let of = |kind| all.iter().find(|set| h265::nal::kind(set) == kind);
    let track = match (of(h265::nal::VPS), of(h265::nal::SPS), of(h265::nal::PPS)) {
        (Some(vps), Some(sps), Some(pps)) => h265::track_of_sets(vps, sps, pps).ok(),
        _ => None,
    };
    Ok(Format::Video(VideoCodec::H265, track))
}

fn aac_format(parameters: &Parameters) -> Result<(AudioTrack, AuHeaders), Reason> {
    let config = config(parameters, "AAC")?;
    let track = AudioTrack::aac(config).map_err(|e| Reason::Parameters(e.to_string()))?;
    let mode = get(parameters, "mode").to_ascii_lowercase().replace('_', "-");
    let layout = ["sizelength", "indexlength", "indexdeltalength"];
    // What each mode fixes (RFC 3640, 3.3.5 and 3.3.6); without a word of the layout it is the mode that everybody has.
    let usual = match mode.as_str() {
        "aac-lbr" => [6, 2, 2],
        "aac-hbr" => [13, 3, 3],
        _ if layout.iter().all(|name| get(parameters, name).is_empty()) => [13, 3, 3],
        _ => [0, 0, 0],
    };
    let mut bits =
        layout.iter().zip(usual).map(|(name, usual)| get(parameters, name).parse().unwrap_or(usual));
    let mut next = || bits.next().unwrap_or(0);
    let headers = AuHeaders { size: next(), index: next(), index_delta: next() };
    let more = ["ctsdeltalength", "dtsdeltalength", "streamstateindication", "auxiliarydatasizelength"];
    let plain = more.iter().all(|name| get(parameters, name).parse().unwrap_or(0) == 0);
    if headers.readable() && plain {
        Ok((track, headers))
    } else {
        Err(Reason::Parameters("this mode of mpeg4-generic is not carried; use AAC-hbr".into()))
    }
}

/// RFC 6416, 7.3. Without a word `cpresent` is 1, says the standard; but who gives a configuration means 0.
fn latm_format(parameters: &Parameters) -> Result<latm::Described, Reason> {
    let given = parameters.contains_key("config");
    let in_band = match get(parameters, "cpresent") {
        "0" => false,
        "1" => true,
        _ => !given,
    };
    let read = || {
        let mux = StreamMux::read(&mut Bits::new(&config(parameters, "MP4A-LATM")?));
        let described =
            latm::Described { mux: Some(mux.map_err(|e| Reason::Parameters(e.to_string()))?), in_band };
        match described.track() {
            Some(_) => Ok(described),
            None => Err(Reason::Parameters("the config of MP4A-LATM cannot be read".into())),
        }
    };
    match read() {
        Err(_) if in_band => Ok(latm::Described { mux: None, in_band }),
        other => other,
    }
}

fn opus_format(parameters: &Parameters) -> Result<Format, Reason> {
    let mono = get(parameters, "sprop-stereo") == "0";
    let track = AudioTrack::opus(opus::head(if mono { 1 } else { 2 }));
    track.map(Format::Plain).map_err(|e| Reason::Parameters(e.to_string()))
}

/// The decoder configuration in hexadecimal.
fn config(parameters: &Parameters, codec: &str) -> Result<Bytes, Reason> {
    match get(parameters, "config") {
        "" => Err(Reason::Parameters(format!("the config of {codec} is missing"))),
        text => hex(text).ok_or_else(|| Reason::Parameters(format!("the config of {codec} cannot be read"))),
    }
}

/// Bytes of digits; a last digit that is alone stands for the upper half.
fn hex(text: &str) -> Option<Bytes> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text).as_bytes();
    if digits.is_empty() || digits.len() > LONGEST_CONFIG {
        return None;
    }
    let digit = |b: &u8| char::from(*b).to_digit(16);
    let byte = |pair: &[u8]| {
        let low = pair.get(1).map_or(Some(0), digit)?;
        u8::try_from((digit(pair.first()?)? << 4) | low).ok()
    };
    digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>().map(Bytes::from)
}
