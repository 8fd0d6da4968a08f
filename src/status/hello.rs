//! Asks an address whether what is thought to listen there does: a connection, the first words of its protocol, and the
//! first bytes of the answer. Nothing of a stream is asked, and no secret is sent.

use crate::model::{RtmpUrl, SourceUrl};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// What was found instead.
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

/// What is spoken at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// RTMP.
    Rtmp,
    /// RTSP.
    Rtsp,
    /// HTTP.
    Http,
    /// TLS, whatever is spoken within.
    Tls,
    /// SRT, over UDP.
    Srt,
}

/// Version byte of RTMP's handshake (Adobe's RTMP specification 1.0, section 5.2.2).
const VERSION: u8 = 3;
/// A datagram may be lost: so often it is sent within the time limit.
const DATAGRAMS: u32 = 4;

impl Spoken {
    /// What the scheme of a source's URL means.
    pub fn at(url: &SourceUrl) -> Spoken {
        match url.scheme() {
            "rtsp" => Spoken::Rtsp,
            "http" => Spoken::Http,
            "srt" => Spoken::Srt,
            "rtmps" | "rtsps" | "https" => Spoken::Tls,
            _ => Spoken::Rtmp,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Spoken::Rtmp => "RTMP",
            Spoken::Rtsp => "RTSP",
            Spoken::Http => "HTTP",
            Spoken::Tls => "TLS",
            Spoken::Srt => "SRT",
        }
    }

    /// The first words of whoever connects.
    fn opening(self, host: &str, port: u16) -> Vec<u8> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
        match self {
            // C0 and C1: the version, a time of zero, four zero bytes, 1528 bytes of anything.
            Spoken::Rtmp => [&[VERSION][..], &[0; 1536]].concat(),
            Spoken::Rtsp => format!("OPTIONS rtsp://{host}:{port}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n").into_bytes(),
            Spoken::Http => {
                format!("GET / HTTP/1.0\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n").into_bytes()
            }
            Spoken::Tls => client_hello(),
            Spoken::Srt => induction(),
        }
    }

    /// Judges the first bytes of an answer.
    fn judge(self, answer: &[u8]) -> Result<(), HelloError> {
        let known = match answer {
            // A control packet of the type handshake (draft-sharabayko-srt-01, section 3.2.1).
            [0x80, 0, ..] if self == Spoken::Srt && answer.len() >= 64 => Some(Spoken::Srt.name()),
            // A record of the type handshake or alert (RFC 8446, section 5.1).
            [0x15 | 0x16, 3, ..] => Some(Spoken::Tls.name()),
            [VERSION, ..] if self == Spoken::Rtmp => Some(Spoken::Rtmp.name()),
            [b'R', b'T', b'S', b'P', b'/', ..] => Some(Spoken::Rtsp.name()),
            // Old radios call it ICY.
            [b'H', b'T', b'T', b'P', b'/', ..] | [b'I', b'C', b'Y', b' ', ..] => Some(Spoken::Http.name()),
            [b'S', b'S', b'H', b'-', ..] => Some("SSH"),
            _ => None,
        };
        if known == Some(self.name()) {
            Ok(())
        } else {
            Err(HelloError::OtherProtocol(known.map(Into::into)))
        }
    }
}

/// The smallest ClientHello of TLS 1.2 (RFC 5246, section 7.4.1.2). A server of another version answers with an alert,
/// which is TLS as well.
fn client_hello() -> Vec<u8> {
    let suites = [0xc0, 0x2f, 0xc0, 0x30, 0x00, 0x9c, 0x00, 0x2f, 0x00, 0xff];
    // Version, 32 random bytes, no session, the suites, no compression.
    let body = [&[3, 3][..], &[0x5a; 32], &[0], &[0, 10], &suites, &[1, 0]].concat();
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    let handshake = [&[1, 0, 0, length(&body)][..], &body].concat();
    [&[0x16, 3, 1, 0, length(&handshake)][..], &handshake].concat()
}

/// SRT's first handshake packet (draft-sharabayko-srt-01, section 4.3.1.1): version 4, MTU 1500, a window of 8192.
fn induction() -> Vec<u8> {
    let header = [[0x80, 0, 0, 0], [0; 4], [0; 4], [0; 4]].concat();
    let words: [u32; 8] = [4, 2, 1, 1500, 8192, 1, 1, 0];
    let fields: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    [header, fields, vec![0; 16]].concat()
}

/// Asks an RTMP server, all within `limit`. Of rtmps only the connection is made.
///
/// # Errors
/// [`HelloError`].
pub async fn rtmp(url: &RtmpUrl, limit: Duration) -> Result<(), HelloError> {
    if url.scheme() == "rtmps" {
        let connected = timeout(limit, TcpStream::connect((url.host(), url.port()))).await;
        return match connected {
            Ok(stream) => stream.map(drop).map_err(|e| connect_error(&e, limit)),
            Err(_) => Err(HelloError::Silent(limit)),
        };
    }
    hello(Spoken::Rtmp, url.host(), url.port(), limit).await
}

/// Asks where a source shall be, all within `limit`.
///
/// # Errors
/// [`HelloError`].
pub async fn source(url: &SourceUrl, limit: Duration) -> Result<(), HelloError> {
    hello(Spoken::at(url), url.host(), url.port(), limit).await
}

async fn hello(spoken: Spoken, host: &str, port: u16, limit: Duration) -> Result<(), HelloError> {
    let opening = spoken.opening(host, port);
    let answer = async {
        match spoken {
            Spoken::Srt => datagrams(&opening, host, port, limit).await,
            _ => stream(&opening, host, port, limit).await,
        }
    };
    spoken.judge(&timeout(limit, answer).await.unwrap_or(Err(HelloError::Silent(limit)))?)
}

async fn stream(opening: &[u8], host: &str, port: u16, limit: Duration) -> Result<Vec<u8>, HelloError> {
    let mut stream = TcpStream::connect((host, port)).await.map_err(|e| connect_error(&e, limit))?;
    // Whoever speaks first may close before this is written; what it said counts.
    let _ = stream.write_all(opening).await;
    let mut answer = vec![0u8; 64];
    match stream.read(&mut answer).await {
        Ok(0) => Err(HelloError::Closed),
        Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Err(HelloError::Closed),
        Err(e) => Err(HelloError::Unreachable(e.to_string())),
        Ok(read) => {
            answer.truncate(read);
            Ok(answer)
        }
    }
}

async fn datagrams(opening: &[u8], host: &str, port: u16, limit: Duration) -> Result<Vec<u8>, HelloError> {
    let failed = |e: io::Error| connect_error(&e, limit);
    let peer = tokio::net::lookup_host((host, port)).await.map_err(failed)?.next();
    let peer = peer.ok_or(HelloError::UnknownHost)?;
    let any = if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.map_err(failed)?;
    socket.connect(peer).await.map_err(failed)?;
    let mut answer = vec![0u8; 1500];
    loop {
        socket.send(opening).await.map_err(failed)?;
        if let Ok(received) = timeout(limit / DATAGRAMS, socket.recv(&mut answer)).await {
            answer.truncate(received.map_err(failed)?);
            return Ok(answer);
        }
    }
}

fn connect_error(error: &io::Error, limit: Duration) -> HelloError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => HelloError::Refused,
        io::ErrorKind::TimedOut => HelloError::Silent(limit),
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
    use proptest::prelude::*;
    use tokio::net::TcpListener;

    const SOON: Duration = Duration::from_secs(5);

    async fn against(spoken: Spoken, answer: &'static [u8], hold: bool) -> Result<(), HelloError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut opening = vec![0; 8];
            stream.read_exact(&mut opening).await.unwrap();
            stream.write_all(answer).await.unwrap();
            if hold {
                std::future::pending::<()>().await;
            }
        });
        let limit = if hold { Duration::from_millis(200) } else { SOON };
        let outcome = hello(spoken, "127.0.0.1", port, limit).await;
        server.abort();
        outcome
    }

    #[tokio::test]
    async fn each_protocol_knows_its_own_and_names_the_others() {
        let other = |name: &str| Err(HelloError::OtherProtocol(Some(name.into())));
        let answers: [(Spoken, &[u8]); 4] = [
            (Spoken::Rtmp, &[3, 0, 0]),
            (Spoken::Rtsp, b"RTSP/1.0 401 Unauthorized\r\n"),
            (Spoken::Http, b"HTTP/1.1 404 Not Found\r\n"),
            (Spoken::Tls, &[0x15, 3, 3, 0, 2, 2, 70]),
        ];
        for spoken in [Spoken::Rtmp, Spoken::Rtsp, Spoken::Http, Spoken::Tls] {
            for (speaks, answer) in answers {
                let expected = match speaks {
                    _ if speaks == spoken => Ok(()),
                    // One byte is too little to know it by.
                    Spoken::Rtmp => Err(HelloError::OtherProtocol(None)),
                    speaks => other(speaks.name()),
                };
                assert_eq!(against(spoken, answer, false).await, expected, "{spoken:?} at {speaks:?}");
            }
            assert_eq!(against(spoken, b"SSH-2.0-x\r\n", false).await, other("SSH"));
            assert_eq!(against(spoken, &[0xff], false).await, Err(HelloError::OtherProtocol(None)));
            assert!(matches!(against(spoken, b"", true).await, Err(HelloError::Silent(_))));
        }
    }

    #[tokio::test]
    async fn nothing_there_is_refused_and_no_name_is_unknown() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        for scheme in ["rtmp", "rtsp", "http", "https", "srt"] {
            let url: SourceUrl = format!("{scheme}://127.0.0.1:{port}/live/x").parse().unwrap();
            assert_eq!(source(&url, SOON).await, Err(HelloError::Refused), "{url}");
        }
        let url: RtmpUrl = "rtmp://no-such-host.invalid/live".parse().unwrap();
        assert_eq!(rtmp(&url, Duration::from_secs(20)).await, Err(HelloError::UnknownHost));
        let url: SourceUrl = "srt://no-such-host.invalid".parse().unwrap();
        assert_eq!(source(&url, Duration::from_secs(20)).await, Err(HelloError::UnknownHost));
    }

    #[tokio::test]
    async fn srt_is_asked_again_where_a_datagram_was_lost() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let url: SourceUrl = format!("srt://{}", socket.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let mut asked = [0; 200];
            for answer in [None, Some(induction()), None, Some(b"what?".to_vec())] {
                let (length, peer) = socket.recv_from(&mut asked).await.unwrap();
                assert_eq!(asked[..length], induction());
                if let Some(answer) = answer {
                    socket.send_to(&answer, peer).await.unwrap();
                }
            }
            std::future::pending::<()>().await;
        });
        assert_eq!(source(&url, SOON).await, Ok(()));
        assert_eq!(source(&url, SOON).await, Err(HelloError::OtherProtocol(None)));
        assert!(matches!(source(&url, Duration::from_millis(200)).await, Err(HelloError::Silent(_))));
        server.abort();
    }

    proptest! {
        #[test]
        fn any_answer_is_judged(answer in proptest::collection::vec(any::<u8>(), 0..80)) {
            for spoken in [Spoken::Rtmp, Spoken::Rtsp, Spoken::Http, Spoken::Tls, Spoken::Srt] {
                let _ = spoken.judge(&answer);
            }
        }
    }
}
