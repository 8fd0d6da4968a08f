//! A way between server and viewer that loses and delays datagrams, in both directions: a relay of UDP inside the test, since
//! not every kernel can do it. The viewer is str0m's own client, which asks for repairs; what it got is judged by RTP times.

use super::house::House;
use crate::stage::{PATIENCE, needs};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::net::UdpSocket;

/// Of a hundred datagrams in each direction so many are lost.
const LOST_PERCENT: u64 = 5;
/// All take so long each way.
const DELAY: Duration = Duration::from_millis(50);
/// How much is watched, by the times of its video.
const WATCHED: Duration = Duration::from_secs(20);
/// Ticks of a frame: 25 a second.
const FRAME: u64 = 90_000 / 25;

/// Which datagrams are lost: the same ones in each run, without a pattern.
struct Dice(u64);

impl Dice {
    fn loses(&mut self) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 100 < LOST_PERCENT
    }
}

/// Passes on what comes, late and not all of it, until it is told to stop. How much was lost of how much.
async fn relay(near: UdpSocket, server: SocketAddr, stop: Arc<AtomicBool>) -> (u64, u64) {
    let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut viewer = None;
    let (mut dice, mut lost, mut all) = (Dice(14), 0, 0);
    let mut waiting: VecDeque<(Instant, bool, Vec<u8>)> = VecDeque::new();
    let (mut buffer, mut other) = (vec![0; 2000], vec![0; 2000]);
    while !stop.load(Ordering::Relaxed) {
        let next = waiting.front().map_or(Instant::now() + DELAY, |(at, ..)| *at);
        let (back, datagram) = tokio::select! {
            Ok((length, from)) = near.recv_from(&mut buffer) => {
                viewer = Some(from);
                (false, &buffer[..length])
            }
            Ok((length, _)) = far.recv_from(&mut other) => (true, &other[..length]),
            () = tokio::time::sleep_until(next.into()) => {
                while let Some((_, back, datagram)) = waiting.pop_front_if(|(at, ..)| *at <= Instant::now()) {
                    match viewer.filter(|_| back) {
                        Some(viewer) => near.send_to(&datagram, viewer).await.unwrap(),
                        None => far.send_to(&datagram, server).await.unwrap(),
                    };
                }
                continue;
            }
        };
        all += 1;
        if dice.loses() {
            lost += 1;
        } else {
            waiting.push_back((Instant::now() + DELAY, back, datagram.to_vec()));
        }
    }
    (lost, all)
}

/// Packets of video and audio by their numbers: time, and whether it ends a frame.
#[derive(Default)]
struct Got {
    video: BTreeMap<u64, (u64, bool)>,
    audio: BTreeMap<u64, u64>,
}

impl Got {
    fn take(&mut self, packet: &RtpPacket) {
        let time = packet.time.numer();
        if packet.time.denom() == 90_000 {
            self.video.insert(*packet.seq_no, (time, packet.header.marker));
        } else {
            self.audio.insert(*packet.seq_no, time);
        }
    }

    fn watched(&self) -> Duration {
        let time = |entry: Option<(&u64, &(u64, bool))>| entry.map_or(0, |(_, (time, _))| *time);
        let ticks = time(self.video.last_key_value()).saturating_sub(time(self.video.first_key_value()));
        Duration::from_millis(ticks / 90)
    }

    /// Frames of which every packet came, and how many there should be by the times of the first and the last one.
    fn frames(&self) -> (u64, u64) {
        let (mut whole, mut begun, mut before) = (Vec::new(), false, None);
        for (number, (time, ends)) in &self.video {
            // The packet before it is there, so what has been lost, if anything, is not of this frame's beginning.
            let follows = before.is_some_and(|before| before + 1 == *number);
            begun &= follows;
            if *ends && begun {
                whole.push(*time);
            }
            begun |= *ends;
            before = Some(*number);
        }
        // Frames that were sent again stand single ticks behind others.
        whole.dedup_by(|later, earlier| *later < *earlier + FRAME / 2);
        let span = self.watched().as_millis() as u64 * 90;
        (whole.len() as u64, span / FRAME)
    }

    /// The longest time between two packets of audio.
    fn silence(&self) -> Duration {
        let times: Vec<u64> = self.audio.values().copied().collect();
        let longest = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max();
        Duration::from_millis(longest.expect("audio came") / 48)
    }
}

/// Watches through the relay until it has seen enough.
async fn watch(house: &House, name: &str) -> (Got, (u64, u64)) {
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let entry = near.local_addr().unwrap();
    let server = house.serve.address("webrtc");
    let stop = Arc::new(AtomicBool::new(false));
    let relayed = tokio::spawn(relay(near, server, stop.clone()));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    let mut rtc = Rtc::builder().set_rtp_mode(true).build(Instant::now());
    rtc.add_local_candidate(Candidate::host(own, Protocol::Udp).unwrap());
    let mut changes = rtc.sdp_api();
    changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
    let (offer, pending) = changes.apply().unwrap();
    let created = house.offer(&format!("/live/{name}/whep"), &offer.to_sdp_string());
    assert_eq!(created.status, 201, "{created:?}");
    let answer = through(&created.body, server, entry);
    rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer).unwrap()).unwrap();
    let (mut got, began, mut buffer) = (Got::default(), Instant::now(), vec![0; 2000]);
    while got.watched() < WATCHED {
        let (video, audio) = (got.video.len(), got.audio.len());
        assert!(rtc.is_alive() && began.elapsed() < PATIENCE, "{video} and {audio} packets came");
        let due = drain(&mut rtc, &socket, &mut got);
        tokio::select! {
            Ok((length, from)) = socket.recv_from(&mut buffer) => {
                let receive = Receive::new(Protocol::Udp, from, own, &buffer[..length]).unwrap();
                rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
            }
            () = tokio::time::sleep_until(due.into()) => rtc.handle_input(Input::Timeout(Instant::now())).unwrap(),
        }
    }
    stop.store(true, Ordering::Relaxed);
    (got, relayed.await.unwrap())
}

/// The answer with the relay's address as its only one.
fn through(answer: &str, server: SocketAddr, relay: SocketAddr) -> String {
    let mut told = String::new();
    for line in answer.lines() {
        let own = format!("127.0.0.1 {} typ", server.port());
        if !line.starts_with("a=candidate:") {
            told += &format!("{line}\r\n");
        } else if line.contains(&own) && line.to_ascii_lowercase().contains(" udp ") {
            told += &format!("{}\r\n", line.replace(&own, &format!("127.0.0.1 {} typ", relay.port())));
        }
    }
    told
}

fn drain(rtc: &mut Rtc, socket: &UdpSocket, got: &mut Got) -> Instant {
    loop {
        match rtc.poll_output().unwrap() {
            Output::Timeout(at) => return at,
            Output::Transmit(sent) => {
                let _ = socket.try_send_to(&sent.contents, sent.destination);
            }
            Output::Event(Event::RtpPacket(packet)) => got.take(&packet),
            Output::Event(_) => {}
        }
    }
}

#[test]
fn what_a_bad_link_loses_is_repaired() {
    if !needs("ffmpeg") {
        return;
    }
    let house = House::new("whep-lossy", &[]);
    let _publisher = house.publish("cam", &["-bf", "0", "-b:v", "2M"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (got, (lost, all)) = runtime.block_on(watch(&house, "cam"));
    let (whole, expected) = got.frames();
    println!(
        "{lost} of {all} datagrams lost; {whole} of {expected} frames whole; silence {:?}",
        got.silence()
    );
    assert!(lost * 100 > all * (LOST_PERCENT - 2), "{lost} of {all} datagrams were lost");
    assert!(whole * 100 >= expected * 95, "{whole} of {expected} frames are whole");
    assert!(got.silence() <= Duration::from_millis(200), "no audio for {:?}", got.silence());
}
