//! Sessions against str0m's own client, datagram by datagram, without sockets and clocks.

use super::*;
use crate::hub::{Headers, OnAir, Registry, Stamp};
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
struct Client2 {
    rtc: Rtc,
    packets: Vec<str0m::rtp::RtpPacket>,
    closed: bool,
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
        let ladder = LadderName { application: "live".into(), key: "cam".into() };
        let mut sessions = Sessions::default();
        let now = Instant::now();
        let mut known = Ladder::unwatched(now);
        for label in labels {
            let name = StreamName::new("live", format!("cam_{label}"));
            known.expect(&OnAir { name, label: (*label).to_string(), planned: None });
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

    fn connect(&mut self, pinned: Option<&str>, estimate: Option<u64>) -> Client2 {
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(self.now);
        rtc.add_local_candidate(Candidate::host(address(CLIENT), "udp").unwrap());
        let mut changes = rtc.sdp_api();
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = changes.apply().unwrap();
        let text = offer.to_sdp_string();
        let read = Offer::read(&text).unwrap();
        let codec = read.video.as_ref().unwrap().fits(&track()).unwrap().clone();
        let wanted = Wanted { video: Some(&codec), audio: None, offered: vec![address(SERVER)], estimate };
        let answered = peer::answer((&text, &read), wanted, &self.identity, self.now).unwrap();
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answered.sdp).unwrap()).unwrap();
        let entry = self.registry.enter(WEBRTC_SESSION, address(CLIENT), self.now, 0);
        let sending = answered.video.map(|agreed| Sending::new(agreed, 90_000));
        let pinned = pinned.map(str::to_string);
        let viewer = Viewer::new(entry, self.ladder.clone(), Some(VideoCodec::H264), pinned, sending, None);
        let names = Names { ufrag: answered.ufrag, theirs: read.ufrag, key: "key".into() };
        self.sessions.enter(answered.peer, Role::Viewer(Box::new(viewer)), names, self.now);
        Client2 { rtc, packets: Vec::new(), closed: false }
    }

    /// Time passes, and everything that is sent arrives, unless `lost` says otherwise.
    fn run(&mut self, client: &mut Client2, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(5);
            self.sessions.pass(self.now);
            for sent in std::mem::take(&mut self.sessions.outgoing) {
                let receive = Receive::new(Protocol::Udp, address(SERVER), sent.to, &sent.bytes).unwrap();
                client.rtc.handle_input(Input::Receive(self.now, receive)).unwrap();
                client.drain(&mut self.sessions, self.now);
            }
            client.rtc.handle_input(Input::Timeout(self.now)).unwrap();
            client.drain(&mut self.sessions, self.now);
        }
    }
}

impl Client2 {
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
