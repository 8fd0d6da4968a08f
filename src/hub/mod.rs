//! The live exchange: publishers put frames in, readers take packed bytes out. It knows no protocol: a front end
//! brings a [`Format`] (how frames become bytes) and an [`Outlet`] (where they go).

pub mod format;
pub mod registry;

pub use format::{Cut, Datagrams, Format, FormatKey, Headers, Outlet, Packed, Sink, Targets};
pub use registry::{Client, Counters, Protocol, Registry, Role};
