//! What the program says about itself: metrics in Prometheus' text form, and the server's bounded log.

pub mod exposition;
pub mod level;
mod lines;
pub mod log;

pub use level::Level;
pub use log::Log;
