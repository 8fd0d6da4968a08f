//! The description that readers get (RFC 8866, RFC 6184, RFC 7798, RFC 3640, RFC 7587).

use crate::media::codec::h265;
use crate::media::rtp::pack;
use crate::media::{AudioCodec, AudioTrack, TrackId, TrackKind, Tracks, VideoCodec, VideoTrack};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The control URL of a track, relative to the stream's: `trackID=0` is the first video, `trackID=1` the first audio,
/// 2 and 3 are the second ones, and so on, whatever else there is.
pub fn control(id: TrackId) -> String {
    format!("trackID={}", id.place().unwrap_or(0))
}

/// The tracks of a stream that have a payload format, in the order of the description.
pub fn carried(tracks: &Tracks) -> impl Iterator<Item = TrackId> {
    let videos = tracks.videos().filter(|(_, video)| pack::video_format(video).is_some());
    videos.map(|(id, _)| id).chain(tracks.audios().map(|(id, _)| id))
}

/// The description of a stream as the server at `local` offers it; `number` names this state of it. Tracks without a
/// payload format are left out. `name` is a stream's name, which has no line ends.
pub fn describe(name: &str, tracks: &Tracks, local: IpAddr, number: u64) -> Bytes {
    let (local, family, anywhere) = match local.to_canonical() {
        IpAddr::V4(v4) => (IpAddr::V4(v4), "IP4", IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        IpAddr::V6(v6) => (IpAddr::V6(v6), "IP6", IpAddr::from(Ipv6Addr::UNSPECIFIED)),
    };
    let mut out = format!(
        "v=0\r\no=- {number} 1 IN {family} {local}\r\ns={name}\r\nc=IN {family} {anywhere}\r\nt=0 0\r\n\
         a=tool:msconv\r\na=control:*\r\n"
    );
    for (id, video) in tracks.videos() {
        let Some((payload_type, clock)) = pack::video_format(video) else { continue };
        let name = if video.codec == VideoCodec::H265 { "H265" } else { "H264" };
        let map = format!("{name}/{clock}");
        media(&mut out, id, payload_type, &map, Some(&video_parameters(video)));
    }
    for (id, audio) in tracks.audios() {
        let (payload_type, clock) = pack::audio_format(audio);
        let map = audio_map(audio, clock);
        media(&mut out, id, payload_type, &map, audio_parameters(audio).as_deref());
    }
    out.into()
}

fn media(out: &mut String, id: TrackId, first: u8, map: &str, parameters: Option<&str>) {
    let word = if id.kind() == TrackKind::Audio { "audio" } else { "video" };
    let payload_type = pack::payload_type(first, id);
    // Writing into memory does not fail.
    let _ = write!(out, "m={word} 0 RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} {map}\r\n");
    if let Some(parameters) = parameters {
        let _ = write!(out, "a=fmtp:{payload_type} {parameters}\r\n");
    }
    let _ = write!(out, "a=control:{}\r\n", control(id));
}

fn video_parameters(video: &VideoTrack) -> String {
    let sets = video.parameter_sets();
    if video.codec == VideoCodec::H265 {
        let of = |kind| {
            let some = sets.iter().filter(|set| h265::nal::kind(set) == kind);
            some.map(|set| STANDARD.encode(set)).collect::<Vec<_>>().join(",")
        };
        let (vps, sps, pps) = (of(h265::nal::VPS), of(h265::nal::SPS), of(h265::nal::PPS));
        return format!("sprop-vps={vps}; sprop-sps={sps}; sprop-pps={pps}");
    }
    let all = sets.iter().map(|set| STANDARD.encode(set)).collect::<Vec<_>>().join(",");
    let level = match video.config.get(1..4) {
        Some([profile, compatible, level]) => {
            format!("profile-level-id={profile:02X}{compatible:02X}{level:02X}; ")
        }
        _ => String::new(),
    };
    format!("packetization-mode=1; {level}sprop-parameter-sets={all}")
}

fn audio_map(audio: &AudioTrack, clock: u32) -> String {
    match audio.codec {
        AudioCodec::Aac => format!("mpeg4-generic/{clock}/{}", audio.channels),
        // Always two, whatever is inside (RFC 7587, 7).
        AudioCodec::Opus => format!("opus/{clock}/2"),
        AudioCodec::Mp3 => format!("MPA/{clock}"),
        AudioCodec::G711A => telephone("PCMA", clock, audio.channels),
        AudioCodec::G711U => telephone("PCMU", clock, audio.channels),
    }
}

fn telephone(name: &str, clock: u32, channels: u8) -> String {
    if channels > 1 { format!("{name}/{clock}/{channels}") } else { format!("{name}/{clock}") }
}

fn audio_parameters(audio: &AudioTrack) -> Option<String> {
    match audio.codec {
        AudioCodec::Aac => {
            let mut config = String::with_capacity(8);
            for byte in &audio.config[..] {
                let _ = write!(config, "{byte:02X}");
            }
            Some(format!(
                "streamtype=5; profile-level-id=1; mode=AAC-hbr; sizelength=13; indexlength=3; indexdeltalength=3; \
                 config={config}"
            ))
        }
        AudioCodec::Opus => Some(format!("sprop-stereo={}", u8::from(audio.channels > 1))),
        AudioCodec::Mp3 | AudioCodec::G711A | AudioCodec::G711U => None,
    }
}
