//! Floor 2: who we ask what is live, one source each.

pub mod fetch;
pub mod hello;
pub mod mediamtx;
pub mod nginx_stat;
pub mod own;
pub mod rtsp_describe;

use crate::model::HttpUrl;
pub use fetch::{Client, FetchError, Limits};
pub use nginx_stat::{ParseError, Snapshot};

/// Why a status source gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No answer, or none with success.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// An answer that is not what it should be.
    #[error("{0}")]
    Parse(#[from] ParseError),
    /// The same for MediaMTX.
    #[error("{0}")]
    Json(#[from] mediamtx::ParseError),
    /// The same for our own server.
    #[error("{0}")]
    Own(#[from] own::ParseError),
}

impl SourceError {
    /// The HTTP status of an answer without success.
    pub fn status(&self) -> Option<u16> {
        match self {
            SourceError::Fetch(FetchError::Status(status)) => Some(*status),
            _ => None,
        }
    }

    /// Whether nothing is there at all, as against something that answers wrongly.
    pub fn absent(&self) -> bool {
        matches!(
            self,
            SourceError::Fetch(
                FetchError::Refused
                    | FetchError::UnknownHost
                    | FetchError::Unreachable(_)
                    | FetchError::TimedOut(_)
            )
        )
    }
}

/// Asks nginx-rtmp's `/stat` once, within the client's limits. Keeps the connection, so that polling is cheap.
///
/// # Errors
/// The reason in plain words; see [`FetchError`] and [`ParseError`].
pub async fn nginx_snapshot(client: &Client, url: &HttpUrl) -> Result<Snapshot, SourceError> {
    Ok(nginx_stat::parse(&client.get(url, "").await?)?)
}
