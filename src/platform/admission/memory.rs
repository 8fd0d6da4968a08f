//! What the back end has answered, and how long that holds. Pure: the time comes as an argument.

use super::answer::{Allowed, Verdict};
use super::ask::Ask;
use crate::auth::Protocol;
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Answers that are kept. When there are more, the half that would be forgotten first goes.
const MOST: usize = 10_000;
/// How long what was allowed is known, for when the back end is silent.
const KNOWN: Duration = Duration::from_secs(24 * 3600);
/// A viewer over HLS who goes on asking is not asked about again for so long.
const SESSION: Duration = Duration::from_secs(300);

/// A question, told from others without keeping its secrets.
pub(super) type Fingerprint = [u8; 32];

/// The fingerprint of a question: equal for equal ones, whatever connection they come by.
pub(super) fn fingerprint(ask: &Ask) -> Fingerprint {
    let address = ask.address.to_string();
    of(&[&key_fields(ask)[..], &[ask.protocol_word(), &address, &ask.caller.agent]].concat())
}

/// The fingerprint of what was shown, from wherever.
pub(super) fn key_of(ask: &Ask) -> Fingerprint {
    of(&key_fields(ask))
}

fn key_fields(ask: &Ask) -> [&str; 7] {
    let action = if ask.publishes() { "publish" } else { "read" };
    let (name, query) = (ask.name.reveal(), ask.query.reveal());
    [action, &ask.application, name, query, &ask.user, ask.password.reveal(), ask.token.reveal()]
}

fn of(fields: &[&str]) -> Fingerprint {
    let mut context = Context::new(&SHA256);
    for field in fields {
        context.update(&(field.len() as u64).to_be_bytes());
        context.update(field.as_bytes());
    }
    context.finish().as_ref().try_into().unwrap_or_default()
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Memory {
    answers: HashMap<Fingerprint, Kept>,
    known: HashMap<Fingerprint, Kept>,
}

#[derive(Debug)]
struct Kept {
    verdict: Verdict,
    /// When it is forgotten.
    until: Instant,
    /// When it is, however often it is asked for.
    at_last: Instant,
    /// When what it allows is over.
    ends: Option<Instant>,
}

impl Kept {
    /// The verdict as it is worth now.
    fn now(&self, now: Instant) -> Option<Verdict> {
        if now >= self.until {
            return None;
        }
        match (&self.verdict, self.ends) {
            (Verdict::Allowed(allowed), Some(ends)) => {
                let left = ends.checked_duration_since(now).filter(|left| !left.is_zero())?;
                Some(Verdict::Allowed(Box::new(Allowed { lifetime: Some(left), ..(**allowed).clone() })))
            }
            (verdict, _) => Some(verdict.clone()),
        }
    }
}

impl Memory {
    /// What was answered to this question, if that still holds. `cache` is how long answers do.
    pub(super) fn recall(&mut self, ask: &Ask, cache: Duration, now: Instant) -> Option<Verdict> {
        let kept = self.answers.get_mut(&fingerprint(ask))?;
        let verdict = kept.now(now)?;
        if ask.protocol == Protocol::Hls && matches!(verdict, Verdict::Allowed(_)) {
            kept.until = later(now, cache).min(kept.at_last).max(kept.until);
        }
        Some(verdict)
    }

    /// What it allowed within a day, to whoever shows the same.
    pub(super) fn known(&self, ask: &Ask, now: Instant) -> Option<Allowed> {
        match self.known.get(&key_of(ask))?.now(now)? {
            Verdict::Allowed(allowed) => Some(*allowed),
            Verdict::Refused(_) | Verdict::NeedsLogin => None,
        }
    }

    /// Keeps an answer for as long as `cache`, and what it allowed for a day.
    pub(super) fn keep(&mut self, ask: &Ask, verdict: &Verdict, cache: Duration, now: Instant) {
        let lifetime = match verdict {
            Verdict::Allowed(allowed) => allowed.lifetime,
            Verdict::Refused(_) | Verdict::NeedsLogin => None,
        };
        let kept = |time: Duration| Kept {
            verdict: verdict.clone(),
            until: later(now, time),
            at_last: later(now, SESSION.max(time)),
            ends: lifetime.map(|lifetime| later(now, lifetime)),
        };
        if !cache.is_zero() {
            make_room(&mut self.answers, now);
            self.answers.insert(fingerprint(ask), kept(cache));
        }
        if matches!(verdict, Verdict::Allowed(_)) {
            make_room(&mut self.known, now);
            self.known.insert(key_of(ask), kept(KNOWN));
        } else {
            self.known.remove(&key_of(ask));
        }
    }
}

fn later(now: Instant, time: Duration) -> Instant {
    now.checked_add(time).unwrap_or(now)
}

fn make_room(map: &mut HashMap<Fingerprint, Kept>, now: Instant) {
    if map.len() < MOST {
        return;
    }
    map.retain(|_, kept| now < kept.until);
    if map.len() >= MOST {
        let mut times: Vec<Instant> = map.values().map(|kept| kept.until).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        map.retain(|_, kept| kept.until > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Action;
    use crate::base::secret::Secret;
    use crate::platform::admission::target::tests::ask;

    const CACHE: Duration = Duration::from_secs(10);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn equal_questions_have_one_answer_for_a_while() {
        let (mut memory, begun) = (Memory::default(), Instant::now());
        let first = ask(Action::Publish);
        memory.keep(&first, &Verdict::plain(), CACHE, begun);
        let mut again = first.clone();
        (again.id, again.number, again.at_ms, again.caller.port) = (uuid::Uuid::new_v4(), 9, 9, 9);
        assert_eq!(memory.recall(&again, CACHE, begun + s(9)), Some(Verdict::plain()));
        assert_eq!(memory.recall(&again, CACHE, begun + s(10)), None);
        let others: [fn(&mut Ask); 7] = [
            |ask| ask.name = Secret::new("key2"),
            |ask| ask.application = "tv".into(),
            |ask| ask.query = Secret::new(""),
            |ask| ask.action = Action::Read,
            |ask| ask.address = "10.0.0.1".parse().unwrap(),
            |ask| ask.user = "ann".into(),
            |ask| ask.password = Secret::new("ann"),
        ];
        for change in others {
            let mut other = first.clone();
            change(&mut other);
            assert_eq!(memory.recall(&other, CACHE, begun), None, "{other:?}");
        }
        // Fields are not run together.
        let (mut one, mut two) = (first.clone(), first);
        (one.user, one.password) = ("ab".into(), Secret::new("c"));
        (two.user, two.password) = ("a".into(), Secret::new("bc"));
        assert_ne!(fingerprint(&one), fingerprint(&two));
    }

    #[test]
    fn a_viewer_over_hls_is_asked_about_once_a_session() {
        let (mut memory, begun) = (Memory::default(), Instant::now());
        let mut viewer = ask(Action::Read);
        viewer.protocol = Protocol::Hls;
        memory.keep(&viewer, &Verdict::plain(), CACHE, begun);
        for second in (0..300).step_by(5) {
            assert!(memory.recall(&viewer, CACHE, begun + s(second)).is_some(), "{second}");
        }
        assert_eq!(memory.recall(&viewer, CACHE, begun + s(300)), None, "now and then it is asked again");
        memory.keep(&viewer, &Verdict::plain(), CACHE, begun);
        assert_eq!(memory.recall(&viewer, CACHE, begun + s(11)), None, "it had gone");
        memory.keep(&viewer, &Verdict::Refused(None), CACHE, begun);
        assert!(memory.recall(&viewer, CACHE, begun + s(9)).is_some());
        assert_eq!(memory.recall(&viewer, CACHE, begun + s(10)), None, "a refusal is not prolonged");
    }

    #[test]
    fn what_is_allowed_for_a_time_ends_with_it() {
        let (mut memory, begun) = (Memory::default(), Instant::now());
        let asked = ask(Action::Publish);
        let brief = Allowed { lifetime: Some(s(6)), ..Allowed::default() };
        memory.keep(&asked, &Verdict::Allowed(Box::new(brief)), CACHE, begun);
        let Some(Verdict::Allowed(left)) = memory.recall(&asked, CACHE, begun + s(2)) else { panic!() };
        assert_eq!(left.lifetime, Some(s(4)));
        assert_eq!(memory.recall(&asked, CACHE, begun + s(6)), None);
        assert_eq!(memory.known(&asked, begun + s(6)), None);
    }

    #[test]
    fn what_was_allowed_is_known_for_a_day() {
        let (mut memory, begun) = (Memory::default(), Instant::now());
        let asked = ask(Action::Publish);
        memory.keep(&asked, &Verdict::plain(), Duration::ZERO, begun);
        assert_eq!(memory.recall(&asked, Duration::ZERO, begun), None);
        let mut elsewhere = asked.clone();
        elsewhere.address = "10.0.0.1".parse().unwrap();
        assert!(memory.known(&elsewhere, begun + s(86_399)).is_some());
        assert!(memory.known(&elsewhere, begun + s(86_400)).is_none());
        memory.keep(&elsewhere, &Verdict::Refused(None), CACHE, begun);
        assert!(memory.known(&asked, begun).is_none(), "it was refused since");
    }

    #[test]
    fn a_flood_of_questions_does_not_grow_it() {
        let (mut memory, begun) = (Memory::default(), Instant::now());
        let mut asked = ask(Action::Publish);
        for n in 0..25_000_u32 {
            asked.name = Secret::new(n.to_string());
            memory.keep(&asked, &Verdict::plain(), CACHE, begun + Duration::from_micros(n.into()));
            assert!(memory.answers.len() <= MOST && memory.known.len() <= MOST);
        }
        assert!(memory.recall(&asked, CACHE, begun).is_some(), "the newest is there");
    }
}
