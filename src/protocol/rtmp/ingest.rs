//! What an RTMP publisher sends, as the hub wants it: tracks, metadata and frames, on a line of time that does not go
//! back. Pure; the server's task carries the steps to the hub.

use super::session::server::metadata;
use super::wire::amf0::{self, AmfError, Value};
use super::wire::message::{Message, kind};
use crate::media::flv::{Coded, Tag, TagError, TagReader};
use crate::media::{Frame, MediaTime, TrackKind, Tracks};
use bytes::Bytes;
use std::time::Duration;

/// How much of one track has to come without the other before the other is no longer waited for.
const WAIT_FOR_THE_OTHER: Duration = Duration::from_secs(1);
/// Frames that are held until the tracks are complete.
const MOST_HELD: usize = 512;
/// Bytes of them.
const MOST_HELD_BYTES: usize = 8 << 20;
/// A time that goes back by more than this is a source that began anew; by less, a frame out of order.
const BEGAN_ANEW: Duration = Duration::from_secs(1);

/// What to tell the hub.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The tracks are these.
    Headers(Tracks),
    /// The metadata are these.
    Metadata(Bytes),
    /// The tracks are complete.
    Ready,
    /// A frame.
    Frame(Frame),
}

/// Why the stream cannot be carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// Its codec, or how it is packed.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// Its metadata break a limit.
    #[error(transparent)]
    Amf(#[from] AmfError),
}

/// One publisher's stream.
#[derive(Debug, Default)]
pub struct Ingest {
    reader: TagReader,
    tracks: Tracks,
    /// Whether the metadata announce pictures and sound; none if they announce neither or did not come.
    announced: Option<(bool, bool)>,
    ready: bool,
    held: Vec<Frame>,
    held_bytes: usize,
    clock: Clock,
}

impl Ingest {
    /// Takes one message of sound, pictures or data, and adds what follows from it to `steps`.
    ///
    /// # Errors
    /// The stream cannot be carried.
    pub fn take(&mut self, message: Message, steps: &mut Vec<Step>) -> Result<(), IngestError> {
        let tag = match message.kind {
            kind::VIDEO => self.reader.video(&message.payload),
            kind::AUDIO => self.reader.audio(&message.payload),
            _ => return self.data(message, steps),
        };
        match tag {
            // One broken tag is no reason to end a stream.
            Err(TagError::Short) | Ok(Tag::Nothing | Tag::End(_)) => {}
            Err(error) => return Err(error.into()),
            Ok(Tag::Video(track)) => {
                if self.tracks.video.as_ref() != Some(&track) {
                    self.tracks.video = Some(track);
                    self.changed(steps);
                }
            }
            Ok(Tag::Audio(track, first)) => {
                if self.tracks.audio.as_ref() != Some(&track) {
                    self.tracks.audio = Some(track);
                    self.changed(steps);
                }
                if let Some(first) = first {
                    self.frame(message.timestamp, first, steps);
                }
            }
            Ok(Tag::Frame(coded)) => self.frame(message.timestamp, coded, steps),
        }
        Ok(())
    }

    fn data(&mut self, message: Message, steps: &mut Vec<Step>) -> Result<(), IngestError> {
        if let Some(body) = metadata(&message.payload) {
            self.announced = announced(&body)?;
            steps.push(Step::Metadata(body));
            self.look(steps);
            return Ok(());
        }
        // Data begins with the name of what handles it; the server's own orders are not for players.
        if message.payload.first() != Some(&2) || message.payload.starts_with(b"\x02\x00\x0f@clearDataFrame")
        {
            return Ok(());
        }
        let dts = self.clock.place(TrackKind::Data, message.timestamp);
        let payload = message.payload;
        self.give(Frame { track: TrackKind::Data, dts, pts: dts, keyframe: true, payload }, steps);
        Ok(())
    }

    fn frame(&mut self, timestamp: u32, coded: Coded, steps: &mut Vec<Step>) {
        let dts = self.clock.place(coded.track, timestamp) + coded.offset;
        let frame = Frame {
            track: coded.track,
            dts,
            pts: dts + coded.composition,
            keyframe: coded.keyframe,
            payload: coded.payload,
        };
        self.give(frame, steps);
    }

    fn give(&mut self, frame: Frame, steps: &mut Vec<Step>) {
        if self.ready {
            return steps.push(Step::Frame(frame));
        }
        self.held_bytes = self.held_bytes.saturating_add(frame.payload.len());
        self.held.push(frame);
        self.look(steps);
    }

    /// The tracks are others now.
    fn changed(&mut self, steps: &mut Vec<Step>) {
        if self.ready {
            steps.push(Step::Headers(self.tracks.clone()));
        } else {
            self.look(steps);
        }
    }

    /// Lets the stream begin if its tracks are complete. Frames wait for that: a track that came later would be a
    /// change of the stream.
    fn look(&mut self, steps: &mut Vec<Step>) {
        let Tracks { video, audio } = &self.tracks;
        let complete = match (video, audio) {
            (Some(_), Some(_)) => true,
            (Some(_), None) => self.announced == Some((true, false)),
            (None, Some(_)) => self.announced == Some((false, true)),
            (None, None) => false,
        };
        if self.ready || !(complete || (!self.tracks.is_empty() && self.waited_enough())) {
            return;
        }
        self.ready = true;
        self.held_bytes = 0;
        steps.push(Step::Headers(self.tracks.clone()));
        steps.push(Step::Ready);
        steps.extend(std::mem::take(&mut self.held).into_iter().map(Step::Frame));
    }

    fn waited_enough(&self) -> bool {
        let times = || self.held.iter().filter(|f| f.track != TrackKind::Data).map(|f| f.dts);
        let span = times().max().zip(times().min()).map_or(Duration::ZERO, |(last, first)| last.since(first));
        span >= WAIT_FOR_THE_OTHER || self.held.len() >= MOST_HELD || self.held_bytes >= MOST_HELD_BYTES
    }
}

/// Whether metadata announce pictures and sound; `None` if neither.
fn announced(body: &[u8]) -> Result<Option<(bool, bool)>, AmfError> {
    let values = amf0::decode(body)?;
    let Some(about) = values.get(1) else { return Ok(None) };
    // A number, or a FourCC as text; 0 stands for none where an encoder always writes both.
    let has = |key: &str| match about.get(key) {
        Some(Value::Number(number)) => *number != 0.0,
        Some(Value::String(text)) => !text.is_empty(),
        _ => false,
    };
    let (video, audio) = (has("videocodecid"), has("audiocodecid"));
    Ok((video || audio).then_some((video, audio)))
}

/// Makes a line of time of the protocol's 32 bits.
#[derive(Debug, Default)]
struct Clock {
    /// The last timestamp, and where it stands on the publisher's own line, in milliseconds.
    last: Option<(u32, i64)>,
    /// Added to that line, in milliseconds.
    shift: i64,
    /// Where each track stands: pictures, sound, data.
    tracks: [Option<i64>; 3],
}

impl Clock {
    /// The time of a message of this track: past the wrap of 32 bits, and never before the one of the same track before
    /// it. If the publisher's clock begins anew, time goes on from where it was.
    fn place(&mut self, track: TrackKind, timestamp: u32) -> MediaTime {
        let own = match self.last {
            None => i64::from(timestamp),
            // The shorter way round: a timestamp may be a little older than the last one, or have passed 2^32.
            Some((last, at)) => at.saturating_add(i64::from(timestamp.wrapping_sub(last).cast_signed())),
        };
        self.last = Some((timestamp, own));
        let mut millis = own.saturating_add(self.shift);
        let newest = self.tracks.iter().flatten().copied().max().unwrap_or(millis);
        let index = match track {
            TrackKind::Video => 0,
            TrackKind::Audio => 1,
            TrackKind::Data => 2,
        };
        let before = self.tracks.get(index).copied().flatten().unwrap_or(millis);
        if millis < before {
            let back = MediaTime::from_millis(before).since(MediaTime::from_millis(millis));
            if back > BEGAN_ANEW && track != TrackKind::Data {
                self.shift = self.shift.saturating_add(newest.saturating_sub(millis));
                millis = newest;
            } else {
                millis = before;
            }
        }
        if let Some(slot) = self.tracks.get_mut(index) {
            *slot = Some(millis);
        }
        MediaTime::from_millis(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::h264;
    use crate::media::flv::header;
    use crate::media::{AudioTrack, VideoTrack};

    fn video_track() -> VideoTrack {
        h264::track_of_sets(
            &[
                0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03,
                0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
            ],
            &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0],
        )
        .unwrap()
    }

    fn audio_track() -> AudioTrack {
        AudioTrack::aac(Bytes::from_static(&[0x12, 0x10])).unwrap()
    }

    fn message(kind: u8, timestamp: u32, payload: impl Into<Bytes>) -> Message {
        Message { kind, stream: 1, timestamp, payload: payload.into() }
    }

    fn meta(video: bool, audio: bool) -> Message {
        let mut properties = vec![("width".to_string(), Value::Number(640.0))];
        for (yes, key) in [(video, "videocodecid"), (audio, "audiocodecid")] {
            if yes {
                properties.push((key.to_string(), Value::Number(7.0)));
            }
        }
        let values = [Value::text("@setDataFrame"), Value::text("onMetaData"), Value::EcmaArray(properties)];
        message(kind::DATA, 0, amf0::encode(&values))
    }

    fn picture(timestamp: u32) -> Message {
        message(kind::VIDEO, timestamp, &[0x17, 1, 0, 0, 40, 0, 0, 0, 1, 0x65][..])
    }

    fn sound(timestamp: u32) -> Message {
        message(kind::AUDIO, timestamp, &[0xaf, 1, 9][..])
    }

    fn video_header() -> Message {
        message(kind::VIDEO, 0, header::video(&video_track()))
    }

    fn audio_header() -> Message {
        message(kind::AUDIO, 0, header::audio(&audio_track()))
    }

    /// What a step is, in a word, with the time of a frame.
    fn words(messages: Vec<Message>) -> Vec<String> {
        let mut ingest = Ingest::default();
        let mut steps = Vec::new();
        for message in messages {
            ingest.take(message, &mut steps).unwrap();
        }
        let word = |step: &Step| match step {
            Step::Headers(tracks) => {
                format!("headers {} {}", tracks.video.is_some(), tracks.audio.is_some())
            }
            Step::Metadata(_) => "metadata".into(),
            Step::Ready => "ready".into(),
            Step::Frame(frame) => format!("{:?} {}", frame.track, frame.dts.millis()),
        };
        steps.iter().map(word).collect()
    }

    #[test]
    fn both_headers_make_it_ready() {
        let sent = vec![
            meta(true, true),
            video_header(),
            audio_header(),
            picture(0),
            sound(5),
            video_header(),
            picture(40),
        ];
        assert_eq!(words(sent), ["metadata", "headers true true", "ready", "Video 0", "Audio 5", "Video 40"]);
        // The second header comes behind frames: they wait for it.
        let sent = vec![video_header(), picture(0), picture(40), audio_header(), sound(20)];
        assert_eq!(words(sent), ["headers true true", "ready", "Video 0", "Video 40", "Audio 20"]);
    }

    #[test]
    fn metadata_say_that_there_is_only_one() {
        assert_eq!(
            words(vec![meta(true, false), video_header(), picture(0)]),
            ["metadata", "headers true false", "ready", "Video 0"]
        );
        assert_eq!(
            words(vec![meta(false, true), audio_header(), sound(0)]),
            ["metadata", "headers false true", "ready", "Audio 0"]
        );
        // They may be wrong.
        let sent = vec![meta(true, false), video_header(), picture(0), audio_header(), sound(5)];
        assert_eq!(
            words(sent),
            ["metadata", "headers true false", "ready", "Video 0", "headers true true", "Audio 5"]
        );
    }

    #[test]
    fn a_second_without_the_other_is_enough() {
        let mut sent = vec![meta(true, true), audio_header()];
        sent.extend((0..=50).map(|i| sound(i * 20)));
        let said = words(sent.clone());
        assert_eq!(said[..4], ["metadata", "headers false true", "ready", "Audio 0"]);
        sent.pop();
        assert_eq!(words(sent), ["metadata"]);
        // Times that stand still are no reason to hold for ever.
        let mut sent = vec![audio_header()];
        sent.extend((0..MOST_HELD).map(|_| sound(0)));
        assert_eq!(words(sent).len(), 2 + MOST_HELD);
    }

    #[test]
    fn data_travels_and_orders_do_not() {
        let data = |name: &str| message(kind::DATA, 7, amf0::encode(&[Value::text(name), Value::Null]));
        let sent = vec![
            audio_header(),
            video_header(),
            data("onCuePoint"),
            data("@clearDataFrame"),
            message(kind::DATA, 7, &[][..]),
        ];
        assert_eq!(words(sent), ["headers true true", "ready", "Data 7"]);
        let deep =
            message(kind::DATA, 0, [&b"\x02\x00\x0aonMetaData"[..], &[10, 0, 0, 0, 1].repeat(40)].concat());
        assert_eq!(Ingest::default().take(deep, &mut Vec::new()), Err(AmfError::Depth.into()));
    }

    #[test]
    fn codecs_that_are_not_carried_end_it() {
        let legacy = message(kind::VIDEO, 0, &[0x12, 0, 0, 0][..]);
        let error = Ingest::default().take(legacy, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("Sorenson H.263 is not carried"));
        let short = message(kind::VIDEO, 0, &[0x91, b'a'][..]);
        assert_eq!(Ingest::default().take(short, &mut Vec::new()), Ok(()));
    }

    #[test]
    fn composition_and_nanoseconds_are_kept() {
        let mut ingest = Ingest::default();
        let mut steps = Vec::new();
        for message in [
            meta(true, false),
            video_header(),
            message(
                kind::VIDEO,
                1000,
                [&[0xa7, 2, 0, 0, 9, 1][..], b"avc1", &[0, 0, 80, 0, 0, 0, 1, 0x41]].concat(),
            ),
        ] {
            ingest.take(message, &mut steps).unwrap();
        }
        let Some(Step::Frame(frame)) = steps.last() else { panic!("no frame") };
        assert_eq!((frame.dts.nanos(), frame.pts.nanos()), (1_000_000_009, 1_080_000_009));
        assert!(!frame.keyframe);
    }

    #[test]
    fn time_does_not_go_back() {
        let mut clock = Clock::default();
        let mut at = |track, t: u32| clock.place(track, t).millis();
        use TrackKind::{Audio, Video};
        assert_eq!([at(Video, u32::MAX - 40), at(Audio, u32::MAX - 20)], [4_294_967_255, 4_294_967_275]);
        // Past 2^32, and one of them a little before the other.
        assert_eq!(
            [at(Video, 10), at(Audio, u32::MAX), at(Video, 50)],
            [4_294_967_306, 4_294_967_295, 4_294_967_346]
        );
        // A frame out of order.
        assert_eq!([at(Video, 20), at(Video, 90)], [4_294_967_346, 4_294_967_386]);
        // Past 2^24 nothing happens.
        assert_eq!(at(Video, 1 << 24), (1 << 32) + (1 << 24));
    }

    #[test]
    fn a_clock_that_begins_anew_goes_on() {
        let mut clock = Clock::default();
        let mut at = |track, t: u32| clock.place(track, t).millis();
        use TrackKind::{Audio, Video};
        assert_eq!([at(Video, 60_000), at(Audio, 60_010)], [60_000, 60_010]);
        assert_eq!(
            [at(Video, 0), at(Audio, 5), at(Video, 40), at(Audio, 28)],
            [60_010, 60_015, 60_050, 60_038]
        );
        // Forward jumps are as they are.
        assert_eq!(at(Video, 93_600_000), 93_660_010);
        assert_eq!(at(Video, 100), 93_660_010);
    }
}
