//! Media that comes in RTP, whichever protocol arranged it: what a description says of it ([`sdp_read`]), and its packets
//! as frames for the hub ([`ingest`]). Pure.

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

pub mod ingest;
pub mod sdp_lines;
pub mod sdp_read;
