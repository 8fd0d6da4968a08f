//! The embedded RTSP server: readers and publishers over connections and datagrams, hostile and unlucky peers beside
//! whom another stream goes on, and the programs that people use.

mod hostile;
pub mod house;
mod programs;
mod several_tracks;

use crate::stage::stream;
use crate::stage::wait_for;
use house::{Came, House, Peer, Plan, SOON, audio_frame, both, frames, number, video};
use msconv::auth::{Access, Credentials};
use msconv::hub::client::get;
use msconv::hub::{self, Role};
use msconv::media::codec::opus;
use msconv::media::rtp::Header;
use msconv::media::rtp::rtcp::{self, Packet};
use msconv::media::{AudioTrack, MediaTime, Tracks};
use msconv::protocol::rtsp::server::Limits;
use msconv::protocol::rtsp::session::client::{Event, Intent};
use msconv::protocol::rtsp::wire::{Method, Status};
use msconv::protocol::{RTSP_CONNECTION, RTSP_SESSION};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// Some video and audio: a group of ten frames that begins with number 100.
fn group(publisher: &mut Peer, from: i64) {
    for i in 0..10 {
        publisher.picture(from + i * 40, 100 + u32::try_from(i).unwrap(), i == 0, 3000).unwrap();
        publisher.send(&audio_frame(from + i * 40)).unwrap();
    }
}

/// Waits until the hub has the last picture of a group.
fn wait_for_group(house: &House, name: &str, frames: u64) {
    wait_for("the group to arrive", SOON, || {
        let view = house.hub.snapshot().into_iter().find(|v| v.name.name == name);
        view.is_some_and(|v| v.totals.video_frames >= frames)
    });
}

#[test]
fn a_reader_begins_with_a_keyframe_where_rtp_info_says() {
    let house = House::new();
    for publish_by_datagram in [false, true] {
        let name = if publish_by_datagram { "b" } else { "a" };
        let mut publisher = Peer::publisher(&house, name, &both(), publish_by_datagram);
        group(&mut publisher, 1000);
        wait_for_group(&house, name, 10);
        for read_by_datagram in [false, true] {
            let mut reader = Peer::reader(&house, name, read_by_datagram);
            let (mut first, mut reports) = ([None, None], 0);
            while first.iter().any(Option::is_none) {
                if read_by_datagram {
                    for (track, first) in first.iter_mut().enumerate() {
                        first.get_or_insert(reader.datagram(track));
                    }
                } else {
                    match reader.next() {
                        Came::Packet(track, false, packet) => {
                            first[track].get_or_insert(packet);
                        }
                        Came::Packet(_, true, packet) => {
                            assert!(matches!(rtcp::read(&packet).unwrap()[0], Packet::Sender(_)));
                            assert!(first.iter().all(Option::is_none), "reports come first");
                            reports += 1;
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            assert!(read_by_datagram || reports == 2);
            for (track, first) in first.iter().enumerate() {
                let (header, _) = Header::read(first.as_ref().unwrap()).unwrap();
                let start = &reader.starts[track];
                assert!(start.url.ends_with(&format!("/live/{name}/trackID={track}")), "{}", start.url);
                assert_eq!((start.sequence, start.timestamp), (header.sequence, header.timestamp));
            }
            // The parameter sets, then the keyframe; the rest of the group; what comes after.
            let mut fresh = Peer::reader(&house, name, read_by_datagram);
            let mut next = || if read_by_datagram { fresh.unit_by_datagram() } else { fresh.unit().unwrap() };
            for expected in 100..110 {
                let unit = next();
                assert_eq!((number(&unit), unit.keyframe), (expected, expected == 100));
            }
            publisher.picture(1400, 110, false, 100).unwrap();
            assert_eq!(number(&next()), 110);
            group(&mut publisher, 1440);
            wait_for_group(&house, name, 0);
            assert_eq!(number(&next()), 100);
        }
    }
}

#[test]
fn nobody_and_somebody_else() {
    let house = House::new();
    let (status, why) = Peer::new(&house, "nobody", None, Intent::Read, false).refusal();
    assert_eq!((status, why.as_str()), (Status::NOT_FOUND, "nobody publishes this stream"));
    let _publisher = Peer::publisher(&house, "taken", &frames(), false);
    let publish = Intent::Publish(Box::new(frames()));
    let (status, why) = Peer::new(&house, "taken", None, publish.clone(), true).refusal();
    assert_eq!((status, why.as_str()), (Status::FORBIDDEN, "somebody publishes this name already"));
    for bad in ["a/b", "..", "a%20b", ".x", &"x".repeat(129)] {
        let (status, _) = Peer::new(&house, bad, None, publish.clone(), false).refusal();
        assert_eq!(status, Status::BAD_REQUEST, "{bad}");
    }
    assert_eq!(house.hub.registry().list(RTSP_SESSION).len(), 1);
}

/// Most of these connections move to the thread of the stream's ladder before they are answered.
#[test]
fn a_peer_that_closes_its_own_side_is_answered() {
    let house = House::new();
    let _publisher = Peer::publisher(&house, "x", &frames(), false);
    for n in 0..100 {
        let mut raw = house.raw();
        raw.write_all(b"DESCRIBE rtsp://h/x RTSP/1.0\r\nCSeq: 1\r\n\r\n").unwrap();
        raw.shutdown(std::net::Shutdown::Write).unwrap();
        let words = house::last_words(&raw);
        assert!(words.starts_with("RTSP/1.0 200 OK\r\nCSeq: 1\r\n"), "connection {n}: {words:?}");
    }
}

#[test]
fn credentials_are_asked_for() {
    let access = Access {
        publish: Some(Credentials::new("pub", "secret")),
        read: Some(Credentials::new("view", "other")),
        ..Access::default()
    };
    let house = House::with(Plan { authorizer: Arc::new(access), ..Plan::default() });
    let publish = || Intent::Publish(Box::new(frames()));
    let (status, _) = Peer::new(&house, "x", None, publish(), false).refusal();
    assert_eq!(status, Status::UNAUTHORIZED);
    let (status, _) = Peer::new(&house, "x", Some(("view", "other")), publish(), false).refusal();
    assert_eq!(status, Status::UNAUTHORIZED, "a reader is no publisher");
    let mut publisher = Peer::new(&house, "x", Some(("pub", "secret")), publish(), false);
    publisher.until_granted();
    let (status, _) = Peer::new(&house, "x", None, Intent::Read, false).refusal();
    assert_eq!(status, Status::UNAUTHORIZED);
    let mut reader = Peer::new(&house, "x", Some(("view", "other")), Intent::Read, true);
    reader.until_granted();
    assert_eq!(house.client(RTSP_SESSION, |c| c.details().role == Role::Publish).details().user, "pub");
    // A program that shows Basic at once.
    let mut raw = house.raw();
    raw.write_all(
        b"DESCRIBE rtsp://h/x RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Basic dmlldzpvdGhlcg==\r\n\r\n\
          TEARDOWN rtsp://h/x RTSP/1.0\r\nCSeq: 2\r\nSession: x\r\n\r\nX",
    )
    .unwrap();
    raw.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(house::last_words(&raw).starts_with("RTSP/1.0 200 OK\r\nCSeq: 1\r\n"));
    assert_eq!(house.broken("rtsp_authentication"), 1);
    for _ in 1..10 {
        let (status, _) = Peer::new(&house, "x", Some(("view", "wrong")), Intent::Read, false).refusal();
        assert_eq!(status, Status::UNAUTHORIZED);
    }
    let (status, why) = Peer::new(&house, "x", Some(("view", "other")), Intent::Read, false).refusal();
    assert_eq!(status, Status::FORBIDDEN, "{why}");
}

#[test]
fn the_registry_knows_who_does_what() {
    let house = House::new();
    let mut publisher = Peer::publisher(&house, "cam", &both(), true);
    group(&mut publisher, 0);
    wait_for_group(&house, "cam", 10);
    let mut reader = Peer::reader(&house, "cam", false);
    while number(&reader.unit().unwrap()) < 109 {}
    let session = house.client(RTSP_SESSION, |c| c.details().role == Role::Read);
    let details = session.details();
    assert_eq!((details.name.as_str(), details.application.as_str()), ("cam", "live"));
    assert_eq!((details.transport, details.agent.as_str()), (Some("TCP"), "msconv"));
    let connection = house.client(RTSP_CONNECTION, |c| c.details().linked.contains(&session.id));
    assert_eq!(details.linked, [connection.id]);
    wait_for("the bytes to be counted", SOON, || get(&session.counters.bytes_out) > 30_000);
    let sent = (get(&session.counters.packets_out), get(&session.counters.rtcp_out));
    assert_eq!(sent, (41, 2), "the same packets, and a report of each track before them");
    let source = house.client(RTSP_SESSION, |c| c.details().role == Role::Publish);
    assert_eq!(source.details().transport, Some("UDP"));
    let packets = get(&source.counters.packets_in);
    assert_eq!(
        (packets, get(&source.counters.packets_lost)),
        (41, 0),
        "ten frames of three packets, ten of audio, the sets"
    );
    assert!(get(&source.counters.bytes_in) > 30_000);
    // Kicked: told and closed, and nobody is left in the lists.
    session.kick();
    drop((session, connection));
    let mut goodbyes = 0;
    loop {
        match reader.next() {
            Came::Packet(_, true, packet) => {
                let all = rtcp::read(&packet).unwrap();
                goodbyes += all.iter().filter(|p| matches!(p, Packet::Goodbye(_))).count();
            }
            Came::End => break,
            _ => {}
        }
    }
    assert_eq!(goodbyes, 2);
    source.kick();
    drop(source);
    while !matches!(publisher.next(), Came::End) {}
    wait_for("the lists to empty", SOON, || {
        let all = [RTSP_SESSION, RTSP_CONNECTION].map(|kind| house.hub.registry().list(kind).len());
        if all == [0, 0] { Ok(()) } else { Err(format!("{all:?}")) }
    });
    assert!(!house.hub.is_published(&stream("cam")));
}

#[test]
fn a_stream_that_ends_is_said_goodbye() {
    let house = House::new();
    let mut publisher = Peer::publisher(&house, "cam", &both(), false);
    group(&mut publisher, 0);
    wait_for_group(&house, "cam", 10);
    let mut by_connection = Peer::reader(&house, "cam", false);
    let mut by_datagram = Peer::reader(&house, "cam", true);
    let ssrc = Header::read(&by_datagram.datagram(1)).unwrap().0.ssrc;
    publisher.caller.ask(Method::Teardown);
    assert!(matches!(publisher.next(), Came::Event(Event::Answered)));
    assert!(!house.hub.is_published(&stream("cam")), "the name is free at once");
    let mut goodbyes = Vec::new();
    loop {
        match by_connection.next() {
            Came::Packet(track, true, packet) => {
                if let Some(&[Packet::Goodbye(_)]) = rtcp::read(&packet).as_deref() {
                    goodbyes.push(track);
                }
            }
            Came::End => break,
            _ => {}
        }
    }
    assert_eq!(goodbyes, [0, 1]);
    assert!(matches!(by_datagram.next(), Came::End), "the connection of a datagram reader ends too");
    let mut buffer = [0; 2048];
    loop {
        let (n, _) = by_datagram.datagrams[1].1.recv_from(&mut buffer).expect("a goodbye");
        if let Some(&[Packet::Goodbye(ref sources)]) = rtcp::read(&buffer[..n]).as_deref() {
            assert_eq!(sources[..], [ssrc]);
            break;
        }
    }
}

#[test]
fn who_reads_frames_gets_a_keyframe_from_the_publisher() {
    let house = House::new();
    let mut publisher = Peer::publisher(&house, "cam", &both(), false);
    group(&mut publisher, 0);
    wait_for_group(&house, "cam", 10);
    let client = house.client(RTSP_SESSION, |c| c.details().role == msconv::hub::Role::Publish);
    let reader = house.hub.subscribe_frames(&stream("cam"), &client, msconv::hub::Policy::Live).unwrap();
    reader.request_keyframe(std::time::Instant::now());
    let ssrc = loop {
        match publisher.next() {
            Came::Packet(0, true, packet) => {
                if let Some(&[Packet::PictureLoss(ssrc)]) = rtcp::read(&packet).as_deref() {
                    break ssrc;
                }
            }
            Came::End => panic!("the connection ended"),
            _ => {}
        }
    };
    assert_ne!(ssrc, 0, "it is the publisher's own");
}

#[test]
fn a_publisher_that_breaks_off_is_waited_for() {
    let lost = Duration::from_millis(1500);
    let house = House::with(Plan { hub: hub::Limits { lost, ..hub::Limits::default() }, ..Plan::default() });
    let mut publisher = Peer::publisher(&house, "cam", &both(), false);
    group(&mut publisher, 0);
    wait_for_group(&house, "cam", 10);
    let mut reader = Peer::reader(&house, "cam", false);
    let mut last = reader.unit().unwrap();
    while number(&last) < 109 {
        last = reader.unit().unwrap();
    }
    drop(publisher);
    wait_for("the name to be free", SOON, || !house.hub.is_published(&stream("cam")));
    // It comes back, with all of its tracks or with one of them: the reader goes on, its time does not go back.
    for tracks in [both(), frames()] {
        let mut publisher = Peer::publisher(&house, "cam", &tracks, true);
        group(&mut publisher, 0);
        let mut unit = reader.unit().unwrap();
        assert_eq!(number(&unit), 100);
        assert!(unit.timestamp.wrapping_sub(last.timestamp) < 30 * 90_000, "forward, and not far");
        while number(&unit) < 109 {
            unit = reader.unit().unwrap();
        }
        last = unit;
        drop(publisher);
        wait_for("the name to be free", SOON, || !house.hub.is_published(&stream("cam")));
    }
    // Nobody comes back.
    while reader.unit().is_some() {}
    assert_eq!(house.said(&["which reads cam", "its publisher did not come back"]).len(), 1);
}

#[test]
fn what_was_described_long_ago_is_described_again() {
    let house = House::new();
    let mut publisher = Peer::publisher(&house, "cam", &both(), false);
    group(&mut publisher, 0);
    let mut raw = house.raw();
    let mut say = |text: String| {
        raw.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.windows(4).any(|w| w == b"\r\n\r\n") {
            let mut more = [0; 4096];
            let n = raw.read(&mut more).unwrap();
            answer.extend_from_slice(&more[..n]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    let setup = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    let answer = say(format!("SETUP rtsp://h/cam/trackID=1 RTSP/1.0\r\nCSeq: 1\r\n{setup}\r\n"));
    let session = answer.split("Session: ").nth(1).and_then(|s| s.split(';').next()).expect("a session");
    drop(publisher);
    wait_for("the name to be free", SOON, || !house.hub.is_published(&stream("cam")));
    let opus = AudioTrack::opus(opus::head(2)).ok();
    let _other = Peer::publisher(&house, "cam", &Tracks::of(video(), opus), false);
    let answer = say(format!("PLAY rtsp://h/cam RTSP/1.0\r\nCSeq: 2\r\nSession: {session}\r\n\r\n"));
    assert!(answer.starts_with("RTSP/1.0 455 "), "{answer}");
}

#[test]
fn pause_and_play_again() {
    let house = House::new();
    let mut publisher = Peer::publisher(&house, "cam", &both(), false);
    group(&mut publisher, 0);
    wait_for_group(&house, "cam", 10);
    let mut reader = Peer::reader(&house, "cam", false);
    while number(&reader.unit().unwrap()) < 109 {}
    reader.caller.ask(Method::Pause);
    while !matches!(reader.next(), Came::Event(Event::Answered)) {}
    publisher.picture(400, 110, false, 10).unwrap();
    publisher.picture(440, 111, true, 10).unwrap();
    publisher.picture(480, 112, false, 10).unwrap();
    wait_for_group(&house, "cam", 13);
    reader.caller.ask(Method::Play);
    while !matches!(reader.next(), Came::Event(Event::Granted(_))) {}
    assert_eq!(number(&reader.unit().unwrap()), 111, "with the last keyframe");
    assert_eq!(number(&reader.unit().unwrap()), 112);
    reader.caller.ask(Method::Teardown);
    while !matches!(reader.next(), Came::Event(Event::Answered)) {}
    wait_for("the session to end", SOON, || house.hub.registry().list(RTSP_SESSION).len() == 1);
    // The connection is still good for another session.
    reader.caller.ask(Method::Options);
    assert!(matches!(reader.next(), Came::Event(Event::Answered)));
}

#[test]
fn signs_of_life_keep_a_session() {
    let limits = Limits { idle: Duration::from_millis(1200), ..Limits::default() };
    let hub = hub::Limits { lost: Duration::from_millis(500), ..hub::Limits::default() };
    let house = House::with(Plan { limits, hub, ..Plan::default() });
    let mut publisher = Peer::publisher(&house, "cam", &frames(), false);
    publisher.picture(0, 0, true, 10).unwrap();
    wait_for_group(&house, "cam", 1);
    let mut silent = Peer::reader(&house, "cam", true);
    let mut taking = Peer::reader(&house, "cam", false);
    let mut asking = Peer::reader(&house, "cam", true);
    let reporting = Peer::reader(&house, "cam", true);
    let mut out = bytes::BytesMut::new();
    rtcp::write_goodbye(5, &mut out);
    let begun = std::time::Instant::now();
    let mut number = 0;
    let silent = std::thread::spawn(move || while !matches!(silent.next(), Came::End) {});
    let taking = std::thread::spawn(move || while taking.unit().is_some() {});
    while begun.elapsed() < Duration::from_secs(4) {
        number += 1;
        publisher.picture(number * 40, 1, false, 10).unwrap();
        asking.caller.ask(Method::GetParameter);
        while !matches!(asking.next(), Came::Event(Event::Answered)) {}
        reporting.datagrams[0].1.send_to(&out, ("127.0.0.1", house.rtp.port() + 1)).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    silent.join().unwrap();
    assert_eq!(house.broken("rtsp_idle"), 1);
    assert_eq!(house.hub.registry().list(RTSP_SESSION).len(), 4, "the publisher and three readers");
    house.client(RTSP_SESSION, |c| get(&c.counters.rtcp_in) >= 10);
    // Bytes that are taken are a sign of life only as long as there are any.
    drop(publisher);
    taking.join().unwrap();
}

#[test]
fn a_datagram_reader_that_vanishes_ends_at_once() {
    let house = House::new();
    let mut publisher = Peer::publisher(&house, "cam", &both(), false);
    group(&mut publisher, 0);
    let mut reader = Peer::reader(&house, "cam", true);
    let stays = Peer::reader(&house, "cam", true);
    // Reports from strangers belong to nobody.
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for port in [house.rtp.port(), house.rtp.port() + 1] {
        stranger.send_to(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], ("127.0.0.1", port)).unwrap();
    }
    house.wait_broken("rtp_unknown_source", 2);
    reader.datagrams.clear();
    let mut number = 0;
    wait_for("the reader to be ended", SOON, || {
        number += 1;
        publisher.picture(400 + number * 40, 1, false, 10).unwrap();
        house.hub.snapshot().iter().all(|view| view.readers.len() == 1)
    });
    wait_for("the connection to end too", SOON, || house.hub.registry().list(RTSP_SESSION).len() == 2);
    assert!(matches!(reader.next(), Came::End));
    drop(stays);
}

#[test]
fn publishers_behind_a_gateway_are_known_by_what_they_send() {
    let house = House::new();
    let mut publisher = Peer::publisher(&house, "cam", &both(), true);
    // The packets leave from other ports than the publisher named.
    for (rtp, rtcp) in &mut publisher.datagrams {
        *rtp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        *rtcp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    }
    group(&mut publisher, 0);
    wait_for_group(&house, "cam", 10);
    assert_eq!(house.broken("rtp_unknown_source"), 0);
}

#[test]
fn the_end_of_the_server_is_told() {
    let mut house = House::new();
    let mut publisher = Peer::publisher(&house, "cam", &both(), false);
    group(&mut publisher, 0);
    wait_for_group(&house, "cam", 10);
    let mut reader = Peer::reader(&house, "cam", false);
    let ending = std::thread::spawn(move || {
        let mut goodbyes = 0;
        loop {
            match reader.next() {
                Came::Packet(_, true, packet) => {
                    let all = rtcp::read(&packet).unwrap();
                    goodbyes += all.iter().filter(|p| matches!(p, Packet::Goodbye(_))).count();
                }
                Came::End => return goodbyes,
                _ => {}
            }
        }
    });
    let publishing = std::thread::spawn(move || while !matches!(publisher.next(), Came::End) {});
    house.end();
    assert_eq!(ending.join().unwrap(), 2);
    publishing.join().unwrap();
}

#[test]
fn what_comes_by_rtmp_is_read_by_rtsp() {
    // The dialogs of both have tests of their own; this is about the line of time between them.
    let house = House::new();
    let here = "127.0.0.1:9".parse().unwrap();
    let now = msconv::base::clock::Now::read();
    let client = house.hub.registry().enter(msconv::protocol::RTMP, here, now.mono, now.wall_ms);
    let publisher = house.hub.publish(&stream("cam"), &client, now).unwrap();
    publisher.headers(both());
    publisher.ready(now);
    for i in 0..200_i64 {
        // As RTMP gives them: whole milliseconds.
        let mut frame = audio_frame(5_000 + i * 1024 * 1000 / 48_000);
        if i % 2 == 0 {
            publisher.frame(house::picture(5_000 + i / 2 * 40, 100, i == 0, 10), now);
        }
        frame.dts = MediaTime::from_millis(frame.dts.millis());
        publisher.frame(frame, now);
    }
    publisher.flush(now);
    let mut reader = Peer::reader(&house, "cam", false);
    let (mut reports, mut audio, mut first_picture) = (Vec::new(), Vec::new(), None);
    while audio.len() < 200 {
        match reader.next() {
            Came::Packet(_, true, packet) => match rtcp::read(&packet).unwrap()[0] {
                Packet::Sender(report) => reports.push(report),
                ref other => panic!("{other:?}"),
            },
            Came::Packet(0, false, packet) => {
                first_picture.get_or_insert(Header::read(&packet).unwrap().0.timestamp);
            }
            Came::Packet(_, false, packet) => audio.push(Header::read(&packet).unwrap().0.timestamp),
            other => panic!("{other:?}"),
        }
    }
    assert!(audio.windows(2).all(|w| w[1].wrapping_sub(w[0]) == 1024), "no gap of a single sample");
    let [video_report, audio_report] = reports[..] else { panic!("{reports:?}") };
    assert_eq!(video_report.ntp, audio_report.ntp);
    // Both tracks begin at the same moment of the line, and so they say.
    let since = |timestamp: u32, report: u32| f64::from(timestamp.wrapping_sub(report).cast_signed());
    let of_picture = since(first_picture.unwrap(), video_report.timestamp) / 90_000.0;
    let of_audio = since(audio[0], audio_report.timestamp) / 48_000.0;
    assert!((of_picture - of_audio).abs() < 0.001, "{of_picture} {of_audio}");
}

#[test]
fn audio_that_waits_for_video_goes_out_though_none_follows() {
    let house = House::new();
    for (name, by_datagram) in [("tcp", false), ("udp", true)] {
        let mut publisher = Peer::publisher(&house, name, &both(), by_datagram);
        publisher.picture(0, 1, true, 100).unwrap();
        let mut readers: Vec<_> = (0..12).map(|n| Peer::reader(&house, name, n % 2 == 0)).collect();
        for (n, reader) in readers.iter_mut().enumerate() {
            let unit = if n % 2 == 0 { reader.unit_by_datagram() } else { reader.unit().unwrap() };
            assert_eq!(number(&unit), 1);
        }
        for ms in [20, 40, 60, 80, 100] {
            publisher.send(&audio_frame(ms)).unwrap();
            for (n, reader) in readers.iter_mut().enumerate() {
                if n % 2 == 0 {
                    reader.datagram(1);
                } else {
                    while !matches!(reader.next(), Came::Packet(1, false, _)) {}
                }
            }
        }
    }
}
