//! An RTSP and an RTMP server inside the test, on one hub, with limits of the test's own; and peers that speak through
//! our client's dialog over blocking sockets.

use crate::serving_rtmp::house::several_workers;
use crate::stage::wait_for;
use bytes::Bytes;
use msconv::auth::{Access, Authorizer, Credentials, Ledger};
use msconv::base::secret::Redactor;
use msconv::hub::{self, Client, Hub, Kind};
use msconv::media::codec::aac;
use msconv::media::rtp::unpack::Unit;
use msconv::media::rtp::{Header, Packer, Packets, Unpacker};
use msconv::media::{AudioTrack, Frame, MediaTime, TrackId, TrackKind, Tracks, VideoCodec, VideoTrack};
use msconv::protocol::admission::{self, Admission};
use msconv::protocol::rtmp;
use msconv::protocol::rtsp::server::{Limits, Shared, serve};
use msconv::protocol::rtsp::session::client::{Caller, Event, Intent, Way};
use msconv::protocol::rtsp::udp::Udp;
use msconv::protocol::rtsp::wire::Status;
use msconv::protocol::rtsp::wire::play_head::Start;
use msconv::protocol::workers::Workers;
use msconv::server::runtime_thread::RuntimeThread;
use msconv::telemetry::{Level, Log};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Longer than anything here may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// What a server shall be.
pub struct Plan {
    pub limits: Limits,
    pub hub: hub::Limits,
    /// Of both servers.
    pub authorizer: Arc<dyn Authorizer>,
    /// Of the RTMP server.
    pub rules: rtmp::session::server::Rules,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            limits: Limits::default(),
            hub: hub::Limits::default(),
            authorizer: Arc::new(Access::default()),
            rules: rtmp::session::server::Rules::default(),
        }
    }
}

/// A server that listens on ports of its own.
pub struct House {
    pub rtsp: SocketAddr,
    pub rtmp: SocketAddr,
    pub rtp: SocketAddr,
    pub hub: Hub,
    /// What the RTSP server said, shown when a test fails.
    said: Arc<Mutex<Vec<String>>>,
    down: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Most lines that are kept of what the server says.
const MOST_SAID: usize = 500;

/// An even port and the one behind it.
fn pair() -> (UdpSocket, UdpSocket) {
    for _ in 0..100 {
        let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = rtp.local_addr().unwrap().port();
        if port.is_multiple_of(2)
            && let Ok(rtcp) = UdpSocket::bind(("127.0.0.1", port + 1))
        {
            return (rtp, rtcp);
        }
    }
    panic!("no pair of free ports");
}

impl House {
    pub fn new() -> House {
        House::with(Plan::default())
    }

    pub fn with(plan: Plan) -> House {
        let (hub, threads) = several_workers(plan.hub);
        let (down, downs) = watch::channel(false);
        let (tell, told) = std::sync::mpsc::channel();
        let of_house = hub.clone();
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = said.clone();
        let began = Instant::now();
        let log = Log::new(
            Level::Debug,
            Redactor::new(),
            Box::new(move |line| {
                let mut lines = lines.lock().unwrap();
                if lines.len() < MOST_SAID {
                    lines.push(format!("{:.3} {line}", began.elapsed().as_secs_f64()));
                }
            }),
        );
        let of_rtmp = log.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let workers =
                    Workers::new(Handle::current(), threads.iter().map(RuntimeThread::handle).collect());
                let admission = Admission::new(admission::Limits::default(), Vec::new());
                let ledger: Arc<Mutex<Ledger>> = Arc::default();
                let (rtp, rtcp) = pair();
                let udp = Arc::new(Udp::new(rtp, rtcp, hub.registry().clone()).unwrap());
                let rtsp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let rtmp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let port = udp.ports().0;
                tell.send((rtsp.local_addr().unwrap(), rtmp.local_addr().unwrap(), port)).unwrap();
                let mut shared = Shared::new(
                    hub.clone(),
                    vec!["live".to_string()].into(),
                    plan.authorizer.clone(),
                    admission.clone(),
                    ledger.clone(),
                    Some(udp.clone()),
                    log,
                );
                shared.limits = plan.limits;
                let authorizer = plan.authorizer;
                let other =
                    rtmp::server::Shared::new(hub, plan.rules, authorizer, admission, ledger, of_rtmp);
                tokio::join!(
                    serve(rtsp, Arc::new(shared), workers.clone(), downs.clone()),
                    rtmp::server::serve(rtmp, Arc::new(other), workers, downs.clone()),
                    udp.serve(downs),
                );
            });
        });
        let (rtsp, rtmp, port) = told.recv().unwrap();
        let rtp = SocketAddr::new(rtsp.ip(), port);
        House { rtsp, rtmp, rtp, hub: of_house, said, down, thread: Some(thread) }
    }

    /// What the RTSP server said that has all of `words`.
    pub fn said(&self, words: &[&str]) -> Vec<String> {
        let lines = self.said.lock().unwrap();
        lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).cloned().collect()
    }

    /// Ends it and waits.
    pub fn end(&mut self) {
        let _ = self.down.send(true);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server does not panic");
        }
    }

    pub fn raw(&self) -> TcpStream {
        let stream = TcpStream::connect(self.rtsp).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub fn url(&self, name: &str) -> String {
        format!("rtsp://{}/live/{name}", self.rtsp)
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

    /// The only client of a kind with this stream's name.
    #[track_caller]
    pub fn client(&self, kind: Kind, fits: impl Fn(&Client) -> bool) -> Arc<Client> {
        wait_for("a client in the registry", SOON, || {
            self.hub.registry().list(kind).into_iter().find(|c| fits(c))
        })
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.said.lock().map(|lines| lines.join("\n")).unwrap_or_default();
            eprintln!("the server's limits: {:?}\n{said}", self.hub.registry().broken_limits());
        }
        let _ = self.down.send(true);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the server panicked");
        }
    }
}

/// What came last.
#[derive(Debug)]
pub enum Came {
    /// A packet of a track, RTP or RTCP.
    Packet(usize, bool, Bytes),
    /// Something of the dialog.
    Event(Event),
    /// The connection has ended.
    End,
}

/// Our client on blocking sockets.
pub struct Peer {
    pub socket: TcpStream,
    pub caller: Caller,
    pub starts: Vec<Start>,
    /// Own sockets by track, and the server's addresses.
    pub datagrams: Vec<(UdpSocket, UdpSocket)>,
    servers: Vec<(u16, u16)>,
    packers: [Option<Packer>; 2],
    unpacker: Unpacker,
    units: Vec<Unit>,
}

impl Peer {
    pub fn new(house: &House, name: &str, login: Option<(&str, &str)>, wanted: Intent, udp: bool) -> Peer {
        let datagrams: Vec<_> = if udp { vec![pair(), pair()] } else { Vec::new() };
        for (rtp, rtcp) in &datagrams {
            rtp.set_read_timeout(Some(SOON)).unwrap();
            rtcp.set_read_timeout(Some(SOON)).unwrap();
        }
        let port = |s: &UdpSocket| s.local_addr().unwrap().port();
        let way = if udp {
            Way::Datagrams(datagrams.iter().map(|(a, b)| (port(a), port(b))).collect())
        } else {
            Way::Interleaved
        };
        let credentials = login.map(|(user, password)| Credentials::new(user, password));
        Peer {
            socket: house.raw(),
            caller: Caller::new(&house.url(name), credentials, wanted, way),
            starts: Vec::new(),
            datagrams,
            servers: vec![(0, 0); 2],
            packers: [None, None],
            unpacker: Unpacker::video(VideoCodec::H264).unwrap(),
            units: Vec::new(),
        }
    }

    #[track_caller]
    pub fn reader(house: &House, name: &str, udp: bool) -> Peer {
        let mut peer = Peer::new(house, name, None, Intent::Read, udp);
        peer.until_granted();
        peer
    }

    #[track_caller]
    pub fn publisher(house: &House, name: &str, tracks: &Tracks, udp: bool) -> Peer {
        let mut peer = Peer::new(house, name, None, Intent::Publish(Box::new(tracks.clone())), udp);
        peer.until_granted();
        let place = usize::from(tracks.video().is_some());
        peer.packers = [
            tracks.video().and_then(|v| Packer::video(v, 0, 11, 65_500, 7)),
            tracks.audio().map(|a| Packer::audio(a, place as u8, 22, 9, 99)),
        ];
        peer
    }

    /// What comes next through the connection.
    pub fn next(&mut self) -> Came {
        loop {
            match self.caller.event() {
                Some(Event::Say(bytes)) => {
                    // What the server said before it closed is still to be read.
                    let _ = self.socket.write_all(&bytes);
                }
                Some(Event::Packet(channel, packet)) => {
                    return Came::Packet(channel.track, channel.rtcp, packet);
                }
                Some(Event::ServerPorts(track, ports)) => self.servers[track] = ports,
                Some(event) => return Came::Event(event),
                None => {
                    let mut buffer = [0; 65_536];
                    match self.socket.read(&mut buffer) {
                        Ok(0) => return Came::End,
                        Ok(n) => self.caller.buffer().extend_from_slice(&buffer[..n]),
                        Err(e) if e.kind() == ErrorKind::WouldBlock => panic!("the server says nothing"),
                        Err(_) => return Came::End,
                    }
                }
            }
        }
    }

    #[track_caller]
    pub fn until_granted(&mut self) {
        loop {
            match self.next() {
                Came::Event(Event::Granted(starts)) => return self.starts = starts,
                Came::Event(Event::Described(_)) => {}
                other => panic!("not granted: {other:?}"),
            }
        }
    }

    #[track_caller]
    pub fn refusal(&mut self) -> (Status, String) {
        loop {
            match self.next() {
                Came::Event(Event::Refused(status, why)) => return (status, why),
                Came::Event(Event::Described(_)) => {}
                other => panic!("not refused: {other:?}"),
            }
        }
    }

    /// Sends the packets of a frame.
    pub fn send(&mut self, frame: &Frame) -> std::io::Result<()> {
        let track = usize::from(frame.track.kind() == TrackKind::Audio);
        let Some(packer) = &mut self.packers[track] else { return Ok(()) };
        let place = usize::from(packer.rtp_stream.tag);
        let mut out = Packets::new(4, frame.payload.len());
        packer.pack(frame, &mut out);
        if self.datagrams.is_empty() {
            for span in &out.spans {
                let [high, low] = u16::try_from(span.len).unwrap().to_be_bytes();
                let head = [b'$', u8::try_from(place * 2).unwrap(), high, low];
                out.bytes[span.start - 4..span.start].copy_from_slice(&head);
            }
            return self.socket.write_all(&out.bytes);
        }
        for packet in out.each() {
            self.datagrams[place].0.send_to(&packet, ("127.0.0.1", self.servers[place].0))?;
        }
        Ok(())
    }

    /// Sends a track's packets with another payload type from now on.
    pub fn payload_type(&mut self, track: usize, payload_type: u8) {
        self.packers[track].as_mut().expect("the track").rtp_stream.payload_type = payload_type;
    }

    /// A picture with a number, and `more` bytes.
    pub fn picture(&mut self, ms: i64, number: u32, keyframe: bool, more: usize) -> std::io::Result<()> {
        self.send(&picture(ms, number, keyframe, more))
    }

    /// The packets of the next picture through the connection; `None` at its end.
    pub fn unit(&mut self) -> Option<Unit> {
        loop {
            if !self.units.is_empty() {
                return Some(self.units.remove(0));
            }
            match self.next() {
                Came::Packet(0, false, packet) => self.take(&packet),
                Came::Packet(..) | Came::Event(_) => {}
                Came::End => return None,
            }
        }
    }

    /// As [`Peer::unit`], by datagram.
    #[track_caller]
    pub fn unit_by_datagram(&mut self) -> Unit {
        while self.units.is_empty() {
            let packet = self.datagram(0);
            self.take(&packet);
        }
        self.units.remove(0)
    }

    #[track_caller]
    pub fn datagram(&self, track: usize) -> Bytes {
        let mut buffer = [0; 2048];
        let (n, _) = self.datagrams[track].0.recv_from(&mut buffer).expect("a datagram");
        Bytes::copy_from_slice(&buffer[..n])
    }

    fn take(&mut self, packet: &Bytes) {
        let (header, payload) = Header::read(packet).expect("RTP");
        self.unpacker.push(&header, packet.slice(payload), false, &mut self.units).expect("H.264");
    }
}

/// The number of a picture made by [`picture`].
pub fn number(unit: &Unit) -> u32 {
    let slice = msconv::media::frame::Nals::of(&unit.payload).last().expect("a slice");
    u32::from_be_bytes(slice[1..5].try_into().unwrap())
}

pub fn picture(ms: i64, number: u32, keyframe: bool, more: usize) -> Frame {
    let mut payload = u32::try_from(5 + more).unwrap().to_be_bytes().to_vec();
    payload.push(if keyframe { 0x65 } else { 0x41 });
    payload.extend_from_slice(&number.to_be_bytes());
    payload.resize(payload.len() + more, 0x55);
    let time = MediaTime::from_millis(ms);
    Frame { track: TrackId::VIDEO, dts: time, pts: time, keyframe, payload: payload.into() }
}

pub fn audio_frame(ms: i64) -> Frame {
    let time = MediaTime::from_millis(ms);
    Frame { track: TrackId::AUDIO, dts: time, pts: time, keyframe: true, payload: vec![7; 200].into() }
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
    AudioTrack::aac(aac::lc(48_000, 2).unwrap()).unwrap()
}

pub fn frames() -> Tracks {
    Tracks::of(video(), None)
}

pub fn both() -> Tracks {
    Tracks::of(video(), audio())
}

/// A stream beside a test: numbered frames, one every 4 ms, and a reader that misses none of them.
pub struct Canary {
    stop: Arc<AtomicBool>,
    publisher: Option<JoinHandle<u32>>,
    reader: Option<JoinHandle<(u32, u32)>>,
}

impl Canary {
    pub fn new(house: &House) -> Canary {
        let mut publisher = Peer::publisher(house, "canary", &frames(), false);
        publisher.picture(0, 0, true, 2000).unwrap();
        let mut reader = Peer::reader(house, "canary", false);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let publisher = std::thread::spawn(move || {
            let mut number = 0;
            let begun = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                number += 1;
                publisher.picture(i64::from(number) * 4, number, number.is_multiple_of(50), 2000).unwrap();
                let due = begun + Duration::from_millis(4) * number;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            publisher.caller.ask(msconv::protocol::rtsp::wire::Method::Teardown);
            while !matches!(publisher.next(), Came::Event(Event::Answered) | Came::End) {}
            number
        });
        let reader = std::thread::spawn(move || {
            let first = number(&reader.unit().expect("a picture"));
            let mut next = first + 1;
            while let Some(unit) = reader.unit() {
                assert_eq!(number(&unit), next, "the stream beside it loses frames");
                next += 1;
            }
            (first, next)
        });
        Canary { stop, publisher: Some(publisher), reader: Some(reader) }
    }

    /// Ends the stream; all that was sent has arrived.
    #[track_caller]
    pub fn sings(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.publisher.take().unwrap().join().expect("the stream beside it goes on");
        let (first, next) = self.reader.take().unwrap().join().expect("the reader beside it goes on");
        assert!(next > first && next <= sent + 1, "{first} to {next} of {sent}");
        // What is still in the reader's line when the publisher ends is not sent any more.
        assert!(sent + 1 - next < 100, "read up to {next} of {sent}");
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A client that says what it is told to, word by word.
pub struct Raw {
    pub socket: TcpStream,
    heard: Vec<u8>,
}

impl Raw {
    pub fn new(house: &House) -> Raw {
        Raw { socket: house.raw(), heard: Vec::new() }
    }

    /// Sends bytes as they are and waits for the next answer: its head and its body.
    #[track_caller]
    pub fn ask(&mut self, bytes: impl AsRef<[u8]>) -> String {
        self.socket.write_all(bytes.as_ref()).unwrap();
        self.answer()
    }

    /// The next answer, behind packets.
    #[track_caller]
    pub fn answer(&mut self) -> String {
        loop {
            let packet = match &self.heard[..] {
                [b'$', _, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
                _ => 0,
            };
            if packet > 0 && self.heard.len() >= packet {
                self.heard.drain(..packet);
                continue;
            }
            let head = self.heard.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
            if let Some(head) = head.filter(|_| packet == 0) {
                let text = String::from_utf8_lossy(&self.heard[..head]).into_owned();
                let length =
                    text.split("Content-Length: ").nth(1).and_then(|t| t.lines().next()?.parse().ok());
                let whole = head + length.unwrap_or(0);
                if self.heard.len() >= whole {
                    return String::from_utf8_lossy(&self.heard.drain(..whole).collect::<Vec<_>>())
                        .into_owned();
                }
            }
            let mut more = [0; 65_536];
            let read = self.socket.read(&mut more).expect("the server says something");
            assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(&self.heard));
            self.heard.extend_from_slice(&more[..read]);
        }
    }

    /// Announces, sets up every track by its whole control URL over this connection, and records; the answer to ANNOUNCE.
    /// Lines end without a carriage return.
    #[track_caller]
    pub fn publish(&mut self, name: &str, sdp: &[u8], controls: &[&str]) -> String {
        let uri = format!("rtsp://h/live/{name}");
        let announce = format!("ANNOUNCE {uri} RTSP/1.0\nCSeq: 1\nContent-Length: {}\n\n", sdp.len());
        let announced = self.ask([announce.as_bytes(), sdp].concat());
        assert!(announced.starts_with("RTSP/1.0 200 "), "{announced}\n{}", String::from_utf8_lossy(sdp));
        let session = announced.split("Session: ").nth(1).and_then(|s| s.split([';', '\r']).next());
        let mut session = session.unwrap_or_default().to_string();
        for (n, control) in controls.iter().enumerate() {
            let channels = format!("{}-{}", n * 2, n * 2 + 1);
            let head = format!("SETUP {control} RTSP/1.0\nCSeq: 2\n");
            let transport = format!("Transport: RTP/AVP;unicast;interleaved={channels};mode=record\n\n");
            let answer = self.ask(head + &transport);
            assert!(answer.starts_with("RTSP/1.0 200 ") && answer.contains(&channels), "{control}: {answer}");
            session = answer.split("Session: ").nth(1).and_then(|s| s.split(';').next()).unwrap().to_string();
        }
        let answer = self.ask(format!("RECORD {uri} RTSP/1.0\nCSeq: 3\nSession: {session}\n\n"));
        assert!(answer.starts_with("RTSP/1.0 200 "), "{answer}");
        announced
    }

    /// Sends an RTP packet.
    pub fn packet(
        &mut self,
        channel: u8,
        payload_type: u8,
        n: u16,
        timestamp: u32,
        end: bool,
        payload: &[u8],
    ) {
        self.socket.write_all(&interleaved(channel, payload_type, n, timestamp, end, payload)).unwrap();
    }
}

/// An RTP packet as it stands between messages; `end` is the marker.
pub fn interleaved(
    channel: u8,
    payload_type: u8,
    n: u16,
    timestamp: u32,
    end: bool,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0x80, if end { 0x80 } else { 0 } | payload_type];
    packet.extend(n.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend([0, 0, 0, 5]);
    packet.extend(payload);
    let [high, low] = u16::try_from(packet.len()).unwrap().to_be_bytes();
    [&[b'$', channel, high, low][..], &packet].concat()
}

/// All that the server says until it closes, within the deadline.
#[track_caller]
pub fn last_words(mut socket: &TcpStream) -> String {
    let mut words = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return String::from_utf8_lossy(&words).into_owned(),
            Ok(n) => words.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => panic!("the connection stays open"),
            Err(_) => return String::from_utf8_lossy(&words).into_owned(),
        }
    }
}

/// The status of the last answer.
#[track_caller]
pub fn last_status(socket: &TcpStream) -> u16 {
    let words = last_words(socket);
    let at = words.rfind("RTSP/1.0 ").unwrap_or_else(|| panic!("no answer in {words:?}"));
    words[at + 9..at + 12].parse().expect("a status")
}
