//! A ladder on the air: the names that belong together and their common line of time. A name that no ladder was told of
//! belongs to the one that it looks like; alone it is a ladder of one.

use super::registry::locked;
use super::timeline::{Entered, Timeline};
use crate::media::MediaTime;
use crate::model::ladder_fact::by_looks;
use crate::model::{LadderFact, LadderName, StreamName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a ladder keeps its line of time without a publisher: who comes back within it goes on.
pub const KEPT: Duration = Duration::from_secs(60);

/// A ladder. It is shared by the streams of its renditions.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: LadderName,
    state: Mutex<State>,
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
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<LadderName, Arc<Group>>,
    /// The ladder of each name that one was told of.
    told: BTreeMap<StreamName, LadderName>,
}

impl Groups {
    /// The ladder that a name belongs to; made if there is none.
    pub fn of(&mut self, name: &StreamName, now: Instant) -> Arc<Group> {
        let ladder = self.told.get(name).cloned().unwrap_or_else(|| by_looks(name).0);
        self.made(ladder, now)
    }

    /// The ladder with this name.
    pub fn get(&self, name: &LadderName) -> Option<Arc<Group>> {
        self.groups.get(name).cloned()
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

    fn made(&mut self, ladder: LadderName, now: Instant) -> Arc<Group> {
        self.groups.entry(ladder.clone()).or_insert_with(|| Arc::new(Group::new(ladder, now))).clone()
    }
}

impl Group {
    /// Without members.
    pub fn new(name: LadderName, now: Instant) -> Group {
        let state = State {
            timeline: Timeline::default(),
            fact: None,
            entered: BTreeSet::new(),
            published: BTreeSet::new(),
            idle: now,
        };
        Group { name, state: Mutex::new(state) }
    }

    /// What its supervisor told of it.
    pub fn fact(&self) -> Option<Arc<LadderFact>> {
        locked(&self.state).fact.clone()
    }

    /// Its supervisor tells what it publishes.
    pub fn tell(&self, fact: Arc<LadderFact>, now: Instant) {
        let mut state = locked(&self.state);
        state.timeline.tell(fact.run, now);
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

    /// Which run of its publisher it is in; 0 before the first frame.
    pub fn run(&self) -> u64 {
        locked(&self.state).timeline.run()
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
