//! Frames of H.264 and H.265 as readers want them, out of what publishers delimit: one for each picture, whatever came
//! with a border of its own (parameter sets, messages, single slices); keyframes with all sets or none; and the track
//! that the sets describe, wherever they came from.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::codec::ConfigError;
use super::codec::nal::{self, Role, SetKind};
use super::codec::sets::ParameterSets;
use super::codec::{framing, video_track};
use super::frame::Nals;
use super::joining::{Joining, Picture};
use super::track::{VideoCodec, VideoTrack};
use bytes::{Bytes, BytesMut};

/// Most units that wait for the next picture, and their bytes.
const MOST_LOOSE: usize = 64;
const MOST_LOOSE_BYTES: usize = 64 << 10;
/// Most frames that wait for the sets to come, and their bytes.
const MOST_EARLY: usize = 512;
const MOST_EARLY_BYTES: usize = 8 << 20;

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<T> {
    /// The track is this from the next picture on.
    Track(VideoTrack),
    /// A picture that a reader of the track can decode.
    Picture(Picture<T>),
}

/// See the module. One for each stream; `T` is what the protocol knows of a picture.
#[derive(Debug)]
pub struct AccessUnits<T> {
    codec: VideoCodec,
    sets: ParameterSets,
    /// The track as it was told last.
    known: Option<VideoTrack>,
    /// The last configuration that came beside the frames, and whether it has come again since the last keyframe.
    configuration: Option<VideoTrack>,
    repeated: bool,
    joining: Joining<T>,
    /// Units that came without video, for the next one.
    loose: Vec<Bytes>,
    /// Sets came without video: the next keyframe gets all.
    owed: bool,
    early: Vec<Picture<T>>,
    undecodable: u64,
}

/// What units a part holds.
#[derive(Clone, Copy, Debug, Default)]
struct Seen<'a> {
    /// The first slice.
    slice: Option<&'a [u8]>,
    /// Whether one of the slices is the first of its picture.
    begins: Option<bool>,
    key: bool,
    sps: bool,
    pps: bool,
    /// Something that stands before the slices of a picture.
    before: bool,
    /// A parameter set stands behind a slice.
    late: bool,
}

impl<T> AccessUnits<T> {
    /// For H.264 or H.265. Once something without a slice was delimited, a picture waits to see whether its slices come
    /// one by one as well: until [`AccessUnits::finish`] at the longest.
    pub fn new(codec: VideoCodec) -> AccessUnits<T> {
        AccessUnits {
            codec,
            sets: ParameterSets::new(codec),
            known: None,
            configuration: None,
            repeated: false,
            joining: Joining::default(),
            loose: Vec::new(),
            owed: false,
            early: Vec::new(),
            undecodable: 0,
        }
    }

    /// The track as it is now.
    pub fn known(&self) -> Option<&VideoTrack> {
        self.known.as_ref()
    }

    /// Frames that came before the track was known.
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// The picture that waits for the next one to begin.
    pub fn waiting(&self) -> Option<&Picture<T>> {
        self.joining.waiting()
    }

    /// Takes the track from beside the frames: a description, a container's record. It counts until frames bring other
    /// sets; the same once more is no news, unless frames brought others and stopped doing so.
    pub fn describe(&mut self, track: VideoTrack, out: &mut Vec<Found<T>>) {
        self.repeated = self.configuration.as_ref() == Some(&track);
        if !self.repeated {
            self.sets = ParameterSets::of(&track);
            self.configuration = Some(track.clone());
            self.tell(track, out);
        }
    }

    /// Takes a container's record, if it can be used. One that is broken may still hold sets, and some programs send
    /// sets behind start codes in its place.
    ///
    /// # Errors
    /// Why it cannot be used. What was known before still counts.
    pub fn configure(&mut self, record: &Bytes, out: &mut Vec<Found<T>>) -> Result<(), ConfigError> {
        // Kept on its own: the message may be a part of something larger.
        let error = match video_track(self.codec, Bytes::copy_from_slice(record)) {
            Ok(track) => {
                self.describe(track, out);
                return Ok(());
            }
            Err(error) => error,
        };
        let mut sets = ParameterSets::new(self.codec);
        super::codec::parameter_sets(self.codec, record).iter().for_each(|set| {
            sets.keep(set);
        });
        framing::start_coded(record).for_each(|unit| {
            sets.keep(unit);
        });
        match sets.track(None) {
            Ok(track) => {
                self.describe(track, out);
                Ok(())
            }
            Err(_) => {
                // A part of the sets: the rest may come with the frames.
                sets.in_order(None).iter().for_each(|set| {
                    self.sets.keep(set);
                });
                Err(error)
            }
        }
    }

    /// Takes what the protocol delimits as a picture. `after_loss`: something was lost right before it.
    pub fn take(&mut self, part: Picture<T>, after_loss: bool, out: &mut Vec<Found<T>>) {
        let mut whole = Vec::new();
        if after_loss {
            self.joining.lose(&mut whole);
        }
        let seen = self.look(&part.payload);
        if seen.slice.is_some() {
            let begins = seen.begins;
            self.joining.take(part, begins, after_loss, &mut whole);
            return whole.into_iter().for_each(|picture| self.complete(picture, out));
        }
        if seen.before || seen.sps || seen.pps {
            self.joining.close(&mut whole);
            self.joining.doubt();
        }
        whole.into_iter().for_each(|picture| self.complete(picture, out));
        Nals::of(&part.payload).for_each(|unit| self.put_aside(unit));
    }

    /// Nothing more comes, or a picture has waited for the next one long enough.
    pub fn finish(&mut self, out: &mut Vec<Found<T>>) {
        let mut whole = Vec::new();
        self.joining.close(&mut whole);
        whole.into_iter().for_each(|picture| self.complete(picture, out));
    }

    fn look<'a>(&self, payload: &'a [u8]) -> Seen<'a> {
        let mut seen = Seen::default();
        for unit in Nals::of(payload) {
            let role = nal::role(self.codec, unit);
            seen.late |= matches!(role, Role::Set(_)) && seen.slice.is_some();
            match role {
                Role::Slice => {
                    seen.slice.get_or_insert(unit);
                    seen.key |= nal::is_key(self.codec, unit);
                    if seen.begins != Some(true) {
                        seen.begins = nal::begins_picture(self.codec, unit).or(seen.begins);
                    }
                }
                Role::Set(SetKind::Sps) => seen.sps = true,
                Role::Set(SetKind::Pps) => seen.pps = true,
                Role::Set(SetKind::Vps) | Role::Before | Role::Delimiter => seen.before = true,
                Role::Behind => {}
            }
        }
        seen
    }

    /// Keeps a unit that came without video.
    fn put_aside(&mut self, unit: &[u8]) {
        match nal::role(self.codec, unit) {
            Role::Set(kind) => {
                let fresh = self.sets.keep(unit);
                self.owed = true;
                // Any picture may use another picture set than the ones before it.
                if fresh && kind == SetKind::Pps {
                    self.keep_loose(unit);
                }
            }
            Role::Before => self.keep_loose(unit),
            Role::Slice | Role::Delimiter | Role::Behind => {}
        }
    }

    fn keep_loose(&mut self, unit: &[u8]) {
        let bytes = self.loose.iter().map(Bytes::len).fold(unit.len(), usize::saturating_add);
        if self.loose.len() < MOST_LOOSE && bytes <= MOST_LOOSE_BYTES {
            self.loose.push(Bytes::copy_from_slice(unit));
        }
    }

    /// A picture with all its slices becomes a frame.
    fn complete(&mut self, mut picture: Picture<T>, out: &mut Vec<Found<T>>) {
        let payload = picture.payload.clone();
        let seen = self.look(&payload);
        for unit in Nals::of(&payload) {
            self.sets.keep(unit);
        }
        picture.keyframe |= seen.key;
        let key = picture.keyframe;
        if key {
            // Nobody begins with an earlier group of pictures any more.
            self.early.clear();
            self.choose(seen);
        }
        if key || seen.sps || self.known.is_none() {
            self.learn(seen.slice, out);
        }
        self.owed |= seen.late;
        let all = key && self.sets.is_complete() && (self.owed || seen.sps != seen.pps);
        if all || seen.late || !self.loose.is_empty() {
            picture.payload = self.with_loose(&payload, all, seen.slice);
        }
        self.owed &= !key;
        if self.known.is_some() {
            out.push(Found::Picture(picture));
        } else {
            self.wait_for_sets(picture);
        }
    }

    /// At a keyframe: which sets count, those of the frames or those of a configuration that came again.
    fn choose(&mut self, seen: Seen<'_>) {
        let of_frames = seen.sps || self.owed;
        if std::mem::take(&mut self.repeated)
            && !of_frames
            && let Some(track) = &self.configuration
        {
            self.sets = ParameterSets::of(track);
        }
    }

    /// Tells the track if the sets describe another than is known.
    fn learn(&mut self, slice: Option<&[u8]>, out: &mut Vec<Found<T>>) {
        if self.known.as_ref().is_some_and(|known| self.sets.are_of(known, slice)) {
            return;
        }
        let configured = self.configuration.clone().filter(|track| self.sets.are_of(track, slice));
        // Sets that cannot be read change nothing.
        if let Some(track) = configured.or_else(|| self.sets.track(slice).ok()) {
            self.tell(track, out);
        }
    }

    fn tell(&mut self, track: VideoTrack, out: &mut Vec<Found<T>>) {
        if self.known.as_ref() != Some(&track) {
            self.known = Some(track.clone());
            out.push(Found::Track(track));
        }
        out.extend(self.early.drain(..).map(Found::Picture));
    }

    /// `payload` behind what came without video, and with all sets (`all`). Delimiters would have to stand first; they go.
    /// So do sets between slices, as GStreamer repeats them: there they begin another picture (H.264, 7.4.1.2.3).
    fn with_loose(&mut self, payload: &[u8], all: bool, slice: Option<&[u8]>) -> Bytes {
        let mut whole = BytesMut::with_capacity(payload.len().saturating_add(1024));
        if all {
            self.sets.in_order(slice).iter().for_each(|set| framing::put(&mut whole, set));
        }
        let loose = std::mem::take(&mut self.loose);
        let mut behind = false;
        for unit in loose.iter().map(|unit| &unit[..]).chain(Nals::of(payload)) {
            let role = nal::role(self.codec, unit);
            behind |= role == Role::Slice;
            let stays = match role {
                Role::Set(_) => !all && !behind,
                Role::Delimiter => false,
                Role::Slice | Role::Before | Role::Behind => true,
            };
            if stays {
                framing::put(&mut whole, unit);
            }
        }
        whole.freeze()
    }

    /// A picture that nobody can decode yet: a configuration that comes late will want it.
    fn wait_for_sets(&mut self, picture: Picture<T>) {
        self.undecodable = self.undecodable.saturating_add(1);
        if self.early.is_empty() && !picture.keyframe {
            return;
        }
        let held = self.early.iter().map(|early| early.payload.len());
        let bytes = held.fold(picture.payload.len(), usize::saturating_add);
        if self.early.len() < MOST_EARLY && bytes <= MOST_EARLY_BYTES {
            self.early.push(picture);
        } else {
            // A group with a gap is of no use.
            self.early.clear();
        }
    }
}

#[cfg(test)]
#[path = "access_units_tests.rs"]
mod tests;
