//! GStreamer's rtspclientsink, and cameras, publish AAC as MP4A-LATM; that was answered with 415.

use crate::serving_rtsp::house::{House, Peer, Raw, SOON};
use crate::stage::{Running, Stage, needs, wait_for};
use msconv::media::{AudioCodec, AudioTrack};
use std::time::Duration;

/// Longer than any program here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until audio of the stream has come; its track.
#[track_caller]
fn audio_track(house: &House, name: &str, publisher: &Running) -> AudioTrack {
    wait_for("audio", PATIENCE, || {
        let view = house.hub.snapshot().into_iter().find(|v| v.name.name == name);
        let audio =
            view.filter(|v| v.totals.audio_bytes > 2000).and_then(|v| v.headers.tracks.audio().cloned());
        audio.ok_or_else(|| format!("{}\n{:?}", publisher.stderr(), house.said(&[])))
    })
}

/// Reads three seconds with ffmpeg, which decodes them without a word and hears `hertz`.
#[track_caller]
fn heard(stage: &Stage, house: &House, name: &str, transport: &str, hertz: f64) {
    let url = house.url(name);
    let input = ["-nostdin", "-v", "warning", "-rtsp_transport", transport, "-i", &url, "-t", "3"];
    let output = ["-vn", "-ac", "1", "-ar", "48000", "-f", "s16le", "pipe:1"];
    let wav = stage.file("heard.raw");
    let output = [&output[..output.len() - 1], &["-y", wav.to_str().unwrap()]].concat();
    let run = stage.spawn("ffmpeg", &[&input[..], &output].concat()).wait(PATIENCE).expect(0);
    assert_eq!(run.stderr.trim(), "", "{run}");
    let bytes = std::fs::read(wav).unwrap();
    let samples: Vec<i16> = bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    assert!(samples.len() > 48_000 * 2, "{} samples", samples.len());
    // The second half, where nothing begins any more: how often it passes zero upwards.
    let half = &samples[samples.len() / 2..];
    let waves = half.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count() as f64;
    let found = waves * 48_000.0 / half.len() as f64;
    assert!((found - hertz).abs() < hertz / 50.0, "{found} Hz instead of {hertz}");
}

#[test]
fn gstreamer_publishes_video_and_aac() {
    if !needs("rtspclientsink") || !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("latm-gst");
    let house = House::new();
    for protocol in ["tcp", "udp"] {
        for (encoder, rate, channels) in [("avenc_aac", 44_100, 1), ("voaacenc", 48_000, 2)] {
            let name = format!("{encoder}-{protocol}");
            let location = format!("location={}", house.url(&name));
            let (protocols, caps) =
                (format!("protocols={protocol}"), format!("audio/x-raw,rate={rate},channels={channels}"));
            let video = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! x264enc tune=zerolatency key-int-max=25 ! h264parse ! s.";
            let audio = format!("audiotestsrc is-live=true freq=440 ! {caps} ! {encoder} ! aacparse ! s.");
            let line = format!("-q rtspclientsink name=s {location} {protocols} {video} {audio}");
            let publisher = stage.spawn("gst-launch-1.0", &line.split(' ').collect::<Vec<_>>());
            let track = audio_track(&house, &name, &publisher);
            assert_eq!((track.codec, track.sample_rate, track.channels), (AudioCodec::Aac, rate, channels));
            heard(&stage, &house, &name, protocol, 440.0);
        }
    }
    assert_eq!(house.said(&["without"]), Vec::<String>::new());
}

#[test]
fn ffmpeg_publishes_latm() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("latm-ffmpeg");
    let house = House::new();
    // 256 kb/s: frames of 700 bytes, whose length takes three bytes.
    for (name, options) in [("thin", &["-b:a", "64k", "-ac", "1"]), ("thick", &["-b:a", "256k", "-ac", "2"])]
    {
        let url = house.url(name);
        let input = [
            "-nostdin",
            "-v",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "sine=1000:sample_rate=48000",
            "-c:a",
            "aac",
        ];
        let output = ["-f", "rtsp", "-rtsp_transport", "tcp", "-rtpflags", "latm", &url];
        let publisher = stage.spawn("ffmpeg", &[&input[..], options, &output].concat());
        let track = audio_track(&house, name, &publisher);
        assert_eq!((track.sample_rate, track.channels), (48_000, if name == "thin" { 1 } else { 2 }));
        heard(&stage, &house, name, "udp", 1000.0);
    }
}

/// Bits written one behind the other.
fn bits(of: &[(u32, u32)], bytes: &[u8]) -> Vec<u8> {
    let fields = of.iter().flat_map(|(value, count)| (0..*count).rev().map(move |at| (value >> at) & 1 == 1));
    let rest = bytes.iter().flat_map(|b| (0..8).rev().map(move |at| (b >> at) & 1 == 1));
    let all: Vec<bool> = fields.chain(rest).collect();
    all.chunks(8).map(|c| (0..8).fold(0, |byte, at| byte << 1 | u8::from(c.get(at) == Some(&true)))).collect()
}

#[test]
fn cameras_send_several_frames_in_parts_or_the_configuration_among_them() {
    let house = House::new();
    let frame = |n: u8| vec![n; 300];
    let framed = |n: u8| [&[255, 45][..], &frame(n)].concat();
    let views = |name: &str, frames: u64| {
        wait_for("the frames", SOON, || {
            let view = house.hub.snapshot().into_iter().find(|v| v.name.name == name);
            let view = view.filter(|v| v.totals.audio_bytes >= frames * 300);
            view.ok_or_else(|| {
                format!("{:?}", house.hub.snapshot().iter().map(|v| v.totals).collect::<Vec<_>>())
            })
        })
    };
    // Two frames in an element (numSubFrames 1), in packets of 250 bytes.
    let mut two = Raw::new(&house);
    let sdp = "v=0\nm=audio 0 RTP/AVP 96\na=rtpmap:96 MP4A-LATM/90000\na=fmtp:96 object=2;cpresent=0;config=410023203fc0\n";
    two.publish("two", sdp.as_bytes(), &["rtsp://h/live/two"]);
    let mut number = 0;
    for n in 0..10_u8 {
        let element = [framed(n * 2), framed(n * 2 + 1)].concat();
        let mut parts = element.chunks(250).peekable();
        while let Some(part) = parts.next() {
            two.packet(0, 96, number, u32::from(n) * 3840, parts.peek().is_none(), part);
            number += 1;
        }
    }
    assert_eq!(
        views("two", 20).headers.tracks.audio().map(|t| (t.sample_rate, t.channels)),
        Some((48_000, 2))
    );
    let mut reader = Peer::reader(&house, "two", false);
    two.packet(0, 96, number, 38_400, true, &[framed(20), framed(21)].concat());
    // AAC-hbr for readers: four bytes of headers before each frame, 1024 samples apart.
    let mut times = Vec::new();
    while times.len() < 2 {
        if let crate::serving_rtsp::house::Came::Packet(0, false, packet) = reader.next() {
            let (header, payload) = msconv::media::rtp::Header::read(&packet).unwrap();
            if packet[payload.clone()].ends_with(&frame(20)) || packet[payload].ends_with(&frame(21)) {
                times.push(header.timestamp);
            }
        }
    }
    assert_eq!(times[1].wrapping_sub(times[0]), 1024);
    // The configuration comes with every third element.
    let mut in_band = Raw::new(&house);
    let sdp = "v=0\nm=audio 0 RTP/AVP 96\na=rtpmap:96 MP4A-LATM/90000\na=fmtp:96 cpresent=1\n";
    in_band.publish("in-band", sdp.as_bytes(), &["rtsp://h/live/in-band"]);
    for n in 0..12_u8 {
        let element = match n % 3 {
            1 => bits(&[(0, 1), (0b010_0000_0000_0000, 15), (0x1210, 16), (0xff << 2, 13)], &framed(n)),
            _ => bits(&[(1, 1)], &framed(n)),
        };
        in_band.packet(0, 96, n.into(), u32::from(n) * 2090, true, &element);
    }
    let view = views("in-band", 11);
    assert_eq!(view.headers.tracks.audio().map(|t| (t.sample_rate, t.channels)), Some((44_100, 2)));
    assert_eq!(view.totals.audio_bytes, 11 * 300, "what came before the first configuration says nothing");
}
