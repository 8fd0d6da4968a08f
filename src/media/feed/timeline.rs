//! One line of time for all tracks of a source, whatever its own clock does: steps back or ahead, wraps, begins anew.
//!
//! A step belongs to all tracks, but each shows it with its own next packet, and packets of before and after may be mixed
//! between tracks. So a step is a *shift* that the first track to show it makes, and that others take over when their
//! packets lie better under it than under the one before. Only so video and audio stay together over any number of steps.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::media::MediaTime;

/// Where the first packet of a source is put: another track's first may lie before it.
const BEGINNING: MediaTime = MediaTime::from_millis(2_000);
/// A packet at which one can begin and that lies so far before the end of its track is a step back.
const BACK: MediaTime = MediaTime::from_millis(200);
/// Other frames may be shown in another order than they are sent, but not so long before the keyframe they hang from.
const BEFORE_KEY: MediaTime = MediaTime::from_millis(1_000);
/// A hole in all tracks that is longer than this is cut out. Shorter ones are real: lost packets, a pause.
const HOLE: MediaTime = MediaTime::from_millis(3_000);
/// Longest distance of two packets that a track may be known to have: a slide show.
const SPARSE: MediaTime = MediaTime::from_millis(15_000);
/// Tracks whose ends are less apart than this end together.
const TOGETHER: MediaTime = MediaTime::from_millis(1_000);
/// How long a packet is taken to be that does not say so, until its track has shown it; at most and at least.
const FRAME: MediaTime = MediaTime::from_millis(40);
const LONGEST_FRAME: MediaTime = MediaTime::from_millis(200);
const SHORTEST_FRAME: MediaTime = MediaTime::from_millis(2);
/// So many shifts are remembered; a track that is behind more of them is taken to be at the latest.
const SHIFTS: usize = 16;

/// Where a track stands.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// The shift that its last packet lay under, counted from the first one ever.
    shift: usize,
    /// The latest of its packets, the last one, and the end of what it has.
    latest: Option<MediaTime>,
    last: Option<MediaTime>,
    end: Option<MediaTime>,
    /// What stands in for it ends here.
    covered: Option<MediaTime>,
    /// Where one could begin last.
    key: Option<MediaTime>,
    /// How long its packets are.
    frame: MediaTime,
    /// The longest distance of its packets lately.
    distance: MediaTime,
    /// By how much its last packet was found to be too far ahead.
    leapt: Option<MediaTime>,
    /// Its next packet is the first of a round.
    anew: bool,
}

/// A packet, as far as the line needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coming {
    /// Its time by the source's clock.
    pub time: MediaTime,
    /// Its length, if that is known.
    pub lasts: Option<MediaTime>,
    /// One can begin here.
    pub key: bool,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its time on the line.
    pub at: MediaTime,
    /// By how much the source's clock was found to step with this packet; below zero is back.
    pub step: Option<MediaTime>,
    /// It is the first of its track behind a step or of a round, so what lies between it and the one before is not the
    /// source's.
    pub joins: bool,
}

/// The line.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// What is added to the source's times: the latest shifts, oldest first, and how many were forgotten before them.
    shifts: Vec<MediaTime>,
    forgotten: usize,
    tracks: Vec<Standing>,
    /// By how much the source's first packet is later than the earliest of its tracks: the beginning of each round.
    lead: MediaTime,
    /// The source's time of the very first packet.
    first: Option<MediaTime>,
    /// The next packet begins a new round.
    anew: bool,
}

impl Timeline {
    /// A line for so many tracks, numbered from 0.
    pub fn new(tracks: usize) -> Timeline {
        let standing = Standing {
            shift: 0,
            latest: None,
            last: None,
            end: None,
            covered: None,
            key: None,
            frame: FRAME,
            distance: MediaTime::ZERO,
            leapt: None,
            anew: false,
        };
        Timeline {
            shifts: Vec::new(),
            forgotten: 0,
            tracks: vec![standing; tracks],
            lead: MediaTime::ZERO,
            first: None,
            anew: false,
        }
    }

    /// Puts a packet of `track` on the line.
    pub fn place(&mut self, track: usize, coming: Coming) -> Placed {
        let source = coming.time;
        let Some(standing) = self.tracks.get(track).copied() else {
            return Placed { at: source, step: None, joins: false };
        };
        let found = self.found(&standing, coming);
        let (at, shift, step) = found.unwrap_or_else(|| self.shifted(&standing, source));
        if standing.latest.is_none() && self.forgotten == 0 && self.shifts.len() == 1 {
            let first = *self.first.get_or_insert(source);
            self.lead = self.lead.max(first - source);
        }
        let joins = shift != standing.shift || standing.anew;
        if let Some(standing) = self.tracks.get_mut(track) {
            standing.follow(at, shift, step, coming);
        }
        Placed { at, step, joins }
    }

    /// What follows is the source from its beginning once more: it goes on where the longest track ended.
    pub fn begin_round(&mut self) {
        self.anew = !self.shifts.is_empty();
    }

    /// `track` was filled up to here with what is not the source's.
    pub fn cover(&mut self, track: usize, end: MediaTime) {
        if let Some(standing) = self.tracks.get_mut(track) {
            standing.covered = standing.covered.max(Some(end));
        }
    }

    /// The end of what `track` has.
    pub fn end(&self, track: usize) -> Option<MediaTime> {
        self.tracks.get(track)?.end
    }

    fn latest_end(&self) -> Option<MediaTime> {
        self.tracks.iter().filter_map(|track| track.end).max()
    }

    /// The place of a packet under that of the shifts where it lies best.
    fn found(&self, standing: &Standing, coming: Coming) -> Option<(MediaTime, usize, Option<MediaTime>)> {
        let latest = self.latest_end().filter(|_| !self.anew)?;
        let own = standing.end.unwrap_or(latest);
        let off = |at: MediaTime| gap(at, own).min(gap(at, latest));
        let shifts = self
            .shifts
            .iter()
            .enumerate()
            .map(|(index, shift)| (self.forgotten.saturating_add(index), *shift));
        // One packet with a time of its own does not take its track away from the others for good.
        let (at, shift) = shifts
            .map(|(number, shift)| (coming.time + shift, number))
            .min_by_key(|(at, number)| (off(*at), *number != standing.shift))?;
        let earliest = match (standing.end, standing.key) {
            (None, _) => MediaTime::ZERO,
            (Some(own), Some(key)) if !coming.key => (key - BEFORE_KEY).min(own - BACK),
            (Some(own), _) => own - BACK,
        };
        let distance = standing.distance;
        let fits = at >= earliest && at <= latest + HOLE.max(distance + distance);
        fits.then_some((at, shift, None))
    }

    /// A packet that lies nowhere: its clock made a step, and it goes on where its track and those beside it ended.
    fn shifted(&mut self, standing: &Standing, source: MediaTime) -> (MediaTime, usize, Option<MediaTime>) {
        let step = self.shifts.last().zip(standing.end).map(|(shift, own)| source + *shift - own);
        let own = standing.end.max(standing.covered).or(self.latest_end());
        let at = match own {
            None => BEGINNING,
            _ if self.anew => self.latest_end().unwrap_or(BEGINNING) + self.lead,
            Some(own) => {
                let beside = self.tracks.iter().filter_map(|track| track.end);
                let end = beside.filter(|end| *end <= own + TOGETHER).max().unwrap_or(own);
                standing.next_in_step(own, end)
            }
        };
        if self.shifts.len() == SHIFTS {
            self.shifts.remove(0);
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.shifts.push(at - source);
        let shift = self.forgotten.saturating_add(self.shifts.len().saturating_sub(1));
        let step = step.filter(|_| !self.anew);
        if std::mem::take(&mut self.anew) {
            self.tracks.iter_mut().for_each(|track| (track.shift, track.anew) = (shift, true));
        }
        (at, shift, step)
    }
}

impl Standing {
    /// The first time from `end` on that is a whole number of frames behind the track's own end, so that frames which come
    /// evenly go on evenly. Audio packets say how long they are, and need no such grid.
    fn next_in_step(&self, own: MediaTime, end: MediaTime) -> MediaTime {
        let (gap, frame) = (end.since(own).as_nanos(), self.frame.since(MediaTime::ZERO).as_nanos().max(1));
        let steps = i64::try_from(gap.div_ceil(frame)).unwrap_or(0);
        own + MediaTime::from_nanos(self.frame.nanos().saturating_mul(steps))
    }

    fn follow(&mut self, at: MediaTime, shift: usize, step: Option<MediaTime>, coming: Coming) {
        if let Some(last) = self.last {
            // The shortest distance lately: frames that are shown out of order lie next to each other somewhere.
            let near = gap(at, last).min(LONGEST_FRAME);
            let grown = self.frame + MediaTime::from_nanos(self.frame.nanos() / 16);
            self.frame = if near < SHORTEST_FRAME { self.frame } else { near.min(grown) };
        }
        self.last = Some(at);
        if let Some(before) = self.latest.filter(|before| at > *before) {
            let distance = at - before;
            // What was long once is forgotten over some dozens of packets.
            self.distance = distance.max(self.distance - MediaTime::from_nanos(self.distance.nanos() / 16));
        }
        let leapt = step.filter(|step| *step > MediaTime::ZERO && *step <= SPARSE);
        if let (Some(leap), Some(_)) = (leapt, self.leapt) {
            // Twice in a row is no step but how this track is.
            self.distance = leap;
        }
        self.leapt = leapt;
        self.shift = shift;
        self.anew = false;
        self.latest = self.latest.max(Some(at));
        self.key = if coming.key { Some(at) } else { self.key };
        self.end = self.end.max(Some(at + coming.lasts.unwrap_or(self.frame)));
    }
}

fn gap(a: MediaTime, b: MediaTime) -> MediaTime {
    (a - b).max(b - a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VIDEO: usize = 0;
    const AUDIO: usize = 1;

    fn ms(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    /// Packets of `seconds` from `from` on, in milliseconds, video every 40 and audio every 20, as a muxer mixes them; a
    /// keyframe each second.
    fn part(from: i64, seconds: i64) -> Vec<(usize, i64, bool)> {
        let video = (0..seconds * 25).map(|n| (VIDEO, from + n * 40, n % 25 == 0));
        let mut all: Vec<_> = video.chain((0..seconds * 50).map(|n| (AUDIO, from + n * 20, true))).collect();
        all.sort_by_key(|(track, at, _)| (*at, *track));
        all
    }

    fn only(track: usize, packets: Vec<(usize, i64, bool)>) -> impl Iterator<Item = (usize, i64, bool)> {
        packets.into_iter().filter(move |(t, ..)| *t == track)
    }

    fn placed(line: &mut Timeline, packets: &[(usize, i64, bool)]) -> Vec<(usize, i64)> {
        let place = |(track, at, key): &(usize, i64, bool)| {
            let lasts = (*track == AUDIO).then(|| ms(20));
            (*track, line.place(*track, Coming { time: ms(*at), lasts, key: *key }).at.millis())
        };
        packets.iter().map(place).collect()
    }

    /// Both tracks run on without a hole and in step with each other.
    fn runs_on(placed: &[(usize, i64)]) {
        for (track, every) in [(VIDEO, 40), (AUDIO, 20)] {
            let times: Vec<i64> = placed.iter().filter(|(t, _)| *t == track).map(|(_, at)| *at).collect();
            assert!(times.windows(2).all(|w| (w[1] - w[0] - every).abs() <= 40), "{track}: {times:?}");
        }
    }

    #[test]
    fn steps_of_any_size_and_direction_are_played_on() {
        for step in [240, 500, 700, 3_100, 5_000, 60_000, 3_600_000, 93_600_000, 95_443_720] {
            for step in [step, -step] {
                let mut line = Timeline::new(2);
                let out = placed(&mut line, &[part(100_000_000, 4), part(100_004_000 + step, 4)].concat());
                // A short hole is one, as it says.
                if !(0..=3_000).contains(&step) {
                    runs_on(&out);
                }
                let ends = (line.end(VIDEO).unwrap(), line.end(AUDIO).unwrap());
                assert!(gap(ends.0, ends.1) <= ms(40), "{step}: {ends:?}");
            }
        }
    }

    #[test]
    fn packets_of_before_may_come_after_the_step() {
        for step in [3_600_000, -3_600_000, -700] {
            // Video shows the step 2 s of packets before audio.
            let all =
                [VIDEO, AUDIO].map(|track| only(track, part(0, 4)).chain(only(track, part(4_000 + step, 2))));
            let all: Vec<_> = all.into_iter().flatten().collect();
            runs_on(&placed(&mut Timeline::new(2), &all));
        }
    }

    #[test]
    fn rounds_follow_the_longest_track_and_keep_their_beginning() {
        // Audio begins 300 ms before video and ends 500 ms after it.
        let mut round: Vec<_> = only(VIDEO, part(10_000, 4)).collect();
        round.extend((0..240).map(|n| (AUDIO, 9_700 + n * 20, true)));
        round.sort_by_key(|(track, at, _)| (*at + if *track == AUDIO { 400 } else { 0 }, *track));
        let mut line = Timeline::new(2);
        let mut before = None;
        for number in 0..200 {
            line.begin_round();
            let out = placed(&mut line, &round);
            let start = out.iter().map(|(_, at)| *at).min().unwrap();
            let audio = out.iter().find(|(t, _)| *t == AUDIO).unwrap().1;
            let picture = out.iter().find(|(t, _)| *t == VIDEO).unwrap().1;
            assert_eq!(picture - audio, 300, "round {number}");
            if let Some(before) = before {
                assert_eq!(start - before, 4_800, "a round is its longest track");
            }
            before = Some(start);
        }
    }

    #[test]
    fn a_slide_show_keeps_its_pace() {
        let mut line = Timeline::new(1);
        let times: Vec<i64> = (0..6)
            .map(|n| line.place(0, Coming { time: ms(n * 10_000), lasts: None, key: true }).at.millis())
            .collect();
        // The first distance is not known to be one; from the second on it is.
        assert!(times.windows(2).skip(2).all(|w| w[1] - w[0] == 10_000), "{times:?}");
    }

    #[test]
    fn a_track_that_was_away_comes_back_where_the_other_is() {
        let mut line = Timeline::new(2);
        placed(&mut line, &part(0, 4));
        let alone: Vec<_> = only(VIDEO, part(4_000, 60)).collect();
        placed(&mut line, &alone);
        let out = placed(&mut line, &part(64_000, 2));
        assert_eq!(out.iter().find(|(t, _)| *t == AUDIO).unwrap().1, 64_000 + 2_000);
    }

    #[test]
    fn frames_in_another_order_are_no_step() {
        let mut line = Timeline::new(1);
        // Sixteen B-frames between two others, at 24 frames a second.
        let mut order = vec![0];
        for group in 0..20 {
            order.push((group + 1) * 17);
            order.extend((1..17).map(|n| group * 17 + n));
        }
        for number in order {
            let time = MediaTime::from_clock(number, 24);
            let placed = line.place(0, Coming { time, lasts: None, key: number == 0 });
            assert_eq!(placed, Placed { at: time + BEGINNING, step: None, joins: false }, "{number}");
        }
    }

    proptest! {
        #[test]
        fn the_line_never_leaps(packets in proptest::collection::vec((0usize..2, any::<i64>(), any::<bool>()), 1..80)) {
            let mut line = Timeline::new(2);
            let mut latest: Option<i64> = None;
            for (track, at, key) in packets {
                let time = MediaTime::from_nanos(at);
                let at = line.place(track, Coming { time, lasts: None, key }).at;
                if let Some(latest) = latest {
                    prop_assert!(at.millis() <= latest + 30_100, "{at:?} after {latest}");
                }
                latest = latest.max(Some(at.millis()));
            }
        }
    }
}
