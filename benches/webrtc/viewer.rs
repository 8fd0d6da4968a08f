//! Viewers over WHEP, many in one thread: str0m's own client, which decodes nothing. Each has a socket of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::net::UdpSocket;

/// What all viewers together have had.
#[derive(Default)]
pub struct Counts {
    pub packets: AtomicU64,
    pub bytes: AtomicU64,
    pub connected: AtomicU64,
}

/// Viewers until they are dropped.
pub struct Viewers {
    pub counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Viewers {
    pub fn start(port: u16, path: &str, count: usize) -> Viewers {
        let (counts, stop) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
        let (mine, ends, path) = (counts.clone(), stop.clone(), path.to_string());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut all = tokio::task::JoinSet::new();
                for _ in 0..count {
                    all.spawn(watch(port, path.clone(), mine.clone(), ends.clone()));
                    // As people come: one after the other.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                while all.join_next().await.is_some() {}
            });
        });
        Viewers { counts, stop, thread: Some(thread) }
    }
}

impl Drop for Viewers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn post(port: u16, path: &str, offer: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{offer}",
        offer.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let location = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_string())
    });
    (location.unwrap(), body.to_string())
}

fn delete(port: u16, path: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "DELETE {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
    let _ = stream.read_to_string(&mut String::new());
}

async fn watch(port: u16, path: String, counts: Arc<Counts>, stop: Arc<AtomicBool>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    // As a browser offers it. MediaMTX answers silence as PCMU where a stream's audio is AAC, and refuses whoever lacks that.
    let codecs = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_vp8(true).enable_h264(true);
    let mut rtc = codecs.enable_opus(true, false).enable_pcmu(true, false).build(Instant::now());
    rtc.add_local_candidate(Candidate::host(own, Protocol::Udp).unwrap());
    let mut changes = rtc.sdp_api();
    changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
    let (offer, pending) = changes.apply().unwrap();
    let text = offer.to_sdp_string();
    let way = path.clone();
    let (location, answer) = tokio::task::spawn_blocking(move || post(port, &way, &text)).await.unwrap();
    rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer).unwrap()).unwrap();
    let mut buffer = vec![0; 2000];
    while !stop.load(Ordering::Relaxed) && rtc.is_alive() {
        let due = drain(&mut rtc, &socket, &counts);
        let wait = due.min(Instant::now() + Duration::from_millis(200));
        tokio::select! {
            _ = socket.readable() => {
                while let Ok((length, from)) = socket.try_recv_from(&mut buffer) {
                    take(&mut rtc, from, own, &buffer[..length]);
                    drain(&mut rtc, &socket, &counts);
                }
            }
            () = tokio::time::sleep_until(wait.into()) => {
                rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            }
        }
    }
    tokio::task::spawn_blocking(move || delete(port, &location)).await.unwrap();
}

fn take(rtc: &mut Rtc, from: SocketAddr, own: SocketAddr, datagram: &[u8]) {
    if let Ok(receive) = Receive::new(Protocol::Udp, from, own, datagram) {
        let _ = rtc.handle_input(Input::Receive(Instant::now(), receive));
    }
}

fn drain(rtc: &mut Rtc, socket: &UdpSocket, counts: &Counts) -> Instant {
    loop {
        match rtc.poll_output() {
            Ok(Output::Timeout(at)) => return at,
            Ok(Output::Transmit(sent)) => {
                let _ = socket.try_send_to(&sent.contents, sent.destination);
            }
            Ok(Output::Event(Event::Connected)) => {
                counts.connected.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Output::Event(Event::RtpPacket(packet))) => {
                counts.packets.fetch_add(1, Ordering::Relaxed);
                counts.bytes.fetch_add(packet.payload.len() as u64, Ordering::Relaxed);
            }
            Ok(Output::Event(_)) => {}
            Err(_) => return Instant::now() + Duration::from_secs(1),
        }
    }
}
