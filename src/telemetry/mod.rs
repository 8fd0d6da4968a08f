//! What the program says about itself: metrics in Prometheus' text form, and the server's bounded log.

pub mod exposition;
mod lines;
pub mod log;

pub use log::{Level, Log};
