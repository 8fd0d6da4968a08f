//! What chat asks of the rest of the server: which room is meant, who asks, and who wants to know what happened.

use crate::model::StreamName;
use crate::platform::chat::{Entry, Later, Role};
use crate::protocol::web_access::Turned;
use axum::http::HeaderMap;
use std::net::IpAddr;

/// A room that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the room is called, whichever of the stream's names was asked for.
    pub room: String,
    /// The stream, for its read policy.
    pub stream: StreamName,
}

/// Which rooms there are.
pub trait Rooms: Send + Sync {
    /// The room of a stream's public id, or of the key of an open one.
    fn find(&self, id: &str) -> Later<Option<Found>>;

    /// Whether the stream of a room is on the air.
    fn is_live(&self, room: &str) -> bool;

    /// What became of the stream of a room that was found before.
    fn standing(&self, room: &str) -> Standing;
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is registered, and has a chat.
    Registered,
    /// It is registered, and its chat was switched off.
    Off,
    /// It is not registered: it never was, or was removed.
    Unregistered,
}

/// Who asks for what.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The room.
    pub found: Found,
    /// The other end.
    pub remote: IpAddr,
    /// The name that we were reached by.
    pub host: Option<String>,
    /// The fields of the request.
    pub headers: HeaderMap,
    /// Its query.
    pub query: String,
}

/// Who may do what.
pub trait Who: Send + Sync {
    /// What somebody may do in a room, if he may be there.
    fn role(&self, asking: Asking) -> Later<Result<Role, Turned>>;
}

/// Who is told what happened in a room, once it is in the log. It must not wait.
pub trait Told: Send + Sync {
    /// It happened.
    fn told(&self, room: &str, entry: &Entry);
}
