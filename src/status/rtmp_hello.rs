//! Asks an address whether an RTMP server listens there: TCP, then the first byte of the handshake.

use crate::model::RtmpUrl;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What was found instead of an RTMP server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// Nothing listens.
    #[error("connection refused")]
    Refused,
    /// The name does not resolve.
    #[error("unknown host")]
    UnknownHost,
    /// No way there, or another I/O error.
    #[error("{0}")]
    Unreachable(String),
    /// It did not accept the connection, or accepted it and said nothing.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// It answered with something else.
    #[error("it speaks another protocol{}", .0.as_deref().map(|p| format!(" ({p})")).unwrap_or_default())]
    OtherProtocol(Option<String>),
    /// It closed the connection without a word.
    #[error("it closed the connection")]
    Closed,
}

/// Version byte of RTMP's handshake (Adobe's RTMP specification 1.0, section 5.2.2).
const VERSION: u8 = 3;

/// Connects and exchanges the first part of the handshake, all within `limit`. For rtmps only the connection is made.
///
/// # Errors
/// [`HelloError`].
pub async fn hello(url: &RtmpUrl, limit: Duration) -> Result<(), HelloError> {
    timeout(limit, exchange(url)).await.unwrap_or(Err(HelloError::Silent(limit)))
}

async fn exchange(url: &RtmpUrl) -> Result<(), HelloError> {
    let mut stream = TcpStream::connect((url.host(), url.port())).await.map_err(|e| connect_error(&e))?;
    if url.scheme() == "rtmps" {
        return Ok(());
    }
    // C0 and C1: the version, a time of zero, four zero bytes, 1528 bytes of anything.
    let mut opening = vec![0u8; 1537];
    if let Some(version) = opening.first_mut() {
        *version = VERSION;
    }
    let _ = stream.write_all(&opening).await;
    let mut answer = [0u8; 64];
    match stream.read(&mut answer).await {
        Ok(0) => Err(HelloError::Closed),
        Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Err(HelloError::Closed),
        Err(e) => Err(HelloError::Unreachable(e.to_string())),
        Ok(read) => judge(answer.get(..read).unwrap_or_default()),
    }
}

/// Judges the first bytes of an answer.
fn judge(answer: &[u8]) -> Result<(), HelloError> {
    match answer {
        [VERSION, ..] => Ok(()),
        [b'H', b'T', b'T', b'P', ..] => Err(HelloError::OtherProtocol(Some("HTTP".into()))),
        [b'R', b'T', b'S', b'P', ..] => Err(HelloError::OtherProtocol(Some("RTSP".into()))),
        [b'S', b'S', b'H', ..] => Err(HelloError::OtherProtocol(Some("SSH".into()))),
        _ => Err(HelloError::OtherProtocol(None)),
    }
}

fn connect_error(error: &io::Error) -> HelloError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => HelloError::Refused,
        io::ErrorKind::TimedOut => HelloError::Silent(Duration::from_secs(0)),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            HelloError::Unreachable("no route to the host".into())
        }
        // Name resolution has no kind of its own in std; its text begins so.
        _ if error.to_string().starts_with("failed to lookup address") => HelloError::UnknownHost,
        _ => HelloError::Unreachable(crate::base::failure::io_words(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn against(answer: &'static [u8], hold: bool) -> Result<(), HelloError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rtmp://127.0.0.1:{}/live", listener.local_addr().unwrap().port()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut opening = vec![0; 1537];
            stream.read_exact(&mut opening).await.unwrap();
            stream.write_all(answer).await.unwrap();
            if hold {
                std::future::pending::<()>().await;
            }
        });
        let outcome = hello(&url, Duration::from_millis(if hold { 200 } else { 5000 })).await;
        server.abort();
        outcome
    }

    #[tokio::test]
    async fn tells_an_rtmp_server_from_others() {
        assert_eq!(against(&[3, 0, 0], false).await, Ok(()));
        assert_eq!(
            against(b"HTTP/1.1 400 Bad", false).await,
            Err(HelloError::OtherProtocol(Some("HTTP".into())))
        );
        assert_eq!(against(&[0xff], false).await, Err(HelloError::OtherProtocol(None)));
        assert_eq!(against(b"", false).await, Err(HelloError::Closed));
        assert!(matches!(against(b"", true).await, Err(HelloError::Silent(_))));
    }

    #[tokio::test]
    async fn nothing_there_is_refused_and_no_name_is_unknown() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let url: RtmpUrl = format!("rtmp://127.0.0.1:{port}/live").parse().unwrap();
        assert_eq!(hello(&url, Duration::from_secs(5)).await, Err(HelloError::Refused));
        let url: RtmpUrl = "rtmp://no-such-host.invalid/live".parse().unwrap();
        assert_eq!(hello(&url, Duration::from_secs(20)).await, Err(HelloError::UnknownHost));
    }
}
