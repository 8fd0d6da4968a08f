//! HLS (RFC 8216) and low-latency HLS (draft-pantos-hls-rfc8216bis): a ladder as fragmented MP4 with one table of media
//! sequence numbers. Everything here is pure; `server` does the waiting and the writing.

pub mod ladder;
mod listing;
mod member;
pub mod multivariant;
mod muxer;
mod pace;
pub mod playlist;
pub mod server;
#[cfg(test)]
mod tests;
mod timeline;
mod window;
