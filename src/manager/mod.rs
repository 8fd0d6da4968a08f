//! Floor 6: the use cases, called by the command line and later by REST. No terminal, no HTTP of its own.
//!
//! The wings have an order, lowest first, and imports go down only: `records`, `machine`, `servers`, `play`, `devices`,
//! `streams`, `listing`, then `doctor` and `logs`, then `exporter` and `export`.

pub mod devices;
pub mod doctor;
pub mod export;
pub mod exporter;
pub mod listing;
pub mod logs;
pub mod machine;
pub mod play;
pub mod records;
pub mod servers;
pub mod streams;
