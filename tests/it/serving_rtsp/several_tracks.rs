//! Streams of several tracks of one kind: two languages, two cameras. All of them go through RTSP, readers take those that
//! they want, RTMP carries the first of each.

use super::house::House;
use crate::stage::{Run, Running, Stage, enhanced, needs, wait_for};
use msconv::hub::client::get;
use msconv::protocol::RTSP_SESSION;
use retina::client::{
    PlayOptions, Session, SessionOptions, SetupOptions, TcpTransportOptions, Transport, UdpTransportOptions,
};
use retina::codec::CodecItem;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

/// Longer than any program here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Publishes what these sources of lavfi make, in this order, coded as `codecs` says.
fn publish(
    stage: &Stage,
    house: &House,
    name: &str,
    transport: &str,
    sources: &[&str],
    codecs: &[&str],
) -> Running {
    let url = house.url(name);
    let output = ["-strict", "-2", "-f", "rtsp", "-rtsp_transport", transport, &url];
    publish_by("ffmpeg", stage, house, name, sources, &[codecs, &output].concat())
}

/// The same by this ffmpeg, to this output.
fn publish_by(
    ffmpeg: &str,
    stage: &Stage,
    house: &House,
    name: &str,
    sources: &[&str],
    output: &[&str],
) -> Running {
    let mut args = vec!["-nostdin", "-v", "error"];
    sources.iter().for_each(|source| args.extend(["-re", "-f", "lavfi", "-i", source]));
    let places: Vec<String> = (0..sources.len()).map(|place| place.to_string()).collect();
    places.iter().for_each(|place| args.extend(["-map", place]));
    args.extend(["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10"]);
    args.extend(["-pix_fmt", "yuv420p"]);
    args.extend(output);
    let publisher = stage.spawn(ffmpeg, &args);
    wait_for("all tracks", PATIENCE, || {
        let view = house.hub.snapshot().into_iter().find(|view| view.name.name == name);
        let tracks = view.filter(|v| v.last_frame.is_some()).map(|view| view.headers.tracks);
        let there = tracks.map_or(0, |tracks| tracks.ids().count());
        (there == sources.len()).then_some(()).ok_or_else(|| format!("{there}: {}", publisher.stderr()))
    });
    publisher
}

/// Codec, kind, and rate or width of each stream that ffprobe finds.
fn probed(stage: &Stage, url: &str, more: &[&str]) -> Vec<String> {
    let shown = ["-show_entries", "stream=codec_name,sample_rate,width", "-of", "csv=p=0", url];
    let run = stage.spawn("ffprobe", &[&["-v", "error"][..], more, &shown].concat()).wait(PATIENCE).expect(0);
    let line = |line: &str| line.trim().replace(',', " ");
    run.stdout.lines().map(line).filter(|line| !line.is_empty()).collect()
}

/// Reads `maps` for two seconds, each into a file of raw samples or pixels; the files.
fn decoded(stage: &Stage, url: &str, input: &[&str], maps: &[&str]) -> (Run, Vec<Vec<u8>>) {
    let files: Vec<PathBuf> = (0..maps.len()).map(|n| stage.file(&format!("{n}.raw"))).collect();
    let paths: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let mut args = vec!["-nostdin", "-v", "error", "-y"];
    args.extend(input);
    args.extend(["-i", url]);
    for (map, file) in maps.iter().zip(&paths) {
        let raw: &[&str] = if map.contains(":v") {
            &["-f", "rawvideo", "-pix_fmt", "gray", "-s", "16x16"]
        } else {
            &["-f", "s16le", "-ar", "8000", "-ac", "1"]
        };
        args.extend(["-map", map, "-t", "2"]);
        args.extend(raw);
        args.push(file);
    }
    let run = stage.spawn("ffmpeg", &args).wait(PATIENCE).expect(0);
    (run, files.iter().map(|file| std::fs::read(file).unwrap()).collect())
}

/// The tone of samples of 16 bits at 8 kHz, from how often they change their sign in their second half.
fn tone(bytes: &[u8]) -> i64 {
    let samples: Vec<i16> = bytes.as_chunks::<2>().0.iter().map(|two| i16::from_le_bytes(*two)).collect();
    let half = &samples[samples.len() / 2..];
    assert!(half.len() > 4_000, "half a second of audio: {}", samples.len());
    let crossings = half.windows(2).filter(|two| (two[0] < 0) != (two[1] < 0)).count();
    (crossings as f64 / 2.0 / (half.len() as f64 / 8_000.0)).round() as i64
}

#[track_caller]
fn is_tone(bytes: &[u8], hertz: i64) {
    let found = tone(bytes);
    assert!((found - hertz).abs() <= hertz / 20, "{found} Hz, not {hertz}");
}

const TWO_LANGUAGES: [&str; 3] =
    ["testsrc2=size=320x240:rate=25", "sine=440:sample_rate=44100", "sine=1320:sample_rate=48000"];

fn two_languages(name: &'static str, transport: &str, codecs: &[&str], found: [&str; 3]) {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new(name);
    let house = House::new();
    let _publisher = publish(&stage, &house, name, transport, &TWO_LANGUAGES, codecs);
    let url = house.url(name);
    for way in ["tcp", "udp"] {
        let way = ["-rtsp_transport", way];
        assert_eq!(probed(&stage, &url, &way), found, "{way:?}");
        let (run, all) = decoded(&stage, &url, &way, &["0:v:0", "0:a:0", "0:a:1"]);
        assert_eq!(run.stderr, "", "{way:?}");
        assert!(all[0].len() > 25 * 256, "a second of video over {way:?}: {}", all[0].len());
        is_tone(&all[1], 440);
        is_tone(&all[2], 1320);
    }
    // RTMP carries the first of each.
    let rtmp = format!("rtmp://{}/live/{name}", house.rtmp);
    assert_eq!(probed(&stage, &rtmp, &[]), found[..2]);
    let (_, all) = decoded(&stage, &rtmp, &[], &["0:v:0", "0:a:0"]);
    is_tone(&all[1], 440);
    let source = house.client(RTSP_SESSION, |c| c.details().role == msconv::hub::Role::Publish);
    assert_eq!((get(&source.counters.packets_lost), get(&source.counters.packets_in_error)), (0, 0));
}

#[test]
fn two_languages_of_one_codec_published_over_tcp() {
    let codecs = ["-c:a", "aac", "-ar:a:0", "44100", "-ar:a:1", "48000"];
    two_languages("aac-and-aac", "tcp", &codecs, ["h264 320", "aac 44100", "aac 48000"]);
}

#[test]
fn two_languages_of_two_codecs_published_over_udp() {
    let codecs = ["-c:a:0", "aac", "-c:a:1", "libopus"];
    two_languages("aac-and-opus", "udp", &codecs, ["h264 320", "aac 44100", "opus 48000"]);
}

#[test]
fn two_cameras_in_one_stream() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("two-cameras");
    let house = House::new();
    let sources = ["color=white:size=320x240:rate=25", "color=black:size=160x120:rate=25", TWO_LANGUAGES[1]];
    let _publisher = publish(&stage, &house, "cameras", "tcp", &sources, &["-c:a", "aac"]);
    let url = house.url("cameras");
    for way in ["tcp", "udp"] {
        let way = ["-rtsp_transport", way];
        assert_eq!(probed(&stage, &url, &way), ["h264 320", "h264 160", "aac 44100"], "{way:?}");
        let (_, all) = decoded(&stage, &url, &way, &["0:v:0", "0:v:1", "0:a:0"]);
        for (pixels, bright) in [(&all[0], true), (&all[1], false)] {
            assert!(pixels.len() > 25 * 256, "a second of video over {way:?}: {}", pixels.len());
            assert!(pixels.iter().all(|pixel| (*pixel > 128) == bright), "the other camera over {way:?}");
        }
        is_tone(&all[2], 440);
    }
    let rtmp = format!("rtmp://{}/live/cameras", house.rtmp);
    assert_eq!(probed(&stage, &rtmp, &[]), ["h264 320", "aac 44100"]);
}

#[test]
fn two_languages_and_two_cameras_published_over_enhanced_rtmp() {
    let Some(ffmpeg) = enhanced().filter(|_| needs("ffmpeg")) else { return };
    let stage = Stage::new("rtmp-multitrack");
    let house = House::new();
    let sources = [TWO_LANGUAGES[0], "testsrc2=size=160x120:rate=25", TWO_LANGUAGES[1], TWO_LANGUAGES[2]];
    let rtmp = format!("rtmp://{}/live/multitrack", house.rtmp);
    let output = ["-c:a", "aac", "-f", "flv", &rtmp];
    let _publisher = publish_by(&ffmpeg, &stage, &house, "multitrack", &sources, &output);
    let url = house.url("multitrack");
    for way in ["tcp", "udp"] {
        let way = ["-rtsp_transport", way];
        let found = ["h264 320", "h264 160", "aac 44100", "aac 48000"];
        assert_eq!(probed(&stage, &url, &way), found, "{way:?}");
        let (_, all) = decoded(&stage, &url, &way, &["0:v:1", "0:a:0", "0:a:1"]);
        assert!(all[0].len() > 25 * 256, "a second of video over {way:?}: {}", all[0].len());
        is_tone(&all[1], 440);
        is_tone(&all[2], 1320);
    }
    assert_eq!(probed(&stage, &rtmp, &[]), ["h264 320", "aac 44100"]);
    assert_eq!(house.said(&["comes late"]), [""; 0], "all tracks at once");
}

/// Reads the second audio alone with retina, which shares no code with us; some seconds of G.711 µ-law.
fn second_audio(url: &str, transport: Transport) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reading = async {
        let url = rtsp_types::Url::parse(url).unwrap();
        let mut session = Session::describe(url, SessionOptions::default()).await.expect("DESCRIBE");
        let kinds: Vec<&str> = session.streams().iter().map(|stream| stream.encoding_name()).collect();
        assert_eq!(kinds, ["h264", "mpeg4-generic", "pcmu"]);
        session.setup(2, SetupOptions::default().transport(transport)).await.expect("SETUP");
        let mut demuxed =
            session.play(PlayOptions::default()).await.expect("PLAY").demuxed().expect("codecs");
        let mut codes = Vec::new();
        while codes.len() < 2 * 8_000 {
            let next =
                std::future::poll_fn(|cx| futures_core::Stream::poll_next(Pin::new(&mut demuxed), cx)).await;
            match next.expect("the stream goes on").expect("RTP without faults") {
                CodecItem::AudioFrame(frame) => {
                    assert_eq!((frame.stream_id(), frame.loss()), (2, 0));
                    codes.extend_from_slice(frame.data());
                }
                CodecItem::VideoFrame(_) => panic!("video was not set up"),
                _ => {}
            }
        }
        codes
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, reading).await.expect("in time") })
}

#[test]
fn who_takes_the_second_audio_alone_gets_nothing_else() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("second-audio");
    let house = House::new();
    let codecs = ["-c:a:0", "aac", "-c:a:1", "pcm_mulaw", "-ar:a:1", "8000"];
    let _publisher = publish(&stage, &house, "second", "tcp", &TWO_LANGUAGES, &codecs);
    for transport in
        [Transport::Tcp(TcpTransportOptions::default()), Transport::Udp(UdpTransportOptions::default())]
    {
        let samples = second_audio(&house.url("second"), transport);
        let samples: Vec<u8> = samples.iter().flat_map(|code| linear(*code).to_le_bytes()).collect();
        is_tone(&samples, 1320);
    }
}

/// G.711 µ-law as a sample of 16 bits.
fn linear(code: u8) -> i16 {
    let code = !code;
    let magnitude = ((i16::from(code & 0xf) << 3) + 0x84) << ((code & 0x70) >> 4);
    if code & 0x80 != 0 { 0x84 - magnitude } else { magnitude - 0x84 }
}
