//! Sessions against str0m's own client, datagram by datagram, without sockets and clocks.

use super::*;
use crate::hub::{Headers, Leaves, OnAir, Registry, Stamp};
use crate::media::codec::h264;
use crate::media::{Frame, MediaTime, TrackId, Tracks, VideoCodec, VideoTrack};
use crate::model::StreamName;
use crate::protocol::WEBRTC_SESSION;
use crate::protocol::webrtc::offer::Offer;
use crate::protocol::webrtc::peer::{self, Identity, Wanted};
use crate::protocol::webrtc::viewer::Sending;
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use str0m::net::Receive;
use str0m::{Candidate, Event, Input, Output, Rtc};

const SERVER: &str = "192.0.2.1:8189";
const CLIENT: &str = "192.0.2.2:5000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn track() -> VideoTrack {
    let sps = [0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x1e, 0xd0, 0x0f, 0x08, 0x84, 0x6a];
    h264::track_of_sets(&sps, &[0x68, 0xce, 0x3c, 0x80]).unwrap()
}

fn frame(ms: i64, keyframe: bool, size: usize) -> Item {
    let time = MediaTime::from_millis(ms);
    let mut unit = vec![if keyframe { 0x65 } else { 0x41 }];
    unit.resize(size, 7);
    let payload = [&(unit.len() as u32).to_be_bytes()[..], &unit].concat();
    let frame = Frame { track: TrackId::VIDEO, dts: time, pts: time, keyframe, payload: payload.into() };
    Item::Frame(frame, Stamp { at: Instant::now(), wall_ms: 0, run: 1 })
}

/// A viewer in the same process.
struct Watcher {
    rtc: Rtc,
    packets: Vec<str0m::rtp::RtpPacket>,
    closed: bool,
    sent: u64,
}

struct House {
    sessions: Sessions,
    registry: Registry,
    ladder: LadderName,
    identity: Identity,
    now: Instant,
}

impl House {
    fn new(labels: &[&str]) -> House {
        House::with(labels, None)
    }

    /// The same with one that is not in step with the others.
    fn with(labels: &[&str], stranger: Option<&str>) -> House {
        let ladder = LadderName { application: "live".into(), key: "cam".into() };
        let mut sessions = Sessions::default();
        let now = Instant::now();
        let mut known = Ladder::unwatched(now);
        for label in labels {
            let name = StreamName::new("live", format!("cam_{label}"));
            known.expect(&OnAir {
                name,
                label: (*label).to_string(),
                planned: None,
                stranger: stranger == Some(*label),
            });
            let headers = Headers { tracks: Tracks::of(track(), None), metadata: None };
            known.take(label, Item::Tracks(Box::new(headers)));
        }
        assert!(known.is_ready());
        sessions.ladders.insert(ladder.clone(), known);
        House { sessions, registry: Registry::default(), ladder, identity: Identity::new().unwrap(), now }
    }

    fn media(&mut self, label: &str, item: Item) {
        self.sessions.media(&self.ladder, label, &mut vec![item], self.now);
    }

    fn connect(&mut self, pinned: Option<&str>, estimate: Option<u64>) -> Watcher {
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(self.now);
        rtc.add_local_candidate(Candidate::host(address(CLIENT), "udp").unwrap());
        let mut changes = rtc.sdp_api();
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = changes.apply().unwrap();
        let text = offer.to_sdp_string();
        let read = Offer::read(&text).unwrap();
        let codec = read.video.as_ref().unwrap().fits(&track()).unwrap().clone();
        let wanted = Wanted {
            video: Some(&codec),
            audio: None,
            offered: vec![address(SERVER)],
            estimate,
            layers: false,
        };
        let answered = peer::answer((&text, &read), wanted, &self.identity, self.now).unwrap();
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answered.sdp).unwrap()).unwrap();
        let entry = self.registry.enter(WEBRTC_SESSION, address(CLIENT), self.now, 0);
        let sending = answered.video.map(|agreed| Sending::new(agreed, 90_000));
        let pinned = pinned.map(str::to_string);
        let viewer = Viewer::new(entry, self.ladder.clone(), Some(VideoCodec::H264), pinned, sending, None);
        let names = Names { ufrag: answered.ufrag, theirs: read.ufrag, key: "key".into() };
        self.sessions.enter(answered.peer, Role::Viewer(Box::new(viewer)), names, self.now);
        Watcher { rtc, packets: Vec::new(), closed: false, sent: 0 }
    }

    /// Time passes, and everything that is sent arrives.
    fn run(&mut self, client: &mut Watcher, time: Duration) {
        self.run_over(client, time, |_| true);
    }

    /// Time passes; of what is sent to the viewer arrives what `arrives` says, by its number.
    fn run_over(&mut self, client: &mut Watcher, time: Duration, mut arrives: impl FnMut(u64) -> bool) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(5);
            self.sessions.pass(self.now);
            for sent in std::mem::take(&mut self.sessions.outgoing) {
                client.sent += 1;
                if !arrives(client.sent) {
                    continue;
                }
                let receive = Receive::new(Protocol::Udp, address(SERVER), sent.to, &sent.bytes).unwrap();
                client.rtc.handle_input(Input::Receive(self.now, receive)).unwrap();
                client.drain(&mut self.sessions, self.now);
            }
            client.rtc.handle_input(Input::Timeout(self.now)).unwrap();
            client.drain(&mut self.sessions, self.now);
        }
    }
}

impl Watcher {
    fn drain(&mut self, sessions: &mut Sessions, now: Instant) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(sent) => {
                    sessions.receive(
                        Protocol::Udp,
                        address(CLIENT),
                        Some(address(SERVER)),
                        &sent.contents,
                        now,
                    );
                }
                Output::Event(Event::RtpPacket(packet)) => self.packets.push(packet),
                Output::Event(Event::Closed) => self.closed = true,
                Output::Event(_) => {}
            }
        }
    }

    fn times(&self) -> Vec<u32> {
        let mut times: Vec<u32> = self.packets.iter().map(|packet| packet.header.timestamp).collect();
        times.dedup();
        let first = times.first().copied().unwrap_or(0);
        times.into_iter().map(|time| time.wrapping_sub(first)).collect()
    }
}

#[test]
fn a_viewer_begins_with_the_last_keyframe_and_goes_on() {
    for estimate in [None, Some(3_000_000)] {
        let mut house = House::new(&["360p"]);
        house.media("360p", frame(0, true, 5000));
        house.media("360p", frame(40, false, 500));
        let mut client = house.connect(None, estimate);
        house.run(&mut client, Duration::from_millis(500));
        house.media("360p", frame(80, false, 500));
        house.run(&mut client, Duration::from_millis(100));
        assert_eq!(client.times(), [0, 3600, 7200], "{estimate:?}");
        let payload = &client.packets[0].payload;
        assert_eq!((payload[0] & 0x1f, client.packets[0].header.marker), (24, false), "parameter sets first");
    }
}

impl House {
    /// Frames of 40 ms, a keyframe every second, to every rendition of `sizes`; time passes as they come.
    fn broadcast(&mut self, client: &mut Watcher, frames: std::ops::Range<i64>, sizes: &[(&str, usize)]) {
        for n in frames {
            for (label, size) in sizes {
                self.media(label, frame(n * 40, n % 25 == 0, *size));
            }
            self.run(client, Duration::from_millis(40));
        }
    }

    fn viewer(&mut self) -> &mut Viewer {
        match &mut self.sessions.sessions.values_mut().next().unwrap().role {
            Role::Viewer(viewer) => viewer,
            Role::Publisher(_) => panic!("it is a viewer"),
        }
    }
}

fn numbers(client: &Watcher) -> Vec<u64> {
    let mut numbers: Vec<u64> = client.packets.iter().map(|packet| *packet.seq_no).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn another_rendition_goes_on_in_the_same_stream() {
    let mut house = House::new(&["720p", "360p"]);
    let sizes = [("720p", 9000), ("360p", 900)];
    let mut client = house.connect(None, Some(3_000_000));
    house.broadcast(&mut client, 0..60, &sizes);
    assert_eq!(house.viewer().current(), Some("720p"));
    let large = client.packets.len();
    // The link got narrow: what is there of the smaller one since its keyframe goes at once.
    house.viewer().estimated(400_000);
    house.sessions.look(house.now);
    assert_eq!(house.viewer().current(), Some("360p"));
    house.broadcast(&mut client, 60..90, &sizes);
    let small: Vec<_> = client.packets[large + 8..].iter().map(|packet| packet.payload.len()).collect();
    assert!(small.iter().all(|size| *size <= 1000), "{small:?}");
    let numbers = numbers(&client);
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert!(client.packets.iter().all(|packet| packet.header.ssrc == client.packets[0].header.ssrc));
    assert!(client.times().is_sorted());
}

#[test]
fn a_stranger_is_for_those_who_ask_for_it() {
    let sizes = [("original", 3000), ("360p", 900)];
    for (pinned, current) in [(None, "360p"), (Some("original"), "original")] {
        let mut house = House::with(&["original", "360p"], Some("original"));
        let mut client = house.connect(pinned, pinned.is_none().then_some(3_000_000));
        house.broadcast(&mut client, 0..60, &sizes);
        assert_eq!(house.viewer().current(), Some(current));
    }
    // And for all, as long as there is nothing else.
    let mut house = House::with(&["original", "360p"], Some("original"));
    house.sessions.ladders.get_mut(&house.ladder).unwrap().leave("360p");
    let mut client = house.connect(None, Some(3_000_000));
    house.broadcast(&mut client, 0..30, &sizes[..1]);
    assert_eq!(house.viewer().current(), Some("original"));
    let tracks = Headers { tracks: Tracks::of(track(), None), metadata: None };
    house.media("360p", Item::Tracks(Box::new(tracks)));
    house.sessions.look(house.now);
    house.broadcast(&mut client, 30..60, &sizes);
    assert_eq!(house.viewer().current(), Some("360p"), "the ladder is there now");
}

#[test]
fn what_is_lost_comes_again() {
    let mut house = House::new(&["360p"]);
    let mut client = house.connect(None, None);
    house.run(&mut client, Duration::from_millis(300));
    for n in 0..100 {
        house.media("360p", frame(n * 40, n % 25 == 0, 3000));
        // One of twelve is lost on the way.
        house.run_over(&mut client, Duration::from_millis(40), |number| number % 12 != 0);
    }
    house.run(&mut client, Duration::from_millis(500));
    let numbers = numbers(&client);
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    let whole = distinct.last().unwrap() - distinct.first().unwrap() + 1;
    assert!(distinct.len() as u64 >= whole - 1, "{} of {whole} packets", distinct.len());
}

#[test]
fn a_publisher_that_returns_is_seen_on_the_same_stream() {
    let mut house = House::new(&["360p"]);
    let mut client = house.connect(None, None);
    house.broadcast(&mut client, 0..30, &[("360p", 900)]);
    house.media("360p", Item::Interrupted);
    house.run(&mut client, Duration::from_secs(4));
    assert!(!client.closed);
    let before = client.packets.len();
    let tracks = Headers { tracks: Tracks::of(track(), None), metadata: None };
    house.media("360p", Item::Tracks(Box::new(tracks)));
    // It begins with the rest of a group of pictures, which nobody can decode.
    house.broadcast(&mut client, 135..160, &[("360p", 900)]);
    let first = &client.packets[before].payload;
    assert_eq!((client.packets.len() - before, first[0] & 0x1f), (10, 24), "from its keyframe on");
    let numbers = numbers(&client);
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

#[test]
fn other_codecs_end_the_session() {
    let mut house = House::new(&["360p"]);
    let mut client = house.connect(None, None);
    house.broadcast(&mut client, 0..5, &[("360p", 900)]);
    let other = VideoTrack { codec: VideoCodec::Av1, ..track() };
    let headers = Headers { tracks: Tracks::of(other, None), metadata: None };
    house.media("360p", Item::Tracks(Box::new(headers)));
    house.run(&mut client, Duration::from_millis(100));
    assert!(house.sessions.is_empty() && client.closed);
    assert_eq!(house.sessions.ended[0].1, Ending::OtherCodecs);
}

#[test]
fn who_never_connects_or_vanishes_is_forgotten() {
    let mut house = House::new(&["360p"]);
    let mut client = house.connect(None, None);
    assert!(!house.sessions.receive(Protocol::Udp, address("192.0.2.9:1"), None, b"hello", house.now));
    house.now += TO_CONNECT + Duration::from_secs(1);
    house.sessions.look(house.now);
    assert!(house.sessions.is_empty());
    assert_eq!(house.sessions.ended.pop().unwrap().1, Ending::NeverConnected);
    assert!(
        house.sessions.by_ufrag.is_empty()
            && house.sessions.by_key.is_empty()
            && house.sessions.due.is_empty()
    );
    drop(client);
    client = house.connect(None, None);
    house.run(&mut client, Duration::from_millis(300));
    assert_eq!(house.sessions.by_address.len(), 1);
    house.now += SILENT + Duration::from_secs(1);
    house.sessions.look(house.now);
    assert!(house.sessions.is_empty() && house.sessions.by_address.is_empty());
    assert!(house.sessions.ladders.values().all(|ladder| ladder.viewers.is_empty() && ladder.idle.is_some()));
}

#[test]
fn who_is_asked_to_leave_is_gone_at_the_next_look() {
    let mut house = House::new(&["360p"]);
    house.media("360p", frame(0, true, 5000));
    let mut client = house.connect(None, None);
    house.run(&mut client, Duration::from_millis(500));
    let entry = house.registry.list(WEBRTC_SESSION).pop().unwrap();
    house.sessions.look(house.now);
    let ends = entry.details().ends.unwrap();
    assert_eq!((ends.transport, ends.local, ends.remote), ("udp", address(SERVER), address(CLIENT)));
    assert_eq!((house.sessions.totals().viewers, house.sessions.ended.len()), (1, 0));
    let received = house.sessions.totals().bytes_in;
    assert!(received > 0);
    entry.kick();
    house.sessions.look(house.now);
    house.run(&mut client, Duration::from_millis(100));
    assert_eq!(house.sessions.ended.pop().map(|(_, why)| why), Some(Ending::Sent(Leaves::Asked)));
    assert!(client.closed && house.sessions.is_empty());
    let totals = house.sessions.totals();
    assert_eq!((totals.viewers, totals.bytes_in), (0, received), "what it carried still counts");
    drop(entry);
    assert!(house.registry.list(WEBRTC_SESSION).is_empty());
}

#[test]
fn datagrams_are_told_apart_by_their_first_bytes() {
    for (datagram, carries) in [
        (&[0x80, 0x60, 0, 1][..], Carries::Rtp),
        (&[0x80, 0xe0], Carries::Rtp),
        (&[0x81, 200, 0, 6], Carries::Rtcp),
        (&[0xbf, 223], Carries::Rtcp),
        (&[0, 1], Carries::Control),
        (&[22, 254], Carries::Control),
        (&[0x80], Carries::Rtp),
        (&[], Carries::Control),
    ] {
        assert_eq!(Carries::of(datagram), carries, "{datagram:?}");
    }
}

#[test]
fn an_offer_of_layers_is_answered_with_one() {
    let now = Instant::now();
    let mut rtc = Rtc::builder().set_rtp_mode(true).build(now);
    let mut changes = rtc.sdp_api();
    changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
    let (offer, _) = changes.apply().unwrap();
    let layers = "a=sendonly\r\na=rid:h send\r\na=rid:l send\r\na=simulcast:send h;l\r\n";
    let text = offer.to_sdp_string().replace("a=sendonly\r\n", layers);
    let read = Offer::read(&text).unwrap();
    assert_eq!(read.video.as_ref().unwrap().layers, ["h", "l"]);
    let codec = read.video.as_ref().unwrap().fits(&track()).unwrap().clone();
    let wanted = Wanted {
        video: Some(&codec),
        audio: None,
        offered: vec![address(SERVER)],
        estimate: None,
        layers: false,
    };
    let answered = peer::answer((&text, &read), wanted, &Identity::new().unwrap(), now).unwrap();
    assert!(answered.sdp.contains("a=recvonly") && !answered.sdp.contains("simulcast"), "{}", answered.sdp);
}

#[test]
fn a_rendition_that_was_away_when_its_viewer_connected_is_sent_when_it_is_back() {
    let mut house = House::new(&["360p"]);
    house.sessions.ladders.get_mut(&house.ladder).unwrap().leave("360p");
    let mut client = house.connect(Some("360p"), None);
    house.run(&mut client, Duration::from_millis(300));
    assert_eq!(house.viewer().current(), None);
    let tracks = Headers { tracks: Tracks::of(track(), None), metadata: None };
    house.media("360p", Item::Tracks(Box::new(tracks)));
    house.media("360p", frame(0, true, 900));
    house.sessions.look(house.now);
    house.broadcast(&mut client, 1..4, &[("360p", 900)]);
    assert_eq!(client.times(), [0, 3600, 7200, 10_800]);
}

#[test]
fn everybody_is_told_when_the_server_ends() {
    let mut house = House::new(&["360p"]);
    let mut client = house.connect(None, None);
    house.broadcast(&mut client, 0..5, &[("360p", 900)]);
    house.sessions.end_all(house.now);
    house.run(&mut client, Duration::from_millis(100));
    assert!(house.sessions.is_empty() && client.closed);
    assert_eq!(house.sessions.ended.pop().unwrap().1, Ending::ServerEnds);
}
