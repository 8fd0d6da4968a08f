//! What an RTMP publisher sends, as the hub wants it: tracks, metadata and frames, on a line of time that does not go
//! back. Pure; the server's task carries the steps to the hub.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod clock;
mod data;
mod note;

pub use note::Note;

use super::wire::message::{Message, kind};
use crate::hub::Metadata;
use crate::media::access_units::Found;
use crate::media::flv::multitrack::{self, Part};
use crate::media::flv::{Coded, Packets, Tag, TagError, TagReader, VideoInput};
use crate::media::joining::Picture;
use crate::media::{AudioTrack, Frame, MediaTime, TrackId, TrackKind, Tracks, VideoCodec};
use bytes::Bytes;
use clock::Clock;
use data::{Announced, Data};
use note::Said;
use std::collections::BTreeMap;
use std::time::Duration;

/// How much of one track has to come without the other before the other is no longer waited for.
const WAIT_FOR_THE_OTHER: Duration = Duration::from_secs(1);
/// The same where the other comes, but not yet what its decoder needs: a group of pictures may have to end first.
const WAIT_FOR_THE_SETS: Duration = Duration::from_secs(5);
/// Frames that are held until the tracks are complete.
const MOST_HELD: usize = 512;
/// Bytes of them.
const MOST_HELD_BYTES: usize = 8 << 20;
/// How long a picture waits for its next slice or the next picture, where it may have come in several messages.
const WAIT_FOR_SLICES: Duration = Duration::from_millis(200);
/// A stream of which nothing can be decoded is refused after so many frames.
const MOST_UNDECODABLE: u64 = 1000;
/// Or after so many milliseconds of them.
const UNDECODABLE_MS: u32 = 10_000;
/// A step of time like this says nothing about how long they have been coming.
const LEAP_MS: u32 = 3_600_000;

/// What to tell the hub, or the log.
#[derive(Clone, Debug, PartialEq)]
pub enum IngestStep {
    /// The tracks are these.
    Headers(Tracks),
    /// The metadata are these.
    Metadata(Metadata),
    /// The tracks are complete.
    Ready,
    /// A frame.
    Frame(Frame),
    /// For the log.
    Note(Note),
}

/// Why the stream cannot be carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// Its codec, or how it is packed.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// Nothing of it can be decoded.
    #[error("its {0} cannot be decoded: {1}")]
    Undecodable(TrackId, &'static str),
}

/// When a picture is shown, as its tag says, and when it came.
#[derive(Clone, Copy, Debug)]
struct Shown {
    composition: MediaTime,
    offset: MediaTime,
    came: Duration,
}

/// What the tags of one track go through.
#[derive(Debug, Default)]
struct Input {
    reader: TagReader,
    video: Option<VideoInput<Shown>>,
    /// Packets of audio that came before their configuration.
    early: u64,
}

/// One publisher's stream.
#[derive(Debug, Default)]
pub struct Ingest {
    inputs: BTreeMap<TrackId, Input>,
    found: Vec<Found<Shown>>,
    tracks: Tracks,
    announced: Announced,
    ready: bool,
    held: Vec<Frame>,
    held_bytes: usize,
    clock: Clock,
    /// The time of the first message that could not be decoded.
    undecodable_since: Option<u32>,
    said: Said,
}

impl Ingest {
    /// Takes one message of audio, video or data that came at `now` (on any steady clock), and adds what follows from it
    /// to `steps`.
    ///
    /// # Errors
    /// The stream cannot be carried.
    pub fn take(
        &mut self,
        message: Message,
        now: Duration,
        steps: &mut Vec<IngestStep>,
    ) -> Result<(), IngestError> {
        let kind = match message.kind {
            kind::VIDEO => TrackKind::Video,
            kind::AUDIO => TrackKind::Audio,
            _ => {
                self.data(&message, steps);
                return Ok(());
            }
        };
        match multitrack::parts(kind, &message.payload) {
            Ok(None) => self.tag(TrackId::first(kind), message.timestamp, &message.payload, now, steps)?,
            Ok(Some(parts)) => {
                for Part { track, tag } in parts {
                    match TrackId::new(kind, track.into()) {
                        Some(id) => self.tag(id, message.timestamp, &tag, now, steps)?,
                        None => self.note(Note::TooMany(kind), steps),
                    }
                }
            }
            // One broken message is no reason to end a stream.
            Err(_) => {}
        }
        self.despair(message.timestamp)
    }

    /// Takes one tag of one track.
    fn tag(
        &mut self,
        id: TrackId,
        timestamp: u32,
        body: &Bytes,
        now: Duration,
        steps: &mut Vec<IngestStep>,
    ) -> Result<(), IngestError> {
        let input = self.inputs.entry(id).or_default();
        let tag = match id.kind() {
            TrackKind::Video => input.reader.video(body),
            _ => input.reader.audio(body),
        };
        match tag {
            // Nor is one broken tag.
            Err(TagError::Short) | Ok(Tag::Nothing | Tag::End(_)) => {}
            Err(TagError::Config(error)) => self.note(Note::Configuration(id, error), steps),
            Err(error) if id.index() == 0 => return Err(error.into()),
            Err(error) => self.note(Note::LeftOut(id, error), steps),
            Ok(Tag::Configuration(codec, record)) => self.configuration(id, codec, &record, steps),
            Ok(Tag::Video(codec, coded)) => self.video(id, codec, timestamp, coded, now, steps),
            Ok(Tag::Audio(track)) => self.audio_track(id, track, steps),
            Ok(Tag::Packets(packets)) => self.packets(id, timestamp, packets, steps),
            Ok(Tag::Early) => input.early = input.early.saturating_add(1),
        }
        Ok(())
    }

    /// When a picture has waited long enough for its next slice or the next picture.
    pub fn due(&self) -> Option<Duration> {
        let waiting = |input: &Input| Some(input.video.as_ref()?.waiting()?.about.came);
        let since = self.inputs.values().filter_map(waiting).min()?;
        Some(since.saturating_add(WAIT_FOR_SLICES))
    }

    /// Nothing more comes, or it is [`Ingest::due`]: what waits goes out.
    pub fn finish(&mut self, steps: &mut Vec<IngestStep>) {
        let ids: Vec<TrackId> = self.inputs.keys().copied().collect();
        for id in ids {
            if let Some(Input { video: Some(video), .. }) = self.inputs.get_mut(&id) {
                video.finish(&mut self.found);
            }
            self.found(id, steps);
        }
    }

    /// Where video of this codec goes in, and comes out.
    fn input(&mut self, id: TrackId, codec: VideoCodec) -> (&mut VideoInput<Shown>, &mut Vec<Found<Shown>>) {
        let video = &mut self.inputs.entry(id).or_default().video;
        if video.as_ref().is_some_and(|video| video.codec() != codec) {
            *video = None;
        }
        (video.get_or_insert_with(|| VideoInput::new(codec)), &mut self.found)
    }

    fn configuration(&mut self, id: TrackId, codec: VideoCodec, record: &Bytes, steps: &mut Vec<IngestStep>) {
        let (input, found) = self.input(id, codec);
        let outcome = input.configure(record, found);
        self.found(id, steps);
        if let Err(error) = outcome {
            self.note(Note::Configuration(id, error), steps);
        }
    }

    fn video(
        &mut self,
        id: TrackId,
        codec: VideoCodec,
        timestamp: u32,
        coded: Coded,
        came: Duration,
        steps: &mut Vec<IngestStep>,
    ) {
        let Coded { keyframe, composition, offset, payload } = coded;
        let picture = Picture { timestamp, keyframe, payload, about: Shown { composition, offset, came } };
        let (input, found) = self.input(id, codec);
        let odd = input.take(picture, found);
        self.found(id, steps);
        if let Some(odd) = odd {
            self.note(odd.into(), steps);
        }
    }

    /// What video has come out.
    fn found(&mut self, id: TrackId, steps: &mut Vec<IngestStep>) {
        let mut found = std::mem::take(&mut self.found);
        for one in found.drain(..) {
            match one {
                Found::Track(track) => {
                    let late = self.ready && !self.tracks.has(id);
                    self.tracks.set_video(id, track);
                    self.changed(late.then_some(id), steps);
                }
                Found::Picture(picture) => {
                    let Picture { timestamp, keyframe, payload, about: Shown { composition, offset, .. } } =
                        picture;
                    self.frame(id, timestamp, Coded { keyframe, composition, offset, payload }, steps);
                }
            }
        }
        self.found = found;
    }

    fn audio_track(&mut self, id: TrackId, track: AudioTrack, steps: &mut Vec<IngestStep>) {
        if self.tracks.audio_of(id) != Some(&track) {
            let late = self.ready && !self.tracks.has(id);
            self.tracks.set_audio(id, track);
            self.changed(late.then_some(id), steps);
        }
    }

    fn packets(&mut self, id: TrackId, timestamp: u32, packets: Packets, steps: &mut Vec<IngestStep>) {
        let Packets { track, first, more, adts } = packets;
        if adts {
            self.note(Note::Adts, steps);
        }
        if let Some(track) = track {
            self.audio_track(id, track, steps);
        }
        self.frame(id, timestamp, first, steps);
        for coded in more {
            self.frame(id, timestamp, coded, steps);
        }
    }

    fn data(&mut self, message: &Message, steps: &mut Vec<IngestStep>) {
        match data::read(&message.payload) {
            Ok(Data::Nothing) => {}
            Ok(Data::Metadata(metadata, announced)) => {
                self.announced = announced;
                steps.push(IngestStep::Metadata(metadata));
                self.look(steps);
            }
            Ok(Data::Message(payload)) => {
                let dts = self.clock.place(TrackId::DATA, message.timestamp);
                self.give(Frame { track: TrackId::DATA, dts, pts: dts, keyframe: true, payload }, steps);
            }
            Err(why) => self.note(Note::Data(why), steps),
        }
    }

    fn frame(&mut self, track: TrackId, timestamp: u32, coded: Coded, steps: &mut Vec<IngestStep>) {
        let Coded { keyframe, composition, offset, payload } = coded;
        let dts = self.clock.place(track, timestamp) + offset;
        self.give(Frame { track, dts, pts: dts + composition, keyframe, payload }, steps);
    }

    fn give(&mut self, frame: Frame, steps: &mut Vec<IngestStep>) {
        if self.ready {
            return steps.push(IngestStep::Frame(frame));
        }
        self.held_bytes = self.held_bytes.saturating_add(frame.payload.len());
        self.held.push(frame);
        self.look(steps);
    }

    fn note(&mut self, note: Note, steps: &mut Vec<IngestStep>) {
        if self.said.is_new(&note) {
            steps.push(IngestStep::Note(note));
        }
    }

    /// The tracks are others now; one of them may have come late.
    fn changed(&mut self, late: Option<TrackId>, steps: &mut Vec<IngestStep>) {
        if !self.ready {
            return self.look(steps);
        }
        steps.push(IngestStep::Headers(self.tracks.clone()));
        if let Some(track) = late {
            self.note(Note::Late(track), steps);
        }
    }

    /// Lets the stream begin if its tracks are complete. Frames wait for that: a track that came later would be a
    /// change of the stream. How many tracks of a kind there will be nobody says, but they are described in front of the
    /// first frame.
    fn look(&mut self, steps: &mut Vec<IngestStep>) {
        let complete = match (self.tracks.video(), self.tracks.audio()) {
            (Some(_), Some(_)) => true,
            (Some(_), None) => self.announced == Announced { video: true, audio: false },
            (None, Some(_)) => self.announced == Announced { video: false, audio: true },
            (None, None) => false,
        };
        let complete = complete && self.held.iter().any(|frame| frame.track != TrackId::DATA);
        if self.ready || !(complete || (!self.tracks.is_empty() && self.waited_enough())) {
            return;
        }
        self.say_what_is_missing(steps);
        self.ready = true;
        self.held_bytes = 0;
        steps.push(IngestStep::Headers(self.tracks.clone()));
        steps.push(IngestStep::Ready);
        steps.extend(std::mem::take(&mut self.held).into_iter().map(IngestStep::Frame));
    }

    fn waited_enough(&self) -> bool {
        let times = || self.held.iter().filter(|f| f.track != TrackId::DATA).map(|f| f.dts);
        let span = times().max().zip(times().min()).map_or(Duration::ZERO, |(last, first)| last.since(first));
        let patience = if self.undecodable().is_some() { WAIT_FOR_THE_SETS } else { WAIT_FOR_THE_OTHER };
        span >= patience || self.held.len() >= MOST_HELD || self.held_bytes >= MOST_HELD_BYTES
    }

    /// A track that comes though nobody can decode it: how many frames, and why.
    fn undecodable(&self) -> Option<(TrackId, u64, &'static str)> {
        self.inputs.iter().find_map(|(id, input)| {
            if let Some((frames, why)) = input.video.as_ref().and_then(VideoInput::trouble) {
                return Some((*id, frames, why));
            }
            let audio = input.early > 0 && !self.tracks.has(*id);
            audio.then_some((*id, input.early, "its AAC comes without a sequence header"))
        })
    }

    fn say_what_is_missing(&mut self, steps: &mut Vec<IngestStep>) {
        let undecodable = self.undecodable();
        if let Some((track, _, why)) = undecodable {
            self.note(Note::Undecodable(track, why), steps);
        }
        for (announced, there, track) in [
            (self.announced.video, self.tracks.video().is_some(), TrackKind::Video),
            (self.announced.audio, self.tracks.audio().is_some(), TrackKind::Audio),
        ] {
            if announced && !there && undecodable.is_none_or(|(other, ..)| other.kind() != track) {
                self.note(Note::Missing(track), steps);
            }
        }
    }

    /// Gives up a stream that comes and of which nothing can be decoded.
    fn despair(&mut self, timestamp: u32) -> Result<(), IngestError> {
        if !self.tracks.is_empty() {
            return Ok(());
        }
        let Some((track, frames, why)) = self.undecodable() else { return Ok(()) };
        let since = *self.undecodable_since.get_or_insert(timestamp);
        let passed = timestamp.wrapping_sub(since);
        if (UNDECODABLE_MS..LEAP_MS).contains(&passed) || frames >= MOST_UNDECODABLE {
            return Err(IngestError::Undecodable(track, why));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
