//! What is wanted, kept across restarts: rows and statements of the database, SQLite inside the data folder or PostgreSQL. No
//! rules, no HTTP.
//!
//! One schema and one text of each statement serve both, through sqlx's `Any`: it knows TEXT, BIGINT and DOUBLE PRECISION on
//! both, takes `$1` on both, and refuses BOOLEAN, NUMERIC, `now()` and JSON types on one of them (measured on sqlx 0.9.0,
//! SQLite 3.5x and PostgreSQL 15).

pub mod chat;
pub mod events;
mod fault;
pub mod hooks;
mod pool;
pub mod streams;
pub mod tokens;

pub use fault::Fault;
pub use pool::{Place, Store};
