//! The life of a stream of ours: looking at its source, planning, publishing, supervising, handing over, stopping.

pub mod feeding;
mod handing_over;
pub mod publish;
mod replanning;
pub mod source;
pub mod stop;
pub mod supervise;
mod ways;
