//! Which streams have a ladder of ours, and until when: it begins with its publisher, survives a short absence of it, and
//! ends with the stream. Pure: what happens and the time come in, what to do comes out.

use crate::hub::event::PublishEnd;
use crate::model::StreamName;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Most ladders at once: each is an encoder and a supervisor.
pub const MOST: usize = 16;
/// A publisher whose connection broke may be away for so long: a little more than its readers wait for it.
const LOST: Duration = Duration::from_secs(12);
/// One that said that it ends, for so long: encoders that are set up anew say so and come back.
const SAID: Duration = Duration::from_secs(5);

/// What is known of a name at the moment that somebody publishes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// It is a rendition of another name's ladder.
    pub rendition: bool,
    /// Somebody else publishes renditions of it, or has told that they come.
    pub has_ladder: bool,
    /// A ladder is wanted.
    pub wanted: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Todo {
    /// Nothing.
    Nothing,
    /// A ladder begins.
    Begin,
    /// One is wanted, and there are as many as there may be.
    Full,
}

/// How it is with a ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Its stream is there.
    Runs,
    /// Its publisher is away, and has until then to return.
    Waits(Instant),
    /// It has been told to end. `again`: its stream is there once more.
    Ends { again: bool },
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    ladders: BTreeMap<StreamName, How>,
}

impl Kept {
    /// Somebody publishes this.
    pub fn published(&mut self, name: &StreamName, seen: Seen) -> Todo {
        match self.ladders.get_mut(name) {
            Some(How::Ends { again }) => {
                *again = true;
                return Todo::Nothing;
            }
            Some(how) => {
                *how = How::Runs;
                return Todo::Nothing;
            }
            None => {}
        }
        if seen.rendition || seen.has_ladder || !seen.wanted {
            return Todo::Nothing;
        }
        if self.ladders.len() >= MOST {
            return Todo::Full;
        }
        self.ladders.insert(name.clone(), How::Runs);
        Todo::Begin
    }

    /// Nobody publishes this any more.
    pub fn ended(&mut self, name: &StreamName, end: PublishEnd, now: Instant) {
        let patience = match end {
            PublishEnd::Unpublished => SAID,
            PublishEnd::Lost => LOST,
        };
        match self.ladders.get_mut(name) {
            Some(How::Ends { again }) => *again = false,
            Some(how) => *how = How::Waits(now.checked_add(patience).unwrap_or(now)),
            None => {}
        }
    }

    /// When [`Kept::over`] has something to say.
    pub fn due(&self) -> Option<Instant> {
        let due = |how: &How| if let How::Waits(until) = how { Some(*until) } else { None };
        self.ladders.values().filter_map(due).min()
    }

    /// Those whose publishers have been away for too long: they are to end.
    pub fn over(&mut self, now: Instant) -> Vec<StreamName> {
        let mut over = Vec::new();
        for (name, how) in &mut self.ladders {
            if matches!(how, How::Waits(until) if *until <= now) {
                *how = How::Ends { again: false };
                over.push(name.clone());
            }
        }
        over
    }

    /// A ladder has ended, by itself or as it was told. `true` if its stream is there again and wants the next one.
    pub fn gone(&mut self, name: &StreamName) -> bool {
        matches!(self.ladders.remove(name), Some(How::Ends { again: true }))
    }

    /// All that have one.
    pub fn names(&self) -> impl Iterator<Item = &StreamName> {
        self.ladders.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cam() -> StreamName {
        StreamName::new("live", "cam")
    }

    const WANTED: Seen = Seen { rendition: false, has_ladder: false, wanted: true };

    #[test]
    fn a_ladder_survives_a_short_absence() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(kept.published(&cam(), WANTED), Todo::Begin);
        kept.ended(&cam(), PublishEnd::Lost, at(10));
        assert_eq!((kept.due(), kept.over(at(21))), (Some(at(22)), vec![]));
        assert_eq!(kept.published(&cam(), WANTED), Todo::Nothing, "it has one");
        assert_eq!(kept.due(), None);
        kept.ended(&cam(), PublishEnd::Unpublished, at(30));
        assert_eq!(kept.over(at(34)), []);
        assert_eq!((kept.over(at(35)), kept.due()), (vec![cam()], None));
        // It comes back while its ladder ends.
        assert_eq!(kept.published(&cam(), WANTED), Todo::Nothing);
        assert!(kept.gone(&cam()));
        assert_eq!(kept.published(&cam(), WANTED), Todo::Begin);
        assert!(!kept.gone(&cam()), "that ended by itself");
    }

    #[test]
    fn a_ladder_gets_no_ladder() {
        let mut kept = Kept::default();
        for seen in [
            Seen { rendition: true, ..WANTED },
            Seen { has_ladder: true, ..WANTED },
            Seen { wanted: false, ..WANTED },
        ] {
            assert_eq!(kept.published(&cam(), seen), Todo::Nothing, "{seen:?}");
        }
        assert_eq!(kept.names().count(), 0);
    }

    #[test]
    fn there_are_only_so_many() {
        let mut kept = Kept::default();
        for number in 0..MOST {
            let name = StreamName::new("live", format!("cam{number}"));
            assert_eq!(kept.published(&name, WANTED), Todo::Begin);
        }
        assert_eq!(kept.published(&cam(), WANTED), Todo::Full);
        kept.gone(&StreamName::new("live", "cam0"));
        assert_eq!(kept.published(&cam(), WANTED), Todo::Begin);
        assert_eq!(kept.names().count(), MOST);
    }
}
