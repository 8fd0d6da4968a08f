//! What happens in the hub, as what happens to streams: a ladder is live from its first rendition that can be watched until it
//! has none any more. One whose publisher broke off is waited for as long as its readers wait. Pure: time is an argument.

use crate::base::clock::Now;
use crate::hub::client::get;
use crate::hub::event::{Event, PublishEnd};
use crate::model::{LadderName, StreamName};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its publisher said so.
    Unpublished,
    /// Its publisher broke off and did not come back.
    Lost,
    /// It was removed.
    Removed,
    /// The server ends.
    Shutdown,
}

impl Reason {
    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Reason::Unpublished => "unpublished",
            Reason::Lost => "lost",
            Reason::Removed => "removed",
            Reason::Shutdown => "shutdown",
        }
    }
}

/// What happened to a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Air {
    /// It can be watched.
    Live,
    /// Its publisher is waited for.
    Interrupted,
    /// Its publisher is back.
    Resumed,
    /// It is over.
    Ended {
        /// Why.
        reason: Reason,
        /// How long it could be watched.
        duration: Duration,
        /// What its publishers sent.
        bytes: u64,
    },
    /// A rendition can be watched.
    Up(StreamName),
    /// A rendition is gone.
    Down(StreamName),
}

/// Something that happened to a ladder.
pub type Told = (LadderName, Air);

/// See the module.
#[derive(Debug)]
pub struct Watch {
    ladders: BTreeMap<LadderName, Ladder>,
    wait: Duration,
}

#[derive(Debug)]
struct Ladder {
    since: Now,
    up: BTreeSet<StreamName>,
    bytes: u64,
    /// Since when nothing is up, and whether its publisher broke off.
    gone: Option<(Now, PublishEnd)>,
}

impl Watch {
    /// Waits so long for a publisher that broke off.
    pub fn new(wait: Duration) -> Watch {
        Watch { ladders: BTreeMap::new(), wait }
    }

    /// Something happened in the hub.
    pub fn heard(&mut self, event: &Event, now: Now) -> Vec<Told> {
        match event {
            Event::Ready { stream, ladder } => self.up(stream, ladder, now),
            Event::Ended { stream, client, end, .. } => {
                self.down(stream, get(&client.counters.bytes_in), *end, now)
            }
            _ => Vec::new(),
        }
    }

    /// Some events were missed: what can be watched now.
    pub fn seen(&mut self, ready: &[(StreamName, LadderName)], now: Now) -> Vec<Told> {
        let up = self.ladders.values().flat_map(|ladder| ladder.up.iter().cloned());
        let gone: Vec<_> = up.filter(|name| !ready.iter().any(|(stream, _)| stream == name)).collect();
        let mut told = Vec::new();
        for name in gone {
            told.extend(self.down(&name, 0, PublishEnd::Lost, now));
        }
        for (stream, ladder) in ready {
            told.extend(self.up(stream, ladder, now));
        }
        told
    }

    fn up(&mut self, stream: &StreamName, name: &LadderName, now: Now) -> Vec<Told> {
        // It may have moved to another ladder meanwhile.
        if self.ladders.values().any(|ladder| ladder.up.contains(stream)) {
            return Vec::new();
        }
        let up = (name.clone(), Air::Up(stream.clone()));
        match self.ladders.get_mut(name) {
            Some(ladder) => {
                ladder.up.insert(stream.clone());
                let back = ladder.gone.take().map(|_| (name.clone(), Air::Resumed));
                back.into_iter().chain([up]).collect()
            }
            None => {
                let up_now = BTreeSet::from([stream.clone()]);
                self.ladders.insert(name.clone(), Ladder { since: now, up: up_now, bytes: 0, gone: None });
                vec![(name.clone(), Air::Live), up]
            }
        }
    }

    fn down(&mut self, stream: &StreamName, bytes: u64, end: PublishEnd, now: Now) -> Vec<Told> {
        let of = self.ladders.iter_mut().find(|(_, ladder)| ladder.up.contains(stream));
        let Some((name, ladder)) = of else { return Vec::new() };
        ladder.up.remove(stream);
        ladder.bytes = ladder.bytes.saturating_add(bytes);
        let mut told = vec![(name.clone(), Air::Down(stream.clone()))];
        if ladder.up.is_empty() {
            ladder.gone = Some((now, end));
            if end == PublishEnd::Lost {
                told.push((name.clone(), Air::Interrupted));
            }
            told.extend(self.tick(now));
        }
        told
    }

    /// What is over by now. To be called every second.
    pub fn tick(&mut self, now: Now) -> Vec<Told> {
        let wait = self.wait;
        self.end(|_, (at, end)| match end {
            PublishEnd::Unpublished => Some((at, Reason::Unpublished)),
            PublishEnd::Lost => {
                let waited = now.mono.saturating_duration_since(at.mono);
                (waited >= wait).then_some((at, Reason::Lost))
            }
        })
    }

    /// Nobody can come back to a ladder: it is over, if nothing of it is up.
    pub fn removed(&mut self, name: &LadderName) -> Vec<Told> {
        let over = |of: &LadderName, (at, _)| (of == name).then_some((at, Reason::Removed));
        self.end(over)
    }

    /// The server ends.
    pub fn over(&mut self, now: Now) -> Vec<Told> {
        for ladder in self.ladders.values_mut() {
            ladder.up.clear();
            ladder.gone.get_or_insert((now, PublishEnd::Lost));
        }
        self.end(|_, (at, _)| Some((at, Reason::Shutdown)))
    }

    fn end(&mut self, over: impl Fn(&LadderName, (Now, PublishEnd)) -> Option<(Now, Reason)>) -> Vec<Told> {
        let mut told = Vec::new();
        self.ladders.retain(|name, ladder| match ladder.gone.and_then(|gone| over(name, gone)) {
            Some((at, reason)) => {
                let duration = at.mono.saturating_duration_since(ladder.since.mono);
                told.push((name.clone(), Air::Ended { reason, duration, bytes: ladder.bytes }));
                false
            }
            None => true,
        });
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const WAIT: Duration = Duration::from_secs(10);

    fn names() -> (StreamName, StreamName, LadderName) {
        let ladder = LadderName { application: "live".into(), key: "cam".into() };
        (StreamName::new("live", "cam_720p"), StreamName::new("live", "cam_360p"), ladder)
    }

    fn words(told: Vec<Told>) -> String {
        let word = |(_, air): Told| match air {
            Air::Ended { reason, duration, bytes } => {
                format!("ended {} {} {bytes}", reason.word(), duration.as_secs())
            }
            Air::Up(name) => format!("up {}", name.name),
            Air::Down(name) => format!("down {}", name.name),
            other => format!("{other:?}").to_lowercase(),
        };
        told.into_iter().map(word).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_ladder_is_live_from_its_first_rendition_to_its_last() {
        let (high, low, ladder) = names();
        let begun = Now { mono: Instant::now(), wall_ms: 0 };
        let at = |seconds| begun.after(Duration::from_secs(seconds));
        let mut watch = Watch::new(WAIT);
        assert_eq!(words(watch.up(&high, &ladder, at(0))), "live, up cam_720p");
        assert_eq!(words(watch.up(&low, &ladder, at(1))), "up cam_360p");
        assert_eq!(words(watch.up(&low, &ladder, at(1))), "");
        assert_eq!(words(watch.down(&high, 5, PublishEnd::Lost, at(5))), "down cam_720p");
        assert_eq!(words(watch.down(&low, 7, PublishEnd::Lost, at(6))), "down cam_360p, interrupted");
        assert_eq!(words(watch.tick(at(15))), "");
        assert_eq!(words(watch.up(&low, &ladder, at(15))), "resumed, up cam_360p");
        assert_eq!(words(watch.tick(at(60))), "");
        let ended = "down cam_360p, ended unpublished 70 13";
        assert_eq!(words(watch.down(&low, 1, PublishEnd::Unpublished, at(70))), ended);
        assert_eq!(words(watch.down(&low, 1, PublishEnd::Unpublished, at(70))), "");
        // And again.
        assert_eq!(words(watch.up(&low, &ladder, at(80))), "live, up cam_360p");
        assert_eq!(words(watch.down(&low, 1, PublishEnd::Lost, at(90))), "down cam_360p, interrupted");
        assert_eq!(words(watch.tick(at(100))), "ended lost 10 1");
        watch.up(&low, &ladder, at(110));
        assert_eq!(words(watch.removed(&ladder)), "");
        watch.down(&low, 1, PublishEnd::Lost, at(112));
        assert_eq!(words(watch.removed(&ladder)), "ended removed 2 1");
        assert_eq!(words(watch.tick(at(200))), "");
    }

    #[test]
    fn what_was_missed_is_made_up_for() {
        let (high, low, ladder) = names();
        let now = Now { mono: Instant::now(), wall_ms: 0 };
        let mut watch = Watch::new(WAIT);
        watch.up(&high, &ladder, now);
        let seen = watch.seen(&[(low.clone(), ladder.clone())], now);
        assert_eq!(words(seen), "down cam_720p, interrupted, resumed, up cam_360p");
        assert_eq!(words(watch.seen(&[(low, ladder)], now)), "");
        assert_eq!(words(watch.over(now)), "ended shutdown 0 0");
        assert_eq!(words(watch.over(now)), "");
    }
}
