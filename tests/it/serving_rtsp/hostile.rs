//! Hostile and unlucky peers (`reliability.md`, section 3). Beside each of them a stream goes on without losing a frame.

use super::house::{Came, Canary, House, Peer, Plan, SOON, both, frames, last_status, last_words};
use crate::stage::stream;
use crate::stage::wait_for;
use msconv::hub;
use msconv::protocol::RTSP_SESSION;
use msconv::protocol::rtsp::server::Limits;
use msconv::protocol::rtsp::session::client::Intent;
use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

/// Limits of time that a test can wait for.
fn impatient() -> Plan {
    let limits = Limits {
        message: Duration::from_millis(500),
        idle: Duration::from_secs(3),
        silence: Duration::from_secs(1),
        farewell: Duration::from_millis(500),
        ..Limits::default()
    };
    Plan { limits, ..Plan::default() }
}

#[test]
fn half_requests_and_slow_ones_are_answered_and_closed() {
    // The stream beside them lives longer than a reader without signs of life.
    let mut plan = impatient();
    plan.limits.idle = SOON;
    let house = House::with(plan);
    let canary = Canary::new(&house);
    let silent = house.raw();
    let mut half = house.raw();
    half.write_all(b"DESCRIBE rtsp://h/x RTSP/1.0\r\nCSe").unwrap();
    let mut body = house.raw();
    body.write_all(b"ANNOUNCE rtsp://h/x RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 500\r\n\r\nv=0").unwrap();
    let mut packet = house.raw();
    packet.write_all(b"$\0\xff\xffhalf").unwrap();
    // One byte at a time, each well inside any pause that a limit on pauses would allow.
    let mut slow = house.raw();
    let drip = {
        let mut slow = slow.try_clone().unwrap();
        std::thread::spawn(move || {
            while slow.write_all(b"A").is_ok() {
                std::thread::sleep(Duration::from_millis(40));
            }
        })
    };
    for socket in [&silent, &half, &body, &packet] {
        assert_eq!(last_status(socket), 408);
    }
    let _ = slow.flush();
    drip.join().unwrap();
    house.wait_broken("rtsp_message_time", 5);
    canary.sings();
}

#[test]
fn what_is_no_rtsp_is_answered_and_closed() {
    let house = House::new();
    let canary = Canary::new(&house);
    for (words, status) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\x03\x00\x00\x00\x00", 400),
        (b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n", 505),
        (b"OPTIONS * RTSP/1.0\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
        (b"$\0\0\x04abcd", 400),
        (b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 400),
    ] {
        let mut socket = house.raw();
        socket.write_all(words).unwrap();
        assert_eq!(last_status(&socket), status, "{words:?}");
    }
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..200 {
        let mut socket = house.raw();
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise as u8
        })
        .take(3000)
        .collect();
        if round % 2 == 0 {
            bytes.splice(..0, *b"DESCRIBE rtsp://h/x RTSP/1.0\r\nCSeq: 1\r\n");
        }
        let _ = socket.write_all(&bytes);
        let _ = socket.shutdown(Shutdown::Write);
        last_words(&socket);
    }
    canary.sings();
}

#[test]
fn what_is_too_large_is_answered_and_closed() {
    let house = House::new();
    let canary = Canary::new(&house);
    const MOST: u32 = 10_000_000;
    let endless_headers = |socket: &mut std::net::TcpStream| {
        let mut number = 0;
        // The server closes long before this ends.
        while number < MOST && socket.write_all(format!("X{number}: y\r\n").as_bytes()).is_ok() {
            number += 1;
        }
        number
    };
    let mut socket = house.raw();
    socket.write_all(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n").unwrap();
    assert!(endless_headers(&mut socket) < MOST);
    house.wait_broken("rtsp_headers", 1);
    for (words, status, limit) in [
        (vec![b'A'; 5000], 414, "rtsp_line"),
        ([&b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: "[..], &[b'x'; 9000]].concat(), 400, "rtsp_header"),
        (
            b"ANNOUNCE rtsp://h/x RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 65537\r\n\r\n".to_vec(),
            413,
            "rtsp_body",
        ),
        (
            b"ANNOUNCE rtsp://h/x RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 4294967295\r\n\r\n".to_vec(),
            413,
            "rtsp_body",
        ),
    ] {
        let before = house.broken(limit);
        let mut socket = house.raw();
        let _ = socket.write_all(&words);
        let _ = socket.shutdown(Shutdown::Write);
        assert_eq!(last_status(&socket), status, "{limit}");
        house.wait_broken(limit, before + 1);
    }
    canary.sings();
}

#[test]
fn garbage_between_the_packets_ends_a_session() {
    let house = House::new();
    let canary = Canary::new(&house);
    let mut publisher = Peer::publisher(&house, "cam", &both(), false);
    publisher.picture(0, 0, true, 10).unwrap();
    for (garbage, limit) in [
        (b"$\x77\0\x04abcd".repeat(60), Some("rtsp_stray_packets")),
        (b"\0\x01\x02garbage".to_vec(), None),
        (b"$\x01\xff\xff".iter().copied().chain([0; 65_535]).chain(*b"x").collect(), None),
    ] {
        let mut reader = Peer::reader(&house, "cam", false);
        let _ = reader.socket.write_all(&garbage);
        let words = last_words(&reader.socket);
        assert!(words.contains("RTSP/1.0 400 Bad Request"), "the answer stands between whole packets");
        if let Some(limit) = limit {
            house.wait_broken(limit, 1);
        }
    }
    // What is no RTP on a channel that was set up is counted and borne; the stream goes on.
    publisher.socket.write_all(&b"$\0\0\x04abcd".repeat(50)).unwrap();
    publisher.picture(40, 1, true, 10).unwrap();
    let mut reader = Peer::reader(&house, "cam", false);
    assert!(reader.unit().is_some());
    let session =
        house.client(RTSP_SESSION, |c| c.details().role == hub::Role::Publish && c.details().name == "cam");
    assert_eq!(hub::client::get(&session.counters.packets_in_error), 50);
    publisher.socket.write_all(b"garbage").unwrap();
    assert_eq!(last_status(&publisher.socket), 400);
    wait_for("the name to be free", SOON, || !house.hub.is_published(&stream("cam")));
    canary.sings();
}

#[test]
fn a_flood_of_connections_is_borne() {
    let house = House::new();
    let canary = Canary::new(&house);
    let mut sockets: Vec<_> = (0..400).map(|_| house.raw()).collect();
    for (n, socket) in sockets.iter_mut().enumerate() {
        if n % 2 == 0 {
            socket.write_all(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nOPT").unwrap();
        }
    }
    let mut publisher = Peer::publisher(&house, "cam", &frames(), false);
    publisher.picture(0, 0, true, 10).unwrap();
    assert!(Peer::reader(&house, "cam", false).unit().is_some());
    drop(sockets);
    canary.sings();
}

#[test]
fn requests_without_end_whose_answers_nobody_reads() {
    let house = House::new();
    let canary = Canary::new(&house);
    let mut socket = house.raw();
    let many = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".repeat(1000);
    // Never read: the answers fill every buffer, and then the connection is closed.
    while socket.write_all(&many).is_ok() {}
    house.wait_broken("rtsp_unread_answers", 1);
    canary.sings();
}

#[test]
fn readers_that_stop_reading_are_closed_and_harm_nobody() {
    let hub = hub::Limits { no_progress: Duration::from_secs(2), ..hub::Limits::default() };
    let house = House::with(Plan { hub, ..Plan::default() });
    let canary = Canary::new(&house);
    let stopped: Vec<_> = (0..20).map(|_| Peer::reader(&house, "canary", false)).collect();
    wait_for("those who stopped to be closed", SOON, || {
        let left = house.hub.registry().list(RTSP_SESSION).len();
        if left == 2 { Ok(()) } else { Err(format!("{left} sessions")) }
    });
    drop(stopped);
    canary.sings();
}

#[test]
fn publishers_that_fall_silent_free_their_name() {
    let house = House::with(impatient());
    let canary = Canary::new(&house);
    let _announced = {
        let mut raw = house.raw();
        let sdp = "v=0\r\nm=audio 0 RTP/AVP 0\r\n";
        let request = format!(
            "ANNOUNCE rtsp://h/only RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        raw.write_all(request.as_bytes()).unwrap();
        raw
    };
    let _granted = Peer::publisher(&house, "granted", &frames(), false);
    let mut silent = Peer::publisher(&house, "silent", &frames(), true);
    silent.picture(0, 0, true, 10).unwrap();
    house.wait_broken("publish_silence", 3);
    for name in ["only", "granted", "silent"] {
        assert!(!house.hub.is_published(&stream(name)), "{name}");
        Peer::publisher(&house, name, &frames(), false);
    }
    while !matches!(silent.next(), Came::End) {}
    canary.sings();
}

#[test]
fn passwords_cannot_be_tried_quickly() {
    use msconv::auth::{Access, Credentials};
    let access = Access { read: Some(Credentials::new("u", "p")), ..Access::default() };
    let house = House::with(Plan { authorizer: std::sync::Arc::new(access), ..Plan::default() });
    let begun = std::time::Instant::now();
    Peer::new(&house, "x", Some(("u", "wrong")), Intent::Read, false).refusal();
    assert!(begun.elapsed() >= Duration::from_millis(500), "the answer is held back");
}
