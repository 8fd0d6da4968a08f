//! Frames as RTMP carries them: one message of whole chunks for each, packed once and shared by all readers. Of several
//! tracks of a kind the first one is sent: players take one of each.

use super::wire::amf0::{self, Value};
use super::wire::chunk_writer::{self, CHUNK_SIZE};
use super::wire::message::kind;
use crate::hub::{Format, FormatKey, Headers, Misfit, Packed};
use crate::media::flv::{Prefix, header};
use crate::media::{AudioCodec, AudioTrack, Frame, MediaTime, TrackId, Tracks, VideoCodec, VideoTrack};
use bytes::Bytes;

/// The format of readers whose message stream has this number (nearly always 1).
pub fn key(stream: u32) -> FormatKey {
    FormatKey(format!("rtmp/{stream}"))
}

/// See the module.
#[derive(Debug)]
pub struct Egress {
    stream: u32,
    /// The tracks as readers have been told of them so far.
    tracks: Tracks,
    /// The video that is sent, and its codec.
    video: Option<(TrackId, VideoCodec)>,
    /// The audio that is sent, and what stands before every packet of it.
    audio: Option<(TrackId, Prefix)>,
}

impl Egress {
    /// For readers on this message stream, with the tracks as they are now.
    pub fn new(stream: u32, tracks: &Tracks) -> Egress {
        let video = tracks.videos().next().map(|(id, track)| (id, track.codec));
        let audio = tracks.audios().next().map(|(id, track)| (id, Prefix::of_audio(track)));
        Egress { stream, tracks: tracks.clone(), video, audio }
    }

    fn message(&self, out: &mut Vec<u8>, kind: u8, at: MediaTime, head: &[u8], body: &[u8]) {
        chunk_writer::write(out, CHUNK_SIZE, kind, self.stream, timestamp(at), head, body);
    }

    /// Metadata, and the codec headers of these tracks.
    fn headers(&self, headers: &Headers, video: bool, audio: bool, at: MediaTime) -> Packed {
        let mut out = Vec::new();
        let made;
        let about = match &headers.metadata {
            Some(metadata) => &metadata.raw,
            None => {
                made = metadata(&headers.tracks);
                &made
            }
        };
        // At time 0, as from nginx-rtmp: ffmpeg takes metadata with a time for a track of subtitles.
        self.message(&mut out, kind::DATA, MediaTime::ZERO, &[], about);
        if let Some(track) = headers.tracks.video().filter(|_| video) {
            self.message(&mut out, kind::VIDEO, at, &header::video(track), &[]);
        }
        if let Some(track) = headers.tracks.audio().filter(|_| audio) {
            let tag = header::audio(track);
            if !tag.is_empty() {
                self.message(&mut out, kind::AUDIO, at, &tag, &[]);
            }
        }
        Packed { bytes: out.into(), cuts: Vec::new() }
    }
}

impl Format for Egress {
    fn preamble(&mut self, headers: &Headers, at: MediaTime, _: i64) -> Packed {
        self.headers(headers, true, true, at)
    }

    fn pack(&mut self, frame: &Frame, _: i64) -> Packed {
        let mut out = Vec::new();
        match (frame.track, &self.video, &self.audio) {
            (track, Some((video, codec)), _) if track == *video => {
                let prefix = Prefix::of_video(*codec, frame);
                self.message(&mut out, kind::VIDEO, frame.dts, prefix.bytes(), &frame.payload);
            }
            (track, _, Some((audio, prefix))) if track == *audio => {
                self.message(&mut out, kind::AUDIO, frame.dts, prefix.bytes(), &frame.payload);
            }
            (TrackId::DATA, ..) => self.message(&mut out, kind::DATA, frame.dts, &[], &frame.payload),
            _ => {}
        }
        Packed { bytes: out.into(), cuts: Vec::new() }
    }

    fn changed(&mut self, headers: &Headers, at: MediaTime, _: i64) -> Packed {
        // A header of a track that goes on as it was would make players set up its decoder anew.
        let before = std::mem::replace(self, Egress::new(self.stream, &headers.tracks)).tracks;
        let now = &headers.tracks;
        self.headers(headers, before.video() != now.video(), before.audio() != now.audio(), at)
    }

    fn fits(&self, _: &Tracks) -> Result<(), Misfit> {
        // Players take new codec headers in mid-stream.
        Ok(())
    }
}

/// Milliseconds as the protocol counts them: modulo 2^32.
fn timestamp(at: MediaTime) -> u32 {
    u32::try_from(at.millis().rem_euclid(1 << 32)).unwrap_or(0)
}

/// `onMetaData` of a stream whose publisher sent none (RTSP).
fn metadata(tracks: &Tracks) -> Bytes {
    let mut properties = Vec::new();
    let mut add = |key: &str, value: Value| properties.push((key.to_string(), value));
    if let Some(track) = tracks.video() {
        video_metadata(track, &mut add);
    }
    if let Some(track) = tracks.audio() {
        audio_metadata(track, &mut add);
    }
    amf0::encode(&[Value::text("onMetaData"), Value::EcmaArray(properties)]).into()
}

fn video_metadata(track: &VideoTrack, add: &mut impl FnMut(&str, Value)) {
    if track.width > 0 && track.height > 0 {
        add("width", Value::Number(track.width.into()));
        add("height", Value::Number(track.height.into()));
    }
    if let Some(rate) = track.frame_rate {
        add("framerate", Value::Number(rate));
    }
    // Codecs without a number in FLV are given by their FourCC, read as a number (Enhanced RTMP, "Metadata Frame").
    let id = match track.codec {
        VideoCodec::H264 => 7,
        VideoCodec::H265 => u32::from_be_bytes(*b"hvc1"),
        VideoCodec::Av1 => u32::from_be_bytes(*b"av01"),
        VideoCodec::Vp9 => u32::from_be_bytes(*b"vp09"),
    };
    add("videocodecid", Value::Number(id.into()));
}

fn audio_metadata(track: &AudioTrack, add: &mut impl FnMut(&str, Value)) {
    let id = match track.codec {
        AudioCodec::Aac => 10,
        AudioCodec::Mp3 => 2,
        AudioCodec::G711A => 7,
        AudioCodec::G711U => 8,
        AudioCodec::Opus => u32::from_be_bytes(*b"Opus"),
    };
    add("audiocodecid", Value::Number(id.into()));
    add("audiosamplerate", Value::Number(track.sample_rate.into()));
    add("audiochannels", Value::Number(track.channels.into()));
    add("stereo", Value::Boolean(track.channels > 1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Metadata;
    use crate::media::codec::{h264, opus};
    use crate::media::flv::{Tag, TagReader};
    use crate::protocol::rtmp::wire::chunk_reader::ChunkReader;
    use crate::protocol::rtmp::wire::message::Message;

    fn tracks() -> Tracks {
        let sps = [
            0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
            0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
        ];
        let video = h264::track_of_sets(&sps, &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0]).unwrap();
        let audio = AudioTrack::aac(Bytes::from_static(&[0x12, 0x10])).unwrap();
        Tracks::of(video, audio)
    }

    fn read(packed: &[Packed]) -> Vec<Message> {
        let mut all = Vec::new();
        chunk_writer::set_chunk_size(&mut all);
        packed.iter().for_each(|p| all.extend_from_slice(&p.bytes));
        let (mut reader, mut input) = (ChunkReader::default(), &all[..]);
        let messages: Vec<_> = std::iter::from_fn(|| reader.read(&mut input).unwrap()).collect();
        messages[1..].to_vec()
    }

    fn frame(track: TrackId, millis: i64, payload: Vec<u8>) -> Frame {
        let dts = MediaTime::from_millis(millis);
        Frame { track, dts, pts: dts + MediaTime::from_millis(80), keyframe: true, payload: payload.into() }
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let tracks = tracks();
        let mut egress = Egress::new(1, &tracks);
        let headers = Headers {
            tracks: tracks.clone(),
            metadata: Some(Metadata {
                raw: Bytes::from_static(b"\x02\x00\x0aonMetaData\x05"),
                ..Metadata::default()
            }),
        };
        for start in [0, (1 << 24) - 10, (1 << 32) - 10, 7 << 32, -5] {
            let frames = [
                frame(TrackId::VIDEO, start, [&[0, 2, 0x11, 0x70, 0x65][..], &vec![3; 200_000 - 5]].concat()),
                frame(TrackId::AUDIO, start + 20, vec![4; 300]),
                frame(TrackId::DATA, start + 21, b"\x02\x00\x01a".to_vec()),
            ];
            let mut packed = vec![egress.preamble(&headers, MediaTime::from_millis(start), 0)];
            packed.extend(frames.iter().map(|f| egress.pack(f, 0)));
            let messages = read(&packed);
            let kinds: Vec<_> = messages.iter().map(|m| m.kind).collect();
            assert_eq!(kinds, [18, 9, 8, 9, 8, 18]);
            assert!(messages.iter().all(|m| m.stream == 1));
            let times: Vec<_> = messages[2..].iter().map(|m| m.timestamp).collect();
            let low = |t: i64| (t & 0xffff_ffff) as u32;
            assert_eq!(times, [low(start), low(start), low(start + 20), low(start + 21)]);
            assert_eq!(&messages[0].payload[..], b"\x02\x00\x0aonMetaData\x05");
            let mut tags = TagReader::default();
            let config = tracks.video().cloned().unwrap().config;
            assert_eq!(tags.video(&messages[1].payload), Ok(Tag::Configuration(VideoCodec::H264, config)));
            assert_eq!(tags.audio(&messages[2].payload), Ok(Tag::Audio(tracks.audio().cloned().unwrap())));
            let Ok(Tag::Video(_, picture)) = tags.video(&messages[3].payload) else { panic!("no frame") };
            assert_eq!((&picture.payload, picture.composition.millis()), (&frames[0].payload, 80));
            let Ok(Tag::Packets(audio)) = tags.audio(&messages[4].payload) else { panic!("no packets") };
            assert_eq!(audio.first.payload, frames[1].payload);
        }
    }

    #[test]
    fn tracks_may_change_or_be_missing() {
        let both = tracks();
        let audio = Tracks::of(None, AudioTrack::opus(opus::head(2)).unwrap());
        let mut egress = Egress::new(3, &both);
        let packed = egress.changed(&Headers { tracks: audio, metadata: None }, MediaTime::ZERO, 0);
        let messages = read(&[packed]);
        assert_eq!(messages.iter().map(|m| m.kind).collect::<Vec<_>>(), [18, 8]);
        let values = amf0::decode(&messages[0].payload).unwrap();
        assert_eq!(values[1].get("audiosamplerate").and_then(Value::as_number), Some(48_000.0));
        assert!(egress.pack(&frame(TrackId::VIDEO, 0, vec![1]), 0).bytes.is_empty());
        let opus = read(&[egress.pack(&frame(TrackId::AUDIO, 0, vec![1]), 0)]);
        assert_eq!(&opus[0].payload[..], b"\x91Opus\x01");
        assert_eq!(opus[0].stream, 3);
    }

    #[test]
    fn only_what_changed_is_told_again() {
        let video = Tracks::of(tracks().video().cloned(), None);
        let mut egress = Egress::new(1, &video);
        let mut told = |tracks: &Tracks| {
            let headers = Headers { tracks: tracks.clone(), metadata: None };
            let messages = read(&[egress.changed(&headers, MediaTime::ZERO, 0)]);
            messages.iter().map(|m| m.kind).collect::<Vec<_>>()
        };
        assert_eq!(told(&tracks()), [18, 8], "audio that comes late");
        assert_eq!(told(&tracks()), [18], "metadata alone");
        let mut other = tracks();
        other.video_mut().unwrap().config = Bytes::from_static(b"other");
        assert_eq!(told(&other), [18, 9]);
    }
}
