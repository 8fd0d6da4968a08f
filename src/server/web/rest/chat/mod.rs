//! Chat over the web port: WebSockets, server-sent events and requests, below `/api/v1/streams/{id}/chat/`. What a room is and
//! who may do what in it is `platform::chat`; here are sockets, requests and clocks.
//!
//! Whoever writes waits for the room's [`committer`], which lets the log keep what was written since it last looked, all at
//! once, renders each frame once and gives the same bytes to all. A viewer that takes them too slowly misses some, is told
//! which, and asks for them.

mod committer;
mod events;
mod feed;
mod hub_rooms;
mod identity;
mod messages;
mod open_room;
mod open_rooms;
mod outside;
mod refused;
mod registered;
mod service;
#[cfg(test)]
mod tests;
mod viewer;

pub use hub_rooms::HubRooms;
pub use outside::{Asking, Found, Rooms, Told, Who};
pub use registered::Registered;
pub use service::{Chat, Limits, Parts};

use axum::Router;
use axum::routing::{delete, get, patch, post};
use std::sync::Arc;

/// The routes.
pub fn routes<S: Clone + Send + Sync + 'static>(chat: Arc<Chat>) -> Router<S> {
    let at = |path: &str| format!("/api/v1/streams/{{id}}/chat/{path}");
    Router::new()
        .route(&at("ws"), get(viewer::upgrade))
        .route(&at("events"), get(events::events))
        .route(&at("messages"), get(messages::list).post(messages::say).delete(messages::clear))
        .route(&at("messages/{mid}"), delete(messages::remove))
        .route(&at("bans"), post(messages::ban))
        .route(&at("room"), patch(messages::room))
        .method_not_allowed_fallback(refused::method)
        .with_state(chat)
}
