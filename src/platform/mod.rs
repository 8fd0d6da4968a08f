//! The platform: registered streams and their keys, who may do what, and back ends that are asked. Rules over the store and the hub; no
//! HTTP, no SQL.

pub mod access;
pub mod admission;
pub mod air;
pub mod chat;
pub mod directory;
pub mod events;
pub mod hooks;
mod kept;
pub mod ladders;
pub mod load;
pub mod operators;
pub mod programs;
pub mod refusal;
mod refusals;
pub mod registration;
pub mod secrets;
pub mod sources;
pub mod statistics;
pub mod stream;
pub mod streams;

pub use kept::Kept;
pub use refusal::Refusal;
pub use stream::{ReadPolicy, Stream};
