//! Rooms: limits, moderation, what newcomers see.

use super::*;
use crate::base::clock::Now;
use std::net::IpAddr;
use std::time::Duration;

struct Stage {
    room: Room,
    now: Now,
    log: InMemory,
}

impl Stage {
    fn new() -> Stage {
        Stage { room: Room::new(Kept::default(), Vec::new()), now: Now::read(), log: InMemory::default() }
    }

    fn later(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    fn done(&mut self, entry: Result<Entry, Refusal>) -> Result<Entry, Code> {
        let entry = entry.map_err(|refusal| refusal.code)?;
        now_or_never(self.log.append("a", [entry.clone()].into())).unwrap();
        self.room.show(&entry);
        Ok(entry)
    }

    fn say(&mut self, who: Speaker, text: &str) -> Result<Message, Code> {
        let said = self.room.say(who, text, None, self.now);
        match self.done(said)?.what {
            What::Message(message) => Ok(message),
            other => panic!("{other:?}"),
        }
    }

    fn change(&mut self, patch: &str) -> Result<Entry, Code> {
        let changed = self.room.change(moderator(), &serde_json::from_str(patch).unwrap(), self.now);
        self.done(changed)
    }

    fn texts(&self) -> Vec<String> {
        self.room.history().iter().map(|message| message.text.to_string()).collect()
    }

    /// The room after a restart.
    fn restarted(&self) -> Room {
        let kept = now_or_never(self.log.load("a")).unwrap();
        Room::new(kept, now_or_never(self.log.messages("a", None, SHOWN)).unwrap())
    }
}

/// What a log in memory answers is there at once.
fn now_or_never<T>(later: Later<T>) -> T {
    let mut later = later;
    match later.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it has to be waited for"),
    }
}

fn viewer(token: &str) -> Speaker {
    Speaker { id: PersonId::of(token), role: Role::Viewer, place: None }
}

fn at(token: &str, address: &str) -> Speaker {
    let place = Some(Salt::new(&[3; 32]).place(address.parse::<IpAddr>().unwrap()));
    Speaker { place, ..viewer(token) }
}

fn moderator() -> Speaker {
    Speaker { role: Role::Moderator, ..viewer("moderator") }
}

const S: Duration = Duration::from_secs(1);

#[test]
fn messages_are_numbered_and_shown_to_newcomers() {
    let mut stage = Stage::new();
    let said = stage.say(viewer("ann"), " hello\u{7} <b> ").unwrap();
    assert_eq!((said.seq, said.id.as_str(), &*said.text), (1, "m1", "hello <b>"));
    assert_eq!(*said.from.name, *PersonId::of("ann").default_name(4));
    assert_eq!(stage.say(viewer("ann"), "\u{202e}\n"), Err(Code::Empty));
    stage.room.enter(viewer("bob"), stage.now);
    assert_eq!(stage.texts(), ["hello <b>"]);
    for n in 0..200 {
        stage.later(S);
        stage.say(viewer("ann"), &n.to_string()).unwrap();
    }
    assert_eq!((stage.texts().len(), stage.room.shown_seq()), (SHOWN, 201));
    let restarted = stage.restarted();
    assert_eq!((restarted.history(), restarted.shown_seq()), (stage.room.history(), 201));
}

#[test]
fn an_author_a_neighbourhood_and_a_room_have_limits() {
    let mut stage = Stage::new();
    let ann = at("ann", "192.0.2.1");
    for text in ["1", "2", "3"] {
        stage.say(ann, text).unwrap();
    }
    let refusal = stage.room.say(ann, "4", None, stage.now).unwrap_err();
    assert_eq!(refusal.code, Code::Rate);
    stage.later(refusal.retry_after.unwrap());
    stage.say(ann, "4").unwrap();
    stage.later(10 * S);
    // Ten of one neighbourhood, whoever they are.
    let said = (0..12).map(|n| stage.say(at(&n.to_string(), "192.0.2.9"), "hi").is_ok());
    assert_eq!(said.filter(|ok| *ok).count(), 10);
    stage.say(at("far", "192.0.3.9"), "hi").unwrap();
    stage.later(10 * S);
    // More than fifty in a second, and the room is slow by itself.
    let said = (100..160).filter(|n| stage.say(viewer(&n.to_string()), "hi").is_ok()).count();
    assert_eq!((said, stage.room.settings(stage.now.mono).slow_s), (50, 5));
    stage.later(S);
    assert_eq!(stage.say(viewer("100"), "again"), Err(Code::SlowMode));
    stage.later(60 * S);
    assert_eq!(stage.room.settings(stage.now.mono).slow_s, 0);
    // Moderators are free of all of it.
    stage.change(r#"{"open":false,"slow_s":120,"max_chars":1}"#).unwrap();
    for _ in 0..100 {
        stage.say(moderator(), "order!").unwrap();
    }
    assert_eq!(stage.say(viewer("new"), "a"), Err(Code::Closed));
}

#[test]
fn settings_hold() {
    let mut stage = Stage::new();
    stage.change(r#"{"slow_s":30,"max_chars":3}"#).unwrap();
    stage.say(viewer("ann"), "one").unwrap();
    assert_eq!(stage.say(viewer("ann"), "four"), Err(Code::TooLong));
    stage.later(29 * S);
    let refusal = stage.room.say(viewer("ann"), "two", None, stage.now).unwrap_err();
    assert_eq!(refusal, Refusal::after(Code::SlowMode, S));
    stage.later(S);
    stage.say(viewer("ann"), "two").unwrap();
    stage.change(r#"{"slow_s":0,"newcomers_wait_s":60}"#).unwrap();
    assert_eq!(stage.say(viewer("new"), "hi"), Err(Code::Newcomer));
    stage.later(60 * S);
    stage.say(viewer("new"), "hi").unwrap();
    assert_eq!(stage.say(viewer("new"), "hi"), Err(Code::Duplicate));
    stage.later(30 * S);
    stage.say(viewer("new"), "hi").unwrap();
    assert_eq!(stage.change(r#"{"slow_s":121}"#), Err(Code::BadSetting));
    let patch = Patch { slow_s: Some(1), ..Patch::default() };
    assert_eq!(stage.room.change(viewer("ann"), &patch, stage.now), Err(Code::Forbidden.into()));
    assert_eq!(stage.restarted().settings(stage.now.mono).newcomers_wait_s, 60);
}

#[test]
fn names_are_unique_in_a_room() {
    let mut stage = Stage::new();
    let named = stage.room.rename(viewer("ann"), "Ann", stage.now);
    stage.done(named).unwrap();
    assert_eq!(&*stage.say(viewer("ann"), "hi").unwrap().from.name, "Ann");
    let mut rename =
        |who, name: &str| stage.room.rename(who, name, stage.now).map_err(|refusal| refusal.code);
    assert_eq!(rename(viewer("bob"), "аnn"), Err(Code::NameTaken), "a Cyrillic a");
    assert_eq!(rename(viewer("bob"), "Moderator"), Err(Code::NameTaken));
    assert_eq!(rename(viewer("bob"), "x"), Err(Code::BadName));
    rename(moderator(), "Moderator").unwrap();
    rename(viewer("ann"), "Ann Lee").unwrap();
    rename(viewer("bob"), "ann").unwrap();
    let mut restarted = stage.restarted();
    assert_eq!(&*restarted.enter(viewer("ann"), stage.now).name, "Ann");
}

#[test]
fn a_ban_reaches_the_neighbourhood_and_survives_a_restart() {
    let mut stage = Stage::new();
    let troll = at("troll", "192.0.2.1");
    stage.say(troll, "buy!").unwrap();
    let banned = stage.room.ban(moderator(), troll.id, Some(60), stage.now);
    stage.done(banned).unwrap();
    let mut restarted = stage.restarted();
    let now = stage.now;
    for who in [troll, at("again", "192.0.2.77")] {
        for room in [&mut stage.room, &mut restarted] {
            let refusal = room.say(who, "buy!!", None, now).unwrap_err();
            assert_eq!(refusal, Refusal::after(Code::Banned, 60 * S));
            assert!(room.ban_of(who, now).is_some());
        }
    }
    stage.say(at("honest", "192.0.3.1"), "hi").unwrap();
    stage.later(60 * S);
    stage.say(troll, "sorry").unwrap();
    let banned = stage.room.ban(moderator(), troll.id, None, stage.now);
    stage.done(banned).unwrap();
    stage.later(1_000_000 * S);
    assert_eq!(stage.say(troll, "hi"), Err(Code::Banned));
    let lifted = stage.room.ban(moderator(), troll.id, Some(0), stage.now);
    stage.done(lifted).unwrap();
    stage.say(troll, "hi").unwrap();
    assert_eq!(stage.room.ban(troll, moderator().id, None, stage.now), Err(Code::Forbidden.into()));
    assert_eq!(stage.room.ban(moderator(), moderator().id, None, stage.now), Err(Code::Forbidden.into()));
    stage.room.ban(moderator(), PersonId::of("far"), Some(u64::MAX), stage.now).unwrap();
}

#[test]
fn what_is_deleted_is_gone_for_newcomers_and_in_the_log() {
    let mut stage = Stage::new();
    for text in ["one", "two", "three"] {
        stage.say(moderator(), text).unwrap();
    }
    stage.change(r#"{"pinned":"m2"}"#).unwrap();
    assert_eq!(stage.change(r#"{"pinned":"m9"}"#), Err(Code::NotFound));
    assert_eq!(stage.room.delete(viewer("ann"), "m2", stage.now), Err(Code::Forbidden.into()));
    assert_eq!(stage.room.delete(moderator(), "m99", stage.now), Err(Code::NotFound.into()));
    let deleted = stage.room.delete(moderator(), "m2", stage.now);
    let deleted = stage.done(deleted).unwrap();
    assert_eq!(stage.texts(), ["one", "three"]);
    assert!(stage.room.settings(stage.now.mono).pinned.is_none());
    let restarted = stage.restarted();
    assert!(restarted.settings(stage.now.mono).pinned.is_none() && restarted.history().len() == 2);
    let after = now_or_never(stage.log.after("a", 2, 10)).unwrap();
    assert_eq!(after.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, deleted.seq]);
    let cleared = stage.room.clear(moderator(), stage.now);
    stage.done(cleared).unwrap();
    assert!(stage.texts().is_empty() && stage.restarted().history().is_empty());
}

proptest::proptest! {
    #[test]
    fn numbers_grow_and_the_log_gives_what_was_shown(steps in proptest::collection::vec((0u8..7, 0u64..40, 0u64..3000), 1..120)) {
        let mut stage = Stage::new();
        let mut last = 0;
        for (step, n, pause) in steps {
            stage.later(Duration::from_millis(pause));
            let (who, now) = (viewer(&(n % 5).to_string()), stage.now);
            let decided = match step {
                0..=3 => stage.room.say(who, &n.to_string(), None, now),
                4 => stage.room.delete(moderator(), &format!("m{n}"), now),
                5 => stage.room.rename(who, &format!("name {n}"), now),
                _ => stage.room.ban(moderator(), who.id, Some(n % 4), now),
            };
            if let Ok(entry) = stage.done(decided) {
                proptest::prop_assert!(entry.seq > last);
                last = entry.seq;
            }
            proptest::prop_assert_eq!(stage.room.shown_seq(), last);
        }
        // Where messages were deleted, older ones take their place.
        let restarted: Vec<u64> = stage.restarted().history().iter().map(|m| m.seq).collect();
        let shown: Vec<u64> = stage.room.history().iter().map(|m| m.seq).collect();
        proptest::prop_assert!(restarted.ends_with(&shown), "{:?} {:?}", restarted, shown);
    }
}
