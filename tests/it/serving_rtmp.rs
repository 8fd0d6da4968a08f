//! The embedded RTMP server under hostile and unlucky peers, beside which another stream goes on; and with the programs
//! that people use.

pub mod house;
mod programs;
mod toy_protocol;

use crate::stage::stream;
use crate::stage::wait_for;
use house::{Canary, House, Peer, SOON, closed};
use msconv::auth::{Access, Credentials};
use msconv::hub::{self, Role};
use msconv::protocol::RTMP;
use msconv::protocol::admission;
use msconv::protocol::rtmp::session::client::{Aim, Event, Target};
use msconv::protocol::rtmp::session::command;
use msconv::protocol::rtmp::session::server::Rules;
use msconv::protocol::rtmp::wire::amf0::Value;
use msconv::protocol::rtmp::wire::chunk_writer;
use msconv::protocol::rtmp::wire::message::kind;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Limits of time that a test can wait for.
fn impatient() -> Rules {
    Rules {
        handshake: Duration::from_millis(400),
        purpose: Duration::from_millis(800),
        silence: Duration::from_secs(2),
        ..Rules::default()
    }
}

fn many() -> admission::Limits {
    admission::Limits { total: 4096, ..admission::Limits::default() }
}

/// A connection that has shaken hands.
fn shaken(house: &House) -> TcpStream {
    let mut socket = house.raw();
    socket.write_all(&[&[3][..], &[0; 3072]].concat()).unwrap();
    let mut answer = [0; 3073];
    socket.read_exact(&mut answer).unwrap();
    socket
}

/// A connection that has been let in and has made a message stream.
fn connected(house: &House) -> TcpStream {
    let mut socket = shaken(house);
    let mut out = Vec::new();
    chunk_writer::set_chunk_size(&mut out);
    command::write(&mut out, 0, "connect", 1.0, &[Value::object([("app", Value::text("live"))])]);
    command::write(&mut out, 0, "createStream", 2.0, &[Value::Null]);
    socket.write_all(&out).unwrap();
    socket
}

#[test]
fn half_handshakes_and_slow_ones_are_closed() {
    let house = House::with(impatient(), hub::Limits::default(), many());
    let canary = Canary::new(&house);
    let silent = house.raw();
    let mut half = house.raw();
    half.write_all(&[3; 700]).unwrap();
    // One byte at a time, each well inside any pause that a limit on pauses would allow.
    let mut slow = house.raw();
    let drip = std::thread::spawn(move || {
        while slow.write_all(&[3]).is_ok() {
            std::thread::sleep(Duration::from_millis(40));
        }
    });
    closed(&silent);
    closed(&half);
    drip.join().unwrap();
    house.wait_broken("rtmp_handshake_time", 3);
    closed(&shaken(&house));
    closed(&connected(&house));
    house.wait_broken("rtmp_idle_time", 2);
    canary.sings();
}

#[test]
fn what_is_no_rtmp_is_closed() {
    let house = House::new();
    let canary = Canary::new(&house);
    for words in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00",
        b"OPTIONS * RTSP/1.0\r\n\r\n",
        &[6; 2000],
    ] {
        let mut socket = house.raw();
        socket.write_all(words).unwrap();
        closed(&socket);
    }
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..200 {
        let mut socket = shaken(&house);
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise as u8
        })
        .take(3000)
        .collect();
        let _ = socket.write_all(&bytes);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        closed(&socket);
    }
    canary.sings();
}

#[test]
fn bombs_and_lies_about_lengths_are_closed() {
    let house = House::new();
    let canary = Canary::new(&house);
    // 240 KB of nested objects in `connect`, as they kill nginx-rtmp's worker: too long, and too deep.
    let bomb = |length: usize| {
        let mut body = b"\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00".to_vec();
        while body.len() < length {
            body.extend_from_slice(&[3, 0, 1, b'a']);
        }
        let mut out = Vec::new();
        chunk_writer::set_chunk_size(&mut out);
        chunk_writer::write(&mut out, 65_536, kind::COMMAND, 0, 0, &[], &body);
        out
    };
    let number = |size: u32| {
        let mut out = Vec::new();
        chunk_writer::write_number(&mut out, kind::SET_CHUNK_SIZE, size);
        out
    };
    let media = |id: u8, length: u32| {
        let [_, a, b, c] = length.to_be_bytes();
        [&[0, id, 0, 0, 0, a, b, c, 9, 1, 0, 0, 0][..], &[0; 128]].concat()
    };
    for (words, limit) in [
        (bomb(240_000), "rtmp_message_length"),
        (bomb(60_000), "rtmp_amf_depth"),
        (number(0), "rtmp_chunk_size"),
        (number(1 << 31), "rtmp_chunk_size"),
        (number(u32::MAX), "rtmp_chunk_size"),
        (media(1, (8 << 20) + 1), "rtmp_message_length"),
        ((1..10).flat_map(|id| media(id, 8 << 20)).collect(), "rtmp_half_read"),
        ((1..40).flat_map(|id| media(id, 128)).collect(), "rtmp_chunk_streams"),
        ([media(1, 500), media(1, 100)].concat(), "rtmp_message_changed"),
    ] {
        let before = house.broken(limit);
        let mut socket = shaken(&house);
        let _ = socket.write_all(&words);
        closed(&socket);
        house.wait_broken(limit, before + 1);
    }
    // Questions whose answers nobody reads.
    let mut socket = connected(&house);
    let mut question = Vec::new();
    command::write(&mut question, 0, "conjure", 3.0, &[Value::Null]);
    let flood = question.repeat(1000);
    while socket.write_all(&flood).is_ok() {}
    house.wait_broken("rtmp_unread_answers", 1);
    canary.sings();
}

#[test]
fn a_flood_of_connections_pushes_out_idle_ones_only() {
    let admission = admission::Limits { total: 40, ..admission::Limits::default() };
    let house = House::with(Rules::default(), hub::Limits::default(), admission);
    let canary = Canary::new(&house);
    let idle: Vec<TcpStream> = (0..200).map(|_| house.raw()).collect();
    // The first of them made room for the last; whoever comes now is served.
    closed(&idle[0]);
    let mut publisher = house.publisher("late");
    publisher.headers(0);
    publisher.picture(0, 7, true, 10);
    assert_eq!(house.reader("late").number().0, 7);
    wait_for("no more than are allowed", SOON, || house.hub.registry().list(RTMP).len() <= 40);
    drop(idle);
    canary.sings();
}

#[test]
fn a_reader_that_stops_costs_the_others_nothing() {
    let limits = hub::Limits { no_progress: Duration::from_secs(2), ..hub::Limits::default() };
    let house = House::with(Rules::default(), limits, many());
    let canary = Canary::new(&house);
    let mut publisher = house.publisher("heavy");
    publisher.headers(0);
    publisher.picture(0, 0, true, 100);
    let stopped: Vec<Peer> = (0..5).map(|_| house.reader("heavy")).collect();
    let mut reads = house.reader("heavy");
    let reading = std::thread::spawn(move || {
        let (first, _) = reads.number();
        let mut next = first + 1;
        while let Some(event) = reads.event() {
            if let Event::Media(m) = event
                && m.kind == kind::VIDEO
            {
                assert_eq!(u32::from_be_bytes(m.payload[10..14].try_into().unwrap()), next);
                next += 1;
            }
        }
        next
    });
    // 40 KB each: far more than the sockets hold.
    let mut number = 0;
    wait_for("the stopped readers to be closed", SOON, || {
        for _ in 0..10 {
            number += 1;
            publisher.picture(number * 20, number, number % 25 == 0, 40_000);
        }
        house.broken("reader_progress") >= 5
    });
    let readers = house.hub.snapshot().iter().find(|s| s.name.name == "heavy").map(|s| s.readers.len());
    assert_eq!(readers, Some(1));
    let dropped = house.hub.snapshot().iter().find(|s| s.name.name == "heavy").unwrap().frames_dropped;
    assert!(dropped > 0, "what they did not get is counted");
    publisher.finish();
    let next = reading.join().expect("the one that reads gets all");
    assert!(number + 1 - next < 50, "{next} of {number}");
    drop(stopped);
    canary.sings();
}

#[test]
fn a_publisher_that_dies_or_falls_silent_frees_its_name_and_may_come_back() {
    let house = House::with(impatient(), hub::Limits::default(), many());
    let canary = Canary::new(&house);
    for dies in [true, false] {
        let name = if dies { "dies" } else { "silent" };
        let mut publisher = house.publisher(name);
        publisher.headers(50_000);
        publisher.picture(50_000, 1, true, 10);
        let mut reader = house.reader(name);
        assert_eq!(reader.number(), (1, 50_000));
        if dies {
            drop(publisher);
        } else {
            closed(&publisher.socket);
            house.wait_broken("publish_silence", 1);
        }
        wait_for("the name to be free", SOON, || !house.hub.is_published(&stream(name)));
        // Its clock begins anew, the reader's goes on.
        let mut publisher = house.publisher(name);
        publisher.headers(0);
        publisher.picture(0, 2, true, 10);
        publisher.picture(40, 3, false, 10);
        let (second, third) = (reader.number(), reader.number());
        assert_eq!((second.0, third.0), (2, 3), "{name}");
        assert!(second.1 > 50_000 && third.1 == second.1 + 40, "{second:?} {third:?}");
    }
    canary.sings();
}

#[test]
fn the_end_of_a_stream_is_told_at_once() {
    let house = House::new();
    let mut publisher = house.publisher("film");
    publisher.headers(0);
    publisher.picture(0, 1, true, 10);
    let mut readers: Vec<Peer> = (0..3).map(|_| house.reader("film")).collect();
    readers.iter_mut().for_each(|r| assert_eq!(r.number().0, 1));
    publisher.finish();
    for reader in &mut readers {
        assert_eq!(reader.until_the_end().as_deref(), Some("NetStream.Play.UnpublishNotify"));
    }
    assert!(!house.hub.is_published(&stream("film")));
    // A name that nobody publishes, one that cannot be, one that is taken.
    let mut late = Peer::new(&house, Aim::Play, "film");
    assert_eq!(late.refusal().0, "NetStream.Play.StreamNotFound");
    let mut wrong = Peer::new(&house, Aim::Publish, "../../x");
    assert_eq!(wrong.refusal().0, "NetStream.Publish.BadName");
    let mut first = house.publisher("film");
    let mut second = Peer::new(&house, Aim::Publish, "film");
    assert_eq!(second.refusal().0, "NetStream.Publish.BadName");
    first.headers(0);
    first.picture(0, 5, true, 10);
    assert_eq!(house.reader("film").number().0, 5, "the first is unharmed");
}

#[test]
fn whoever_is_kicked_goes_and_the_end_of_the_server_is_told() {
    let mut house = House::new();
    let mut publisher = house.publisher("film");
    publisher.headers(0);
    publisher.picture(0, 1, true, 10);
    let mut kicked = house.reader("film");
    let mut stays = house.reader("film");
    assert_eq!((kicked.number().0, stays.number().0), (1, 1));
    let clients = house.hub.registry().list(RTMP);
    let of = |peer: &Peer| {
        let address = peer.socket.local_addr().unwrap();
        clients.iter().find(|c| c.remote == address).expect("an entry").clone()
    };
    let client = of(&kicked);
    let details = client.details();
    assert_eq!(
        (details.role, details.name.as_str(), details.application.as_str()),
        (Role::Read, "film", "live")
    );
    assert_eq!(of(&publisher).details().role, Role::Publish);
    assert!(of(&publisher).details().agent.starts_with("FMLE/3.0"));
    client.kick();
    drop((client, clients));
    assert!(kicked.until_the_end().is_some());
    publisher.picture(40, 2, false, 10);
    assert_eq!(stays.number().0, 2);
    house.end();
    assert!(stays.until_the_end().is_some());
    closed(&publisher.socket);
}

#[test]
fn times_travel_past_both_wraps() {
    let house = House::new();
    for (name, start) in [("a", (1 << 24) - 100), ("b", u32::MAX - 99)] {
        let mut publisher = house.publisher(name);
        publisher.headers(start);
        publisher.picture(start, 0, true, 100_000);
        let mut reader = house.reader(name);
        for number in 1..10 {
            publisher.picture(start.wrapping_add(number * 40), number, false, 70_000);
        }
        for number in 0..10 {
            assert_eq!(reader.number(), (number, start.wrapping_add(number * 40)));
        }
    }
}

#[test]
fn wrong_passwords_are_counted_and_shut_out() {
    let access = Access { publish: Some(Credentials::new("bob", "secret")), ..Access::default() };
    let house = House::guarded(Rules::default(), Arc::new(access));
    let canary_name = "canary?user=bob&pass=secret";
    let mut publisher = house.publisher(canary_name);
    publisher.headers(0);
    publisher.picture(0, 1, true, 10);
    std::thread::scope(|scope| {
        for n in 0..10 {
            let house = &house;
            scope.spawn(move || {
                let mut peer = Peer::new(house, Aim::Publish, &format!("film?user=bob&pass={n}"));
                assert_eq!(peer.refusal().1, "wrong user or password");
            });
        }
    });
    assert_eq!(house.broken("auth_failures"), 10);
    let mut right = Peer::new(&house, Aim::Publish, "film?user=bob&pass=secret");
    assert!(right.refusal().1.starts_with("too many failed attempts"));
    // Who is in stays in, and reading is free.
    publisher.picture(40, 2, false, 10);
    let mut reader = house.reader("canary");
    assert_eq!((reader.number().0, reader.number().0), (1, 2));
}

#[test]
fn adobe_authentication_over_real_connections() {
    let access = Access { publish: Some(Credentials::new("bob", "secret")), ..Access::default() };
    let house = House::guarded(Rules::default(), Arc::new(access));
    let mut arguments = String::new();
    let connect = |arguments: &str| {
        Peer::to(
            &house,
            Aim::Publish,
            Target {
                url: format!("rtmp://{}/live", house.address),
                application: "live".into(),
                name: "film".into(),
                credentials: Some(Credentials::new("bob", "secret")),
                arguments: arguments.into(),
                scheme: None,
            },
        )
    };
    // Nobody knows at first that it would have answered; from the second attempt on it is asked.
    assert!(connect("").refusal().1.starts_with("publishing needs a user and a password"));
    for _ in 0..2 {
        match connect(&arguments).event() {
            Some(Event::Again(next)) => arguments = next,
            other => panic!("not asked: {other:?}"),
        }
    }
    connect(&arguments).until_ready();
}

#[test]
fn codecs_that_are_not_carried_are_refused_by_name() {
    let house = House::new();
    let mut publisher = house.publisher("old");
    publisher.send(kind::VIDEO, 0, &[0x12, 1, 2, 3]);
    let (code, text) = publisher.refusal();
    assert_eq!(code, "NetStream.Publish.Rejected");
    assert!(text.starts_with("Sorenson H.263 is not carried"), "{text}");
    wait_for("the name to be free", SOON, || !house.hub.is_published(&stream("old")));
}

#[test]
fn a_reader_waits_for_the_tracks_and_may_pause() {
    let house = House::new();
    let mut publisher = house.publisher("film");
    let mut reader = Peer::new(&house, Aim::Play, "film");
    let address = reader.socket.local_addr().unwrap();
    // It asks before there is anything to describe.
    let waiting = std::thread::spawn(move || {
        reader.until_ready();
        reader
    });
    wait_for("the reader to be connected", SOON, || {
        house.hub.registry().list(RTMP).iter().any(|c| c.remote == address)
    });
    publisher.headers(0);
    publisher.picture(0, 0, true, 10);
    let mut reader = waiting.join().unwrap();
    assert_eq!(reader.number().0, 0);
    let say = |reader: &mut Peer, pauses: bool| {
        let mut out = Vec::new();
        let values = [Value::Null, Value::Boolean(pauses), Value::Number(0.0)];
        command::write(&mut out, 1, "pause", 0.0, &values);
        reader.socket.write_all(&out).unwrap();
    };
    let heard = |counter: u64| {
        let clients = house.hub.registry().list(RTMP);
        let client = clients.iter().find(|c| c.remote == address).unwrap();
        hub::client::get(&client.counters.bytes_in) > counter
    };
    let bytes = |house: &House| {
        let clients = house.hub.registry().list(RTMP);
        hub::client::get(&clients.iter().find(|c| c.remote == address).unwrap().counters.bytes_in)
    };
    let before = bytes(&house);
    say(&mut reader, true);
    wait_for("the pause to be heard", SOON, || heard(before));
    publisher.picture(40, 1, false, 10);
    publisher.picture(80, 2, true, 10);
    // The two connections are read in any order.
    wait_for("the keyframe to arrive", SOON, || {
        house.hub.snapshot().iter().any(|view| view.totals.video_frames == 3)
    });
    let before = bytes(&house);
    say(&mut reader, false);
    wait_for("its end to be heard", SOON, || heard(before));
    publisher.picture(120, 3, false, 10);
    assert_eq!((reader.number().0, reader.number().0), (2, 3), "it goes on with the last keyframe");
}

#[test]
fn a_stall_of_the_control_thread_costs_no_frame() {
    let house = House::new();
    let beside = msconv::server::runtime_thread::RuntimeThread::start("control").unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (stalls, stalled) = std::sync::mpsc::channel();
    // As a page that takes its time would, or a disk.
    let stall = beside.run(async move {
        stalls.send(()).unwrap();
        let _ = held.recv_timeout(SOON);
    });
    stalled.recv_timeout(SOON).unwrap();
    let mut publisher = house.publisher("cam");
    publisher.headers(0);
    publisher.picture(0, 1, true, 10);
    let mut reader = house.reader("cam");
    for number in 2..=100 {
        publisher.picture(number * 40, number, number % 25 == 0, 10);
    }
    let mut next = 1;
    while next <= 100 {
        assert_eq!(reader.number().0, next);
        next += 1;
    }
    drop(release);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(stall);
}

#[test]
fn audio_that_waits_for_video_goes_out_though_none_follows() {
    let house = House::new();
    let mut publisher = house.publisher("cam");
    publisher.headers(0);
    publisher.picture(0, 1, true, 10);
    let mut readers: Vec<_> = (0..12).map(|_| house.reader("cam")).collect();
    for reader in &mut readers {
        assert_eq!(reader.number().0, 1);
    }
    for number in 1..=5 {
        publisher.send(kind::AUDIO, u32::from(number) * 20, &[0xaf, 1, number, 0]);
        for reader in &mut readers {
            let mut audio = || reader.media().payload.get(2).copied();
            while audio() != Some(number) {}
        }
    }
}
