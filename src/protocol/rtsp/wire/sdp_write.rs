//! The description that readers get (RFC 8866, RFC 6184, RFC 7798, RFC 3640, RFC 7587).

use crate::media::codec::h265;
use crate::media::rtp::pack;
use crate::media::{AudioCodec, AudioTrack, TrackKind, Tracks, VideoCodec, VideoTrack};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sdp_types::{Attribute, Connection, Media, Origin, Session, Time};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The control URL of a track, relative to the stream's.
pub const fn control(kind: TrackKind) -> &'static str {
    match kind {
        TrackKind::Audio => "trackID=1",
        TrackKind::Video | TrackKind::Data => "trackID=0",
    }
}

/// Whether a stream's pictures have a payload format.
pub fn carries_video(tracks: &Tracks) -> bool {
    tracks.video.as_ref().is_some_and(|video| pack::video_format(video).is_some())
}

/// The description of a stream as the server at `local` offers it; `number` names this state of it. Tracks without a
/// payload format are left out.
pub fn describe(name: &str, tracks: &Tracks, local: IpAddr, number: u64) -> Bytes {
    let mut session = Session::new(Origin::with_ip_addr(number, 1, local.to_canonical()), name);
    let anywhere: IpAddr = match local.to_canonical() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    session.connection = Some(Connection::from_ip_addr(anywhere));
    session.times = vec![Time { start_time: 0, stop_time: 0, repeats: Vec::new() }];
    session.attributes = vec![attribute("tool", "msconv"), attribute("control", "*")];
    if let Some((payload_type, clock, video)) =
        tracks.video.as_ref().and_then(|v| pack::video_format(v).map(|(p, c)| (p, c, v)))
    {
        let name = if video.codec == VideoCodec::H265 { "H265" } else { "H264" };
        let lines = vec![
            attribute("rtpmap", format!("{payload_type} {name}/{clock}")),
            attribute("fmtp", format!("{payload_type} {}", video_parameters(video))),
            attribute("control", control(TrackKind::Video)),
        ];
        session.medias.push(media("video", payload_type, lines));
    }
    if let Some(audio) = &tracks.audio {
        let (payload_type, clock) = pack::audio_format(audio);
        let mut lines = vec![attribute("rtpmap", format!("{payload_type} {}", audio_map(audio, clock)))];
        if let Some(parameters) = audio_parameters(audio) {
            lines.push(attribute("fmtp", format!("{payload_type} {parameters}")));
        }
        lines.push(attribute("control", control(TrackKind::Audio)));
        session.medias.push(media("audio", payload_type, lines));
    }
    let mut out = Vec::new();
    // Writing into memory does not fail.
    let _ = session.write(&mut out);
    out.into()
}

fn attribute(name: &str, value: impl Into<String>) -> Attribute {
    Attribute { attribute: name.into(), value: Some(value.into()) }
}

fn media(kind: &str, payload_type: u8, attributes: Vec<Attribute>) -> Media {
    Media {
        media: kind.into(),
        port: 0,
        num_ports: None,
        proto: "RTP/AVP".into(),
        fmt: payload_type.to_string(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes,
    }
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
