//! Rooms without sockets: what is kept together, what goes out together, and what a slow viewer is told.

use super::feed::Feed;
use super::open_room::{OpenRoom, Out};
use super::outside::{Asking, Found, Rooms, Standing, Told, Who};
use super::service::{Chat, Limits, Parts};
use crate::base::clock::Now;
use crate::hub::Registry;
use crate::model::StreamName;
use crate::platform::chat::{
    ChatLog, ClientFrame, Code, Entry, InMemory, Kept, Later, Message, PersonId, Role, Salt, Salts, Speaker,
    Unavailable, What,
};
use crate::protocol::web_access::{Connection, Turned};
use crate::telemetry::Log;
use axum::http::Request;
use serde_json::Value;
use std::future::ready;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// A log that can be out of reach, and counts how often it is written to.
#[derive(Clone, Default)]
struct Flaky {
    memory: InMemory,
    away: Arc<AtomicBool>,
    writes: Arc<AtomicUsize>,
    anew: Arc<AtomicBool>,
}

impl ChatLog for Flaky {
    fn load(&self, room: &str) -> Later<Result<Kept, Unavailable>> {
        self.memory.load(room)
    }

    fn append(&self, room: &str, batch: Arc<[Entry]>) -> Later<Result<(), Unavailable>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        if self.away.load(Ordering::Relaxed) {
            return Box::pin(ready(Err(Unavailable)));
        }
        self.memory.append(room, batch)
    }

    fn messages(
        &self,
        room: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Later<Result<Vec<Message>, Unavailable>> {
        self.memory.messages(room, before, limit)
    }

    fn after(&self, room: &str, after: u64, limit: usize) -> Later<Result<Vec<Entry>, Unavailable>> {
        self.memory.after(room, after, limit)
    }

    fn begins_anew(&self, _: &str) -> Later<bool> {
        Box::pin(ready(self.anew.swap(false, Ordering::Relaxed)))
    }

    fn forget(&self, room: &str) -> Later<()> {
        ChatLog::forget(&self.memory, room)
    }
}

struct Everywhere;

impl Rooms for Everywhere {
    fn find(&self, id: &str) -> Later<Option<Found>> {
        Box::pin(ready(Some(Found { room: id.into(), stream: StreamName::new("live", id) })))
    }

    fn is_live(&self, _: &str) -> bool {
        true
    }

    fn standing(&self, _: &str) -> Standing {
        Standing::Unregistered
    }
}

impl Who for Everywhere {
    fn role(&self, _: Asking) -> Later<Result<Role, Turned>> {
        Box::pin(ready(Ok(Role::Moderator)))
    }
}

/// What the hooks are told.
#[derive(Default)]
struct Heard(Mutex<Vec<u64>>);

impl Told for Heard {
    fn told(&self, _: &str, entry: &Entry) {
        self.0.lock().unwrap().push(entry.seq);
    }
}

struct House {
    chat: Arc<Chat>,
    log: Flaky,
    heard: Arc<Heard>,
    down: watch::Sender<bool>,
}

impl House {
    fn new() -> House {
        let (down, shutdown) = watch::channel(false);
        let (log, heard) = (Flaky::default(), Arc::new(Heard::default()));
        let chat = Arc::new(Chat::new(Parts {
            log: Arc::new(log.clone()),
            rooms: Arc::new(Everywhere),
            who: Arc::new(Everywhere),
            told: Some(heard.clone()),
            salt: Salts::new(Salt::new(&[0; 32])),
            limits: Limits { viewers: 2, per_address: 1, rooms: 2 },
            trusted: Vec::new(),
            secure: false,
            registry: Registry::default(),
            server_log: Log::silent(),
            shutdown,
        }));
        House { chat, log, heard, down }
    }

    async fn room(&self, name: &str) -> Option<Arc<OpenRoom>> {
        let head = Request::builder().body(()).unwrap().into_parts().0;
        self.chat.enter(name, &head, ends("127.0.0.1:1")).await.ok().map(|entered| entered.room)
    }
}

fn ends(remote: &str) -> Connection {
    Connection { remote: remote.parse().unwrap(), local: "127.0.0.1:2".parse().unwrap() }
}

fn boss() -> Speaker {
    Speaker { id: PersonId::of("boss"), role: Role::Moderator, place: None }
}

fn say(text: &str) -> ClientFrame {
    ClientFrame::Say { text: text.into(), reference: None }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_at_once_is_kept_at_once_and_goes_out_at_once_to_many() {
    let house = House::new();
    let room = house.room("cam").await.unwrap();
    let crowd: Vec<_> = (0..1001).map(|_| room.count()).collect();
    let mut feed = Feed::new(room.join(boss(), Now::read()).frames, boss().id, 0);
    let saying: Vec<_> = (0..10)
        .map(|n| {
            let room = room.clone();
            tokio::spawn(async move { room.act(boss(), &say(&n.to_string()), Now::read()).await })
        })
        .collect();
    for said in saying {
        said.await.unwrap().unwrap();
    }
    let frames: Value = serde_json::from_str(&feed.next(&room).await.unwrap()).unwrap();
    assert_eq!(frames.as_array().unwrap().len(), 10, "{frames}");
    assert_eq!(house.log.writes.load(Ordering::Relaxed), 1);
    assert_eq!(*house.heard.0.lock().unwrap(), (1..=10).collect::<Vec<u64>>());
    drop(crowd);
    room.act(boss(), &say("alone"), Now::read()).await.unwrap();
    let frame: Value = serde_json::from_str(&feed.next(&room).await.unwrap()).unwrap();
    assert_eq!(frame["text"], "alone");
}

#[tokio::test(start_paused = true)]
async fn what_the_log_has_not_is_not_shown() {
    let house = House::new();
    let room = house.room("cam").await.unwrap();
    house.log.away.store(true, Ordering::Relaxed);
    let refused = room.act(boss(), &say("lost"), Now::read()).await.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    house.log.away.store(false, Ordering::Relaxed);
    room.act(boss(), &say("kept"), Now::read()).await.unwrap();
    let history = room.join(boss(), Now::read()).history;
    assert_eq!(history.iter().map(|m| (m.seq, &*m.text)).collect::<Vec<_>>(), [(2, "kept")]);
    assert_eq!(*house.heard.0.lock().unwrap(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_viewer_is_told_what_it_missed() {
    let house = House::new();
    let room = house.room("cam").await.unwrap();
    let mut feed = Feed::new(room.join(boss(), Now::read()).frames, boss().id, 0);
    for n in 0..100 {
        room.act(boss(), &say(&n.to_string()), Now::read()).await.unwrap();
    }
    let gap = feed.next(&room).await.unwrap();
    assert_eq!(&*gap, r#"{"type":"gap","from":1,"to":36}"#);
    assert!(feed.next(&room).await.unwrap().contains(r#""type":"room""#));
    for seq in 37..=100 {
        let frame: Value = serde_json::from_str(&feed.next(&room).await.unwrap()).unwrap();
        assert_eq!(frame["seq"], seq);
    }
    // What it has already is not told again.
    let old = Out::All { first: 100, last: 100, text: "{}".into() };
    room.frames.send(old).unwrap();
    room.act(boss(), &say("new"), Now::read()).await.unwrap();
    assert!(feed.next(&room).await.unwrap().contains("new"));
    house.down.send(true).unwrap();
    assert!(feed.next(&room).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn rooms_and_viewers_are_bounded_and_empty_rooms_close() {
    let house = House::new();
    let (one, two) = (house.room("one").await.unwrap(), house.room("two").await.unwrap());
    assert!(house.room("three").await.is_none());
    one.act(boss(), &ClientFrame::Ban { author: PersonId::of("troll"), seconds: None }, Now::read())
        .await
        .unwrap();
    drop(one);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(house.room("three").await.is_some());
    assert!(house.room("one").await.is_none(), "two is in use, three was just opened");
    drop(two);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let again = house.room("one").await.unwrap();
    let troll = Speaker { id: PersonId::of("troll"), role: Role::Viewer, place: None };
    let refused = again.act(troll, &say("hi"), Now::read()).await.unwrap_err();
    assert_eq!(refused.code, Code::Banned, "a ban is kept with the room");
    let hold = |remote| house.chat.hold(ends(remote));
    let held = [hold("192.0.2.1:1"), hold("127.0.0.1:1")];
    assert!(held.iter().all(Option::is_some));
    assert!(hold("192.0.2.1:2").is_none() && hold("127.0.0.1:2").is_none());
    drop(held);
    assert!(hold("192.0.2.1:2").is_some());
    // What happened is no public matter where it concerns one.
    let kept = house.log.memory.after("one", 0, 10).await.unwrap();
    assert!(kept.iter().all(|entry| !matches!(entry.what, What::Banned { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_to_begin_anew_ends_for_all_who_are_in_it() {
    let house = House::new();
    let old = house.room("cam").await.unwrap();
    let mut feed = Feed::new(old.join(boss(), Now::read()).frames, boss().id, 0);
    old.act(boss(), &say("kept"), Now::read()).await.unwrap();
    assert!(feed.next(&old).await.is_some());
    house.log.anew.store(true, Ordering::Relaxed);
    assert_eq!(feed.next(&old).await, None);
    // Whoever found it a moment before hears so at once, and writes nothing that nobody keeps.
    let mut late = Feed::new(old.join(boss(), Now::read()).frames, boss().id, 0);
    assert_eq!(late.next(&old).await, None);
    assert_eq!(old.act(boss(), &say("lost"), Now::read()).await.unwrap_err().code, Code::Unavailable);
    let new = house.room("cam").await.unwrap();
    assert!(!Arc::ptr_eq(&old, &new));
    let history = new.join(boss(), Now::read()).history;
    assert_eq!(history.iter().map(|message| &*message.text).collect::<Vec<_>>(), ["kept"]);
}
