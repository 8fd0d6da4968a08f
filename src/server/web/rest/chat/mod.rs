//! Chat over the web port: WebSockets, server-sent events and requests, below `/api/v1/streams/{id}/chat/`. What a room is and
//! who may do what in it is `platform::chat`; here are sockets, requests and clocks.
//!
//! Whoever writes waits for the room's `committer`, which lets the log keep what was written since it last looked, all at
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
mod socket;
#[cfg(test)]
mod tests;
mod viewer;

pub use hub_rooms::HubRooms;
pub use outside::{Asking, Found, Rooms, Standing, Told, Who};
pub use registered::Registered;
pub use service::{Chat, Limits, Parts};

use axum::Router;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes with their descriptions.
fn described() -> OpenApiRouter<Arc<Chat>> {
    OpenApiRouter::new()
        .routes(routes!(viewer::upgrade))
        .routes(routes!(events::events))
        .routes(routes!(messages::list, messages::say, messages::clear))
        .routes(routes!(messages::remove))
        .routes(routes!(messages::ban))
        .routes(routes!(messages::room))
}

/// The routes.
pub fn routes<S: Clone + Send + Sync + 'static>(chat: Arc<Chat>) -> Router<S> {
    described().split_for_parts().0.method_not_allowed_fallback(refused::method).with_state(chat)
}

/// Their description.
pub fn description() -> utoipa::openapi::OpenApi {
    described().split_for_parts().1
}
