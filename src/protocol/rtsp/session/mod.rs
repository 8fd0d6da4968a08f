//! The dialog of RTSP, both sides, without sockets and clocks: bytes and answers in, bytes and questions out.

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

pub mod client;
pub mod server;
mod tracks;

pub use tracks::Tracked;
