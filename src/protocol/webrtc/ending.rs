//! Why a session ended.

use crate::hub::Leaves;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It said so over HTTP.
    Said,
    /// Its connection was closed or broke.
    Left,
    /// It never connected.
    NeverConnected,
    /// Nothing came from it.
    Silent,
    /// What it gets has other codecs now.
    OtherCodecs,
    /// What it gets is over.
    StreamOver,
    /// It had to leave.
    Sent(Leaves),
    /// The server ends.
    ServerEnds,
}

impl Ending {
    /// In words for the log.
    pub const fn why(self) -> &'static str {
        match self {
            Ending::Said => "it said so",
            Ending::Left => "its connection was closed",
            Ending::NeverConnected => "it did not connect within 15 s",
            Ending::Silent => "nothing has come from it for 20 s",
            Ending::OtherCodecs => "the stream has other codecs now; it may ask again",
            Ending::StreamOver => "the stream is over",
            Ending::Sent(leaves) => leaves.why(),
            Ending::ServerEnds => "the server ends",
        }
    }
}
