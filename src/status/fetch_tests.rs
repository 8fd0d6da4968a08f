//! Lying servers over real sockets: each lie has its own reason, and comes within the limits.

use super::*;
use crate::status::{ParseError, SourceError, nginx_snapshot};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PAGE: &str = include_str!("../../tests/data/nginx_stat/stat-one.xml");

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Serves every connection with `answer`, after its request head was read.
async fn server<F, A>(answer: F) -> HttpUrl
where
    F: Fn(TcpStream, String) -> A + 'static,
    A: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::task::spawn_local(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(socket.read(&mut byte).await, Ok(1)) {
                head.extend_from_slice(&byte);
            }
            tokio::task::spawn_local(answer(socket, String::from_utf8_lossy(&head).into_owned()));
        }
    });
    format!("http://127.0.0.1:{port}/stat").parse().unwrap()
}

/// What `/stat` looks like through `answer`.
fn told(limits: Limits, answer: impl Fn(TcpStream) -> Pinned + 'static) -> Result<(), SourceError> {
    run(tokio::task::LocalSet::new().run_until(async move {
        let url = server(move |socket, _| answer(socket)).await;
        nginx_snapshot(&Client::new(limits), &url).await.map(|_| ())
    }))
}

type Pinned = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// An answer written in one go; the connection is then closed.
fn says(bytes: impl Into<Vec<u8>>) -> impl Fn(TcpStream) -> Pinned + 'static {
    let bytes = bytes.into();
    move |mut socket| {
        let bytes = bytes.clone();
        Box::pin(async move {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
        })
    }
}

fn page(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn short() -> Limits {
    Limits { connect: Duration::from_millis(400), total: Duration::from_millis(400), body: 100_000 }
}

#[test]
fn a_page_is_read() {
    assert_eq!(told(Limits::default(), says(page("200 OK", "Content-Type: text/xml\r\n", PAGE))), Ok(()));
}

#[test]
fn each_lie_has_its_reason() {
    let fetch = |bytes: Vec<u8>| match told(Limits::default(), says(bytes)) {
        Err(SourceError::Fetch(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(fetch(page("500 Internal Server Error", "", "")), FetchError::Status(500));
    assert_eq!(fetch(page("404 Not Found", "", "<html>")), FetchError::Status(404));
    assert_eq!(fetch(page("204 No Content", "", "")), FetchError::Status(204));
    assert_eq!(
        fetch(page("302 Found", "Location: http://u:p@elsewhere/login\r\n", "")),
        FetchError::Redirect("http://***@elsewhere/login".into())
    );
    assert_eq!(fetch(Vec::new()), FetchError::ClosedEarly);
    assert_eq!(fetch(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()), FetchError::ClosedEarly);
    assert_eq!(
        fetch(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<rtmp>".to_vec()),
        FetchError::ClosedEarly
    );
    assert_eq!(
        fetch(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<rtmp>\r\n".to_vec()),
        FetchError::ClosedEarly
    );
    assert_eq!(fetch(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), FetchError::NotHttp);
    assert_eq!(fetch(vec![3; 1537]), FetchError::NotHttp);
    assert_eq!(
        fetch(page("200 OK", "Content-Encoding: gzip\r\n", "bomb")),
        FetchError::Compressed("gzip".into())
    );
    assert_eq!(
        fetch(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n".to_vec()),
        FetchError::TooLarge(Limits::default().body)
    );

    let parse = |bytes: Vec<u8>| match told(Limits::default(), says(bytes)) {
        Err(SourceError::Parse(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(parse(page("200 OK", "", "<!DOCTYPE html><html><body>hi</body></html>")), ParseError::Html);
    assert_eq!(parse(page("200 OK", "", "")), ParseError::Empty);
    assert_eq!(parse(page("200 OK", "", PAGE.get(..900).unwrap())), ParseError::Truncated);
    let other = PAGE.replace("utf-8", "windows-1251");
    assert_eq!(parse(page("200 OK", "", &other)), ParseError::Charset("windows-1251".into()));
}

#[test]
fn a_body_without_end_is_cut() {
    let endless = |mut socket: TcpStream| -> Pinned {
        Box::pin(async move {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<rtmp>").await;
            while socket.write_all(&[b' '; 8192]).await.is_ok() {}
        })
    };
    let limits = Limits { body: 1_000_000, ..Limits::default() };
    assert_eq!(told(limits, endless), Err(FetchError::TooLarge(1_000_000).into()));
}

#[test]
fn a_slow_drip_and_silence_end_at_the_limit() {
    let drip = |mut socket: TcpStream| -> Pinned {
        Box::pin(async move {
            for byte in
                b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".iter().chain([b' '; 100_000].iter())
            {
                if socket.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    assert_eq!(told(short(), drip), Err(FetchError::TimedOut(short().total).into()));
    let silent = |socket: TcpStream| -> Pinned {
        Box::pin(async move {
            let _kept = socket;
            std::future::pending::<()>().await;
        })
    };
    assert_eq!(told(short(), silent), Err(FetchError::TimedOut(short().total).into()));
}

#[test]
fn absent_servers_are_told_apart() {
    let ask = |url: String| {
        run(async move {
            let url: HttpUrl = url.parse().unwrap();
            Client::new(short()).get(&url, "").await.unwrap_err()
        })
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(ask(format!("http://127.0.0.1:{port}/stat")), FetchError::Refused);
    assert_eq!(ask(format!("http://localhost:{port}/stat")), FetchError::Refused);
    // The reserved name never resolves; a resolver that is silent instead of negative ends at the limit.
    let unknown = ask("http://no-such-host.invalid/stat".into());
    assert!(matches!(unknown, FetchError::UnknownHost | FetchError::TimedOut(_)), "{unknown:?}");
}

#[test]
fn plain_text_on_a_secure_address_is_a_tls_failure() {
    let reason = run(tokio::task::LocalSet::new().run_until(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::task::spawn_local(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
        });
        let url: HttpUrl = format!("https://127.0.0.1:{port}/stat").parse().unwrap();
        Client::default().get(&url, "").await.unwrap_err()
    }));
    assert!(matches!(reason, FetchError::Tls(_)), "{reason:?}");
}

#[test]
fn the_connection_is_kept_and_credentials_go_out_but_are_not_shown() {
    run(tokio::task::LocalSet::new().run_until(async {
        let connections = std::rc::Rc::new(std::cell::Cell::new(0));
        let count = connections.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::task::spawn_local(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                count.set(count.get() + 1);
                tokio::task::spawn_local(async move {
                    let mut seen = Vec::new();
                    let mut buffer = [0; 4096];
                    while let Ok(n @ 1..) = socket.read(&mut buffer).await {
                        seen.extend_from_slice(buffer.get(..n).unwrap());
                        if !seen.ends_with(b"\r\n\r\n") {
                            continue;
                        }
                        let head = String::from_utf8_lossy(&seen).to_ascii_lowercase();
                        let right = head.contains("authorization: basic dtpw")
                            && head.starts_with("get /x/v3/info?a=1&page=0 ")
                            && !head.contains("accept-encoding");
                        let status = if right { "200 OK" } else { "403 Forbidden" };
                        let _ = socket.write_all(&page(status, "", "ok")).await;
                        seen.clear();
                    }
                });
            }
        });
        let url: HttpUrl = format!("http://u:p@127.0.0.1:{port}/x/?a=1").parse().unwrap();
        let client = Client::default();
        for _ in 0..5 {
            assert_eq!(client.get(&url, "/v3/info?page=0").await, Ok(b"ok".to_vec()));
        }
        assert_eq!(connections.get(), 1);
    }));
}

#[test]
fn every_reason_is_one_plain_line() {
    for reason in [
        FetchError::Refused,
        FetchError::TimedOut(Duration::from_millis(2500)),
        FetchError::Status(401),
        FetchError::Status(418),
        FetchError::TooLarge(32 * 1024 * 1024),
    ] {
        let text = reason.to_string();
        assert!(text.lines().count() == 1 && !text.ends_with('.'), "{text}");
    }
    assert_eq!(FetchError::TimedOut(Duration::from_millis(2500)).to_string(), "no whole answer within 2.5 s");
    assert_eq!(FetchError::TooLarge(32 * 1024 * 1024).to_string(), "the answer is larger than 32 MB");
}
