//! Since when somebody has been here, for rooms where newcomers wait.

use super::person::PersonId;
use std::collections::HashMap;

/// The most that are known.
const MOST: usize = 32 << 10;

/// When each was here first, in milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Newcomers(HashMap<PersonId, i64>);

impl Newcomers {
    /// Since when somebody who is here now has been. Where too many are known, newer ones count from now on each time.
    pub fn since(&mut self, person: PersonId, now: i64) -> i64 {
        if self.0.len() >= MOST {
            return self.0.get(&person).copied().unwrap_or(now);
        }
        *self.0.entry(person).or_insert(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_counts_and_memory_is_bounded() {
        let mut newcomers = Newcomers::default();
        let ann = PersonId::of("ann");
        assert_eq!(newcomers.since(ann, 5), 5);
        assert_eq!(newcomers.since(ann, 9), 5);
        for n in 0..MOST + 10 {
            newcomers.since(PersonId::of(&n.to_string()), 7);
        }
        assert_eq!(newcomers.0.len(), MOST);
        assert_eq!((newcomers.since(ann, 9), newcomers.since(PersonId::of("new"), 9)), (5, 9));
    }
}
