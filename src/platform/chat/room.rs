//! A room: who may do what now, and what it becomes. It decides and numbers; what it has decided is shown by [`Room::show`]
//! when the log has it.

use super::bans::{Ban, Bans};
use super::bounds::SHOWN;
use super::entry::{Entry, What};
use super::limits::{Meter, Meters, Rate};
use super::log::Kept;
use super::message::{Message, id_of, seq_of};
use super::names;
use super::newcomers::Newcomers;
use super::people::People;
use super::person::{Author, PersonId, Role};
use super::place::Place;
use super::refusal::{Code, Refusal};
use super::settings::{Patch, Settings};
use super::text;
use crate::base::clock::Now;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

const AUTHOR: Rate = Rate { times: 3, within: Duration::from_secs(2) };
const PLACE: Rate = Rate { times: 10, within: Duration::from_secs(5) };
const ROOM: Rate = Rate { times: 50, within: Duration::from_secs(1) };
/// A room that more is written in is slow for this time.
const CROWDED: Duration = Duration::from_secs(60);
/// So slow, unless its moderators want it slower.
const CROWDED_SLOW_S: u32 = 5;
/// Within this time an author does not say the same again.
const SAME: Duration = Duration::from_secs(30);
/// The longest ban that ends.
const LONGEST_BAN_S: u64 = 10 * 366 * 86_400;

/// Who wants something.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    /// Who.
    pub id: PersonId,
    /// What he may.
    pub role: Role,
    /// Where he is; none on this machine and in trusted networks, whose neighbourhood is no household.
    pub place: Option<Place>,
}

/// See the module.
#[derive(Debug)]
pub struct Room {
    seq: u64,
    settings: Settings,
    shown: VecDeque<Message>,
    shown_seq: u64,
    people: People,
    newcomers: Newcomers,
    bans: Bans,
    places: Meters<Place>,
    meter: Meter,
    crowded_until: Option<Instant>,
}

type Decided = Result<Entry, Refusal>;

impl Room {
    /// With what was kept of it, and its last messages.
    pub fn new(kept: Kept, messages: Vec<Message>) -> Room {
        let mut people = People::default();
        for (person, name) in &kept.names {
            people.name(*person, name);
        }
        Room {
            seq: kept.seq,
            settings: kept.settings,
            shown: messages.into(),
            shown_seq: kept.seq,
            people,
            newcomers: Newcomers::default(),
            bans: Bans::of(kept.bans),
            places: Meters::default(),
            meter: Meter::default(),
            crowded_until: None,
        }
    }

    /// The number of what was shown last.
    pub fn shown_seq(&self) -> u64 {
        self.shown_seq
    }

    /// The settings, slow if the room is so by itself.
    pub fn settings(&self, now: Instant) -> Settings {
        Settings { slow_s: self.slow_s(now), ..self.settings.clone() }
    }

    /// The last messages, oldest first.
    pub fn history(&self) -> Vec<Message> {
        self.shown.iter().cloned().collect()
    }

    /// Somebody is here: who he is in this room.
    pub fn enter(&mut self, who: Speaker, now: Now) -> Author {
        self.newcomers.since(who.id, now.wall_ms);
        self.author(who)
    }

    /// As his messages would show him.
    pub fn author(&self, who: Speaker) -> Author {
        let own = self.people.get(who.id).and_then(|person| person.name.clone());
        let name = own.unwrap_or_else(|| who.id.default_name(4).into());
        Author { id: who.id, name, colour: who.id.colour(), role: who.role }
    }

    /// The ban that keeps somebody from writing.
    pub fn ban_of(&self, who: Speaker, now: Now) -> Option<&Ban> {
        let held = who.role != Role::Moderator;
        held.then(|| self.bans.holding(who.id, who.place, now.wall_ms)).flatten()
    }

    /// A message.
    ///
    /// # Errors
    /// Why not.
    pub fn say(&mut self, who: Speaker, text: &str, reference: Option<&str>, now: Now) -> Decided {
        let text = text::cleaned(text);
        if text.is_empty() {
            return Err(Code::Empty.into());
        }
        if who.role != Role::Moderator {
            self.may_write(who, &text, now)?;
        }
        let text: Arc<str> = text.into();
        let name = self.people.name_of_writer(who.id);
        let person = self.people.known(who.id);
        (person.wrote, person.last, person.place) = (Some(now.mono), text.clone(), who.place);
        let seq = self.next();
        let message = Message {
            seq,
            id: id_of(seq),
            from: Author { name, ..self.author(who) },
            text,
            at: now.wall_ms,
            reference: reference.map(Arc::from),
        };
        Ok(Entry { seq, at: now.wall_ms, what: What::Message(message) })
    }

    fn may_write(&mut self, who: Speaker, text: &str, now: Now) -> Result<(), Refusal> {
        if let Some(ban) = self.bans.holding(who.id, who.place, now.wall_ms) {
            let left = ban.until.and_then(|until| u64::try_from(until.saturating_sub(now.wall_ms)).ok());
            return Err(Refusal { code: Code::Banned, retry_after: left.map(Duration::from_millis) });
        }
        if !self.settings.open {
            return Err(Code::Closed.into());
        }
        if text.chars().count() > usize::try_from(self.settings.max_chars).unwrap_or(usize::MAX) {
            return Err(Code::TooLong.into());
        }
        let here = now.wall_ms.saturating_sub(self.newcomers.since(who.id, now.wall_ms));
        let wait = i64::from(self.settings.newcomers_wait_s).saturating_mul(1000).saturating_sub(here);
        if let Some(wait) = u64::try_from(wait).ok().filter(|wait| *wait > 0) {
            return Err(Refusal::after(Code::Newcomer, Duration::from_millis(wait)));
        }
        let slow = Duration::from_secs(self.slow_s(now.mono).into());
        if let Some(person) = self.people.get(who.id)
            && let Some(wrote) = person.wrote
        {
            let since = now.mono.saturating_duration_since(wrote);
            if *person.last == *text && since < SAME {
                return Err(Refusal::after(Code::Duplicate, SAME.saturating_sub(since)));
            }
            if since < slow {
                return Err(Refusal::after(Code::SlowMode, slow.saturating_sub(since)));
            }
        }
        self.within_limits(who, now.mono)
    }

    fn within_limits(&mut self, who: Speaker, now: Instant) -> Result<(), Refusal> {
        let rate = |wait| Refusal::after(Code::Rate, wait);
        self.people.known(who.id).meter.take(AUTHOR, now).map_err(rate)?;
        if let Some(place) = who.place {
            self.places.take(place, PLACE, now).map_err(rate)?;
        }
        self.meter.take(ROOM, now).map_err(|_| {
            self.crowded_until = now.checked_add(CROWDED);
            Refusal::after(Code::SlowMode, Duration::from_secs(CROWDED_SLOW_S.into()))
        })
    }

    fn slow_s(&self, now: Instant) -> u32 {
        let crowded = self.crowded_until.is_some_and(|until| now < until);
        if crowded { self.settings.slow_s.max(CROWDED_SLOW_S) } else { self.settings.slow_s }
    }

    /// A name for somebody.
    ///
    /// # Errors
    /// It is no name, or another's.
    pub fn rename(&mut self, who: Speaker, name: &str, now: Now) -> Decided {
        let name: Arc<str> = names::cleaned(name).ok_or(Code::BadName)?.into();
        if who.role != Role::Moderator {
            if self.ban_of(who, now).is_some() {
                return Err(Code::Banned.into());
            }
            if names::is_reserved(&name) {
                return Err(Code::NameTaken.into());
            }
            let rate = |wait| Refusal::after(Code::Rate, wait);
            self.people.known(who.id).meter.take(AUTHOR, now.mono).map_err(rate)?;
            if let Some(place) = who.place {
                self.places.take(place, PLACE, now.mono).map_err(rate)?;
            }
        }
        if !self.people.name(who.id, &name) {
            return Err(Code::NameTaken.into());
        }
        Ok(self.entry(What::Named { person: who.id, name, role: who.role }, now))
    }

    /// A message is to go.
    ///
    /// # Errors
    /// It may not, or there cannot be such a message.
    pub fn delete(&mut self, who: Speaker, id: &str, now: Now) -> Decided {
        moderates(who)?;
        let seq = seq_of(id).filter(|seq| *seq <= self.shown_seq).ok_or(Code::NotFound)?;
        self.unpin_if(|pinned| pinned.seq == seq);
        Ok(self.entry(What::Deleted { seqs: vec![seq], by: who.id }, now))
    }

    /// All messages are to go.
    ///
    /// # Errors
    /// They may not.
    pub fn clear(&mut self, who: Speaker, now: Now) -> Decided {
        moderates(who)?;
        self.unpin_if(|_| true);
        Ok(self.entry(What::Cleared { by: who.id }, now))
    }

    /// Somebody may not write for so many seconds: for good without a number, and again with 0.
    ///
    /// # Errors
    /// He may, or has never been here.
    pub fn ban(&mut self, who: Speaker, author: PersonId, seconds: Option<u64>, now: Now) -> Decided {
        moderates(who)?;
        if seconds == Some(0) {
            self.bans.lift(author);
            return Ok(self.entry(What::Lifted { author, by: who.id }, now));
        }
        if author == who.id {
            return Err(Code::Forbidden.into());
        }
        let person = self.people.get(author);
        let (name, place) = (person.and_then(|p| p.name.clone()), person.and_then(|p| p.place));
        let name = name.map_or_else(|| author.default_name(4), |name| name.to_string());
        let until = seconds.map(|s| now.after(Duration::from_secs(s.min(LONGEST_BAN_S))).wall_ms);
        let ban = Ban { author, name, place, until };
        self.bans.add(ban.clone(), now.wall_ms);
        Ok(self.entry(What::Banned { ban, by: who.id }, now))
    }

    /// The room is to be another.
    ///
    /// # Errors
    /// It may not, a setting is out of its bounds, or there is no such message to pin.
    pub fn change(&mut self, who: Speaker, patch: &Patch, now: Now) -> Decided {
        moderates(who)?;
        let mut settings = self.settings.changed(patch).map_err(|_| Code::BadSetting)?;
        if let Some(pinned) = &patch.pinned {
            let found = pinned.as_ref().map(|id| self.shown.iter().find(|m| m.id == *id).cloned());
            settings.pinned = found.map(|found| found.ok_or(Code::NotFound)).transpose()?;
        }
        if patch.slow_s.is_some() {
            self.crowded_until = None;
        }
        self.settings = settings.clone();
        Ok(self.entry(What::Changed { settings, by: who.id }, now))
    }

    fn unpin_if(&mut self, gone: impl Fn(&Message) -> bool) {
        if self.settings.pinned.as_ref().is_some_and(gone) {
            self.settings.pinned = None;
        }
    }

    /// The log has it: newcomers see it from now on.
    pub fn show(&mut self, entry: &Entry) {
        self.shown_seq = self.shown_seq.max(entry.seq);
        match &entry.what {
            What::Message(message) => {
                self.shown.push_back(Message { reference: None, ..message.clone() });
                if self.shown.len() > SHOWN {
                    self.shown.pop_front();
                }
            }
            What::Deleted { seqs, .. } => self.shown.retain(|message| !seqs.contains(&message.seq)),
            What::Cleared { .. } => self.shown.clear(),
            What::Banned { .. } | What::Lifted { .. } | What::Changed { .. } | What::Named { .. } => {}
        }
    }

    fn next(&mut self) -> u64 {
        self.seq = self.seq.saturating_add(1);
        self.seq
    }

    fn entry(&mut self, what: What, now: Now) -> Entry {
        Entry { seq: self.next(), at: now.wall_ms, what }
    }
}

fn moderates(who: Speaker) -> Result<(), Refusal> {
    if who.role == Role::Moderator { Ok(()) } else { Err(Code::Forbidden.into()) }
}
