//! The video of one stream of tags: frames and the track, whether its publisher sends a configuration in front, in
//! between, broken or not at all. Codecs say in their frames what they are; each in its own way.

use super::LONGEST_CONFIG;
use crate::media::access_units::{AccessUnits, Found};
use crate::media::codec::framing::{Framing, to_lengths};
use crate::media::codec::{ConfigError, av1, h264, h265, vp9};
use crate::media::joining::Picture;
use crate::media::track::{VideoCodec, VideoTrack};
use bytes::Bytes;

/// Most bytes of units that wait for the next frame.
const MOST_LOOSE: usize = 64 << 10;

/// What a publisher does that it should not, and that is put right or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Oddity {
    /// Converted.
    #[error("its video has start codes (annex B) where lengths should be: they are converted")]
    StartCodes,
    /// Left out.
    #[error("some of its video is neither NAL units behind lengths nor behind start codes: it is left out")]
    NoUnits,
}

/// See the module.
#[derive(Debug)]
pub struct VideoInput<T> {
    codec: VideoCodec,
    kind: Kind<T>,
}

#[derive(Debug)]
enum Kind<T> {
    /// H.264, H.265.
    Units { units: Box<AccessUnits<T>>, framing: Option<Framing>, unreadable: u64 },
    /// AV1, VP9.
    Frames(Frames),
}

/// Codecs whose frames are what containers hold.
#[derive(Debug, Default)]
struct Frames {
    known: Option<VideoTrack>,
    /// The last configuration that came by itself. The same once more is no news, whatever frames said since.
    record: Option<Bytes>,
    /// AV1: the last sequence header.
    head: Option<Bytes>,
    /// AV1: what came without a frame, for the next one.
    loose: Vec<u8>,
    undecodable: u64,
}

impl<T> VideoInput<T> {
    /// Nothing known yet.
    pub fn new(codec: VideoCodec) -> VideoInput<T> {
        let kind = match codec {
            VideoCodec::H264 | VideoCodec::H265 => {
                // A message should be a frame; those who send less have to be found out.
                let units = Box::new(AccessUnits::new(codec));
                Kind::Units { units, framing: None, unreadable: 0 }
            }
            VideoCodec::Av1 | VideoCodec::Vp9 => Kind::Frames(Frames::default()),
        };
        VideoInput { codec, kind }
    }

    /// Of which codec.
    pub fn codec(&self) -> VideoCodec {
        self.codec
    }

    /// The track as it is now.
    pub fn known(&self) -> Option<&VideoTrack> {
        match &self.kind {
            Kind::Units { units, .. } => units.known(),
            Kind::Frames(frames) => frames.known.as_ref(),
        }
    }

    /// Frames that came though nobody could decode them, and why that is. `None` once the track is known.
    pub fn trouble(&self) -> Option<(u64, &'static str)> {
        let (frames, why) = match &self.kind {
            Kind::Units { units, unreadable, .. } if *unreadable > units.undecodable() => {
                (*unreadable, "its frames hold NAL units neither behind lengths nor behind start codes")
            }
            Kind::Units { units, .. } => {
                (units.undecodable(), "neither a sequence header nor its keyframes bring parameter sets")
            }
            Kind::Frames(frames) => {
                let why = match self.codec {
                    VideoCodec::Vp9 => "no keyframe comes",
                    _ => "neither a configuration nor its keyframes bring a sequence header",
                };
                (frames.undecodable, why)
            }
        };
        (frames > 0 && self.known().is_none()).then_some((frames, why))
    }

    /// The picture that waits for the next one to begin, where frames may come in several messages.
    pub fn waiting(&self) -> Option<&Picture<T>> {
        match &self.kind {
            Kind::Units { units, .. } => units.waiting(),
            Kind::Frames(_) => None,
        }
    }

    /// Takes a configuration that came by itself.
    ///
    /// # Errors
    /// Why it is of no use. The stream may go on: what was known counts, and frames may say the rest.
    pub fn configure(&mut self, record: &Bytes, out: &mut Vec<Found<T>>) -> Result<(), ConfigError> {
        if record.len() > LONGEST_CONFIG {
            return Err(ConfigError::Reserved(self.codec.name(), "its length"));
        }
        match &mut self.kind {
            Kind::Units { units, framing, .. } => {
                let length = match self.codec {
                    VideoCodec::H265 => h265::length_size(record),
                    _ => h264::length_size(record),
                };
                // What the frames really have is seen there.
                if *framing != Some(Framing::StartCodes) {
                    *framing = length.ok().map(Framing::Lengths);
                }
                units.configure(record, out)
            }
            Kind::Frames(frames) => frames.configure(self.codec, Bytes::copy_from_slice(record), out),
        }
    }

    /// Takes the coded video of one message, as it came. What is odd about it, the first time or whenever it is left
    /// out.
    pub fn take(&mut self, mut picture: Picture<T>, out: &mut Vec<Found<T>>) -> Option<Oddity> {
        match &mut self.kind {
            Kind::Units { units, framing, unreadable } => {
                let Some((payload, found)) = to_lengths(&picture.payload, *framing) else {
                    *unreadable = unreadable.saturating_add(1);
                    return Some(Oddity::NoUnits);
                };
                let before = framing.replace(found);
                picture.payload = payload;
                units.take(picture, false, out);
                let odd = found == Framing::StartCodes && before != Some(found);
                odd.then_some(Oddity::StartCodes)
            }
            Kind::Frames(frames) => {
                if let Some(payload) = frames.take(self.codec, picture.keyframe, picture.payload, out) {
                    picture.payload = payload;
                    out.push(Found::Picture(picture));
                }
                None
            }
        }
    }

    /// Nothing more comes.
    pub fn finish(&mut self, out: &mut Vec<Found<T>>) {
        if let Kind::Units { units, .. } = &mut self.kind {
            units.finish(out);
        }
    }
}

impl Frames {
    fn configure<T>(
        &mut self,
        codec: VideoCodec,
        record: Bytes,
        out: &mut Vec<Found<T>>,
    ) -> Result<(), ConfigError> {
        let track = VideoTrack::from_config(codec, record.clone())?;
        if self.record.replace(record.clone()).as_ref() == Some(&record) {
            return Ok(());
        }
        match (codec, self.known.clone()) {
            // A keyframe has to come anyway, and says the size.
            (VideoCodec::Vp9, None) => {}
            (VideoCodec::Vp9, Some(known)) => self.tell(VideoTrack { config: record, ..known }, out),
            _ => {
                self.head = record.get(4..).and_then(av1::sequence_header).map(Bytes::copy_from_slice);
                self.tell(track, out);
            }
        }
        Ok(())
    }

    /// A frame as it goes on; `None` for what is kept or cannot be decoded.
    fn take<T>(
        &mut self,
        codec: VideoCodec,
        keyframe: bool,
        payload: Bytes,
        out: &mut Vec<Found<T>>,
    ) -> Option<Bytes> {
        let payload = match codec {
            VideoCodec::Vp9 => {
                self.learn_vp9(keyframe, &payload, out);
                payload
            }
            _ => {
                self.learn_av1(&payload, out);
                self.with_loose(payload)?
            }
        };
        if self.known.is_none() {
            self.undecodable = self.undecodable.saturating_add(1);
            return None;
        }
        Some(payload)
    }

    fn learn_vp9<T>(&mut self, keyframe: bool, payload: &[u8], out: &mut Vec<Found<T>>) {
        let track = match vp9::keyframe(payload) {
            Some(found) => Some(vp9::track_of(&found, self.record.clone())),
            // A keyframe that cannot be read leaves a configuration its word.
            None if keyframe && self.known.is_none() => {
                self.record.clone().and_then(|record| vp9::track(record).ok())
            }
            None => None,
        };
        if let Some(track) = track {
            self.tell(track, out);
        }
    }

    fn learn_av1<T>(&mut self, payload: &[u8], out: &mut Vec<Found<T>>) {
        let Some(head) = av1::sequence_header(payload).filter(|head| self.head.as_deref() != Some(head))
        else {
            return;
        };
        // One that cannot be read changes nothing.
        if let Ok(track) = av1::track_of(head) {
            self.head = Some(Bytes::copy_from_slice(head));
            self.tell(track, out);
        }
    }

    fn tell<T>(&mut self, track: VideoTrack, out: &mut Vec<Found<T>>) {
        if self.known.as_ref() != Some(&track) {
            self.known = Some(track.clone());
            out.push(Found::Track(track));
        }
    }

    /// An AV1 frame behind what came without one.
    fn with_loose(&mut self, payload: Bytes) -> Option<Bytes> {
        if av1::is_loose(&payload) {
            if self.loose.len().saturating_add(payload.len()) <= MOST_LOOSE {
                self.loose.extend_from_slice(&payload);
            }
            return None;
        }
        if self.loose.is_empty() {
            return Some(payload);
        }
        self.loose.extend_from_slice(&payload);
        Some(std::mem::take(&mut self.loose).into())
    }
}

#[cfg(test)]
#[path = "video_tests.rs"]
mod tests;
