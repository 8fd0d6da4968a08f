//! A path in the lists of `/v3`, field for field as MediaMTX 1.20 sends it.

use super::kinds;
use crate::base::clock::log_stamp;
use crate::media::track::{AudioCodec, AudioTrack, VideoCodec, VideoTrack};
use crate::server::view::{Client, Stream, View};
use serde::Serialize;
use uuid::Uuid;

/// The configuration that a path without one of its own has.
const CONFIGURATION: &str = "all_others";

/// An item of `paths/list`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Path {
    name: String,
    conf_name: &'static str,
    ready: bool,
    ready_time: Option<String>,
    available: bool,
    available_time: Option<String>,
    online: bool,
    online_time: Option<String>,
    source: Option<Reference>,
    tracks: Vec<&'static str>,
    tracks2: Vec<Track>,
    readers: Vec<Reference>,
    inbound_bytes: u64,
    outbound_bytes: u64,
    inbound_frames_in_error: u64,
    bytes_received: u64,
    bytes_sent: u64,
}

#[derive(Debug, Serialize)]
struct Reference {
    #[serde(rename = "type")]
    kind: &'static str,
    id: Uuid,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Track {
    codec: &'static str,
    codec_props: Option<Props>,
}

#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Props {
    Picture { width: u32, height: u32, profile: String, level: String },
    Samples { sample_rate: u32, channel_count: u8 },
    Channels { channel_count: u8 },
    Av1 { width: u32, height: u32, profile: u8, level: u8, tier: u8 },
    Vp9 { profile: u8 },
    G711 { mu_law: bool, sample_rate: u32, channel_count: u8 },
}

impl Path {
    /// The item of `stream`.
    pub fn new(view: &View, stream: &Stream) -> Path {
        let reference =
            |id: &Uuid| view.clients.get(id).map(|client| Reference { kind: word(client), id: client.id });
        let mut readers: Vec<&Client> = stream.readers.iter().filter_map(|id| view.clients.get(id)).collect();
        readers.sort_by_key(|client| client.number);
        let ready = stream.ready();
        let time = stream.ready_ms.filter(|_| ready).map(log_stamp);
        let tracks = if ready { tracks(stream) } else { Vec::new() };
        let traffic = stream.traffic;
        Path {
            name: stream.path.clone(),
            conf_name: CONFIGURATION,
            ready,
            ready_time: time.clone(),
            available: ready,
            available_time: time,
            online: stream.published(),
            online_time: stream.published().then(|| log_stamp(stream.created_ms)),
            source: stream.publisher.as_ref().and_then(reference),
            tracks: tracks.iter().map(|t| t.codec).collect(),
            tracks2: tracks,
            readers: readers.iter().map(|c| Reference { kind: word(c), id: c.id }).collect(),
            inbound_bytes: traffic.bytes_in,
            outbound_bytes: traffic.bytes_out,
            inbound_frames_in_error: 0,
            bytes_received: traffic.bytes_in,
            bytes_sent: traffic.bytes_out,
        }
    }
}

fn word(client: &Client) -> &'static str {
    kinds::row(client.kind).map_or("", |row| row.word)
}

fn tracks(stream: &Stream) -> Vec<Track> {
    let video = stream.tracks.videos().map(|(_, video)| video_item(video));
    let audio = stream.tracks.audios().map(|(_, audio)| audio_item(audio));
    video.chain(audio).collect()
}

fn video_item(video: &VideoTrack) -> Track {
    let codec = video.codec.name();
    let codec_props = match video.codec {
        VideoCodec::H264 | VideoCodec::H265 => Some(Props::Picture {
            width: video.width,
            height: video.height,
            profile: video.profile.strip_prefix("Constrained ").unwrap_or(video.profile).to_string(),
            level: match video.level.as_str() {
                "1b" => "1.1".to_string(),
                level => level.strip_suffix(".0").unwrap_or(level).to_string(),
            },
        }),
        // MediaMTX leaves sizes at 0 where only the frames tell them.
        VideoCodec::Av1 => {
            let byte = |at| video.config.get(at).copied().unwrap_or(0);
            let (profile, level, tier) = (byte(1) >> 5, byte(1) & 0x1f, byte(2) >> 7);
            Some(Props::Av1 { width: video.width, height: video.height, profile, level, tier })
        }
        // `vpcC` begins with a version and flags.
        VideoCodec::Vp9 => Some(Props::Vp9 { profile: video.config.get(4).copied().unwrap_or(0) }),
    };
    Track { codec, codec_props }
}

fn audio_item(audio: &AudioTrack) -> Track {
    let (sample_rate, channel_count) = (audio.sample_rate, audio.channels);
    let (codec, codec_props) = match audio.codec {
        AudioCodec::Aac => ("MPEG-4 Audio", Some(Props::Samples { sample_rate, channel_count })),
        AudioCodec::Opus => ("Opus", Some(Props::Channels { channel_count })),
        AudioCodec::Mp3 => ("MPEG-1 Audio", None),
        AudioCodec::G711A => ("G711", Some(Props::G711 { mu_law: false, sample_rate, channel_count })),
        AudioCodec::G711U => ("G711", Some(Props::G711 { mu_law: true, sample_rate, channel_count })),
    };
    Track { codec, codec_props }
}
