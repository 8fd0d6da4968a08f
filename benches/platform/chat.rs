//! Chat: viewers who read, ten people who write one message a second each; what it takes, and when the last viewer has it.

use super::against::{msconv, raise_files, setting, used};
use super::servers::{Clip, rss_kb};
use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const WRITERS: usize = 10;
/// Viewers that connect at once.
const WAVE: usize = 200;

/// What all viewers together have had.
struct Heard {
    begun: Instant,
    viewers: AtomicUsize,
    /// Of each message: how many have it, and when the last had it, in microseconds after it was sent.
    messages: Vec<(AtomicUsize, AtomicU64)>,
    frames: AtomicUsize,
    gaps: AtomicUsize,
}

impl Heard {
    /// A frame with one or more messages `NUMBER@MICROSECONDS`.
    fn take(&self, text: &str) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        if text.contains(r#""type":"gap""#) {
            self.gaps.fetch_add(1, Ordering::Relaxed);
        }
        let now = self.begun.elapsed().as_micros() as u64;
        for piece in text.split(r#""text":""#).skip(1) {
            let Some((number, sent)) = piece.split('"').next().and_then(|text| text.split_once('@')) else {
                continue;
            };
            let (Ok(number), Ok(sent)) = (number.parse::<usize>(), sent.trim_end_matches('.').parse::<u64>())
            else {
                continue;
            };
            let Some((count, last)) = self.messages.get(number) else { continue };
            count.fetch_add(1, Ordering::Relaxed);
            last.fetch_max(now.saturating_sub(sent), Ordering::Relaxed);
        }
    }
}

/// Opens a socket to the room.
async fn open(port: u16, host: &str) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    socket.set_nodelay(true)?;
    let request = format!(
        "GET /api/v1/streams/s/chat/ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: msconv.chat.v1\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    // Byte by byte, so that frames behind the head stay where they are.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    if head.starts_with(b"HTTP/1.1 101") {
        Ok(socket)
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()))
    }
}

/// The next frame of the server (RFC 6455, 5.2), which masks nothing.
async fn frame(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<u8> {
    let mut head = [0; 2];
    socket.read_exact(&mut head).await?;
    let length = match head[1] {
        126 => socket.read_u16().await?.into(),
        127 => usize::try_from(socket.read_u64().await?).map_err(io::Error::other)?,
        length => length.into(),
    };
    buffer.resize(length, 0);
    socket.read_exact(buffer).await?;
    Ok(head[0] & 15)
}

async fn view(mut socket: TcpStream, heard: Arc<Heard>) -> io::Result<()> {
    heard.viewers.fetch_add(1, Ordering::Relaxed);
    let mut buffer = Vec::new();
    loop {
        if frame(&mut socket, &mut buffer).await? == 1 {
            heard.take(std::str::from_utf8(&buffer).map_err(io::Error::other)?);
        }
    }
}

/// Ten people, who say `count` messages, ten a second.
async fn write(port: u16, heard: Arc<Heard>, from: usize, count: usize) -> io::Result<()> {
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let (mut read, write) = open(port, "localhost").await?.into_split();
        tokio::spawn(async move { while read.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {} });
        writers.push(write);
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1) / WRITERS as u32);
    for number in from..from + count {
        tick.tick().await;
        let text = format!("{number}@{}", heard.begun.elapsed().as_micros());
        let text = format!("{text}{}", ".".repeat(80_usize.saturating_sub(text.len())));
        let payload = format!(r#"{{"type":"say","text":"{text}"}}"#);
        let mut bytes = vec![0x81, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        bytes.extend(payload.as_bytes());
        writers[number % WRITERS].write_all(&bytes).await?;
    }
    // The last ones are on their way.
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(())
}

pub fn measure() {
    let seconds = setting("MSCONV_BENCH_SECONDS", 15);
    let files = raise_files();
    let folder = tempfile::tempdir().unwrap();
    let clip = Clip::make(folder.path(), "clip.flv", "100k", 320, 180);
    println!();
    println!(
        "| chat, 10 messages a second | CPU, % of a core | of a frame | memory | for each viewer | last viewer has it, median | p99 | worst | lost |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for viewers in [1000, 10_000] {
        if files < viewers as u64 + 1000 {
            println!("| {viewers} viewers | {files} open files are too few (ulimit -n) |");
            continue;
        }
        let program = OsStr::new(env!("CARGO_BIN_EXE_msconv"));
        let server =
            msconv("msconv", program, &folder.path().join(viewers.to_string()), &["--web-port", "0"]);
        let _publisher = clip.publish(server.rtmp, "s");
        std::thread::sleep(Duration::from_secs(2));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let count = (seconds * 10) as usize;
        let heard = Arc::new(Heard {
            begun: Instant::now(),
            viewers: AtomicUsize::new(0),
            messages: (0..count).map(|_| Default::default()).collect(),
            frames: AtomicUsize::new(0),
            gaps: AtomicUsize::new(0),
        });
        let before = rss_kb(server.pid);
        let readers = viewers - WRITERS;
        runtime.block_on(crowd(server.web, readers, &heard));
        let (idle, frames) = (used_beside(&runtime, server.pid, 5), heard.frames.load(Ordering::Relaxed));
        let (pid, during) = (server.pid, Duration::from_secs(seconds));
        let cpu = std::thread::spawn(move || used(pid, during));
        runtime.block_on(write(server.web, heard.clone(), 0, count)).unwrap();
        let busy = cpu.join().unwrap();
        let memory = rss_kb(server.pid);
        let sent = (heard.frames.load(Ordering::Relaxed) - frames) as f64;
        let mut last: Vec<u64> =
            heard.messages.iter().map(|(_, last)| last.load(Ordering::Relaxed)).collect();
        last.sort_unstable();
        let got: usize = heard.messages.iter().map(|(count, _)| count.load(Ordering::Relaxed)).sum();
        let ms = |share: usize| last[(last.len() - 1) * share / 100] as f64 / 1000.0;
        println!(
            "| {viewers} viewers | {:.0} ({:.1} idle) | {:.1} us | {:.1} MB | {:.1} KB | {:.0} ms | {:.0} ms | {:.0} ms | {} of {}, {} gaps |",
            busy * 100.0,
            idle * 100.0,
            (busy - idle) * seconds as f64 / sent * 1e6,
            memory as f64 / 1024.0,
            memory.saturating_sub(before) as f64 / viewers as f64,
            ms(50),
            ms(99),
            ms(100),
            count * readers - got,
            count * readers,
            heard.gaps.load(Ordering::Relaxed),
        );
    }
}

/// Connects all viewers.
async fn crowd(port: u16, viewers: usize, heard: &Arc<Heard>) {
    for wave in 0..viewers.div_ceil(WAVE) {
        let some = WAVE.min(viewers - wave * WAVE);
        let opening: Vec<_> = (0..some).map(|_| tokio::spawn(open(port, "chat.example"))).collect();
        for socket in opening {
            let socket = socket.await.unwrap().unwrap();
            tokio::spawn(view(socket, heard.clone()));
        }
    }
    while heard.viewers.load(Ordering::Relaxed) < viewers {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
}

/// What the server uses while viewers only listen.
fn used_beside(runtime: &tokio::runtime::Runtime, pid: i32, seconds: u64) -> f64 {
    let during = Duration::from_secs(seconds);
    let cpu = std::thread::spawn(move || used(pid, during));
    runtime.block_on(async { tokio::time::sleep(during).await });
    cpu.join().unwrap()
}
