//! Asks an RTSP server whether it would play a path, without playing it: OPTIONS, then DESCRIBE, on one connection.
//!
//! OPTIONS tells a silent or foreign server from an RTSP one within seconds; DESCRIBE then has the patience that an
//! on-demand pull needs (MediaMTX holds it for 10 s before it gives up). The exchange is a value that is fed bytes;
//! the socket stands at the end of the file.

use crate::base::failure::io_words;
use crate::model::RtspUrl;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Largest answer that is read, in bytes, head and body together.
pub const LARGEST: usize = 64 * 1024;

/// How long a connection and the answer to OPTIONS may take.
pub const GREETING: Duration = Duration::from_secs(3);

/// How long the answer to DESCRIBE may take: MediaMTX's 10 s for an on-demand source, and some.
pub const PATIENCE: Duration = Duration::from_secs(13);

/// What a server would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It plays the path.
    Plays,
    /// Nothing listens, or the host cannot be reached; in the system's words.
    Unreachable(String),
    /// It took the connection and said nothing.
    Silent,
    /// It speaks something else; its first words.
    Foreign(String),
    /// It wants a user and a password (401), or the ones given are wrong.
    Unauthorized,
    /// It knows no such path (404), or nobody publishes it (400 of MediaMTX after its wait).
    NoPath(u16),
    /// It took DESCRIBE and did not answer in time.
    Held,
    /// It answered with another status and reason.
    Refused(u16, String),
}

/// An answer of a server: status, reason and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    reason: String,
    challenges: Vec<String>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DescribeStep {
    /// Send these bytes and go on reading.
    Send(Vec<u8>),
    /// Read on.
    More,
    /// Done.
    Done(Verdict),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeted,
    Described,
    DescribedWithPassword,
}

/// One exchange. Feed it what the server sends.
#[derive(Debug)]
pub struct Exchange {
    url: String,
    credentials: Option<String>,
    stage: Stage,
    greeting_only: bool,
    received: Vec<u8>,
}

impl Exchange {
    /// An exchange about `url` (which holds no credentials), and the bytes that open it. `credentials` are
    /// `user:password`, used only when the server asks.
    pub fn open(url: &str, credentials: Option<&str>) -> (Exchange, Vec<u8>) {
        let exchange = Exchange {
            url: url.to_string(),
            credentials: credentials.map(str::to_string),
            stage: Stage::Greeted,
            greeting_only: false,
            received: Vec::new(),
        };
        let first = exchange.request("OPTIONS", 1, "");
        (exchange, first)
    }

    /// Whether the server has spoken RTSP yet.
    pub fn greeted(&self) -> bool {
        self.stage != Stage::Greeted
    }

    /// Takes bytes of the server.
    pub fn feed(&mut self, bytes: &[u8]) -> DescribeStep {
        self.received.extend_from_slice(bytes);
        // Blank lines and zeros between answers say nothing.
        let blank = self.received.iter().take_while(|b| matches!(b, b'\r' | b'\n' | 0)).count();
        self.received.drain(..blank);
        if let Some(words) = foreign(&self.received) {
            return DescribeStep::Done(Verdict::Foreign(words));
        }
        if self.received.len() > LARGEST {
            return DescribeStep::Done(Verdict::Foreign("an answer without end".into()));
        }
        let Some((answer, used)) = parse(&self.received) else { return DescribeStep::More };
        self.received.drain(..used.min(self.received.len()));
        match self.stage {
            // Any status will do: it speaks RTSP.
            Stage::Greeted if self.greeting_only => DescribeStep::Done(Verdict::Plays),
            Stage::Greeted => {
                self.stage = Stage::Described;
                DescribeStep::Send(self.request("DESCRIBE", 2, "Accept: application/sdp\r\n"))
            }
            Stage::Described => match (answer.status, &self.credentials) {
                (401, Some(credentials)) => {
                    if answer.challenges.iter().any(|c| c.to_ascii_lowercase().starts_with("basic")) {
                        let header = format!(
                            "Accept: application/sdp\r\nAuthorization: Basic {}\r\n",
                            base64(credentials.as_bytes())
                        );
                        self.stage = Stage::DescribedWithPassword;
                        return DescribeStep::Send(self.request("DESCRIBE", 3, &header));
                    }
                    // Digest only: the player will answer it; there is nothing to tell beforehand.
                    DescribeStep::Done(Verdict::Plays)
                }
                _ => DescribeStep::Done(verdict(&answer)),
            },
            Stage::DescribedWithPassword => DescribeStep::Done(verdict(&answer)),
        }
    }

    fn request(&self, method: &str, sequence: u32, headers: &str) -> Vec<u8> {
        format!("{method} {} RTSP/1.0\r\nCSeq: {sequence}\r\nUser-Agent: msconv\r\n{headers}\r\n", self.url)
            .into_bytes()
    }
}

fn verdict(answer: &Answer) -> Verdict {
    match answer.status {
        200..=299 => Verdict::Plays,
        401 | 403 => Verdict::Unauthorized,
        400 | 404 => Verdict::NoPath(answer.status),
        // Moved: the player follows.
        300..=399 => Verdict::Plays,
        status => Verdict::Refused(status, answer.reason.clone()),
    }
}

/// The first words of something that is not RTSP; `None` while it may still be.
fn foreign(received: &[u8]) -> Option<String> {
    let start = b"RTSP/";
    if received.iter().zip(start).all(|(a, b)| a.eq_ignore_ascii_case(b)) {
        return None;
    }
    let first: Vec<u8> =
        received.iter().copied().take(40).take_while(|b| *b != b'\r' && *b != b'\n').collect();
    Some(if first.starts_with(b"HTTP/") {
        "HTTP".into()
    } else {
        format!("'{}'", String::from_utf8_lossy(&first).escape_debug())
    })
}

/// A complete answer at the start of `received` and its length; `None` if more must come.
fn parse(received: &[u8]) -> Option<(Answer, usize)> {
    let end = head_length(received)?;
    let head = String::from_utf8_lossy(received.get(..end)?).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split_whitespace();
    let _version = words.next();
    let status = words.next().and_then(|s| s.parse().ok()).unwrap_or(0);
    let reason = words.collect::<Vec<_>>().join(" ");
    let mut length = 0usize;
    let mut challenges = Vec::new();
    for line in lines.take(100) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "www-authenticate" => challenges.push(value.to_string()),
            _ => {}
        }
    }
    let whole = end.checked_add(length)?;
    // The session description itself is of no interest, but it must not be taken for the next answer.
    let used = if received.len() >= whole {
        whole
    } else if whole > LARGEST || (200..300).contains(&status) {
        received.len()
    } else {
        return None;
    };
    Some((Answer { status, reason, challenges }, used))
}

/// Bytes of a head with the blank line at its end; lines may end without a carriage return.
fn head_length(received: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    for line in received.split_inclusive(|b| *b == b'\n') {
        at = at.checked_add(line.len())?;
        if matches!(line, b"\n" | b"\r\n") {
            return Some(at);
        }
    }
    None
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |n, b| (n << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (group >> (18 - 6 * place)) & 63;
            let letter = LETTERS.get(index as usize).copied().unwrap_or(b'A');
            text.push(if place <= chunk.len() { letter as char } else { '=' });
        }
    }
    text
}

/// Asks the server of `base` about the path `name`.
///
/// `rtsps://` is only reached, not spoken to: the player does the TLS.
pub async fn describe(base: &RtspUrl, name: &str) -> Verdict {
    ask(base, &base.name_url(name), false).await
}

/// Asks whether an RTSP server listens at `base`, by OPTIONS alone: no path is opened by that.
pub async fn greet(base: &RtspUrl) -> Verdict {
    ask(base, &base.reveal(), true).await
}

async fn ask(base: &RtspUrl, url: &str, greeting_only: bool) -> Verdict {
    let deadline = Instant::now() + GREETING;
    let connected = timeout_at(deadline, TcpStream::connect((base.host(), base.port()))).await;
    let mut socket = match connected {
        Err(_) => return Verdict::Unreachable("no answer to the connection attempt".into()),
        Ok(Err(e)) => return Verdict::Unreachable(io_words(&e)),
        Ok(Ok(socket)) => socket,
    };
    if base.scheme() == "rtsps" {
        return Verdict::Plays;
    }
    let (url, credentials) = without_credentials(url);
    let (mut exchange, first) = Exchange::open(&url, credentials.as_deref());
    exchange.greeting_only = greeting_only;
    match talk(&mut socket, &mut exchange, first, deadline).await {
        Ok(verdict) => verdict,
        Err(e) if exchange.greeted() => Verdict::Refused(0, io_words(&e)),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Verdict::Foreign("nothing: it closed the connection".into())
        }
        Err(e) => Verdict::Foreign(io_words(&e)),
    }
}

async fn talk(
    socket: &mut TcpStream,
    exchange: &mut Exchange,
    first: Vec<u8>,
    greeting: Instant,
) -> std::io::Result<Verdict> {
    let mut deadline = greeting;
    socket.write_all(&first).await?;
    let mut buffer = [0u8; 4096];
    loop {
        let read = match timeout_at(deadline, socket.read(&mut buffer)).await {
            Err(_) if exchange.greeted() => return Ok(Verdict::Held),
            Err(_) => return Ok(Verdict::Silent),
            Ok(read) => read?,
        };
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match exchange.feed(buffer.get(..read).unwrap_or_default()) {
            DescribeStep::More => {}
            DescribeStep::Done(verdict) => return Ok(verdict),
            DescribeStep::Send(bytes) => {
                deadline = Instant::now() + PATIENCE;
                socket.write_all(&bytes).await?;
            }
        }
    }
}

/// `rtsp://user:pw@host/x` as `rtsp://host/x` and `user:pw`.
fn without_credentials(url: &str) -> (String, Option<String>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_string(), None) };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{scheme}://{host}{path}"), Some(user.to_string())),
        None => (url.to_string(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after_options(answer: &[u8], credentials: Option<&str>) -> DescribeStep {
        let (mut exchange, first) = Exchange::open("rtsp://h:1/x", credentials);
        assert!(first.starts_with(b"OPTIONS rtsp://h:1/x RTSP/1.0\r\nCSeq: 1\r\n"));
        let step = exchange.feed(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE\r\n\r\n");
        assert!(matches!(&step, DescribeStep::Send(b) if b.starts_with(b"DESCRIBE ")), "{step:?}");
        exchange.feed(answer)
    }

    #[test]
    fn tells_answers_apart() {
        let sdp = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 3\r\n\r\nv=0";
        assert_eq!(after_options(sdp, None), DescribeStep::Done(Verdict::Plays));
        let none = b"RTSP/1.0 404 Not Found\r\nCSeq: 2\r\n\r\n";
        assert_eq!(after_options(none, None), DescribeStep::Done(Verdict::NoPath(404)));
        let held = b"RTSP/1.0 400 Bad Request\r\nCSeq: 2\r\n\r\n";
        assert_eq!(after_options(held, None), DescribeStep::Done(Verdict::NoPath(400)));
        let asks = b"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"ipcam\"\r\n\r\n";
        assert_eq!(after_options(asks, None), DescribeStep::Done(Verdict::Unauthorized));
        let busy = b"RTSP/1.0 503 Service Unavailable\r\n\r\n";
        assert_eq!(
            after_options(busy, None),
            DescribeStep::Done(Verdict::Refused(503, "Service Unavailable".into()))
        );
    }

    #[test]
    fn answers_in_all_spellings() {
        for plays in [
            &b"RTSP/1.0 200 OK\nCSeq: 2\nContent-Length: 3\n\nv=0"[..],
            b"\r\n\0RTSP/1.0  200\r\ncseq:2\r\ncontent-length :3\n\r\nv=0",
            b"rtsp/1.0 200 OK\r\nContent-Length:\r\nServer: \xff\r\n folded\r\n\r\n",
        ] {
            assert_eq!(
                after_options(plays, None),
                DescribeStep::Done(Verdict::Plays),
                "{:?}",
                String::from_utf8_lossy(plays)
            );
        }
        let asks = b"RTSP/1.0 401 \nwww-authenticate :Basic realm=x\n\n";
        assert!(matches!(after_options(asks, Some("a:b")), DescribeStep::Send(_)));
        assert_eq!(after_options(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\n", None), DescribeStep::More);
    }

    #[test]
    fn gives_the_password_only_when_asked() {
        let (mut exchange, _) = Exchange::open("rtsp://h:1/x", Some("bob:pw"));
        let DescribeStep::Send(describe) = exchange.feed(b"RTSP/1.0 200 OK\r\n\r\n") else { panic!() };
        assert!(!String::from_utf8(describe).unwrap().contains("Authorization"));
        let asked =
            exchange.feed(b"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n");
        let DescribeStep::Send(again) = asked else { panic!("{asked:?}") };
        assert!(String::from_utf8(again).unwrap().contains("Authorization: Basic Ym9iOnB3\r\n"));
        let wrong = exchange.feed(b"RTSP/1.0 401 Unauthorized\r\n\r\n");
        assert_eq!(wrong, DescribeStep::Done(Verdict::Unauthorized));
    }

    #[test]
    fn knows_strangers_by_their_first_bytes() {
        let (mut exchange, _) = Exchange::open("rtsp://h:1/x", None);
        assert_eq!(
            exchange.feed(b"HTTP/1.1 400 Bad Request\r\n"),
            DescribeStep::Done(Verdict::Foreign("HTTP".into()))
        );
        let (mut exchange, _) = Exchange::open("rtsp://h:1/x", None);
        assert_eq!(exchange.feed(b"RT"), DescribeStep::More);
        assert!(
            matches!(exchange.feed(b"MP\x1b[2J"), DescribeStep::Done(Verdict::Foreign(w)) if !w.contains('\u{1b}'))
        );
        let (mut exchange, _) = Exchange::open("rtsp://h:1/x", None);
        assert_eq!(exchange.feed(b"RTSP/1.0 200 OK\r\n"), DescribeStep::More);
        let endless = vec![b'a'; LARGEST + 1];
        assert!(matches!(exchange.feed(&endless), DescribeStep::Done(Verdict::Foreign(_))));
    }

    #[test]
    fn takes_credentials_out_of_the_url() {
        assert_eq!(
            without_credentials("rtsp://u:p@h:8554/x?y@z"),
            ("rtsp://h:8554/x?y@z".into(), Some("u:p".into()))
        );
        assert_eq!(without_credentials("rtsp://h/x@y"), ("rtsp://h/x@y".into(), None));
    }

    #[test]
    fn base64_of_every_length() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
    }

    /// A server that answers each request by the next of `answers`, then keeps the connection open.
    async fn server(answers: Vec<&'static [u8]>) -> (RtspUrl, tokio::task::JoinHandle<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rtsp://{}", listener.local_addr().unwrap()).parse().unwrap();
        let task = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut buffer = [0u8; 4096];
            for answer in answers {
                let _ = socket.read(&mut buffer).await;
                let _ = socket.write_all(answer).await;
            }
            while socket.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
        });
        (url, task)
    }

    #[test]
    fn silence_and_holding_end_in_time() {
        runtime().block_on(async {
            let (url, _task) = server(vec![]).await;
            assert_eq!(describe(&url, "x").await, Verdict::Silent);
            let (url, _task) = server(vec![b"RTSP/1.0 200 OK\r\n\r\n"]).await;
            assert_eq!(describe(&url, "x").await, Verdict::Held);
            let (url, _task) = server(vec![
                b"RTSP/1.0 200 OK\r\n\r\n",
                b"RTSP/1.0 200 OK\r\nContent-Length: 900\r\n\r\nv=0",
            ])
            .await;
            assert_eq!(describe(&url, "x").await, Verdict::Plays);
        });
    }

    #[test]
    fn a_greeting_opens_no_path() {
        runtime().block_on(async {
            let (url, _task) = server(vec![b"RTSP/1.0 401 Unauthorized\r\n\r\n"]).await;
            assert_eq!(greet(&url).await, Verdict::Plays);
            let (url, _task) = server(vec![b"HTTP/1.0 400 Bad\r\n\r\n"]).await;
            assert_eq!(greet(&url).await, Verdict::Foreign("HTTP".into()));
        });
    }

    #[test]
    fn a_closed_port_is_unreachable() {
        runtime().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url: RtspUrl = format!("rtsp://{}", listener.local_addr().unwrap()).parse().unwrap();
            drop(listener);
            assert_eq!(describe(&url, "x").await, Verdict::Unreachable("connection refused".into()));
        });
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_end_or_wait(
            bytes in proptest::collection::vec(any::<u8>(), 0..400), rtsp in any::<bool>(), cut in 1usize..50,
        ) {
            let mut all = if rtsp { b"RTSP/1.0 ".to_vec() } else { Vec::new() };
            all.extend(bytes);
            let (mut exchange, _) = Exchange::open("rtsp://h/x", Some("a:b"));
            for piece in all.chunks(cut) {
                if let DescribeStep::Done(_) = exchange.feed(piece) {
                    break;
                }
            }
        }
    }
}
