//! The machine is shared: the stream goes on in a cheaper way where another stream of ours would find no room, and in a
//! better one again when there is room and it stays so.

use super::{Program, Supervisor};
use crate::model::State;
use crate::process::budget::{self, Share};
use crate::process::supervisor::Event;
use std::time::Duration;
use tokio::time::Instant;

/// How often the others' shares are read.
const READ_EVERY: Duration = Duration::from_secs(2);
/// How long there must be room before it is taken: a compiler rests between two files.
const CALM: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 20 });
/// How far beyond what is free a moment with two runs may go: the old one falls a little behind, and is gone then.
const STRAIN: f64 = 1.3;
/// Shortest time between two changes to a better way.
const BETTER_EVERY: Duration = Duration::from_secs(300);
/// Longest, after better ways have turned out too slow.
const BETTER_AT_LEAST_EVERY: Duration = Duration::from_secs(3600);

/// What the supervisor remembers of it.
#[derive(Debug)]
pub(super) struct Sharing {
    read: Option<Instant>,
    /// How many processors there are for us, and how many of them neither strangers nor our other streams keep busy.
    cpus: Option<f64>,
    spare: f64,
    /// The best way that there has been room for all the time, and since when.
    room: Option<(usize, Instant)>,
    /// When it last went on in a better way, and how long it stays in one.
    bettered: Option<Instant>,
    patience: Duration,
    /// The way that waits for its moment.
    pub(super) waiting: Option<usize>,
    /// A cheaper way failed to begin beside the one on the air: it begins in its place.
    pub(super) beside_failed: bool,
}

impl Default for Sharing {
    fn default() -> Sharing {
        Sharing {
            read: None,
            cpus: None,
            spare: 0.0,
            room: None,
            bettered: None,
            patience: BETTER_EVERY,
            waiting: None,
            beside_failed: false,
        }
    }
}

impl Sharing {
    /// Until when it stays in its way, however much room there is.
    fn stays_until(&self) -> Option<Instant> {
        self.bettered.map(|at| at + self.patience)
    }

    /// It goes on in a better way from now on.
    fn goes_up(&mut self) {
        (self.bettered, self.room) = (Some(Instant::now()), None);
    }

    /// A way was too slow: the next better one has to wait longer, if that was one.
    pub(super) fn was_too_slow(&mut self) {
        if self.bettered.is_some() {
            self.patience = self.patience.saturating_mul(2).min(BETTER_AT_LEAST_EVERY);
        }
        self.bettered = Some(Instant::now());
        (self.room, self.waiting) = (None, None);
    }
}

impl<P: Program, F: FnMut(&Event)> Supervisor<P, F> {
    /// Our share, made in the way `way`; none where it is not shared.
    fn share(&self, way: usize) -> Option<Share> {
        let costs: Vec<f64> = match self.job.ways.as_slice() {
            [] => vec![self.job.cost.filter(|cost| cost.is_finite() && *cost > 0.0)?],
            ways => ways.iter().map(|way| way.cost).collect(),
        };
        let spots = self.place.spots();
        let supervisor = self.record.supervisor?;
        Some(Share { key: spots.key.to_string(), home: spots.home.clone(), supervisor, ways: costs, way })
    }

    /// Writes down what we take. Without it others take us for a stranger's load, which costs quality and no more.
    pub(super) fn declare(&self) {
        if let (Some(path), Some(own)) = (&self.job.budget, self.share(self.job.way)) {
            let _ = budget::change(path, |_| Some(own.clone()), &own);
        }
    }

    /// Whether others need our room: the way to go on in at once. And whether there is room for a better one, which then
    /// waits for its moment.
    pub(super) fn mind_the_others(&mut self) -> Option<usize> {
        if self.job.ways.len() < 2 || self.sharing.read.is_some_and(|at| at.elapsed() < READ_EVERY) {
            return None;
        }
        self.sharing.read = Some(Instant::now());
        let (path, own) = (self.job.budget.clone()?, self.share(self.job.way)?);
        let mut shares = budget::read(&path);
        if !shares.contains(&own) {
            // Somebody removed the file.
            self.declare();
            shares.push(own.clone());
        }
        let load = self.program.load();
        self.sharing.cpus = load.map(|load| load.cpus).or(self.sharing.cpus);
        let cpus = self.sharing.cpus?;
        let allotted = budget::allotted(&shares, &own, cpus);
        if allotted > self.job.way {
            (self.sharing.room, self.sharing.waiting) = (None, None);
            return Some(allotted);
        }
        if let Some(load) = load {
            self.sharing.spare = load.cpus - budget::others(&shares, &own, load);
            self.look_for_room(budget::free(&shares, &own, load));
        }
        None
    }

    /// Takes note of the room that there is for us, and of a better way when it has been there for long enough.
    fn look_for_room(&mut self, free: f64) {
        let best = self.job.ways.iter().position(|way| way.needs <= free).unwrap_or(self.job.way);
        let well = self.record.state == State::Live && self.record.speed.is_none_or(|speed| speed >= 0.97);
        if best >= self.job.way || !well {
            (self.sharing.room, self.sharing.waiting) = (None, None);
            return;
        }
        let (room, since) = match self.sharing.room {
            Some((room, since)) => (room.max(best), since),
            None => (best, Instant::now()),
        };
        self.sharing.room = Some((room, since));
        let rested = self.sharing.stays_until().is_none_or(|until| until <= Instant::now());
        // Those who watch shall not notice: they are kept by the server, and see no gap where both run for a moment.
        let unnoticed = !self.is_watched() || self.program.keeps_viewers() && self.carries_both(room);
        if since.elapsed() >= CALM && rested && unnoticed {
            self.sharing.waiting = Some(room);
        }
    }

    /// Takes the room for the way that waits, if it still is there with nobody else taking it at this moment.
    pub(super) fn claim(&mut self, way: usize) -> bool {
        let (Some(path), Some(own)) = (&self.job.budget, self.share(way)) else { return false };
        let room = self.sharing.cpus.unwrap_or(0.0) * budget::PLANNED;
        let fits = |others: &[Share]| (budget::taken(others) + own.cost() <= room).then(|| own.clone());
        let claimed = matches!(budget::change(path, fits, &own), Ok(Some(_)));
        if claimed {
            self.sharing.goes_up();
        }
        claimed
    }

    /// Whether this way and the one that is on the air can run at once, for the few seconds that it takes: by their source,
    /// and by what the machine carries.
    pub(super) fn carries_both(&self, way: usize) -> bool {
        let cost = |way: usize| self.job.ways.get(way).map_or(0.0, |way| way.cost);
        self.program.runs_beside() && cost(way) + cost(self.job.way) <= self.sharing.spare * STRAIN
    }

    /// Whether somebody watches, as far as the server says.
    fn is_watched(&self) -> bool {
        self.record.renditions.iter().any(|output| output.viewers.is_some_and(|viewers| viewers > 0))
    }

    /// Goes on in another way from now on, which is on the air or about to be.
    pub(super) fn go_on_in(&mut self, way: usize) {
        let Some(chosen) = self.job.ways.get(way) else { return };
        self.job.command = chosen.command.clone();
        self.job.cost = Some(chosen.cost);
        self.job.way = way;
        self.sharing.beside_failed = false;
        self.program.goes_on_in(way);
        self.record.argv = super::shown(&self.job.command, &self.job);
        self.record.cost = self.job.cost;
        self.declare();
    }

    /// Which way it is made in, in words.
    pub(super) fn way_words(&self, way: usize) -> String {
        self.job.ways.get(way).map(|way| way.words.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_up_at_most_once_in_five_minutes_and_more_seldom_where_that_was_wrong() {
        let mut sharing = Sharing::default();
        assert_eq!(sharing.stays_until(), None, "what a busy moment took at the start is given back at once");
        let minutes = |sharing: &Sharing| {
            let wait = sharing.stays_until().expect("it stays").saturating_duration_since(Instant::now());
            (wait.as_secs_f64() / 60.0).ceil() as u64
        };
        sharing.goes_up();
        assert_eq!(minutes(&sharing), 5);
        for longer in [10, 20, 40, 60, 60] {
            sharing.was_too_slow();
            assert_eq!(minutes(&sharing), longer);
        }
        // The first way was too slow: that tells nothing of better ones, but this is no moment for one.
        let mut sharing = Sharing::default();
        sharing.was_too_slow();
        assert_eq!(minutes(&sharing), 5);
    }
}
