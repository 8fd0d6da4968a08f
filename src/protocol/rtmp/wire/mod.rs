//! RTMP's bytes and values: the handshake, chunks, messages and AMF0. Pure, and wary: whatever comes in was written by
//! somebody else.
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

pub mod amf0;
pub mod chunk_reader;
pub mod chunk_writer;
pub mod handshake;
pub mod message;
