//! The accept loop against peers that are slow, large, many and silent, over real sockets with short limits.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn limits() -> Limits {
    Limits {
        head: Duration::from_millis(300),
        request: Duration::from_millis(600),
        idle: Duration::from_millis(900),
        connections: 4,
        ..Limits::default()
    }
}

struct Served {
    address: SocketAddr,
    registry: Registry,
    down: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

async fn start(limits: Limits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let registry = Registry::default();
    let endpoint = Endpoint {
        name: "test",
        server: "test",
        limits,
        answer: Box::new(|asked| {
            let body = format!("{} {}", asked.method, asked.target.len());
            let body = if asked.target == "/large" { "x".repeat(64 << 20) } else { body };
            Reply::from(Response::ok("text/plain", body)).into()
        }),
        registry: registry.clone(),
        log: Log::silent(),
    };
    let (down, downs) = watch::channel(false);
    let task = tokio::spawn(serve(listener, Arc::new(endpoint), downs));
    Served { address, registry, down, task }
}

impl Served {
    async fn connect(&self) -> tokio::net::TcpStream {
        tokio::net::TcpStream::connect(self.address).await.unwrap()
    }

    /// What comes back until the server closes.
    async fn said(&self, request: &[u8]) -> String {
        let mut peer = self.connect().await;
        // The server may close while a large request is still being written.
        let _ = peer.write_all(request).await;
        all(&mut peer).await
    }

    fn broken(&self, limit: &str) -> u64 {
        self.registry.broken_limits().get(limit).copied().unwrap_or(0)
    }
}

async fn all(peer: &mut tokio::net::TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), peer.read_to_end(&mut answer));
    let _ = read.await.expect("the server closes in time");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn requests_are_answered_one_after_the_other() {
    let served = start(Limits::default()).await;
    let mut peer = served.connect().await;
    peer.write_all(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /bc HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcHEAD /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let said = all(&mut peer).await;
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 3, "{said}");
    assert!(said.contains("GET 2") && said.contains("POST 3") && !said.contains("HEAD 2"), "{said}");
    assert!(said.contains("Server: test\r\n") && said.contains("X-Content-Type-Options: nosniff"), "{said}");
}

#[tokio::test]
async fn slow_heads_and_bodies_are_ended_with_the_reason() {
    let served = start(limits()).await;
    for request in [
        &b"GET / HTTP/1.1\r\nHost: x\r\nX: "[..],
        b"G",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
    ] {
        let said = served.said(request).await;
        assert!(said.starts_with("HTTP/1.1 408 "), "{said:?}");
    }
    assert_eq!(served.broken("http_request_time"), 3);
}

#[tokio::test]
async fn one_byte_at_a_time_does_not_stretch_the_head() {
    let served = start(limits()).await;
    let mut peer = served.connect().await;
    let (mut read, mut write) = peer.split();
    let drip = async {
        loop {
            if write.write_all(b"a").await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), read.read_to_end(&mut answer));
    tokio::select! {
        () = drip => {}
        read = read => { let _ = read.expect("closed in time"); }
    }
    assert!(served.broken("http_request_time") >= 1);
}

#[tokio::test]
async fn silent_connections_are_closed_without_a_word() {
    let served = start(limits()).await;
    assert_eq!(served.said(b"").await, "");
    let said = served.said(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
    assert_eq!(served.broken("http_request_time"), 0);
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_ended() {
    let served = start(limits()).await;
    let mut peer = served.connect().await;
    peer.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    // It asks for 64 MB and reads nothing: sockets hold a part, the rest must not be held for ever.
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if peer.write_all(b"x").await.is_err() {
                break;
            }
        }
    })
    .await
    .expect("closed in time");
}

#[tokio::test]
async fn what_is_too_large_is_named() {
    let served = start(Limits::default()).await;
    let long = "a".repeat(5000);
    let many: String = (0..101).map(|n| format!("X-{n}: y\r\n")).collect();
    let chunk = format!("{:x}\r\n{}\r\n", 32 * 1024, "b".repeat(32 * 1024)).repeat(3);
    for (request, status, limit) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), "414", "http_target"),
        (format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(17 * 1024)), "431", "http_field"),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), "431", "http_head"),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\n{}", "X: aaaaaaaaaaaaaaaa\r\n".repeat(100_000)),
            "431",
            "http_head",
        ),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n".into(), "413", "http_body"),
        (
            format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"),
            "413",
            "http_body",
        ),
    ] {
        let before = served.broken(limit);
        let said = served.said(request.as_bytes()).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{status} {limit}: {said:?}");
        assert_eq!(served.broken(limit), before + 1, "{limit}");
    }
    let fine = format!(
        "POST /{} HTTP/1.1\r\nHost: x\r\nX: {}\r\nContent-Length: 65536\r\nConnection: close\r\n\r\n{}",
        "a".repeat(4095),
        "a".repeat(15 * 1024),
        "c".repeat(65536)
    );
    let said = served.said(fine.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said:?}");
}

#[tokio::test]
async fn what_is_declared_too_large_is_refused_before_it_comes() {
    let served = start(Limits::default()).await;
    let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let whole = format!("8000\r\n{}\r\n", "b".repeat(0x8000));
    for request in [
        // The size of a chunk, in a piece of its own and with what stands before it; not even its line has ended.
        format!("{chunked}10001\r\n"),
        format!("{chunked}10001"),
        format!("{chunked}ffffffffffffffff\r\nabc"),
        format!("{chunked}99999999999999999999"),
        format!("{chunked}1FFFF;extension=1\r\n"),
        // The second is more than is left.
        format!("{chunked}{whole}8001\r\n"),
        format!("{chunked}5\r\nabcde\r\nfffc\r\n"),
        // What stands around the body.
        format!("{chunked}1;{}", "x".repeat(5000)),
        format!("{chunked}{}", "0".repeat(5000)),
        format!("{chunked}0\r\n{}", "X: y\r\n".repeat(1000)),
        // A length, also where the client asks first.
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n".into(),
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775807\r\nExpect: 100-continue\r\n\r\n"
            .into(),
        // Behind another request.
        format!("GET / HTTP/1.1\r\nHost: x\r\n\r\n{chunked}10001\r\n"),
        format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc{chunked}3\r\nabc\r\n0\r\n\r\n{chunked}fffff\r\n"
        ),
    ] {
        let before = served.broken("http_body");
        let said = served.said(request.as_bytes()).await;
        let last = said.rfind("HTTP/1.1 ").map_or("", |at| &said[at..]);
        assert!(last.starts_with("HTTP/1.1 413 "), "{:?}: {said:?}", &request[..request.len().min(150)]);
        assert!(last.contains("Connection: close"), "{said:?}");
        assert_eq!(served.broken("http_body"), before + 1);
    }
    assert_eq!(served.broken("http_request_time"), 0, "nobody was waited for");
    // What fits is answered, and so is what follows it.
    let fits = format!("{chunked}{whole}8000;x=y\r\n{}\r\n0\r\nT: x\r\n\r\n", "b".repeat(0x8000));
    let last = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let said = served.said(format!("{fits}{fits}{last}").as_bytes()).await;
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 3, "{said}");
    assert!(said.contains("GET 5"), "{said}");
}

#[tokio::test]
async fn garbage_is_refused() {
    let served = start(limits()).await;
    for request in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let said = served.said(request).await;
        assert!(
            said.starts_with("HTTP/1.1 400 ") || said.starts_with("HTTP/1.1 505") || said.is_empty(),
            "{said:?}"
        );
        assert!(!said.contains(" 200 "), "{said:?}");
    }
}

#[tokio::test]
async fn the_oldest_idle_connection_makes_room() {
    let served = start(Limits { connections: 4, ..Limits::default() }).await;
    let mut crowd = Vec::new();
    for _ in 0..4 {
        let mut peer = served.connect().await;
        peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 1024];
        assert!(peer.read(&mut answer).await.unwrap() > 0);
        crowd.push(peer);
    }
    let said = served.said(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said:?}");
    assert_eq!(all(&mut crowd[0]).await, "", "the oldest was closed");
    assert_eq!(served.broken("http_connections"), 1);
    crowd[3].write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(all(&mut crowd[3]).await.starts_with("HTTP/1.1 200"), "the newest lives");
}

#[tokio::test]
async fn it_ends_when_asked_though_somebody_is_slow() {
    let served = start(Limits::default()).await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET / HT").await.unwrap();
    let idle = served.connect().await;
    served.down.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(10), served.task).await.expect("ends in time").unwrap();
    assert!(tokio::net::TcpStream::connect(served.address).await.is_err());
    drop(idle);
}
