//! Who may not write, and until when. A ban holds an author and the neighbourhood that he wrote from, so that he does not
//! come back under another name at once.

use super::person::PersonId;
use super::place::Place;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The most bans of a room; the oldest of those that end makes room.
const MOST: usize = 4096;

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Whose.
    pub author: PersonId,
    /// His name when he was banned.
    pub name: String,
    /// Where he wrote from, if that is known and not this machine.
    pub place: Option<Place>,
    /// Until when, in milliseconds since 1970; none is for good.
    pub until: Option<i64>,
}

impl Ban {
    /// Whether it holds still.
    pub fn holds(&self, now: i64) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// The bans of a room.
#[derive(Debug, Default)]
pub struct Bans {
    by_author: HashMap<PersonId, Ban>,
    /// Authors by where they wrote from.
    by_place: HashMap<Place, PersonId>,
}

impl Bans {
    /// Those that were kept.
    pub fn of(kept: Vec<Ban>) -> Bans {
        let mut bans = Bans::default();
        kept.into_iter().for_each(|ban| bans.add(ban, i64::MIN));
        bans
    }

    /// One more, in the place of an earlier one of the same author.
    pub fn add(&mut self, ban: Ban, now: i64) {
        if self.by_author.len() >= MOST && !self.by_author.contains_key(&ban.author) {
            let over: Vec<PersonId> =
                self.by_author.values().filter(|b| !b.holds(now)).map(|b| b.author).collect();
            let first = self.by_author.values().min_by_key(|b| b.until.unwrap_or(i64::MAX)).map(|b| b.author);
            let gone = if over.is_empty() { first.into_iter().collect() } else { over };
            gone.into_iter().for_each(|author| self.lift(author));
        }
        self.lift(ban.author);
        if let Some(place) = ban.place {
            self.by_place.insert(place, ban.author);
        }
        self.by_author.insert(ban.author, ban);
    }

    /// He may write again.
    pub fn lift(&mut self, author: PersonId) {
        let place = self.by_author.remove(&author).and_then(|ban| ban.place);
        if let Some(place) = place
            && self.by_place.get(&place) == Some(&author)
        {
            self.by_place.remove(&place);
        }
    }

    /// The ban that holds for this author at this place.
    pub fn holding(&self, author: PersonId, place: Option<Place>, now: i64) -> Option<&Ban> {
        let own = self.by_author.get(&author);
        let neighbour = || self.by_author.get(self.by_place.get(&place?)?);
        own.filter(|ban| ban.holds(now)).or_else(|| neighbour().filter(|ban| ban.holds(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Salt;
    use super::*;

    fn ban(author: &str, address: &str, until: Option<i64>) -> Ban {
        let place = address.parse().ok().map(|address| Salt::new(&[0; 32]).place(address));
        Ban { author: PersonId::of(author), name: author.into(), place, until }
    }

    #[test]
    fn a_ban_holds_the_author_and_his_neighbourhood_until_its_end() {
        let mut bans = Bans::default();
        let troll = ban("troll", "192.0.2.7", Some(100));
        bans.add(troll.clone(), 0);
        let (other, there) = (PersonId::of("other"), troll.place);
        assert_eq!(bans.holding(troll.author, None, 99), Some(&troll));
        assert_eq!(bans.holding(other, there, 99), Some(&troll));
        assert_eq!(bans.holding(other, None, 99), None);
        assert_eq!(bans.holding(troll.author, there, 100), None);
        bans.add(ban("troll", "192.0.2.7", None), 100);
        assert!(bans.holding(other, there, i64::MAX).is_some());
        bans.lift(troll.author);
        assert!(bans.holding(troll.author, there, 0).is_none() && bans.by_place.is_empty());
    }

    #[test]
    fn bans_are_bounded_and_those_for_good_stay_longest() {
        let mut bans = Bans::of(vec![ban("first", "", None)]);
        for n in 0..MOST + 20 {
            bans.add(ban(&n.to_string(), "", Some(1000 + n as i64)), 0);
        }
        assert_eq!(bans.by_author.len(), MOST);
        assert!(bans.holding(PersonId::of("first"), None, 5).is_some());
        bans.add(ban("last", "", None), 1_000_000);
        assert_eq!(bans.by_author.len(), 2, "those that are over go first");
    }
}
