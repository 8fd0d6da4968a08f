//! A ladder on the air: the names that belong together and their common line of time. A name that no ladder was told of
//! belongs to the one that it looks like; alone it is a ladder of one.

use super::client::locked;
use super::timeline::{Entered, Timeline};
use crate::media::MediaTime;
use crate::model::ladder_fact::RenditionFact;
use crate::model::ladder_fact::by_looks;
use crate::model::{LadderFact, LadderName, StreamName};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a ladder keeps its line of time without a publisher: who comes back within it goes on.
pub const KEPT: Duration = Duration::from_secs(60);
/// Most ladders that are known at once, twice as many as there may be streams.
const MOST: usize = 2048;

/// Which of the threads that carry media, from 0 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Worker(pub usize);

/// A ladder. It is shared by the streams of its renditions.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: LadderName,
    /// Where its publishers and readers run, as long as there is this ladder.
    pub worker: Worker,
    state: Mutex<State>,
}

/// A rendition of a ladder that has a publisher.
#[derive(Clone, Debug)]
pub struct OnAir {
    /// Its name.
    pub name: StreamName,
    /// Its label in the ladder.
    pub label: String,
    /// What its supervisor told of it.
    pub planned: Option<RenditionFact>,
    /// Whether its ladder was made of it by another encoder: a supervisor told of that, and this is not in it. Its times and
    /// keyframes are its own affair.
    pub stranger: bool,
}

#[derive(Debug)]
struct State {
    timeline: Timeline,
    fact: Option<Arc<LadderFact>>,
    /// Names with a publisher whose first frame has come.
    entered: BTreeSet<String>,
    /// Names with a publisher.
    published: BTreeSet<String>,
    /// When the last publisher left, or it was made.
    idle: Instant,
}

/// All ladders of the server.
#[derive(Debug)]
pub(super) struct Groups {
    /// Threads that carry media.
    workers: NonZeroUsize,
    groups: BTreeMap<LadderName, Arc<Group>>,
    /// The ladder of each name that one was told of.
    told: BTreeMap<StreamName, LadderName>,
}

impl Groups {
    /// None yet, to be spread over so many threads.
    pub fn new(workers: NonZeroUsize) -> Groups {
        Groups { workers, groups: BTreeMap::new(), told: BTreeMap::new() }
    }

    /// The ladder that a name belongs to; made if there is none.
    pub fn of(&mut self, name: &StreamName, now: Instant) -> Arc<Group> {
        let ladder = self.told.get(name).cloned().unwrap_or_else(|| by_looks(name).0);
        self.made(ladder, now)
    }

    /// A ladder as its supervisor tells of it; what was told before no longer holds.
    pub fn tell(&mut self, fact: LadderFact, now: Instant) -> Arc<Group> {
        let ladder = fact.name();
        let group = self.made(ladder.clone(), now);
        self.told.retain(|_, of| *of != ladder);
        for rendition in &fact.renditions {
            let name = StreamName::new(fact.application.clone(), rendition.name.clone());
            self.told.insert(name, ladder.clone());
        }
        group.tell(Arc::new(fact), now);
        group
    }

    /// The ladder and the label of a name, whether anybody publishes it or not.
    pub fn place_of(&self, name: &StreamName) -> (LadderName, String) {
        let (looks, label) = by_looks(name);
        let ladder = self.told.get(name).cloned().unwrap_or(looks);
        let label = self.groups.get(&ladder).map_or(label, |group| group.label(&name.name));
        (ladder, label)
    }

    /// The names of a ladder that have a publisher.
    pub fn published(&self, ladder: &LadderName) -> Vec<OnAir> {
        let Some(group) = self.groups.get(ladder) else { return Vec::new() };
        let fact = group.fact();
        let names: Vec<String> = locked(&group.state).published.iter().cloned().collect();
        names
            .into_iter()
            .map(|name| OnAir {
                label: group.label(&name),
                planned: fact.as_ref().and_then(|fact| fact.rendition(&name).cloned()),
                stranger: fact.as_ref().is_some_and(|fact| is_stranger(&name, fact)),
                name: StreamName::new(ladder.application.clone(), name),
            })
            .collect()
    }

    /// The labels of a ladder that its supervisor plans, on the air or not.
    pub fn planned(&self, ladder: &LadderName) -> Vec<String> {
        let Some(group) = self.groups.get(ladder) else { return Vec::new() };
        let fact = group.fact();
        let names = fact.iter().flat_map(|fact| &fact.renditions);
        names.map(|rendition| group.label(&rendition.name)).collect()
    }

    /// Forgets those that nobody has published for [`KEPT`]; their names.
    pub fn forget_idle(&mut self, now: Instant) -> Vec<LadderName> {
        let over: Vec<LadderName> = self
            .groups
            .iter()
            .filter(|(_, group)| group.is_over(now))
            .map(|(name, _)| name.clone())
            .collect();
        for ladder in &over {
            self.groups.remove(ladder);
            self.told.retain(|_, of| of != ladder);
        }
        over
    }

    /// The ladder with this name, made if there is none. Whoever asks is about to use it: it is not forgotten meanwhile.
    fn made(&mut self, ladder: LadderName, now: Instant) -> Arc<Group> {
        if let Some(group) = self.groups.get(&ladder) {
            locked(&group.state).idle = now;
            return group.clone();
        }
        if self.groups.len() >= MOST {
            self.forget_longest_idle();
        }
        let group = Arc::new(Group::new(ladder.clone(), self.least_busy(), now));
        self.groups.insert(ladder, group.clone());
        group
    }

    /// The worker with the fewest renditions. Those that are idle count too, since they may come back.
    fn least_busy(&self) -> Worker {
        let mut carried = vec![0_usize; self.workers.get()];
        for group in self.groups.values() {
            if let Some(carried) = carried.get_mut(group.worker.0) {
                *carried = carried.saturating_add(group.renditions());
            }
        }
        let least = carried.iter().enumerate().min_by_key(|(_, carried)| **carried);
        Worker(least.map_or(0, |(worker, _)| worker))
    }

    /// Makes room. There is always one without a publisher: there are fewer streams than ladders that are kept.
    fn forget_longest_idle(&mut self) {
        let idle = self.groups.values().filter_map(|group| {
            let state = locked(&group.state);
            state.published.is_empty().then(|| (state.idle, group.name.clone()))
        });
        if let Some((_, ladder)) = idle.min() {
            self.groups.remove(&ladder);
            self.told.retain(|_, of| *of != ladder);
        }
    }
}

impl Group {
    /// Without members.
    pub fn new(name: LadderName, worker: Worker, now: Instant) -> Group {
        let state = State {
            timeline: Timeline::default(),
            fact: None,
            entered: BTreeSet::new(),
            published: BTreeSet::new(),
            idle: now,
        };
        Group { name, worker, state: Mutex::new(state) }
    }

    /// How many renditions it has, or will have as far as its supervisor told; one at least.
    fn renditions(&self) -> usize {
        let state = locked(&self.state);
        let told = state.fact.as_ref().map_or(0, |fact| fact.renditions.len());
        state.published.len().max(told).max(1)
    }

    /// What its supervisor told of it.
    pub fn fact(&self) -> Option<Arc<LadderFact>> {
        locked(&self.state).fact.clone()
    }

    /// Its supervisor tells what it publishes.
    pub fn tell(&self, fact: Arc<LadderFact>, now: Instant) {
        let mut state = locked(&self.state);
        // What it is made of says nothing of its runs.
        let published = state.entered.iter().any(|name| !is_stranger(name, &fact));
        state.timeline.tell(fact.run, published, now);
        state.fact = Some(fact);
        state.idle = now;
    }

    /// Its label of a name: as told, or as the name looks.
    pub fn label(&self, name: &str) -> String {
        let told = self.fact().and_then(|fact| fact.rendition(name).map(|rendition| rendition.label.clone()));
        told.unwrap_or_else(|| {
            let rest = name.strip_prefix(self.name.key.as_str()).and_then(|rest| rest.strip_prefix('_'));
            rest.unwrap_or("original").to_string()
        })
    }

    /// A name has a publisher.
    pub fn publish(&self, name: &str) {
        locked(&self.state).published.insert(name.to_string());
    }

    /// The first frame of a publisher stands at `first` on its own line.
    pub fn enter(&self, name: &str, first: MediaTime, own_last: Option<MediaTime>, now: Instant) -> Entered {
        let mut state = locked(&self.state);
        let others = state.entered.iter().any(|entered| entered != name);
        state.entered.insert(name.to_string());
        if state.fact.as_ref().is_some_and(|fact| is_stranger(name, fact)) {
            return state.timeline.join(first, now);
        }
        state.timeline.enter(first, own_last, others, now)
    }

    /// A frame of any of its names stands at `time`.
    pub fn note(&self, time: MediaTime, now: Instant) {
        locked(&self.state).timeline.note(time, now);
    }

    /// A name has no publisher any more.
    pub fn leave(&self, name: &str, now: Instant) {
        let mut state = locked(&self.state);
        state.entered.remove(name);
        state.published.remove(name);
        state.idle = now;
    }

    /// Whether nobody has published any of its names for [`KEPT`].
    pub fn is_over(&self, now: Instant) -> bool {
        let state = locked(&self.state);
        state.published.is_empty() && now.saturating_duration_since(state.idle) > KEPT
    }
}

/// Whether `name` is what the ladder is made of, and is published by somebody else than the ladder.
fn is_stranger(name: &str, fact: &LadderFact) -> bool {
    name == fact.key && fact.rendition(name).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ladders_that_nobody_publishes_do_not_grow_without_end() {
        let (mut groups, now) = (Groups::new(NonZeroUsize::MIN), Instant::now());
        let at = |ms: u64| now + Duration::from_millis(ms);
        groups.of(&StreamName::new("live", "cam"), at(0)).publish("cam");
        for n in 0..MOST as u64 + 500 {
            groups.of(&StreamName::new("live", format!("s{n}")), at(n));
        }
        assert_eq!(groups.groups.len(), MOST);
        let ladder = |key: &str| LadderName { application: "live".into(), key: key.into() };
        assert!(groups.groups.contains_key(&ladder("cam")), "it is on the air");
        assert!(!groups.groups.contains_key(&ladder("s0")), "it was idle longest");
        assert!(groups.groups.contains_key(&ladder(&format!("s{}", MOST + 499))));
    }

    #[test]
    fn a_new_ladder_goes_to_the_worker_that_carries_least_and_stays_there() {
        let (mut groups, now) = (Groups::new(NonZeroUsize::new(3).unwrap()), Instant::now());
        let mut worker = |name: &str| {
            let group = groups.of(&StreamName::new("live", name), now);
            group.publish(name);
            group.worker.0
        };
        let ladder = ["a_720p", "a_480p", "a_360p"].map(&mut worker);
        assert_eq!(ladder, [0, 0, 0], "a ladder is in one place");
        assert_eq!(["b", "c", "d", "e", "f"].map(&mut worker), [1, 2, 1, 2, 1]);
        assert_eq!(["a", "c", "f"].map(&mut worker), [0, 2, 1]);
        assert_eq!(worker("g"), 2);
    }

    #[test]
    fn who_asks_for_a_ladder_keeps_it() {
        let (mut groups, now) = (Groups::new(NonZeroUsize::MIN), Instant::now());
        let name = StreamName::new("live", "cam");
        groups.of(&name, now);
        groups.of(&name, now + KEPT);
        assert!(groups.forget_idle(now + KEPT + Duration::from_secs(1)).is_empty());
        assert_eq!(groups.forget_idle(now + KEPT * 2 + Duration::from_secs(1)).len(), 1);
    }
}
