//! What the chat's requests share: the rooms that somebody is in, and how many there may be.

use super::committer::{self, Keeper};
use super::identity::Identity;
use super::open_room::OpenRoom;
use super::open_rooms::OpenRooms;
use super::outside::{Asking, Found, Rooms, Told, Who};
use super::refused;
use crate::auth::neighbourhood;
use crate::hub::Registry;
use crate::model::Network;
use crate::model::network::is_loopback;
use crate::platform::chat::{ChatLog, Role, Room, SHOWN, Salts, Speaker, Unavailable};
use crate::protocol::web_access::Connection;
use crate::server::per_address::{Counted, PerAddress};
use crate::server::web::rest::origin;
use crate::telemetry::Log;
use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts as Head;
use axum::response::Response;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    pub salt: Salts,
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
    keeper: Arc<Keeper>,
    who: Arc<dyn Who>,
    salt: Salts,
    limits: Limits,
    trusted: Vec<Network>,
    secure: bool,
    registry: Registry,
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
        let Parts { log, rooms, who, told, salt, limits, trusted, secure, registry, server_log, shutdown } =
            parts;
        let keeper = Keeper { log, rooms, told, server_log, shutdown, open: OpenRooms::default() };
        Chat {
            keeper: Arc::new(keeper),
            who,
            salt,
            limits,
            trusted,
            secure,
            registry,
            addresses: PerAddress::default(),
            viewers: AtomicUsize::new(0),
            left: Notify::new(),
        }
    }

    /// Where rooms are kept.
    pub fn log(&self) -> &dyn ChatLog {
        &*self.keeper.log
    }

    /// When the server ends.
    pub fn shutdown(&self) -> watch::Receiver<bool> {
        self.keeper.shutdown.clone()
    }

    /// Whether the stream of a room is on the air.
    pub fn is_live(&self, room: &str) -> bool {
        self.keeper.rooms.is_live(room)
    }

    /// The room that a request names, if who asks may be in it; and what he may.
    ///
    /// # Errors
    /// The answer that says why not.
    pub async fn find(&self, id: &str, head: &Head, ends: Connection) -> Result<(Found, Role), Response> {
        let path = head.uri.path();
        let found = self.keeper.rooms.find(id).await.ok_or_else(|| refused::no_room(path))?;
        let asking = Asking {
            found: found.clone(),
            remote: ends.remote.ip(),
            host: origin::host(head).map(str::to_string),
            headers: head.headers.clone(),
            query: head.uri.query().unwrap_or_default().to_string(),
        };
        let role = self.who.role(asking).await.map_err(|turned| refused::turned(turned, path))?;
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
        let identity = Identity::of(&head.headers, self.secure);
        let room = self.room(&found.room).await.map_err(|Unavailable| refused::full(path))?;
        // After the room, with which the stored salt comes.
        let place = self.counted_as(ends.remote.ip()).map(|address| self.salt.place(address));
        let who = Speaker { id: identity.id, role, place };
        Ok(Entered { room, who, cookie: identity.cookie })
    }

    /// One more stays connected, if there is room.
    pub fn hold(self: &Arc<Chat>, ends: Connection) -> Option<Held> {
        let from = self.counted_as(ends.remote.ip()).map(neighbourhood);
        let Some(counted) = self.addresses.enter(from, self.limits.per_address) else {
            self.registry.broke("chat_viewers_per_address");
            return None;
        };
        if self.viewers.fetch_add(1, Ordering::Relaxed) >= self.limits.viewers {
            self.viewers.fetch_sub(1, Ordering::Relaxed);
            self.registry.broke("chat_viewers");
            return None;
        }
        Some(Held { chat: self.clone(), _counted: counted })
    }

    /// The address that somebody is counted by; none for this machine (a proxy may stand there for all) and trusted networks.
    fn counted_as(&self, remote: IpAddr) -> Option<IpAddr> {
        let remote = remote.to_canonical();
        let known = is_loopback(remote) || self.trusted.iter().any(|network| network.contains(remote));
        (!known).then_some(remote)
    }

    /// A room, opened if nobody is in it.
    async fn room(&self, name: &str) -> Result<Arc<OpenRoom>, Unavailable> {
        let Keeper { log, open, .. } = &*self.keeper;
        if let Some(room) = open.get(name) {
            return Ok(room);
        }
        let room = Room::new(log.load(name).await?, log.messages(name, None, SHOWN).await?);
        let Ok((room, is_new)) = open.open(name, room, self.limits.rooms) else {
            self.registry.broke("chat_rooms");
            return Err(Unavailable);
        };
        if is_new {
            tokio::spawn(committer::run(self.keeper.clone(), room.clone()));
        }
        Ok(room)
    }

    /// A stream came or went: its room tells so.
    pub fn stream_changed(&self, room: &str) {
        if let Some(room) = self.keeper.open.get(room) {
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
