//! Requests that hold nothing up: half ones, large ones, and answers that nobody takes.

use super::*;
use axum::routing::get;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SOON: Duration = Duration::from_secs(20);

/// A port with short limits that gives 64 MB at `/large` and a word elsewhere.
async fn port(change: impl FnOnce(&mut Limits)) -> (SocketAddr, Registry, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut limits = Limits::new(500, 4096);
    (limits.head, limits.stalled) = (Duration::from_millis(300), Duration::from_millis(300));
    change(&mut limits);
    let large = Bytes::from(vec![7; 64 << 20]);
    let routes = Router::new()
        .route("/large", get(move || async move { large }))
        .route("/some", get(|| async { vec![7; 300 << 10] }))
        .fallback(|| async { "hello" });
    let registry = Registry::default();
    let web = Web {
        limits,
        trusted: Vec::new(),
        registry: registry.clone(),
        log: Log::silent(),
        tls: None,
        routes,
    };
    let (down, downs) = watch::channel(false);
    tokio::spawn(serve(listener, Arc::new(web), downs));
    (address, registry, down)
}

async fn answer(address: SocketAddr, request: &[u8]) -> String {
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(request).await.unwrap();
    let mut text = Vec::new();
    let read = peer.read_to_end(&mut text);
    // A reset is an end as well.
    let _ = tokio::time::timeout(SOON, read).await.expect("an end");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn half_and_oversized_requests_end() {
    let (address, registry, _down) = port(|_| {}).await;
    let fine = answer(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(fine.starts_with("HTTP/1.1 200 OK\r\n") && fine.ends_with("hello"), "{fine}");
    assert_eq!(answer(address, b"GET / HTTP/1.1\r\nHos").await, "");
    assert_eq!(answer(address, b"").await, "");
    let long = format!("GET /?{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(40 << 10));
    let refused = answer(address, long.as_bytes()).await;
    assert!(refused.starts_with("HTTP/1.1 4"), "{refused}");
    let fields = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(500));
    assert!(answer(address, fields.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let counted = async {
        while !registry.broken_limits().contains_key("web_head") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, counted).await.expect("it is counted");
}

#[tokio::test]
async fn an_answer_lasts_as_long_as_it_is_taken() {
    let (address, _, _down) = port(|_| {}).await;
    let request = b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    // One that takes nothing is ended long before it has all.
    let mut still = TcpStream::connect(address).await.unwrap();
    still.write_all(request).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut got = Vec::new();
    let read = tokio::time::timeout(SOON, still.read_to_end(&mut got)).await.expect("an end");
    assert!(read.is_err() || got.len() < 64 << 20, "{}", got.len());
    // One that takes a little all the time gets all, though that takes many times the limit.
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(request).await.unwrap();
    let (mut all, mut some) = (0, vec![0; 4 << 20]);
    loop {
        let n = tokio::time::timeout(SOON, slow.read(&mut some)).await.expect("more").expect("no reset");
        if n == 0 {
            break;
        }
        all += n;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(all > 64 << 20, "{all}");
}

#[tokio::test]
async fn an_answer_is_whole_when_its_connection_ends_with_it() {
    let (address, _, _down) = port(|_| {}).await;
    // More than this peer's kernel takes at once, less than ours holds: it is all written long before it is taken.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let mut peer = socket.connect(address).await.unwrap();
    peer.write_all(b"GET /some HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let (mut all, mut some) = (0, vec![0; 4 << 10]);
    loop {
        let n = tokio::time::timeout(SOON, peer.read(&mut some)).await.expect("more").expect("no reset");
        if n == 0 {
            break;
        }
        all += n;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(all > 300 << 10, "{all}");
}

#[tokio::test]
async fn connections_are_bounded() {
    let (address, registry, _down) = port(|limits| {
        limits.connections = 2;
        limits.head = SOON;
    })
    .await;
    let held = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    assert_eq!(answer(address, b"").await, "");
    assert_eq!(registry.broken_limits()["web_connections"], 1);
    drop(held);
    let again = async {
        while !answer(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await
            .contains("hello")
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, again).await.expect("there is room again");
}
