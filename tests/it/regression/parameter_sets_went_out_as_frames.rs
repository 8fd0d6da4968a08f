//! Parameter sets went out as frames of their own: from publishers over RTSP that set the marker on every NAL unit or
//! send sets under another time, and over RTMP in messages of their own. Players saw more frames than were coded, and two
//! with one time.

use super::live::{Packing, STEP, Sender, Style, lengths, newer_ffmpeg, read, rtsp_sender, tag, urls};
use crate::stage::{Coded, PATIENCE, Serve, Stage, needs, wait_for};
use msconv::media::VideoCodec;
use msconv::media::codec::nal::{Role, role};

type Units = Vec<Vec<u8>>;

/// Sets, and everything else.
fn parted(codec: VideoCodec, units: &Units) -> (Units, Units) {
    units.iter().cloned().partition(|unit| matches!(role(codec, unit), Role::Set(_)))
}

/// Publishers over RTSP: how their frames become packets.
fn packings(codec: VideoCodec) -> Vec<(&'static str, Packing)> {
    vec![
        // A marker on every unit, slices too.
        ("markers", Box::new(|p| p.units.iter().map(|unit| (0, vec![unit.clone()])).collect())),
        // Sets under another time, together or one by one; the marker where it belongs.
        (
            "sets-before",
            Box::new(move |p| {
                let (sets, rest) = parted(codec, &p.units);
                [(-90, sets), (0, rest)].into_iter().filter(|(_, units)| !units.is_empty()).collect()
            }),
        ),
        (
            "each-set-before",
            Box::new(move |p| {
                let (sets, rest) = parted(codec, &p.units);
                let count = i32::try_from(sets.len()).unwrap();
                let sets = sets.into_iter().zip(0..).map(move |(set, n)| ((n - count) * 90, vec![set]));
                sets.chain([(0, rest)]).collect()
            }),
        ),
        // As it should be.
        ("plain", Box::new(|p| vec![(0, p.units.clone())])),
    ]
}

/// Publishers over RTMP: the messages of their frames.
fn styles(codec: VideoCodec) -> Vec<(&'static str, Style)> {
    let one = move |key: bool, units: &[Vec<u8>]| tag(codec, key, &lengths(4, units));
    let delimiter: Vec<u8> = if codec == VideoCodec::H265 { vec![0x46, 1, 0x50] } else { vec![9, 0xf0] };
    vec![
        (
            "messages",
            Box::new(move |_, p| p.units.iter().map(|u| one(p.keyframe, std::slice::from_ref(u))).collect()),
        ),
        (
            "sets-alone",
            Box::new(move |_, p| {
                let (sets, rest) = parted(codec, &p.units);
                [sets, rest]
                    .iter()
                    .filter(|units| !units.is_empty())
                    .map(|units| one(p.keyframe, units))
                    .collect()
            }),
        ),
        (
            "delimiters-alone",
            Box::new(move |_, p| {
                let (sets, rest) = parted(codec, &p.units);
                let border = one(false, std::slice::from_ref(&delimiter));
                let own = [sets, rest]
                    .into_iter()
                    .filter(|units| !units.is_empty())
                    .map(move |u| one(p.keyframe, &u));
                std::iter::once(border).chain(own).collect()
            }),
        ),
    ]
}

fn publish_and_read(stage: &Stage, ffmpeg: &str, codec: VideoCodec) {
    let serve = Serve::start(stage, &[]);
    let single = Coded::make(stage, ffmpeg, codec, "320x180", 50, 1);
    let sliced = Coded::make(stage, ffmpeg, codec, "320x240", 50, 3);
    let slices = |units: &Units| units.iter().filter(|unit| role(codec, unit) == Role::Slice).count();
    assert!(sliced.frames.iter().all(|p| slices(&p.units) == 3), "three slices in each picture");
    let mut senders: Vec<Sender> = Vec::new();
    let mut names = Vec::new();
    for (film, size, word) in [(&single, (320, 180), "one"), (&sliced, (320, 240), "three")] {
        for datagrams in [false, true] {
            for (habit, packing) in packings(codec) {
                let name = format!("rtsp-{habit}-{word}-{}", if datagrams { "udp" } else { "tcp" });
                senders.push(rtsp_sender(serve.address("rtsp"), &name, film, datagrams, packing));
                names.push((name, size));
            }
        }
    }
    for (film, size, word) in [(&single, (320, 180), "one"), (&sliced, (320, 240), "three")] {
        for (habit, style) in styles(codec) {
            let name = format!("rtmp-{habit}-{word}");
            senders.push(Sender::start(serve.address("rtmp"), &name, film, style, None, Vec::new()));
            names.push((name, size));
        }
    }
    for (name, _) in &names {
        wait_for(&format!("{name} to be on the air"), PATIENCE, || {
            let path = serve.get("api", &format!("/v3/paths/get/{name}"));
            let tracks = path.json()["tracks"].as_array().map_or(0, Vec::len);
            if tracks == 1 { Ok(()) } else { Err(format!("{}\n{}", path.body, serve.running().stderr())) }
        });
    }
    let urls: Vec<_> =
        names.iter().flat_map(|(name, size)| urls(&serve, name).map(|url| (url, *size))).collect();
    for some in urls.chunks(4) {
        std::thread::scope(|scope| {
            let each = some.iter().map(|(url, size)| {
                scope.spawn(move || {
                    // Two seconds of frames, each once.
                    let got = read(stage, ffmpeg, url, *size);
                    let most = 2 * 1000 / STEP as usize + 2;
                    assert!((45..=most).contains(&got.frames), "{url}: {got:?}");
                    assert!((45..=most).contains(&got.decoded), "{url}: {got:?}");
                })
            });
            let each: Vec<_> = each.collect();
            each.into_iter().for_each(|one| one.join().unwrap());
        });
    }
    senders.into_iter().for_each(Sender::end);
    assert!(!serve.running().stderr().contains("panicked"));
}

#[test]
fn h264_readers_see_each_picture_once() {
    if needs("ffmpeg") {
        publish_and_read(&Stage::new("sets-as-frames"), "ffmpeg", VideoCodec::H264);
    }
}

#[test]
fn h265_readers_see_each_picture_once() {
    if let Some(ffmpeg) = newer_ffmpeg() {
        publish_and_read(&Stage::new("sets-as-frames-h265"), &ffmpeg, VideoCodec::H265);
    }
}
