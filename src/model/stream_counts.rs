//! What our server tells of the streams that are asked for by name (`GET /msconv/v1/streams`), in few words: supervisors
//! ask every two seconds, and the whole `/stat` would cost the server by the square of their number.

use serde::{Deserialize, Serialize};

/// The most names of one request.
pub const MOST_NAMES: usize = 64;

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamList {
    /// One for each name that was asked for and that the server knows.
    pub streams: Vec<StreamCounts>,
}

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCounts {
    /// The application that it is in.
    pub application: String,
    /// Its name in the application.
    pub name: String,
    /// The key of the ladder that it belongs to, in the same application.
    pub ladder: String,
    /// Its label in the ladder.
    pub label: String,
    /// Which run of the ladder's publisher it is in; 0 before the first frame.
    pub run: u64,
    /// Whether somebody publishes it; if not, readers wait for the publisher's return.
    pub published: bool,
    /// Whether its tracks are known.
    pub ready: bool,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Bytes sent to readers.
    pub bytes_out: u64,
    /// Readers.
    pub readers: u64,
    /// Milliseconds since the last frame; none before the first.
    pub silent_ms: Option<u64>,
}
