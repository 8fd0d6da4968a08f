//! RTMP's dialog without sockets and clocks: bytes and times in, bytes and events out. Times are counted from the
//! moment the connection was made.
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

pub mod adobe;
pub mod client;
pub mod command;
pub mod name;
pub mod server;
#[cfg(test)]
mod tests;

use super::wire::amf0::AmfError;
use super::wire::chunk_reader::ChunkError;
use super::wire::handshake::HandshakeError;

/// Why a connection has to be closed without another word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The other side does not speak RTMP.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// Its chunks cannot be read, or break a limit.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A command cannot be read, or breaks a limit.
    #[error(transparent)]
    Amf(#[from] AmfError),
    /// Something took too long.
    #[error("{}", .0.text())]
    Late(Late),
    /// It asks and does not read the answers.
    #[error("too many answers wait to be read")]
    Unread,
    /// It speaks RTMP, but not in an order that makes sense.
    #[error("{0}")]
    Order(&'static str),
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// The handshake.
    Handshake,
    /// To publish or play something.
    Purpose,
    /// The next frame of a publisher.
    Frame,
}

impl Late {
    const fn text(self) -> &'static str {
        match self {
            Late::Handshake => "the handshake took too long",
            Late::Purpose => "neither publishes nor plays",
            Late::Frame => "the publisher sends nothing",
        }
    }
}

impl SessionError {
    /// The limit's name in the metrics, if one was broken.
    pub const fn limit(&self) -> Option<&'static str> {
        match self {
            SessionError::Chunk(error) => error.limit(),
            SessionError::Amf(error) => error.limit(),
            SessionError::Late(Late::Handshake) => Some("rtmp_handshake_time"),
            SessionError::Late(Late::Purpose) => Some("rtmp_idle_time"),
            SessionError::Late(Late::Frame) => Some("publish_silence"),
            SessionError::Unread => Some("rtmp_unread_answers"),
            SessionError::Handshake(_) | SessionError::Order(_) => None,
        }
    }
}
