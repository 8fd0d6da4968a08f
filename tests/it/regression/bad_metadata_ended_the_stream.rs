//! A publisher whose `onMetaData` could not be read was thrown out, and its stream with it.

use super::live::{Sender, Style, lengths, read, tag, urls};
use crate::stage::{Coded, PATIENCE, Serve, Stage, needs, wait_for};
use msconv::media::VideoCodec;
use msconv::protocol::rtmp::wire::amf0::{Value, encode};
use msconv::protocol::rtmp::wire::message::kind;

/// Data messages that nobody can read, or that are of no use.
fn bad() -> Vec<(u8, Vec<u8>)> {
    let name = encode(&[Value::text("onMetaData")]);
    let set = encode(&[Value::text("@setDataFrame")]);
    let nested = [3, 0, 1, b'a'].repeat(2000);
    let wide = {
        let many = (0..4000).map(|n| (format!("key{n}"), Value::Number(f64::from(n)))).collect();
        encode(&[Value::EcmaArray(many)])
    };
    let index = {
        // The index of a long file: times and positions of its keyframes.
        let numbers = || Value::Array((0..10_000).map(|n| Value::Number(f64::from(n))).collect());
        let keyframes = Value::object([("times", numbers()), ("filepositions", numbers())]);
        encode(&[Value::object([("keyframes", keyframes)])])
    };
    let long = [&[3, 0, 1, b'a', 2, 0xff, 0xff][..], &[b'x'; 65_535], &[0, 0, 9]].concat();
    let tails: Vec<Vec<u8>> = vec![
        vec![],
        vec![5],
        vec![0, 1, 2, 3],
        vec![2, 0, 200, b'x'],
        vec![0x11, 0x0a, 0x0b, 1, 5],
        vec![0xee, 0xff],
        vec![10, 0xff, 0xff, 0xff, 0xff],
        vec![8, 0, 0, 0, 1, 0, 5, b'w', b'i'],
        nested,
        wide,
        index,
        long,
        vec![0x0c, 0x7f, 0xff, 0xff, 0xff],
    ];
    let mut all: Vec<(u8, Vec<u8>)> = Vec::new();
    for tail in tails {
        for head in [name.clone(), [&set[..], &name].concat()] {
            all.push((kind::DATA, [&head[..], &tail].concat()));
            all.push((kind::DATA_AMF3, [&[0], &head[..], &tail].concat()));
            all.push((kind::DATA_AMF3, [&head[..], &tail].concat()));
        }
    }
    all.extend(
        [set, vec![2], vec![2, 0xff, 0xff], vec![0; 40], vec![0xff; 900_000]].map(|body| (kind::DATA, body)),
    );
    // Shared objects and types that nobody knows.
    all.extend([
        (kind::SHARED_OBJECT, vec![0xff; 300]),
        (kind::SHARED_OBJECT_AMF3, vec![7; 90_000]),
        (99, vec![1; 90_000]),
    ]);
    all
}

#[test]
fn metadata_that_cannot_be_read_are_left_out_and_the_stream_goes_on() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("bad-metadata");
    let serve = Serve::start(&stage, &[]);
    let film = Coded::make(&stage, "ffmpeg", VideoCodec::H264, "320x180", 50, 1);
    let one = |p: &crate::stage::Picture| tag(VideoCodec::H264, p.keyframe, &lengths(4, &p.units));
    // In front, and in mid-stream.
    let style: Style = Box::new(move |_, p| vec![one(p)]);
    let in_front = Sender::start(serve.address("rtmp"), "front", &film, style, None, bad());
    let mut peer = crate::serving_rtmp::house::Peer::at(
        serve.address("rtmp"),
        msconv::protocol::rtmp::session::client::Aim::Publish,
        "middle",
    );
    let mut messages = bad().into_iter();
    for number in 0..100_u32 {
        peer.send(kind::VIDEO, number * 40, &one(&film.frames[number as usize % 50]));
        if let Some((kind, body)) = messages.next() {
            peer.send(kind, number * 40, &body);
        }
    }
    assert_eq!(messages.count(), 0, "all were sent");
    let path = |name: &str| serve.get("api", &format!("/v3/paths/get/{name}")).json();
    wait_for("what follows the last of them", PATIENCE, || {
        let (front, middle) = (path("front"), path("middle"));
        let all: usize = film.frames.iter().flat_map(|p| &p.units).map(|unit| unit.len() + 4).sum();
        let came = middle["inboundBytes"].as_u64().unwrap_or(0) as usize;
        if front["ready"] == true && came == 2 * all { Ok(()) } else { Err(format!("{front}\n{middle}")) }
    });
    let got = read(&stage, "ffmpeg", &urls(&serve, "front")[0], (320, 180));
    assert!(got.frames >= 40 && got.decoded >= 40, "{got:?}");
    peer.finish();
    in_front.end();
    let said = serve.running().stderr();
    for name in ["front", "middle"] {
        let told =
            said.lines().filter(|line| line.contains(&format!(" publishes {name}: a data message"))).count();
        assert!((1..=16).contains(&told), "told, and not each time: {said}");
    }
    assert!(!said.contains("is closed") && !said.contains("may not publish"), "{said}");
}
