//! One rendition's frames as fragments: a part for each few frames, video and audio together. Pure; the times are those
//! of the ladder.

use super::pace::Pace;
use crate::media::codec::{h264, h265, opus};
use crate::media::fmp4::{self, AUDIO_TRACK, InitError, Run, Sample, VIDEO_TIMESCALE, VIDEO_TRACK};
use crate::media::rtp::audio_clock::AudioClock;
use crate::media::{AudioCodec, AudioTrack, Frame, MediaTime, TrackKind, Tracks, VideoCodec, VideoTrack};
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;

/// Audio that is further ahead of the video than this does not wait for it: the video has stopped.
const VIDEO_STOPPED: Duration = Duration::from_millis(500);
/// Fragments count from before zero: a source's first frames may lie a little below it.
const BEFORE_ZERO: MediaTime = MediaTime::from_millis(10_000);
/// The most frames, and bytes of each track, that wait for a part to close, so that no source fills the memory.
const MOST_WAITING: usize = 4096;
const MOST_WAITING_BYTES: usize = 16 << 20;

/// A part of a segment.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where it begins.
    pub start: MediaTime,
    /// How long it is.
    pub duration: Duration,
    /// Whether decoding can begin with it.
    pub independent: bool,
    /// `moof` and `mdat`.
    pub bytes: Bytes,
}

impl Part {
    /// Where it ends.
    pub fn end(&self) -> MediaTime {
        self.start + MediaTime::from_duration(self.duration)
    }
}

/// A frame of video that waits for its part.
struct VideoSample {
    dts: MediaTime,
    pts: MediaTime,
    sync: bool,
    data: Bytes,
}

/// A packet of audio that waits for its part: its tick and its length in ticks.
struct AudioSample {
    time: MediaTime,
    tick: i64,
    length: u32,
    data: Bytes,
}

struct Video {
    codec: VideoCodec,
    pace: Pace,
    waiting: Vec<VideoSample>,
    /// Bytes of those.
    bytes: usize,
    last: Option<MediaTime>,
}

struct Audio {
    codec: AudioCodec,
    clock: AudioClock,
    length: Option<u32>,
    pace: Pace,
    waiting: Vec<AudioSample>,
    /// Bytes of those.
    bytes: usize,
}

/// See the module.
pub struct Muxer {
    init: Bytes,
    video: Option<Video>,
    audio: Option<Audio>,
    sequence: u32,
}

impl Muxer {
    /// For these tracks, with parts of about `part`.
    ///
    /// # Errors
    /// As [`fmp4::init_segment`].
    pub fn new(tracks: &Tracks, part: Duration) -> Result<Muxer, InitError> {
        let audio = tracks.audio().filter(|track| fmp4::carries_audio(track));
        Ok(Muxer {
            init: fmp4::init_segment(tracks)?,
            video: tracks.video().map(|track| Video::new(track, part)),
            audio: audio.map(|track| Audio::new(track, part)),
            sequence: 0,
        })
    }

    /// The initialisation segment.
    pub fn init(&self) -> &Bytes {
        &self.init
    }

    /// Bytes that wait for a part to close.
    pub fn waiting_bytes(&self) -> usize {
        let video = self.video.as_ref().map_or(0, |video| video.bytes);
        video.saturating_add(self.audio.as_ref().map_or(0, |audio| audio.bytes))
    }

    /// The most that a part lasts, as far as it is known.
    pub fn part_target(&self) -> Duration {
        match (&self.video, &self.audio) {
            (Some(video), _) => video.pace.target(),
            (None, Some(audio)) => audio.pace.target(),
            (None, None) => Duration::ZERO,
        }
    }

    /// How long a frame of video lasts, or a packet of audio where there is no video; `None` before it is known.
    pub fn frame(&self) -> Option<Duration> {
        match (&self.video, &self.audio) {
            (Some(video), _) => video.pace.frame(),
            (None, audio) => audio.as_ref()?.pace.frame(),
        }
    }

    /// Takes a frame; the parts that it completes. Frames of other tracks than the muxer was made for are passed over.
    pub fn push(&mut self, frame: &Frame) -> Vec<Part> {
        let mut parts = Vec::new();
        match frame.track.kind() {
            TrackKind::Video => parts.extend(self.push_video(frame)),
            TrackKind::Audio => self.push_audio(frame),
            TrackKind::Data => {}
        }
        parts.extend(self.close_if_full(frame.track.kind()));
        parts
    }

    /// Closes the open part: the segment is cut at `at`. Audio from there on stays, as does audio that came too late for
    /// the last part.
    pub fn cut(&mut self, at: MediaTime) -> Option<Part> {
        let late = self.video.as_ref().is_some_and(|video| video.waiting.is_empty());
        if late { None } else { self.write(Some(at), Some(at)) }
    }

    /// Closes the open part with all that there is: nothing follows.
    pub fn end(&mut self) -> Option<Part> {
        self.write(None, Some(MediaTime::from_nanos(i64::MAX)))
    }

    fn push_video(&mut self, frame: &Frame) -> Option<Part> {
        let video = self.video.as_mut()?;
        if let Some(last) = video.last.replace(frame.dts) {
            video.pace.note(frame.dts.since(last));
        }
        // Where frames last unevenly, or some are missing, the next one shows that the part is full.
        let begun = video.waiting.first().map(|first| frame.dts.since(first.dts));
        let full = begun.is_some_and(|length| video.pace.is_full(length));
        let too_many = video.waiting.len() >= MOST_WAITING || video.bytes >= MOST_WAITING_BYTES;
        // Where the last frame shows to be so long that the part would be longer than any may be, it begins the next one.
        let overlong = !video.pace.is_steady() && begun.is_some_and(|length| length > video.pace.target());
        let kept = if overlong && video.waiting.len() > 1 { video.waiting.pop() } else { None };
        let next = kept.as_ref().map_or(frame.dts, |kept| kept.dts);
        let part = if full || overlong || too_many { self.write(Some(next), None) } else { None };
        let video = self.video.as_mut()?;
        let sample = VideoSample {
            dts: frame.dts,
            pts: frame.pts,
            sync: frame.keyframe,
            data: without_parameter_sets(video.codec, frame),
        };
        let held = kept.is_some();
        video.waiting.extend(kept.into_iter().chain([sample]));
        let added = video.waiting.iter().rev().take(1 + usize::from(held)).map(|sample| sample.data.len());
        video.bytes = video.bytes.saturating_add(added.sum());
        part
    }

    fn push_audio(&mut self, frame: &Frame) {
        let Some(audio) = &mut self.audio else { return };
        let length = match audio.codec {
            AudioCodec::Opus => opus::samples(&frame.payload),
            _ => audio.length,
        };
        let Some(length) = length else { return };
        let tick = audio.clock.tick(frame.pts + BEFORE_ZERO, Some(length));
        let too_many = audio.waiting.len() >= MOST_WAITING || audio.bytes >= MOST_WAITING_BYTES;
        if tick < 0 || too_many {
            return;
        }
        audio.bytes = audio.bytes.saturating_add(frame.payload.len());
        audio.pace.note(MediaTime::from_clock(i64::from(length), audio.clock.rate()).since(MediaTime::ZERO));
        audio.waiting.push(AudioSample { time: frame.pts, tick, length, data: frame.payload.clone() });
    }

    fn close_if_full(&mut self, pushed: TrackKind) -> Option<Part> {
        match (&self.video, &self.audio) {
            (Some(video), _) if pushed == TrackKind::Video => {
                let length = video.length()?;
                if video.pace.is_steady() && video.pace.is_full(length) {
                    self.write(None, None)
                } else {
                    None
                }
            }
            (Some(video), Some(audio)) => {
                let (first, last) = (audio.waiting.first()?.time, audio.waiting.last()?.time);
                let begun = video.waiting.last().map_or(first, |sample| sample.dts);
                let stopped = last.since(begun) > VIDEO_STOPPED;
                if stopped { self.write(None, Some(last + MediaTime::from_millis(1))) } else { None }
            }
            (None, Some(audio)) if audio.pace.is_full(audio.waiting_length()) => self.write(None, None),
            _ => None,
        }
    }

    /// Writes what waits as a part. `next`: when the next frame of video is decoded, if that is known. `audio_until`:
    /// audio from here on stays; without it, what lies beyond the video stays.
    fn write(&mut self, next: Option<MediaTime>, audio_until: Option<MediaTime>) -> Option<Part> {
        let mut video_samples = Vec::new();
        let mut start = None;
        let mut end = None;
        let mut independent = true;
        let mut video_base = 0;
        if let Some(video) = &mut self.video {
            let frame = video.pace.frame().unwrap_or(Duration::from_millis(33));
            let taken = std::mem::take(&mut video.waiting);
            video.bytes = 0;
            independent = taken.first().is_some_and(|first| first.sync);
            if let (Some(first), Some(last)) = (taken.first(), taken.last()) {
                let expected = last.dts + MediaTime::from_duration(frame);
                // A hole in the stream stays one; everything else is as long as the next frame says.
                let last_end =
                    next.filter(|next| next.since(last.dts) < frame.saturating_mul(8)).unwrap_or(expected);
                start = Some(first.dts);
                end = Some(last_end);
                video_base = ticks(first.dts);
                video_samples = samples(&taken, last_end);
            }
        }
        let mut packets = Vec::new();
        let mut audio_base = 0;
        if let Some(audio) = &mut self.audio {
            let until = if self.video.is_some() { audio_until.or(end) } else { audio_until };
            let keep = until.map_or(audio.waiting.len(), |until| {
                audio.waiting.iter().position(|packet| packet.time >= until).unwrap_or(audio.waiting.len())
            });
            let taken: Vec<AudioSample> = audio.waiting.drain(..keep).collect();
            audio.bytes = audio.waiting.iter().map(|packet| packet.data.len()).sum();
            if let (Some(first), Some(last)) = (taken.first(), taken.last()) {
                audio_base = u64::try_from(first.tick).unwrap_or(0);
                let length = MediaTime::from_clock(i64::from(last.length), audio.clock.rate());
                start.get_or_insert(first.time);
                end.get_or_insert(last.time + length);
                packets = audio_samples(&taken);
            }
        }
        let (start, end) = (start?, end?);
        self.sequence = self.sequence.wrapping_add(1);
        let runs = [
            Run { track: VIDEO_TRACK, base_time: video_base, samples: &video_samples },
            Run { track: AUDIO_TRACK, base_time: audio_base, samples: &packets },
        ];
        Some(Part {
            start,
            duration: end.since(start),
            independent,
            bytes: fmp4::fragment(self.sequence, &runs),
        })
    }
}

impl Video {
    fn new(track: &VideoTrack, part: Duration) -> Video {
        let nominal = track
            .frame_rate
            .filter(|rate| (1.0..=240.0).contains(rate))
            .map(|r| Duration::from_secs_f64(1.0 / r));
        Video {
            codec: track.codec,
            pace: Pace::new(part, nominal),
            waiting: Vec::new(),
            bytes: 0,
            last: None,
        }
    }

    /// How long what waits is.
    fn length(&self) -> Option<Duration> {
        let (first, last) = (self.waiting.first()?, self.waiting.last()?);
        Some(last.dts.since(first.dts).saturating_add(self.pace.frame()?))
    }
}

impl Audio {
    fn new(track: &AudioTrack, part: Duration) -> Audio {
        Audio {
            codec: track.codec,
            clock: AudioClock::new(track.sample_rate),
            length: track.samples_per_packet(),
            pace: Pace::new(part, None),
            waiting: Vec::new(),
            bytes: 0,
        }
    }

    fn waiting_length(&self) -> Duration {
        let (Some(first), Some(last)) = (self.waiting.first(), self.waiting.last()) else {
            return Duration::ZERO;
        };
        let ticks = last.tick.saturating_sub(first.tick).saturating_add(i64::from(last.length));
        MediaTime::from_clock(ticks, self.clock.rate()).since(MediaTime::ZERO)
    }
}

fn ticks(time: MediaTime) -> u64 {
    u64::try_from((time + BEFORE_ZERO).in_clock(VIDEO_TIMESCALE)).unwrap_or(0)
}

/// Each sample lasts until the next, the last one until `end`.
fn samples(video_samples: &[VideoSample], end: MediaTime) -> Vec<Sample> {
    let nexts = video_samples.iter().skip(1).map(|sample| sample.dts).chain([end]);
    video_samples
        .iter()
        .zip(nexts)
        .map(|(sample, next)| {
            let (at, next) = (ticks(sample.dts), ticks(next));
            let shown = (sample.pts - sample.dts).in_clock(VIDEO_TIMESCALE);
            Sample {
                duration: u32::try_from(next.saturating_sub(at)).unwrap_or(u32::MAX),
                composition: i32::try_from(shown).unwrap_or(0),
                sync: sample.sync,
                data: sample.data.clone(),
            }
        })
        .collect()
}

/// Each packet lasts until the next where the next is late by less than a packet, so that rounding leaves no holes.
fn audio_samples(packets: &[AudioSample]) -> Vec<Sample> {
    let nexts = packets.iter().skip(1).map(|packet| Some(packet.tick)).chain([None]);
    packets
        .iter()
        .zip(nexts)
        .map(|(packet, next)| {
            let until_next = next.and_then(|next| u32::try_from(next.saturating_sub(packet.tick)).ok());
            Sample {
                duration: until_next.unwrap_or(packet.length),
                composition: 0,
                sync: true,
                data: packet.data.clone(),
            }
        })
        .collect()
}

/// The frame without parameter sets: they stand in the initialisation segment, and `avc1` and `hvc1` forbid them here
/// (ISO 14496-15, 5.3.1 and 8.3.1).
fn without_parameter_sets(codec: VideoCodec, frame: &Frame) -> Bytes {
    let is_set = |nal: &[u8]| match codec {
        VideoCodec::H264 => matches!(h264::nal::kind(nal), h264::nal::SPS | h264::nal::PPS),
        VideoCodec::H265 => matches!(h265::nal::kind(nal), h265::nal::VPS | h265::nal::SPS | h265::nal::PPS),
        VideoCodec::Av1 | VideoCodec::Vp9 => false,
    };
    let nals = matches!(codec, VideoCodec::H264 | VideoCodec::H265);
    if !nals || !frame.nals().any(is_set) {
        return frame.payload.clone();
    }
    let mut kept = BytesMut::with_capacity(frame.payload.len());
    for nal in frame.nals().filter(|nal| !is_set(nal)) {
        kept.put_u32(u32::try_from(nal.len()).unwrap_or(0));
        kept.put_slice(nal);
    }
    kept.freeze()
}
