//! Chat: one room for each stream. Pure but for the log ([`Stored`]): time, addresses and random numbers come as arguments,
//! and what goes out is a value. Sockets and requests are `server::web::rest::chat`.
//!
//! Everything that happens in a room is an [`Entry`] with a number. A room decides ([`Room::say`] and others), the log
//! keeps, and only then the room shows ([`Room::show`]): what viewers saw is in the log.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod bans;
mod bounds;
mod entry;
mod frames;
mod limits;
mod log;
mod memory;
mod message;
mod names;
mod newcomers;
mod people;
mod person;
mod place;
mod refusal;
mod room;
mod rows;
mod settings;
mod stored;
mod telling;
#[cfg(test)]
mod tests;
mod text;

pub use bans::Ban;
pub use bounds::{FRAME_BYTES, MAX_CHARS, SHOWN, SUBPROTOCOL};
pub use entry::{Entry, What};
pub use frames::{ClientFrame, ServerFrame, state};
pub use limits::{Meter, Meters, Rate};
pub use log::{ChatLog, Kept, Later, Unavailable};
pub use memory::InMemory;
pub use message::{Message, id_of, seq_of};
pub use person::{Author, PersonId, Role};
pub use place::{Place, Salt, Salts};
pub use refusal::{Code, Refusal};
pub use room::{Room, Speaker};
pub use settings::{Patch, Settings};
pub use stored::Stored;
pub use telling::event;
