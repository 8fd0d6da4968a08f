//! A ladder on the air as HLS: its renditions are cut at the same moments with the same numbers, and a part is listed
//! when every rendition has it, so that a player can change between them at any moment.
//!
//! The largest rendition leads: it is cut at its keyframes, and the others at theirs of the same time. A keyframe of
//! another rendition that comes first waits for the leader, some milliseconds.

mod discontinuity;

use super::listing::Listing;
use super::member::Member;
pub use super::member::{About, Arrival};
use super::timeline::Timeline;
use super::window::{Segment, Stored};
use crate::media::fmp4::InitError;
use crate::media::{Frame, MediaTime, Tracks};
use crate::model::ladder_fact::MOST_RENDITIONS;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A leader without a part for so long while others go on is replaced.
const STALLED: Duration = Duration::from_millis(400);
/// What a rendition may be late before the others are listed without it, beside the length of a part.
const LATE: Duration = Duration::from_millis(60);
/// How far back from what is listed segments are kept for players that are slow, at most.
const KEPT_BEYOND: Duration = Duration::from_secs(60);
/// A rendition without keyframes at so many cuts in a row is not of this ladder.
const MOST_MISSED_CUTS: u32 = 3;

/// Why a rendition cannot be one of a ladder.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Fragmented MP4 does not carry its tracks.
    #[error(transparent)]
    Init(#[from] InitError),
    /// There are too many already.
    #[error("a ladder has at most {MOST_RENDITIONS} renditions")]
    Full,
}

/// How media are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The length of a segment; a keyframe is waited for.
    pub segment: Duration,
    /// The length of a part.
    pub part: Duration,
    /// How far back playlists reach.
    pub window: Duration,
    /// How far back segments stay in memory, if somebody stores what lies further back.
    pub memory: Option<Duration>,
}

/// A segment that is to be stored.
#[derive(Debug)]
pub struct Due {
    /// Its rendition.
    pub label: String,
    /// Its number.
    pub msn: u64,
    /// What it is made of.
    pub pieces: Vec<Bytes>,
}

/// See the module.
pub struct Ladder {
    settings: Settings,
    epoch: u64,
    timeline: Timeline,
    members: BTreeMap<String, Member>,
    /// The number of the first initialisation segment of whoever joins.
    first_init: u32,
    leader: Option<String>,
    /// All that ends before this is listed.
    frontier: MediaTime,
    version: u64,
    target_s: u64,
    unaligned: Vec<Unaligned>,
}

/// A rendition whose keyframes are not those of the ladder.
#[derive(Debug)]
pub struct Unaligned {
    /// Its label.
    pub label: String,
    /// Its tracks.
    pub tracks: Tracks,
    /// What its publisher says of it.
    pub about: About,
}

impl Ladder {
    /// Without renditions. `epoch`: a number that no other ladder of this name had, so that no URL means two things.
    pub fn new(settings: Settings, epoch: u64) -> Ladder {
        Ladder {
            settings,
            epoch,
            timeline: Timeline::default(),
            members: BTreeMap::new(),
            first_init: 0,
            leader: None,
            frontier: MediaTime::from_nanos(i64::MIN),
            version: 0,
            target_s: whole_seconds(settings.segment).max(1),
            unaligned: Vec::new(),
        }
    }

    /// A rendition is published, for the first time or again, or has other tracks.
    ///
    /// # Errors
    /// Too many renditions; tracks that fragmented MP4 does not carry: the rendition takes no frames.
    pub fn join(&mut self, label: &str, tracks: Tracks, about: About, now: Instant) -> Result<(), JoinError> {
        self.version = self.version.saturating_add(1);
        let full = self.members.len() >= MOST_RENDITIONS;
        let joined = match self.members.get_mut(label) {
            Some(member) => {
                member.about = about;
                member.live = true;
                member.set_tracks(tracks, now)
            }
            None if full => return Err(JoinError::Full),
            None => {
                let member = Member::new(tracks, about, self.settings.part, self.first_init)?;
                self.members.insert(label.to_string(), member);
                Ok(())
            }
        };
        self.choose_leader();
        // Other tracks end a segment.
        self.advance(now);
        Ok(joined?)
    }

    /// Its publisher is gone: what came is listed at once.
    pub fn leave(&mut self, label: &str, now: Instant) {
        if let Some(member) = self.members.get_mut(label) {
            member.interrupt(false, now);
            member.live = false;
            self.version = self.version.saturating_add(1);
        }
        self.choose_leader();
        self.release(now);
        self.advance(now);
    }

    /// Frames of it were lost, or its publisher began anew (`new_run`): it goes on at a keyframe.
    pub fn interrupt(&mut self, label: &str, new_run: bool, now: Instant) {
        if let Some(member) = self.members.get_mut(label) {
            member.interrupt(new_run, now);
            // A segment is complete, also where nothing of it is new.
            self.version = self.version.saturating_add(1);
        }
        self.advance(now);
    }

    /// A frame of a rendition.
    pub fn frame(&mut self, label: &str, frame: Frame, arrival: Arrival) {
        let Some(member) =
            self.members.get_mut(label).filter(|member| member.live && member.carries(frame.track))
        else {
            return;
        };
        if member.is_torn_by(&frame) {
            member.last = Some(frame.dts);
            self.interrupt(label, true, arrival.at);
        }
        let leads = self.leads(label);
        let leader = self.leader_time();
        let Some(member) = self.members.get_mut(label) else { return };
        if !leads && member.must_wait(&frame, leader) {
            return member.hold(frame, arrival);
        }
        let closed = self.process(label, &frame, arrival);
        if leads && self.members.get(label).is_some_and(|member| member.can_begin_with(&frame)) {
            self.release(arrival.at);
        }
        if closed {
            self.advance(arrival.at);
        }
    }

    /// Time passes without frames: a leader that has stopped is replaced, a late rendition no longer waited for.
    pub fn tick(&mut self, now: Instant) {
        let waits = |member: &Member| {
            member
                .held
                .front()
                .is_some_and(|(_, arrival)| now.saturating_duration_since(arrival.at) > STALLED)
        };
        if self.members.values().any(waits) {
            self.leader = None;
            self.choose_leader_among(waits);
            self.release(now);
        }
        self.advance(now);
        self.forget_the_gone(now);
    }

    /// Takes out renditions that have been gone for as long as playlists reach, while others go on.
    fn forget_the_gone(&mut self, now: Instant) {
        if !self.members.values().any(|member| member.live) {
            return;
        }
        let gone = |member: &Member| {
            let since = member.progressed.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
            !member.live && since > self.settings.window
        };
        let gone = self.members.iter().filter(|(_, member)| gone(member));
        let gone: Vec<String> = gone.map(|(label, _)| label.clone()).collect();
        for label in gone {
            self.take_out(&label);
        }
    }

    fn take_out(&mut self, label: &str) -> Option<Member> {
        let member = self.members.remove(label)?;
        // It may come back, and the name of a file never means two things.
        self.first_init = self.first_init.max(member.init_number().saturating_add(1));
        self.version = self.version.saturating_add(1);
        Some(member)
    }

    /// Gives up a rendition that is not cut with the others.
    pub fn set_apart(&mut self, label: &str, now: Instant) {
        if let Some(member) = self.take_out(label) {
            self.unaligned.push(Unaligned {
                label: label.to_string(),
                tracks: member.tracks,
                about: member.about,
            });
            self.choose_leader();
            self.release(now);
        }
    }

    /// Renditions whose keyframes are not the leader's: they are no longer in this ladder.
    pub fn take_unaligned(&mut self) -> Vec<Unaligned> {
        std::mem::take(&mut self.unaligned)
    }

    fn leads(&self, label: &str) -> bool {
        self.leader.as_deref() == Some(label)
    }

    fn leader_time(&self) -> Option<MediaTime> {
        self.leader.as_ref().and_then(|label| self.members.get(label)).and_then(|member| member.last)
    }

    fn choose_leader(&mut self) {
        let live =
            self.leader.as_ref().and_then(|label| self.members.get(label)).is_some_and(|member| member.live);
        if !live {
            self.leader = None;
            self.choose_leader_among(|_| true);
        }
    }

    /// The largest live rendition of those that may lead.
    fn choose_leader_among(&mut self, may: impl Fn(&Member) -> bool) {
        let rank = |member: &Member| {
            let (width, height) = member.size().unwrap_or_default();
            (member.has_video(), u64::from(width).saturating_mul(u64::from(height)), member.about.bitrate_bps)
        };
        let live = self.members.iter().filter(|(_, member)| member.live && may(member));
        self.leader = live.max_by_key(|(_, member)| rank(member)).map(|(label, _)| label.clone());
    }

    /// Gives frames that waited for the leader to their renditions, as far as it has come.
    fn release(&mut self, now: Instant) {
        let labels: Vec<String> = self.members.keys().cloned().collect();
        let mut closed = false;
        for label in labels {
            while let Some((frame, arrival)) = self.next_held(&label) {
                closed |= self.process(&label, &frame, Arrival { at: now, ..arrival });
            }
        }
        if closed {
            self.advance(now);
        }
    }

    fn next_held(&mut self, label: &str) -> Option<(Frame, Arrival)> {
        let (leads, leader) = (self.leads(label), self.leader_time());
        let member = self.members.get_mut(label)?;
        let (frame, _) = member.held.front()?;
        let reached =
            leads || !member.can_begin_with(frame) || leader.is_some_and(|leader| leader >= frame.dts);
        if reached { member.held.pop_front() } else { None }
    }

    /// Cuts if a segment begins here, then takes the frame. `true` if a part was closed.
    fn process(&mut self, label: &str, frame: &Frame, arrival: Arrival) -> bool {
        let leads = self.leads(label);
        let torn = leads && self.needs_discontinuity();
        let Some(member) = self.members.get_mut(label) else { return false };
        let mut closed = false;
        if member.can_begin_with(frame) {
            member.note_return(frame.dts);
            let cut = if leads {
                member.lead(frame, arrival, &mut self.timeline, (self.settings.segment, torn))
            } else {
                member.cut_for(frame, &self.timeline)
            };
            let fits = cut.and_then(|cut| self.fitting(label, cut));
            let Some(member) = self.members.get_mut(label) else { return false };
            if let Some(cut) = fits {
                member.cut(cut, &self.timeline, arrival.at);
                closed = true;
            } else if member.missed_cuts() >= MOST_MISSED_CUTS {
                let member = self.take_out(label);
                self.unaligned.extend(member.map(|member| Unaligned {
                    label: label.to_string(),
                    tracks: member.tracks,
                    about: member.about,
                }));
                return true;
            }
        }
        let Some(member) = self.members.get_mut(label) else { return closed };
        closed |= member.push(frame, arrival.at);
        if member.is_overlong() {
            member.end_segment(None, arrival.at);
            self.version = self.version.saturating_add(1);
            closed = true;
        }
        // Of a rendition that is late, and where the times went back, everything is listed at once.
        if closed && member.end() <= self.frontier {
            self.version = self.version.saturating_add(1);
        }
        closed
    }

    /// Lists what every rendition has, and forgets what nobody will ask for.
    fn advance(&mut self, now: Instant) {
        let live = || self.members.values().filter(|member| member.live);
        let furthest = live().map(Member::end).max();
        let on_time = |member: &&Member| {
            let behind = furthest.is_some_and(|furthest| member.end() < furthest);
            let patience = self.part_target().saturating_add(LATE);
            let idle = member.progressed.is_none_or(|at| now.saturating_duration_since(at) > patience);
            !(behind && idle)
        };
        let all = || self.members.values().map(Member::end).max();
        let frontier = live().filter(on_time).map(Member::end).min().or_else(all);
        if let Some(frontier) = frontier.filter(|frontier| *frontier > self.frontier) {
            self.frontier = frontier;
            self.version = self.version.saturating_add(1);
        }
        for member in self.members.values_mut() {
            let lengths = member.window.segments().filter_map(|segment| segment.duration);
            let longest =
                lengths.map(|length| length.as_millis().saturating_add(500) / 1000).max().unwrap_or(0);
            self.target_s = self.target_s.max(u64::try_from(longest).unwrap_or(u64::MAX));
            if let Some(first) = Listing::new(member, self.frontier, self.settings.window).first() {
                member.window.trim(first, self.settings.window.min(KEPT_BEYOND));
            }
        }
    }

    /// Changes whenever a playlist does.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The number in the names of its files.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Its renditions, live or not.
    pub fn renditions(&self) -> impl Iterator<Item = (&str, &Member)> {
        self.members.iter().map(|(label, member)| (label.as_str(), member))
    }

    /// The rendition with this label.
    pub fn rendition(&self, label: &str) -> Option<&Member> {
        self.members.get(label)
    }

    /// What of a rendition is listed now.
    pub fn listing(&self, label: &str) -> Option<Listing<'_>> {
        let member = self.members.get(label)?;
        Some(Listing::new(member, self.frontier, self.settings.window))
    }

    /// The longest segment, whole seconds (EXT-X-TARGETDURATION). It never shrinks.
    pub fn target_s(&self) -> u64 {
        self.target_s
    }

    /// Bytes of all that is held.
    pub fn bytes(&self) -> usize {
        self.members.values().map(Member::bytes).sum()
    }

    /// The most bytes that [`Ladder::give_up_largest`] frees.
    pub fn largest(&self) -> usize {
        self.members.values().map(Member::last_bytes).max().unwrap_or(0)
    }

    /// Forgets the last segment of the rendition in which it is the largest.
    pub fn give_up_largest(&mut self, now: Instant) {
        if let Some(member) = self.members.values_mut().max_by_key(|member| member.last_bytes()) {
            member.give_up(now);
            self.version = self.version.saturating_add(1);
            self.advance(now);
        }
    }

    /// When the oldest segment in memory began that may be forgotten, Unix milliseconds. Behind one that is stored there
    /// is none: it goes the same way.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.oldest(|segment| segment.stored.is_none())
    }

    /// When the oldest segment began that is stored, Unix milliseconds.
    pub fn oldest_stored_ms(&self) -> Option<i64> {
        self.oldest(|segment| segment.stored.is_some())
    }

    fn oldest(&self, is: impl Fn(&Segment) -> bool) -> Option<i64> {
        let windows = self.members.values().map(|member| &member.window);
        let first = windows.filter(|window| window.segments().len() > 1);
        let firsts = first.filter_map(|window| window.segments().next());
        firsts.filter(|segment| is(segment)).map(|segment| segment.cut.wall_ms).min()
    }

    /// The next segment that is to be stored, oldest first in each rendition.
    pub fn due(&self) -> Option<Due> {
        let memory = self.settings.memory?;
        self.members.iter().find_map(|(label, member)| {
            let segment = member.window.due(memory)?;
            Some(Due { label: label.clone(), msn: segment.cut.msn, pieces: segment.whole() })
        })
    }

    /// A segment is stored now.
    pub fn store(&mut self, label: &str, msn: u64, stored: Arc<dyn Stored>) {
        if let Some(member) = self.members.get_mut(label) {
            member.window.store(msn, stored);
            // Its parts are no longer listed, if they were.
            self.version = self.version.saturating_add(1);
        }
    }

    /// Forgets everything that is stored, and what is older.
    pub fn forget_stored(&mut self) {
        for member in self.members.values_mut() {
            if member.window.forget_stored() {
                self.version = self.version.saturating_add(1);
            }
        }
    }

    /// Forgets the oldest segment of each rendition; the bytes that were freed.
    pub fn drop_oldest(&mut self) -> usize {
        self.version = self.version.saturating_add(1);
        self.members.values_mut().map(|member| member.window.drop_oldest()).sum()
    }

    /// The most that a part of any rendition lasts.
    pub fn part_target(&self) -> Duration {
        self.members.values().map(Member::part_target).max().unwrap_or_default()
    }
}

fn whole_seconds(length: Duration) -> u64 {
    length.as_secs().saturating_add(u64::from(length.subsec_nanos() > 0))
}
