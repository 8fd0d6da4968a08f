//! One rendition of a ladder: its frames become parts, its parts segments. Where it is cut, the ladder says.

use super::muxer::Muxer;
use super::timeline::{Cut, Timeline};
use super::window::{Segment, Window};
use crate::media::fmp4::InitError;
use crate::media::{Frame, MediaTime, TrackId, TrackKind, Tracks};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// When a frame came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// On the monotonic clock.
    pub at: Instant,
    /// Unix milliseconds.
    pub wall_ms: i64,
}

/// What a playlist says of a rendition beside its media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Pixels; 0 if the tracks have to tell.
    pub width: u32,
    /// Pixels; 0 if the tracks have to tell.
    pub height: u32,
    /// Bits a second of video and audio as planned; 0 if unknown.
    pub bitrate_bps: u64,
}

/// A step of the times above this is no pause of the source.
const TORN: Duration = Duration::from_secs(3);
/// A keyframe that comes after so much of a segment's length ends it: keyframes do not keep time to the millisecond.
const NEARLY: f64 = 0.9;
/// One that begins again so far before where it ended has begun anew: predictions of how long a last frame lasts are
/// nearer than that.
const WENT_BACK: MediaTime = MediaTime::from_millis(500);
/// The most frames, and bytes of them, that wait for the leader.
const MOST_HELD: usize = 1024;
const MOST_HELD_BYTES: usize = 32 << 20;
/// A segment without a keyframe to end it is given up when it has so much: nothing else bounds it.
const LONGEST_SEGMENT: Duration = Duration::from_secs(30);
const LARGEST_SEGMENT: usize = 64 << 20;
const MOST_PARTS: usize = 1000;

/// See the module.
pub struct Member {
    /// What the publisher says of it.
    pub about: About,
    /// Its tracks.
    pub tracks: Tracks,
    /// Whether it has a publisher.
    pub live: bool,
    /// Frames that wait until the leader has come as far.
    pub held: VecDeque<(Frame, Arrival)>,
    /// Its segments.
    pub window: Window,
    /// Whether the next frame belongs to another run of the publisher than the last.
    pub new_run: bool,
    /// When its last part was closed.
    pub progressed: Option<Instant>,
    /// How far its frames have come since it began or leapt.
    pub last: Option<MediaTime>,
    last_video: Option<MediaTime>,
    last_audio: Option<MediaTime>,
    part: Duration,
    /// The most that parts lasted before its tracks changed.
    part_target_before: Duration,
    muxer: Option<Muxer>,
    /// Initialisation segments by number: the one in use, and those that segments in the window need.
    inits: BTreeMap<u32, Bytes>,
    /// It waits for a cut to begin at.
    waiting: bool,
    /// Time of its last keyframe.
    last_keyframe: Option<MediaTime>,
    /// Cuts of the ladder at which it had no keyframe, in a row.
    missed_cuts: u32,
}

impl Member {
    /// With these tracks, none of whose frames it has seen. Its initialisation segments count from `first_init`.
    ///
    /// # Errors
    /// Tracks that fragmented MP4 does not carry.
    pub fn new(tracks: Tracks, about: About, part: Duration, first_init: u32) -> Result<Member, InitError> {
        let muxer = Muxer::new(&tracks, part)?;
        Ok(Member {
            about,
            tracks,
            live: true,
            held: VecDeque::new(),
            window: Window::default(),
            new_run: false,
            progressed: None,
            last: None,
            last_video: None,
            last_audio: None,
            part,
            part_target_before: Duration::ZERO,
            inits: BTreeMap::from([(first_init, muxer.init().clone())]),
            muxer: Some(muxer),
            waiting: true,
            last_keyframe: None,
            missed_cuts: 0,
        })
    }

    /// Other tracks from the next frame on. The same ones change nothing.
    ///
    /// # Errors
    /// Tracks that fragmented MP4 does not carry; it then takes no frames.
    pub fn set_tracks(&mut self, tracks: Tracks, now: Instant) -> Result<(), InitError> {
        if self.tracks == tracks {
            return Ok(());
        }
        self.end_segment(None, now);
        self.tracks = tracks;
        self.part_target_before = self.part_target();
        self.muxer = None;
        let muxer = Muxer::new(&self.tracks, self.part)?;
        let last = self.init_number();
        if self.init(last) != Some(muxer.init()) {
            self.inits.retain(|number, _| self.window.segments().any(|segment| segment.init == *number));
            self.inits.insert(last.saturating_add(1), muxer.init().clone());
        }
        self.muxer = Some(muxer);
        Ok(())
    }

    /// The number of the initialisation segment in use.
    pub fn init_number(&self) -> u32 {
        self.inits.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// The initialisation segment with this number.
    pub fn init(&self, number: u32) -> Option<&Bytes> {
        self.inits.get(&number)
    }

    /// Whether it has video.
    pub fn has_video(&self) -> bool {
        self.tracks.video().is_some()
    }

    /// Whether this is its track of video or of audio: the first of its kind.
    pub fn carries(&self, track: TrackId) -> bool {
        [self.tracks.first_video(), self.tracks.first_audio()].contains(&Some(track))
    }

    /// Whether a segment can begin with this frame.
    pub fn can_begin_with(&self, frame: &Frame) -> bool {
        match frame.track.kind() {
            TrackKind::Video => frame.keyframe,
            TrackKind::Audio => !self.has_video(),
            TrackKind::Data => false,
        }
    }

    /// Whether this frame has to wait for a leader that has come to `leader`: the leader decides whether it begins a
    /// segment.
    pub fn must_wait(&self, frame: &Frame, leader: Option<MediaTime>) -> bool {
        !self.held.is_empty()
            || (self.can_begin_with(frame) && leader.is_none_or(|leader| leader < frame.dts))
    }

    /// Whether its track leaps to another time with this frame; the leap is noted.
    pub fn is_torn_by(&mut self, frame: &Frame) -> bool {
        let last =
            if frame.track.kind() == TrackKind::Video { &mut self.last_video } else { &mut self.last_audio };
        let before = last.replace(frame.dts);
        before.is_some_and(|before| before.distance(frame.dts) > TORN)
    }

    /// Whether its next segment needs another initialisation segment than its last one, and there has been no discontinuity
    /// since that: `discontinuities` of the ladder so far. Other tracks or other parameters of the encoder are told of by
    /// EXT-X-DISCONTINUITY (RFC 8216bis, 4.4.4.3).
    pub fn needs_discontinuity(&self, discontinuities: u64) -> bool {
        self.window.last().is_some_and(|last| {
            last.init != self.init_number() && last.cut.discontinuities >= discontinuities
        })
    }

    /// A frame at `time` is about to begin a segment. Where its times have gone back since it was interrupted, another run
    /// has begun, whatever was told: a publisher that was on the air for a moment begins anew near where it was.
    pub fn note_return(&mut self, time: MediaTime) {
        self.new_run |= self.waiting && self.window.last().is_some_and(|last| time + WENT_BACK < last.end());
    }

    /// Bytes of all that is held of it.
    pub fn bytes(&self) -> usize {
        let inits: usize = self.inits.values().map(Bytes::len).sum();
        self.window.bytes().saturating_add(self.open_bytes()).saturating_add(inits)
    }

    /// Bytes of what waits for a part or for the leader.
    fn open_bytes(&self) -> usize {
        let waiting = self.muxer.as_ref().map_or(0, Muxer::waiting_bytes);
        self.held.iter().map(|(frame, _)| frame.payload.len()).fold(waiting, usize::saturating_add)
    }

    /// Bytes that stay when all segments but the last are forgotten, and that [`Member::give_up`] frees.
    pub fn last_bytes(&self) -> usize {
        let last = self.window.last().filter(|last| last.stored.is_none()).map_or(0, |last| last.bytes);
        last.saturating_add(self.open_bytes())
    }

    /// Forgets its last segment, whether that is complete or not, and all that waits. It goes on at a keyframe.
    pub fn give_up(&mut self, now: Instant) {
        self.interrupt(false, now);
        self.window.empty_last();
    }

    /// Keeps a frame until the leader has come as far; the oldest are given up where too many wait.
    pub fn hold(&mut self, frame: Frame, arrival: Arrival) {
        let bytes: usize = self.held.iter().map(|(frame, _)| frame.payload.len()).sum();
        if self.held.len() >= MOST_HELD || bytes >= MOST_HELD_BYTES {
            self.held.clear();
            self.waiting = true;
        }
        self.held.push_back((frame, arrival));
    }

    /// A segment begins at `cut`, with the frame that comes next.
    pub fn cut(&mut self, cut: Cut, timeline: &Timeline, now: Instant) {
        self.end_segment(Some(cut.time), now);
        self.window.open(cut, self.init_number(), |msn| timeline.get(msn));
        self.waiting = false;
        self.new_run = false;
        self.missed_cuts = 0;
    }

    /// Closes the open part and segment, so that all of it can be played.
    pub fn end_segment(&mut self, at: Option<MediaTime>, now: Instant) {
        if !self.waiting {
            let part = self.muxer.as_mut().and_then(|muxer| match at {
                Some(at) => muxer.cut(at),
                None => muxer.end(),
            });
            if let Some(part) = part {
                self.window.add(part);
                self.progressed = Some(now);
            }
            // What is cut where it was left off lasts until the cut; what was interrupted, as long as its parts.
            let end = at.filter(|at| at.distance(self.end()) < Duration::from_millis(500));
            self.window.close(end);
        }
        self.waiting = true;
    }

    /// The next segment has to begin with a keyframe at a cut: frames were lost, or it began anew (`new_run`).
    pub fn interrupt(&mut self, new_run: bool, now: Instant) {
        self.end_segment(None, now);
        self.held.clear();
        self.new_run |= new_run;
        // Where the times leap, both tracks do.
        (self.last_video, self.last_audio) = (None, None);
    }

    /// Takes a frame of the open segment. `true` if that closed a part.
    pub fn push(&mut self, frame: &Frame, now: Instant) -> bool {
        self.last = Some(self.last.map_or(frame.dts, |last| last.max(frame.dts)));
        let Some(muxer) = self.muxer.as_mut().filter(|_| !self.waiting) else { return false };
        let parts = muxer.push(frame);
        let closed = !parts.is_empty();
        parts.into_iter().for_each(|part| self.window.add(part));
        if closed {
            self.progressed = Some(now);
        }
        closed
    }

    /// Where it is to be cut at a frame that can begin a segment, if the leader was cut there.
    pub fn cut_for(&mut self, frame: &Frame, timeline: &Timeline) -> Option<Cut> {
        let passed = self.window.last().map(|segment| segment.cut.msn);
        let is_new = |cut: &Cut| passed.is_none_or(|passed| cut.msn > passed);
        if !self.has_video() {
            return timeline.before(frame.dts).filter(is_new);
        }
        let found = timeline.at(frame.dts, self.tolerance());
        let before = self.last_keyframe.replace(frame.dts);
        // A cut that this rendition has passed without a keyframe.
        let missed = timeline.last().is_some_and(|cut| {
            before.is_some_and(|before| before < cut.time) && cut.time < frame.dts && found != Some(cut)
        });
        if missed {
            self.missed_cuts = self.missed_cuts.saturating_add(1);
        }
        found.filter(is_new)
    }

    /// Where it is cut, as the leader, at a frame that can begin a segment. `torn`: a rendition of the ladder needs a
    /// discontinuity.
    pub fn lead(
        &self,
        frame: &Frame,
        arrival: Arrival,
        timeline: &mut Timeline,
        (segment, torn): (Duration, bool),
    ) -> Option<Cut> {
        let passed = self.window.last().map(|segment| segment.cut.msn);
        // One that has just become the leader follows the one before it up to here.
        let known = timeline.at(frame.dts, self.tolerance());
        if let Some(cut) = known.filter(|cut| passed.is_none_or(|passed| cut.msn > passed)) {
            return Some(cut);
        }
        let due = timeline.last().is_none_or(|last| {
            // Also where the times went back by as much.
            frame.dts.distance(last.time) >= segment.mul_f64(NEARLY)
        });
        let torn = torn || self.new_run;
        let cut = due || self.waiting || torn;
        cut.then(|| timeline.cut(frame.dts, arrival.wall_ms, torn))
    }

    /// Cuts in a row at which it had no keyframe.
    pub fn missed_cuts(&self) -> u32 {
        self.missed_cuts
    }

    /// Whether the next frame that can begin a segment does.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Where its media end.
    pub fn end(&self) -> MediaTime {
        self.window.last().map_or(MediaTime::from_nanos(i64::MIN), Segment::end)
    }

    /// The most that its parts last. It never shrinks.
    pub fn part_target(&self) -> Duration {
        let now = self.muxer.as_ref().map_or(Duration::ZERO, Muxer::part_target);
        now.max(self.part_target_before)
    }

    /// Whether the open segment has more than any may have.
    pub fn is_overlong(&self) -> bool {
        self.window.last().is_some_and(|open| {
            let long = open.length() > LONGEST_SEGMENT || open.parts.len() >= MOST_PARTS;
            open.duration.is_none() && (long || open.bytes >= LARGEST_SEGMENT)
        })
    }

    /// How far a keyframe may stand from a cut and still be the same: half a frame.
    pub fn tolerance(&self) -> Duration {
        self.muxer.as_ref().and_then(Muxer::frame).map_or(Duration::from_millis(16), |frame| frame / 2)
    }

    /// Whether there is anything of it to list.
    pub fn is_listed(&self) -> bool {
        self.live || self.window.last().is_some()
    }

    /// Pixels of its video; none if it has none or nothing tells.
    pub fn size(&self) -> Option<(u32, u32)> {
        let video = self.tracks.video()?;
        let told = (self.about.width, self.about.height);
        let size = if video.width > 0 && video.height > 0 { (video.width, video.height) } else { told };
        (size.0 > 0 && size.1 > 0).then_some(size)
    }

    /// Frames of video a second; none if it has none or they are uneven.
    pub fn frame_rate(&self) -> Option<f64> {
        let frame = self.muxer.as_ref().filter(|_| self.has_video()).and_then(Muxer::frame)?;
        Some(1.0 / frame.as_secs_f64())
    }
}
