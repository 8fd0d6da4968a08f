//! What the chat's requests share: the rooms that somebody is in, and how many there may be.

use super::committer;
use super::identity::Identity;
use super::open_room::OpenRoom;
use super::outside::{Asking, Found, Rooms, Told, Who};
use super::{origin, refused};
use crate::auth::neighbourhood;
use crate::base::clock::rfc3339;
use crate::hub::Registry;
use crate::model::Network;
use crate::model::network::is_loopback;
use crate::platform::chat::{ChatLog, Entry, Role, Room, SHOWN, Salt, Speaker, Unavailable, What};
use crate::protocol::web_access::Connection;
use crate::server::per_address::{Counted, PerAddress};
use crate::telemetry::Log;
use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts as Head;
use axum::response::Response;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// Bounds of the chat.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Viewers that stay connected, by WebSocket or server-sent events.
    pub viewers: usize,
    /// The same from one address (of IPv6: from one /64), except from this machine and trusted networks.
    pub per_address: usize,
    /// Rooms that somebody is in.
    pub rooms: usize,
}

impl Limits {
    /// So many viewers from one address, and for all of them half of the files that the process may have open: what the
    /// web port and the protocols of media take is a class of its own.
    pub fn new(per_address: usize, files: u64) -> Limits {
        let half = usize::try_from(files / 2).unwrap_or(usize::MAX).max(1);
        Limits { viewers: half.min(64 << 10), per_address, rooms: 1024 }
    }
}

/// What chat is made of.
pub struct Parts {
    /// Where rooms are kept.
    pub log: Arc<dyn ChatLog>,
    /// Which there are.
    pub rooms: Arc<dyn Rooms>,
    /// Who may do what.
    pub who: Arc<dyn Who>,
    /// Who is told.
    pub told: Option<Arc<dyn Told>>,
    /// What hashes of addresses are salted with; as old as the bans.
    pub salt: Salt,
    /// Bounds.
    pub limits: Limits,
    /// Whose addresses are not counted, like this machine's.
    pub trusted: Vec<Network>,
    /// Whether the web port speaks TLS.
    pub secure: bool,
    /// Where broken limits are counted.
    pub registry: Registry,
    /// What moderators do stands there.
    pub server_log: Log,
    /// When the server ends.
    pub shutdown: watch::Receiver<bool>,
}

/// See the module.
pub struct Chat {
    parts: Parts,
    open: Mutex<HashMap<String, Arc<OpenRoom>>>,
    addresses: PerAddress,
    viewers: AtomicUsize,
    /// A viewer has left.
    left: Notify,
}

/// Somebody in a room.
pub struct Entered {
    /// Where.
    pub room: Arc<OpenRoom>,
    /// Who.
    pub who: Speaker,
    /// What his browser is to keep.
    pub cookie: Option<HeaderValue>,
}

impl Entered {
    /// The answer with the cookie.
    pub fn with_cookie(cookie: Option<HeaderValue>, mut answer: Response) -> Response {
        if let Some(cookie) = cookie {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
        answer
    }
}

/// The right to stay connected.
pub struct Held {
    chat: Arc<Chat>,
    _counted: Counted,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.chat.viewers.fetch_sub(1, Ordering::Relaxed);
        self.chat.left.notify_one();
    }
}

impl Chat {
    /// With nobody there.
    pub fn new(parts: Parts) -> Chat {
        Chat {
            parts,
            open: Mutex::default(),
            addresses: PerAddress::default(),
            viewers: AtomicUsize::new(0),
            left: Notify::new(),
        }
    }

    /// Where rooms are kept.
    pub fn log(&self) -> &dyn ChatLog {
        &*self.parts.log
    }

    /// When the server ends.
    pub fn shutdown(&self) -> watch::Receiver<bool> {
        self.parts.shutdown.clone()
    }

    /// Whether the stream of a room is on the air.
    pub fn is_live(&self, room: &str) -> bool {
        self.parts.rooms.is_live(room)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Arc<OpenRoom>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The room that a request names, if who asks may be in it; and what he may.
    ///
    /// # Errors
    /// The answer that says why not.
    pub async fn find(&self, id: &str, head: &Head, ends: Connection) -> Result<(Found, Role), Response> {
        let path = head.uri.path();
        let found = self.parts.rooms.find(id).await.ok_or_else(|| refused::no_room(path))?;
        let asking = Asking {
            found: found.clone(),
            remote: ends.remote.ip(),
            host: origin::host(head).map(str::to_string),
            headers: head.headers.clone(),
            query: head.uri.query().unwrap_or_default().to_string(),
        };
        let role = self.parts.who.role(asking).await.map_err(|turned| refused::turned(turned, path))?;
        Ok((found, role))
    }

    /// The same, and in it.
    ///
    /// # Errors
    /// As [`Chat::find`].
    pub async fn enter(
        self: &Arc<Chat>,
        id: &str,
        head: &Head,
        ends: Connection,
    ) -> Result<Entered, Response> {
        let path = head.uri.path();
        let (found, role) = self.find(id, head, ends).await?;
        let identity = Identity::of(&head.headers, self.parts.secure);
        let place = self.counted_as(ends.remote.ip()).map(|address| self.parts.salt.place(address));
        let who = Speaker { id: identity.id, role, place };
        let room = self.room(&found.room).await.map_err(|Unavailable| refused::full(path))?;
        Ok(Entered { room, who, cookie: identity.cookie })
    }

    /// One more stays connected, if there is room.
    pub fn hold(self: &Arc<Chat>, ends: Connection) -> Option<Held> {
        let from = self.counted_as(ends.remote.ip()).map(neighbourhood);
        let Some(counted) = self.addresses.enter(from, self.parts.limits.per_address) else {
            self.parts.registry.broke("chat_viewers_per_address");
            return None;
        };
        if self.viewers.fetch_add(1, Ordering::Relaxed) >= self.parts.limits.viewers {
            self.viewers.fetch_sub(1, Ordering::Relaxed);
            self.parts.registry.broke("chat_viewers");
            return None;
        }
        Some(Held { chat: self.clone(), _counted: counted })
    }

    /// The address that somebody is counted by; none for this machine (a proxy may stand there for all) and trusted networks.
    fn counted_as(&self, remote: IpAddr) -> Option<IpAddr> {
        let remote = remote.to_canonical();
        let known = is_loopback(remote) || self.parts.trusted.iter().any(|network| network.contains(remote));
        (!known).then_some(remote)
    }

    /// A room, opened if nobody is in it.
    async fn room(self: &Arc<Chat>, name: &str) -> Result<Arc<OpenRoom>, Unavailable> {
        if let Some(room) = self.open().get(name) {
            return Ok(room.clone());
        }
        let kept = self.parts.log.load(name).await?;
        let messages = self.parts.log.messages(name, None, SHOWN).await?;
        let mut open = self.open();
        // Somebody else may have opened it meanwhile.
        if let Some(room) = open.get(name) {
            return Ok(room.clone());
        }
        if open.len() >= self.parts.limits.rooms {
            self.parts.registry.broke("chat_rooms");
            return Err(Unavailable);
        }
        let room = Arc::new(OpenRoom::new(name, Room::new(kept, messages)));
        open.insert(name.to_string(), room.clone());
        tokio::spawn(committer::run(self.clone(), room.clone()));
        Ok(room)
    }

    /// Whether nobody has anything to do with a room but its committer and the list.
    pub fn is_unused(&self, room: &Arc<OpenRoom>) -> bool {
        Arc::strong_count(room) <= 2
    }

    /// Takes an unused room off the list; false if somebody has come.
    pub fn forget(&self, room: &Arc<OpenRoom>) -> bool {
        let mut open = self.open();
        // Nobody comes to it but by the list.
        let unused = self.is_unused(room) && room.state().pending.is_empty();
        if unused {
            open.remove(&room.name);
        }
        unused
    }

    /// Tells whoever has to know, and writes down what moderators do.
    pub fn happened(&self, room: &str, entry: &Entry) {
        let log = &self.parts.server_log;
        match &entry.what {
            What::Message(_) | What::Named { .. } => {}
            What::Deleted { seqs, by } => log.info(format_args!("chat: {room}: {by} deletes {seqs:?}")),
            What::Cleared { by } => log.info(format_args!("chat: {room}: {by} deletes everything")),
            What::Banned { ban, by } => {
                let until = ban.until.map_or_else(|| "for good".into(), rfc3339);
                log.info(format_args!("chat: {room}: {by} bans {} ({}) until {until}", ban.author, ban.name));
            }
            What::Lifted { author, by } => {
                log.info(format_args!("chat: {room}: {by} lifts the ban of {author}"))
            }
            What::Changed { settings, by } => log.info(format_args!(
                "chat: {room}: {by} sets open {}, slow {} s, newcomers {} s, {} characters",
                settings.open, settings.slow_s, settings.newcomers_wait_s, settings.max_chars
            )),
        }
        if let Some(told) = &self.parts.told {
            told.told(room, entry);
        }
    }

    /// The log did not take what was written.
    pub fn unavailable(&self, room: &str) {
        self.parts.server_log.warn(format_args!("chat: {room}: messages cannot be stored at the moment"));
    }

    /// A stream came or went: its room tells so.
    pub fn stream_changed(&self, room: &str) {
        if let Some(room) = self.open().get(room) {
            room.wake.notify_one();
        }
    }

    /// Waits until the server ends, and then until everybody has left.
    pub async fn until_all_left(self: Arc<Chat>) {
        let mut shutdown = self.shutdown();
        crate::server::endpoint::http::asked_to_end(&mut shutdown).await;
        while self.viewers.load(Ordering::Relaxed) > 0 {
            self.left.notified().await;
        }
    }
}
