//! The platform: registered streams and their keys, admission, events, chat. Rules over the store and the hub; no HTTP, no SQL.

pub mod ladders;
