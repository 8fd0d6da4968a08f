//! msconv: publish a source once, watch it live in several qualities.
//!
//! The modules stand in reading order, floor by floor; imports go down only (`tests/it/floor_plan.rs`).
//! The map with its reasons is `docs/architecture.md`.

// Floor 0 and 1: values without I/O.
pub mod base;
pub mod model;

// Floor 2: neighbours that do not know each other.
pub mod auth;
pub mod config;
pub mod ffmpeg;
pub mod machine;
pub mod media;
pub mod player;
pub mod process;
pub mod status;
pub mod store;
pub mod telemetry;

// Floor 3: the live exchange of the embedded server.
pub mod hub;

// Floor 4: what speaks to the outside.
pub mod protocol;

// Floor 5: what is wanted: registered streams, keys, who may do what, events, chat.
pub mod platform;

// Floor 6 and 7: servers and use cases.
pub mod backend;
pub mod manager;
pub mod server;

// Floor 8 and 9: the command line.
pub mod cli;
pub mod command;
pub mod ui;
