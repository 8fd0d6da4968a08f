//! Encoders that announce chunks above 65,536 bytes were closed without a word. 131,072 and 134,217,728 are in use.

use super::live::{lengths, read, tag, urls};
use crate::serving_rtmp::house::{House, audio, closed, video};
use crate::stage::{Coded, PATIENCE, Serve, Stage, needs, stream, wait_for};
use msconv::media::VideoCodec;
use msconv::media::flv::header;
use msconv::protocol::rtmp::session::client::{Aim, ClientSession, Event, Target};
use msconv::protocol::rtmp::session::command;
use msconv::protocol::rtmp::wire::amf0::Value;
use msconv::protocol::rtmp::wire::chunk_writer::{write, write_number};
use msconv::protocol::rtmp::wire::message::kind;
use nix::sys::signal::Signal;
use std::io::{Read, Write};

/// What the standard allows: 31 bits, the top one zero.
const SIZES: [u32; 8] = [1, 127, 65_536, 65_537, 131_072, 16_777_215, 134_217_728, 0x7fff_ffff];

/// A picture of so many bytes.
fn picture(number: u32, length: usize) -> Vec<u8> {
    let mut unit = vec![if number == 0 { 0x65 } else { 0x41 }, 0x88, 0x80];
    unit.extend(number.to_be_bytes());
    unit.resize(length, 0x55);
    tag(VideoCodec::H264, number == 0, &lengths(4, &[unit]))
}

#[test]
fn publishers_may_send_chunks_of_every_size() {
    let house = House::new();
    for size in SIZES {
        let name = format!("chunks-{size}");
        let mut socket = house.raw();
        socket.write_all(&[&[3][..], &[0; 3072]].concat()).unwrap();
        socket.read_exact(&mut [0; 3073]).unwrap();
        let chunk = size as usize;
        let mut out = Vec::new();
        write_number(&mut out, kind::SET_CHUNK_SIZE, size);
        let mut say = |stream: u32, name: &str, transaction: f64, values: &[Value]| {
            let mut whole = Vec::new();
            command::write(&mut whole, stream, name, transaction, values);
            // The same message in chunks of this size.
            let body: Vec<u8> = whole[12..].to_vec();
            write(&mut out, chunk, kind::COMMAND, stream, 0, &[], &body);
        };
        say(0, "connect", 1.0, &[Value::object([("app", Value::text("live"))])]);
        say(0, "createStream", 2.0, &[Value::Null]);
        say(1, "publish", 3.0, &[Value::Null, Value::text(name.clone()), Value::text("live")]);
        socket.write_all(&out).unwrap();
        wait_for(&name, PATIENCE, || house.hub.is_published(&stream(&name)));
        let lengths = if size == 1 { [50, 60, 70] } else { [1_000_000, 70_000, 3_000_000] };
        let mut out = Vec::new();
        write(&mut out, chunk, kind::VIDEO, 1, 0, &[], &header::video(&video()));
        write(&mut out, chunk, kind::AUDIO, 1, 0, &[], &header::audio(&audio()));
        for (number, length) in (0..).zip(lengths) {
            write(&mut out, chunk, kind::VIDEO, 1, number * 40, &[], &picture(number, length));
        }
        socket.write_all(&out).unwrap();
        wait_for(&format!("the frames of {name}"), PATIENCE, || {
            let view = house.hub.snapshot().into_iter().find(|view| view.name.name == name);
            let bytes = view.map_or(0, |view| view.bytes_in);
            if bytes == lengths.iter().map(|l| *l as u64 + 4).sum::<u64>() {
                Ok(())
            } else {
                Err(bytes.to_string())
            }
        });
    }
    // 0 is no size, and one with the top bit is negative.
    for size in [0, 1 << 31, u32::MAX] {
        let mut socket = house.raw();
        socket.write_all(&[&[3][..], &[0; 3072]].concat()).unwrap();
        let mut out = Vec::new();
        write_number(&mut out, kind::SET_CHUNK_SIZE, size);
        socket.write_all(&out).unwrap();
        closed(&socket);
    }
    house.wait_broken("rtmp_chunk_size", 3);
}

#[test]
fn servers_may_send_chunks_of_every_size() {
    for size in SIZES {
        let target = Target {
            url: "rtmp://h/live".into(),
            application: "live".into(),
            name: "film".into(),
            credentials: None,
            arguments: String::new(),
            scheme: None,
        };
        let mut session = ClientSession::new(target, Aim::Play, [3; 32]);
        let c1 = session.output();
        let mut out = [&[3][..], &[0; 1536], &c1[1..]].concat();
        write_number(&mut out, kind::SET_CHUNK_SIZE, size);
        let length = if size == 1 { 300 } else { 3_000_000 };
        write(&mut out, size as usize, kind::VIDEO, 1, 0, &[], &picture(0, length));
        out.chunks(60_000).for_each(|part| session.receive(part).expect("it is RTMP"));
        let media = std::iter::from_fn(|| session.event()).find_map(|event| match event {
            Event::Media(message) => Some(message.payload.len()),
            _ => None,
        });
        assert_eq!(media, Some(length + 9), "{size}");
    }
}

#[test]
fn gstreamer_publishes_in_large_chunks() {
    if !needs("ffmpeg") || !needs("gst-launch-1.0") {
        return;
    }
    let stage = Stage::new("large-chunks");
    let serve = Serve::start(&stage, &[]);
    for size in [131_072_u32, 134_217_728, 0x7fff_ffff] {
        let name = format!("gst-{size}");
        let [url, _] = urls(&serve, &name);
        // Noise, so that frames are larger than such a chunk.
        let args = format!(
            "-q -e videotestsrc is-live=true pattern=snow ! video/x-raw,width=640,height=480,framerate=25/1 ! \
             x264enc key-int-max=10 tune=zerolatency speed-preset=ultrafast pass=quant quantizer=10 ! h264parse ! \
             flvmux streamable=true ! rtmp2sink chunk-size={size} location={url}"
        );
        let publisher = stage.spawn("gst-launch-1.0", &args.split_whitespace().collect::<Vec<_>>());
        wait_for(&format!("{name} to be on the air"), PATIENCE, || {
            let path = serve.get("api", &format!("/v3/paths/get/{name}")).json();
            if path["ready"] == true { Ok(()) } else { Err(format!("{path}\n{}", publisher.stderr())) }
        });
        let args = ["-nostdin", "-v", "error", "-i", &url, "-t", "1", "-c", "copy", "-f", "framecrc", "-"];
        let run = stage.spawn("ffmpeg", &args).wait(PATIENCE).expect(0);
        assert_eq!(run.stderr, "", "{run}");
        let largest = run.stdout.lines().filter(|line| !line.starts_with('#'));
        let largest = largest.filter_map(|line| line.split(',').nth(4)?.trim().parse::<u32>().ok()).max();
        assert!(largest.is_some_and(|bytes| bytes > 131_072), "{run}");
        publisher.signal(Signal::SIGINT);
        publisher.wait(PATIENCE);
    }
    assert!(!serve.running().stderr().contains("is refused"), "{}", serve.running().stderr());
    // Small ones beside them.
    let film = Coded::make(&stage, "ffmpeg", VideoCodec::H264, "320x180", 25, 1);
    let style: super::live::Style =
        Box::new(|_, p| vec![tag(VideoCodec::H264, p.keyframe, &lengths(4, &p.units))]);
    let sender = super::live::Sender::start(serve.address("rtmp"), "small", &film, style, None, Vec::new());
    wait_for("small ones", PATIENCE, || serve.get("api", "/v3/paths/get/small").json()["ready"] == true);
    assert!(read(&stage, "ffmpeg", &urls(&serve, "small")[0], (320, 180)).frames >= 40);
    sender.end();
}
