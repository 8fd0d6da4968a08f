//! RTSP 1.0 as bytes and values (RFC 2326): messages within limits, transports, credentials, places, descriptions of ours. Pure:
//! no socket, clock or task; nothing here trusts a length or a number from outside.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

pub mod authorization;
pub mod broken;
pub mod head;
pub mod limits;
pub mod message;
pub mod method;
pub mod play_head;
pub mod sdp_write;
pub mod status;
pub mod stream_path;
pub mod transport;
pub mod tunnel;

pub use broken::Broken;
pub use message::{Http, Incoming, Input, Request, Response};
pub use method::Method;
pub use status::Status;
pub use stream_path::StreamPath;
pub use transport::Transport;
