//! Bytes that are no message of RTSP, and what is answered to them.

use super::status::Status;

/// Why the stream cannot be read on. The connection ends with this answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Broken {
    /// What to answer.
    pub status: Status,
    /// One lowercase sentence.
    pub reason: &'static str,
    /// The request's number, if it could be read.
    pub cseq: Option<u32>,
    /// The limit that was broken, a word for the counters.
    pub limit: Option<&'static str>,
}

impl Broken {
    pub(super) fn bad(reason: &'static str) -> Broken {
        Broken { status: Status::BAD_REQUEST, reason, cseq: None, limit: None }
    }

    pub(super) fn over(status: Status, limit: &'static str, reason: &'static str) -> Broken {
        Broken { status, reason, cseq: None, limit: Some(limit) }
    }
}
