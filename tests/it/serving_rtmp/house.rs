//! An RTMP server inside the test, with limits of the test's own, and peers that speak through our client session over
//! blocking sockets.

use crate::stage::wait_for;
use bytes::Bytes;
use msconv::auth::{Access, Authorizer};
use msconv::hub::{Hub, Limits, Registry, Worker};
use msconv::media::flv::header;
use msconv::media::{AudioTrack, VideoCodec, VideoTrack};
use msconv::model::StreamName;
use msconv::protocol::admission::{self, Admission};
use msconv::protocol::rtmp::server::{Shared, serve};
use msconv::protocol::rtmp::session::client::{Aim, ClientSession, Event, Target};
use msconv::protocol::rtmp::session::server::Rules;
use msconv::protocol::rtmp::wire::message::{Message, kind};
use msconv::protocol::workers::Workers;
use msconv::server::runtime_thread::RuntimeThread;
use msconv::telemetry::Log;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Longer than anything here may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// A hub and the threads beside the first one that carry its streams. A ladder is on the first one already, so that what a
/// test publishes has to go from where its connections begin to another thread.
pub fn several_workers(limits: Limits) -> (Hub, Vec<RuntimeThread>) {
    let threads: Vec<_> =
        ["media-1", "media-2"].into_iter().map(|name| RuntimeThread::start(name).unwrap()).collect();
    let workers = NonZeroUsize::MIN.saturating_add(threads.len());
    let hub = Hub::on(workers, Registry::default(), limits);
    assert_eq!(hub.publishing_worker(&StreamName::new("live", "elsewhere"), Instant::now()), Worker(0));
    (hub, threads)
}

/// A server that listens on a port of its own.
pub struct House {
    pub address: SocketAddr,
    pub hub: Hub,
    down: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl House {
    pub fn new() -> House {
        House::with(Rules::default(), Limits::default(), admission::Limits::default())
    }

    pub fn with(rules: Rules, limits: Limits, admission: admission::Limits) -> House {
        House::made(rules, limits, admission, Arc::new(Access::default()))
    }

    /// With somebody who decides who may what.
    pub fn guarded(rules: Rules, authorizer: Arc<dyn Authorizer>) -> House {
        House::made(rules, Limits::default(), admission::Limits::default(), authorizer)
    }

    fn made(
        rules: Rules,
        limits: Limits,
        admission: admission::Limits,
        authorizer: Arc<dyn Authorizer>,
    ) -> House {
        let (hub, threads) = several_workers(limits);
        let admission = Admission::new(admission, Vec::new());
        let shared =
            Arc::new(Shared::new(hub.clone(), rules, authorizer, admission, Arc::default(), Log::silent()));
        let (down, downs) = watch::channel(false);
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let workers =
                    Workers::new(Handle::current(), threads.iter().map(RuntimeThread::handle).collect());
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, shared, workers, downs).await;
            });
        });
        House { address: told.recv().unwrap(), hub, down, thread: Some(thread) }
    }

    /// Ends it and waits.
    pub fn end(&mut self) {
        let _ = self.down.send(true);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server does not panic");
        }
    }

    pub fn raw(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub fn publisher(&self, name: &str) -> Peer {
        let mut peer = Peer::new(self, Aim::Publish, name);
        peer.until_ready();
        peer
    }

    pub fn reader(&self, name: &str) -> Peer {
        let mut peer = Peer::new(self, Aim::Play, name);
        peer.until_ready();
        peer
    }

    /// How often a limit was broken.
    pub fn broken(&self, limit: &str) -> u64 {
        self.hub.registry().broken_limits().get(limit).copied().unwrap_or(0)
    }

    #[track_caller]
    pub fn wait_broken(&self, limit: &str, times: u64) {
        wait_for(&format!("{limit} to be broken {times} times"), SOON, || {
            if self.broken(limit) >= times {
                Ok(())
            } else {
                Err(format!("{:?}", self.hub.registry().broken_limits()))
            }
        });
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.down.send(true);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the server panicked");
        }
    }
}

/// Our client on a blocking socket.
pub struct Peer {
    pub socket: TcpStream,
    pub session: ClientSession,
    events: VecDeque<Event>,
}

impl Peer {
    pub fn new(house: &House, aim: Aim, name: &str) -> Peer {
        Peer::to(
            house,
            aim,
            Target {
                url: format!("rtmp://{}/live", house.address),
                application: "live".into(),
                name: name.into(),
                credentials: None,
                arguments: String::new(),
                scheme: None,
            },
        )
    }

    pub fn to(house: &House, aim: Aim, target: Target) -> Peer {
        Peer {
            socket: house.raw(),
            session: ClientSession::new(target, aim, [3; 32]),
            events: VecDeque::new(),
        }
    }

    /// At any server, published or played by the time this returns.
    pub fn at(address: SocketAddr, aim: Aim, name: &str) -> Peer {
        let mut peer = Peer::knocking(address, aim, name);
        peer.until_ready();
        peer
    }

    /// At any server, connected and no more.
    pub fn knocking(address: SocketAddr, aim: Aim, name: &str) -> Peer {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket.set_nodelay(true).unwrap();
        let target = Target {
            url: format!("rtmp://{address}/live"),
            application: "live".into(),
            name: name.into(),
            credentials: None,
            arguments: String::new(),
            scheme: None,
        };
        Peer { socket, session: ClientSession::new(target, aim, [3; 32]), events: VecDeque::new() }
    }

    /// The next event; `None` at the end of the connection.
    pub fn event(&mut self) -> Option<Event> {
        loop {
            let out = self.session.output();
            if self.socket.write_all(&out).is_err() {
                // What the server said before it closed is still to be read.
            }
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let mut buffer = [0; 65_536];
            match self.socket.read(&mut buffer) {
                Ok(0) => return None,
                Ok(n) => self.session.receive(&buffer[..n]).expect("the server speaks RTMP"),
                Err(e) if e.kind() == ErrorKind::WouldBlock => panic!("the server says nothing"),
                Err(_) => return None,
            }
            self.events.extend(std::iter::from_fn(|| self.session.event()));
        }
    }

    #[track_caller]
    pub fn until_ready(&mut self) {
        match self.event() {
            Some(Event::Ready) => {}
            other => panic!("not ready: {other:?}"),
        }
    }

    #[track_caller]
    pub fn refusal(&mut self) -> (String, String) {
        match self.event() {
            Some(Event::Refused(code, text)) => (code, text),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// The next message of frames or audio.
    #[track_caller]
    pub fn media(&mut self) -> Message {
        loop {
            match self.event() {
                Some(Event::Media(message)) if message.kind != kind::DATA => return message,
                Some(Event::Media(_)) => {}
                other => panic!("no media: {other:?}"),
            }
        }
    }

    /// The number of the next frame that [`Peer::picture`] sent, and its time.
    #[track_caller]
    pub fn number(&mut self) -> (u32, u32) {
        loop {
            let message = self.media();
            if message.kind == kind::VIDEO && message.payload.get(1) == Some(&1) {
                let digits = message.payload[10..14].try_into().unwrap();
                return (u32::from_be_bytes(digits), message.timestamp);
            }
        }
    }

    /// Everything to the end of the connection: why the stream ended, if the server said so.
    pub fn until_the_end(&mut self) -> Option<String> {
        let mut why = None;
        while let Some(event) = self.event() {
            if let Event::Ended(code) | Event::Refused(code, _) = event {
                why.get_or_insert(code);
            }
        }
        why
    }

    /// Ends the stream as a polite program does, and waits until the server has closed.
    pub fn finish(&mut self) {
        self.session.finish();
        let out = self.session.output();
        self.socket.write_all(&out).expect("the server takes what is sent");
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
        closed(&self.socket);
    }

    pub fn send(&mut self, kind: u8, timestamp: u32, body: &[u8]) {
        self.session.send(kind, timestamp, &[], body);
        let out = self.session.output();
        self.socket.write_all(&out).expect("the server takes what is sent");
    }

    /// Codec headers of video and audio.
    pub fn headers(&mut self, timestamp: u32) {
        self.send(kind::VIDEO, timestamp, &header::video(&video()));
        self.send(kind::AUDIO, timestamp, &header::audio(&audio()));
    }

    /// A picture with a number, and `more` bytes.
    pub fn picture(&mut self, timestamp: u32, number: u32, keyframe: bool, more: usize) {
        let mut tag = vec![if keyframe { 0x17 } else { 0x27 }, 1, 0, 0, 0];
        tag.extend_from_slice(&u32::try_from(5 + more).unwrap().to_be_bytes());
        tag.push(if keyframe { 0x65 } else { 0x41 });
        tag.extend_from_slice(&number.to_be_bytes());
        tag.resize(tag.len() + more, 0x55);
        self.send(kind::VIDEO, timestamp, &tag);
    }
}

pub fn video() -> VideoTrack {
    // avcC of x264, 320x240, Baseline.
    let record: &[u8] = &[
        1, 0x42, 0xc0, 0x0d, 0xff, 0xe1, 0, 22, 0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xe8, 0x40, 0, 0,
        3, 0, 0x40, 0, 0, 0x0c, 0x83, 0xc5, 0x0a, 0xa8, 0, 1, 0, 4, 0x68, 0xce, 0x0f, 0xc8,
    ];
    VideoTrack::from_config(VideoCodec::H264, Bytes::from_static(record)).expect("a track")
}

pub fn audio() -> AudioTrack {
    AudioTrack::aac(Bytes::from_static(&[0x12, 0x10])).unwrap()
}

/// A stream beside a test: numbered frames, one every 4 ms, and a reader that misses none of them.
pub struct Canary {
    stop: Arc<AtomicBool>,
    publisher: Option<JoinHandle<u32>>,
    reader: Option<JoinHandle<(u32, u32)>>,
}

impl Canary {
    pub fn new(house: &House) -> Canary {
        let mut publisher = house.publisher("canary");
        publisher.headers(0);
        publisher.picture(0, 0, true, 2000);
        let mut reader = house.reader("canary");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let publisher = std::thread::spawn(move || {
            let mut number = 0;
            let begun = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                number += 1;
                publisher.picture(number * 4, number, number.is_multiple_of(50), 2000);
                let due = begun + Duration::from_millis(4) * number;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            publisher.finish();
            number
        });
        let reader = std::thread::spawn(move || {
            let (first, _) = reader.number();
            let mut next = first + 1;
            loop {
                match reader.event() {
                    Some(Event::Media(m)) if m.kind == kind::VIDEO && m.payload.get(1) == Some(&1) => {
                        let number = u32::from_be_bytes(m.payload[10..14].try_into().unwrap());
                        assert_eq!(number, next, "the stream beside it loses frames");
                        next += 1;
                    }
                    Some(Event::Ended(_)) | None => return (first, next),
                    Some(_) => {}
                }
            }
        });
        Canary { stop, publisher: Some(publisher), reader: Some(reader) }
    }

    /// Ends the stream; all that was sent has arrived.
    #[track_caller]
    pub fn sings(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.publisher.take().unwrap().join().expect("the stream beside it goes on");
        let (first, next) = self.reader.take().unwrap().join().expect("the reader beside it goes on");
        // What is still in the reader's line when the publisher ends is not sent any more.
        assert!(next > first && next <= sent + 1, "{first} to {next} of {sent}");
        assert!(sent + 1 - next < 100, "read up to {next} of {sent}");
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Whether the server closes `socket` before the deadline.
#[track_caller]
pub fn closed(mut socket: &TcpStream) {
    let mut buffer = [0; 65_536];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => panic!("the connection stays open"),
            Err(_) => return,
        }
    }
}
