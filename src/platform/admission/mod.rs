//! Admission: a back end of the operator's is asked who may publish and read, in the form of the server that it was written for.
//!
//! A form is a pure pair: [`Target::question`] makes a request of an [`Ask`], [`Target::verdict`] reads the answer. [`Admission`]
//! asks, remembers and decides; [`notices`] tells the back end what has begun and ended. How a request goes out is somebody else's
//! ([`Post`]).

mod admitted;
mod answer;
mod ask;
mod asking;
mod forms;
mod json;
mod mediamtx;
mod memory;
mod msconv;
mod nginx_rtmp;
mod nms;
pub mod notices;
mod ome;
mod srs;
mod streamly;
mod target;

pub use answer::{Allowed, HttpAnswer, HttpRequest, LARGEST_ANSWER, Method, Verdict};
pub use ask::Ask;
pub use asking::{Admission, Post, Posted, Rules, Silence};
pub use target::{Happened, Target};
