//! Who has written in a room or chosen a name, as far as the room has to know it.

use super::limits::Meter;
use super::names::Names;
use super::person::PersonId;
use super::place::Place;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// The most that are known. Beyond them the one who came first is forgotten, and his name is free.
const MOST: usize = 16 << 10;

/// One of them.
#[derive(Debug, Default)]
pub struct Person {
    /// The name; none before the first message.
    pub name: Option<Arc<str>>,
    /// When he wrote last.
    pub wrote: Option<Instant>,
    /// What.
    pub last: Arc<str>,
    /// From where.
    pub place: Option<Place>,
    /// How much of his limit is used.
    pub meter: Meter,
}

/// All of them.
#[derive(Debug, Default)]
pub struct People {
    known: HashMap<PersonId, Person>,
    order: VecDeque<PersonId>,
    names: Names,
}

impl People {
    /// Somebody, if he is known.
    pub fn get(&self, id: PersonId) -> Option<&Person> {
        self.known.get(&id)
    }

    /// Somebody, who is known from now on.
    pub fn known(&mut self, id: PersonId) -> &mut Person {
        if !self.known.contains_key(&id) {
            if self.known.len() >= MOST
                && let Some(first) = self.order.pop_front()
            {
                let name = self.known.remove(&first).and_then(|person| person.name);
                name.into_iter().for_each(|name| self.names.give_up(first, &name));
            }
            self.order.push_back(id);
        }
        self.known.entry(id).or_default()
    }

    /// Gives a name to somebody; false if another's looks like it.
    pub fn name(&mut self, id: PersonId, name: &Arc<str>) -> bool {
        let old = self.known(id).name.clone();
        let taken = self.names.take(id, old.as_deref(), name);
        if taken {
            self.known(id).name = Some(name.clone());
        }
        taken
    }

    /// The name of somebody who writes: his own, or one that is made of his number and is his from now on.
    pub fn name_of_writer(&mut self, id: PersonId) -> Arc<str> {
        if let Some(name) = &self.known(id).name {
            return name.clone();
        }
        let names = [4, 6, 8, 12, 16].map(|digits| Arc::from(id.default_name(digits)));
        let free = names.iter().find(|name| self.name(id, name)).cloned();
        free.unwrap_or_else(|| id.default_name(16).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_names_are_unique_and_memory_is_bounded() {
        let mut people = People::default();
        let ann = PersonId::of("ann");
        people.name(ann, &"ann".into());
        let mut names = std::collections::BTreeSet::new();
        for n in 0..MOST {
            assert!(names.insert(people.name_of_writer(PersonId::of(&n.to_string()))));
        }
        assert_eq!((people.known.len(), people.order.len()), (MOST, MOST));
        assert!(people.get(ann).is_none());
        assert!(people.name(PersonId::of("other"), &"Ann".into()), "the name is free");
    }
}
