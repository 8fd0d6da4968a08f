//! Publishers and readers for these tests: coded video sent in real time in ways in which no program here sends it, and
//! ffmpeg that says what it got.

use crate::serving_rtmp::house::Peer;
use crate::stage::{Coded, PATIENCE, Picture, Serve, Stage};
use bytes::Bytes;
use msconv::media::VideoCodec;
use msconv::media::codec::aac::{Adts, adts};
use msconv::media::rtp::{Packets, RtpStream, nal_pack};
use msconv::protocol::rtmp::session::client::Aim;
use msconv::protocol::rtmp::wire::message::kind;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Milliseconds from one picture to the next.
pub const STEP: u32 = 40;

/// AAC, 48 kHz: its packets, and the configuration.
pub fn tone(stage: &Stage) -> Adts {
    let path = stage.root().join("tone.aac");
    let source = "sine=frequency=440:sample_rate=48000:duration=4";
    let args = ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-c:a", "aac", "-f", "adts"];
    stage.spawn("ffmpeg", &[&args[..], &[path.to_str().unwrap()]].concat()).wait(PATIENCE).expect(0);
    adts(&Bytes::from(std::fs::read(path).unwrap())).expect("whole ADTS frames")
}

/// The video messages of picture `number` (it counts on over the rounds of the film).
pub type Style = Box<dyn Fn(u32, &Picture) -> Vec<Vec<u8>> + Send>;

/// AAC, and the audio message of a packet of it.
pub type Audio = (Adts, fn(&[u8]) -> Vec<u8>);

/// Publishes until it is dropped.
pub struct Sender {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    /// Over RTMP: plays `coded` round and round in real time. `audio` gives the message of each packet.
    pub fn start(
        address: SocketAddr,
        name: &str,
        coded: &Coded,
        style: Style,
        audio: Option<Audio>,
        first: Vec<(u8, Vec<u8>)>,
    ) -> Sender {
        let mut peer = Peer::at(address, Aim::Publish, name);
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, frames) = (stop.clone(), coded.frames.clone());
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            first.iter().for_each(|(kind, body)| peer.send(*kind, 0, body));
            let mut packets = 0_u32;
            for number in 0.. {
                let picture = &frames[number as usize % frames.len()];
                for body in style(number, picture) {
                    peer.send(kind::VIDEO, number * STEP, &body);
                }
                if let Some((adts, message)) = &audio {
                    while packets * 1024 / 48 <= number * STEP {
                        let packet = &adts.packets[packets as usize % adts.packets.len()];
                        peer.send(kind::AUDIO, packets * 1024 / 48, &message(packet));
                        packets += 1;
                    }
                }
                if stopped.load(Ordering::Relaxed) {
                    return peer.finish();
                }
                let due = begun + Duration::from_millis(u64::from(STEP)) * number;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        Sender { stop, thread: Some(thread) }
    }

    /// Ends the stream.
    #[track_caller]
    pub fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().expect("the server takes the stream to its end");
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What a reader got.
#[derive(Debug)]
pub struct Got {
    /// Frames of video as they came.
    pub frames: usize,
    /// Frames of video decoded.
    pub decoded: usize,
    /// Whether audio came.
    pub audio: bool,
}

/// Reads two seconds with `ffmpeg`, without a complaint. Each frame has a time of its own, one step behind the last.
#[track_caller]
pub fn read(stage: &Stage, ffmpeg: &str, url: &str, (width, height): (u32, u32)) -> Got {
    let copy = stage
        .root()
        .join(format!("{:x}.crc", url.bytes().fold(7_u64, |h, b| h.wrapping_mul(31) ^ u64::from(b))));
    let decoded = copy.with_extension("decoded");
    let mut args = vec!["-nostdin", "-v", "error", "-y"];
    if url.starts_with("rtsp:") {
        args.extend(["-rtsp_transport", "tcp"]);
    }
    args.extend(["-i", url, "-t", "2", "-map", "0", "-c", "copy", "-f", "framecrc", copy.to_str().unwrap()]);
    args.extend(["-t", "2", "-map", "0:v", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "framecrc"]);
    args.push(decoded.to_str().unwrap());
    let run = stage.spawn(ffmpeg, &args).wait(PATIENCE).expect(0);
    assert_eq!(run.stderr, "", "{run}");
    let lines = |path| -> Vec<Vec<String>> {
        let text: String = std::fs::read_to_string(path).unwrap();
        let fields = |line: &str| line.split(',').map(|field| field.trim().to_string()).collect();
        text.lines().filter(|line| !line.starts_with('#')).map(fields).collect()
    };
    let (copied, heads) = (lines(&copy), std::fs::read_to_string(&copy).unwrap());
    let track = |kind: &str| {
        let line = heads.lines().find(|line| line.starts_with("#media_type") && line.ends_with(kind))?;
        line.split([' ', ':']).nth(1).map(str::to_string)
    };
    let base = |track: &str| {
        let line = heads.lines().find(|line| line.starts_with(&format!("#tb {track}:"))).expect("a timebase");
        let (num, den) =
            line.split_once(": ").and_then(|(_, base)| base.split_once('/')).expect("a fraction");
        num.parse::<f64>().unwrap() / den.parse::<f64>().unwrap()
    };
    let video = track("video").unwrap_or_else(|| panic!("no video: {heads}"));
    let times: Vec<f64> = copied
        .iter()
        .filter(|line| line[0] == video)
        .map(|line| line[2].parse::<f64>().unwrap() * base(&video))
        // Over RTSP ffmpeg guesses the time of the first.
        .skip(usize::from(url.starts_with("rtsp:")))
        .collect();
    let distinct: BTreeSet<i64> = times.iter().map(|time| (time * 1000.0).round() as i64).collect();
    assert_eq!(distinct.len(), times.len(), "{url}: two frames with one time: {times:?}");
    for pair in times.windows(2) {
        let step = (pair[1] - pair[0]) * 1000.0;
        assert!(
            (step - f64::from(STEP)).abs() < 2.0,
            "{url}: a frame too many or too few: {step} ms in {times:?}"
        );
    }
    let decoded = lines(&decoded);
    let bytes = (width * height).to_string();
    assert!(decoded.iter().all(|line| line[4] == bytes), "not all are {width}x{height}: {decoded:?}");
    let audio = track("audio").is_some_and(|audio| copied.iter().any(|line| line[0] == audio));
    Got { frames: times.len(), decoded: decoded.len(), audio }
}

/// The packets of picture `number`: units that go together under a time (in steps of 90 kHz behind the picture's own),
/// the last packet of each with the marker.
pub type Packing = Box<dyn Fn(&Picture) -> Vec<(i32, Vec<Vec<u8>>)> + Send>;

/// Publishes video over RTSP until it is dropped, with a description of its own and packets by [`Packing`].
pub fn rtsp_sender(
    address: SocketAddr,
    name: &str,
    coded: &Coded,
    datagrams: bool,
    packing: Packing,
) -> Sender {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let codec = coded.codec.name();
    let sdp = format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
         a=rtpmap:96 {codec}/90000\r\na=control:trackID=0\r\n"
    );
    let url = format!("rtsp://{address}/{name}");
    let mut cseq = 0;
    let mut ask = |head: String, body: &str| {
        cseq += 1;
        let request = format!("{head}\r\nCSeq: {cseq}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("RTSP/1.0 200"), "{request}\n{answer}");
        answer
    };
    let own = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = own.local_addr().unwrap().port();
    let way = match datagrams {
        true => format!("RTP/AVP;unicast;client_port={port}-{};mode=record", port.wrapping_add(1)),
        false => "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record".to_string(),
    };
    ask(format!("ANNOUNCE {url} RTSP/1.0\r\nContent-Type: application/sdp"), &sdp);
    let answer = ask(format!("SETUP {url}/trackID=0 RTSP/1.0\r\nTransport: {way}"), "");
    let field = |key: &str| {
        let behind = answer.split(key).nth(1)?;
        behind.split([';', '-', '\r']).next().map(str::to_string)
    };
    let session = field("Session: ").expect("a session");
    let port: u16 = field("server_port=").map_or(0, |port| port.parse().unwrap());
    ask(format!("RECORD {url} RTSP/1.0\r\nSession: {session}"), "");
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, coded) = (stop.clone(), coded.clone());
    let thread = std::thread::spawn(move || {
        let begun = Instant::now();
        let mut rtp_stream = RtpStream::new(0, 5, 96, 60_000);
        for number in 0.. {
            let mut packets = Packets::new(4, 0);
            for (later, units) in packing(&coded.frames[number as usize % coded.frames.len()]) {
                let time = (1_000_000 + number * STEP * 90).wrapping_add_signed(later);
                nal_pack::pack(coded.codec, &mut rtp_stream, &mut packets, time, &lengths(4, &units), &[]);
            }
            for packet in packets.each() {
                let sent = if datagrams {
                    own.send_to(&packet, ("127.0.0.1", port)).map(|_| ())
                } else {
                    let [high, low] = u16::try_from(packet.len()).unwrap().to_be_bytes();
                    socket.write_all(&[&[b'$', 0, high, low], &packet[..]].concat())
                };
                sent.expect("the server takes what is sent");
            }
            if stopped.load(Ordering::Relaxed) {
                let last = format!("TEARDOWN {url} RTSP/1.0\r\nCSeq: 99\r\nSession: {session}\r\n\r\n");
                return socket.write_all(last.as_bytes()).expect("the server takes what is sent");
            }
            let due = begun + Duration::from_millis(u64::from(STEP)) * number;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    });
    Sender { stop, thread: Some(thread) }
}

/// Where streams of `serve` are read.
pub fn urls(serve: &Serve, name: &str) -> [String; 2] {
    [
        format!("rtmp://{}/live/{name}", serve.address("rtmp")),
        format!("rtsp://{}/{name}", serve.address("rtsp")),
    ]
}

/// Units behind lengths of `size` bytes.
pub fn lengths(size: usize, units: &[Vec<u8>]) -> Vec<u8> {
    let one = |unit: &Vec<u8>| {
        let length = u32::try_from(unit.len()).unwrap().to_be_bytes();
        assert!(length[..4 - size].iter().all(|byte| *byte == 0), "too long for lengths of {size} bytes");
        [&length[4 - size..], unit].concat()
    };
    units.iter().flat_map(one).collect()
}

/// Units behind start codes.
pub fn codes(units: &[Vec<u8>]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1], &unit[..]].concat()).collect()
}

/// A tag of coded video: plain for H.264, H.265 by its old number, the others by FourCC.
pub fn tag(codec: VideoCodec, keyframe: bool, payload: &[u8]) -> Vec<u8> {
    let kind: u8 = if keyframe { 0x10 } else { 0x20 };
    match codec {
        VideoCodec::H264 => [&[kind | 7, 1, 0, 0, 0], payload].concat(),
        VideoCodec::H265 => [&[kind | 12, 1, 0, 0, 0], payload].concat(),
        _ => enhanced(codec, keyframe, payload),
    }
}

/// A tag of coded video by FourCC.
pub fn enhanced(codec: VideoCodec, keyframe: bool, payload: &[u8]) -> Vec<u8> {
    let kind: u8 = if keyframe { 0x90 } else { 0xa0 };
    let code = match codec {
        VideoCodec::H264 => b"avc1",
        VideoCodec::H265 => b"hvc1",
        VideoCodec::Av1 => b"av01",
        VideoCodec::Vp9 => b"vp09",
    };
    // Packets without a composition time.
    let packet = if matches!(codec, VideoCodec::H264 | VideoCodec::H265) { 3 } else { 1 };
    [&[kind | packet][..], code, payload].concat()
}

/// A newer ffmpeg, for codecs that RTMP carries by FourCC.
pub fn newer_ffmpeg() -> Option<String> {
    let path = std::env::var("MSCONV_FFMPEG_ENHANCED").ok().filter(|p| std::path::Path::new(p).exists());
    if path.is_none() {
        eprintln!("skipped: MSCONV_FFMPEG_ENHANCED names no ffmpeg");
    }
    path
}
