//! RTMP publishers whose sequence header is missing, late, empty, broken or wrong were published as audio alone, without
//! a word; so were those with start codes where lengths should be.

use super::live::{Sender, Style, codes, enhanced, lengths, newer_ffmpeg, read, tag, tone, urls};
use crate::stage::{Coded, PATIENCE, Picture, Serve, Stage, needs, wait_for};
use msconv::media::codec::nal::{Role, role};
use msconv::media::codec::sets::ParameterSets;
use msconv::media::flv::header;
use msconv::media::{AudioTrack, VideoCodec, VideoTrack};
use msconv::protocol::rtmp::wire::message::kind;

/// A publisher: its name, its film, how it sends.
type Habit = (&'static str, Coded, Style);

fn track(coded: &Coded) -> VideoTrack {
    let mut sets = ParameterSets::new(coded.codec);
    for unit in &coded.frames[0].units {
        sets.keep(unit);
    }
    sets.track(None).expect("sets in the first keyframe")
}

fn is_set(codec: VideoCodec, unit: &[u8]) -> bool {
    matches!(role(codec, unit), Role::Set(_))
}

fn without_sets(codec: VideoCodec, picture: &Picture) -> Vec<Vec<u8>> {
    picture.units.iter().filter(|unit| !is_set(codec, unit)).cloned().collect()
}

/// `tag` of every picture, with `before(number)` in front of it.
fn style(
    before: impl Fn(u32) -> Option<Vec<u8>> + Send + 'static,
    tag: impl Fn(&Picture) -> Vec<u8> + Send + 'static,
) -> Style {
    Box::new(move |number, picture| before(number).into_iter().chain([tag(picture)]).collect())
}

fn h264(film: &Coded, other: &Coded) -> Vec<Habit> {
    const H264: VideoCodec = VideoCodec::H264;
    let (ours, theirs) = (header::video(&track(film)), header::video(&track(other)));
    let plain = |p: &Picture| tag(H264, p.keyframe, &lengths(4, &p.units));
    let coded = |p: &Picture| tag(H264, p.keyframe, &codes(&p.units));
    let bare = |p: &Picture| tag(H264, p.keyframe, &lengths(4, &without_sets(H264, p)));
    let at = |when: u32, header: &[u8]| {
        let header = header.to_vec();
        move |number| (number == when).then(|| header.clone())
    };
    let mut short = ours.clone();
    short[9] = 0xfd;
    let cut = ours[..ours.len() - 12].to_vec();
    let repeated = ours.clone();
    let all: Vec<(&'static str, Style)> = vec![
        ("no-header", style(|_| None, plain)),
        ("no-header-start-codes", style(|_| None, coded)),
        ("header-and-start-codes", style(at(0, &ours), coded)),
        ("late-header", style(at(45, &ours), bare)),
        ("empty-header", style(at(0, &[0x17, 0, 0, 0, 0]), plain)),
        ("broken-header", style(at(0, &cut), plain)),
        ("repeated-header", style(move |n| (n % 25 == 0).then(|| repeated.clone()), bare)),
        ("header-of-another-size", style(at(0, &theirs), plain)),
        (
            "lengths-of-two",
            style(at(0, &short), |p| tag(H264, p.keyframe, &lengths(2, &without_sets(H264, p)))),
        ),
        ("no-header-enhanced", style(|_| None, |p| enhanced(H264, p.keyframe, &lengths(4, &p.units)))),
    ];
    all.into_iter().map(|(name, style)| (name, film.clone(), style)).collect()
}

fn newer(film: &Coded) -> Vec<Habit> {
    let codec = film.codec;
    let all: Vec<(&'static str, Style)> = match codec {
        VideoCodec::H265 => vec![
            ("h265-no-header-old", style(|_| None, move |p| tag(codec, p.keyframe, &lengths(4, &p.units)))),
            ("h265-start-codes-old", style(|_| None, move |p| tag(codec, p.keyframe, &codes(&p.units)))),
            ("h265-no-header", style(|_| None, move |p| enhanced(codec, p.keyframe, &lengths(4, &p.units)))),
        ],
        VideoCodec::Av1 => {
            vec![("av1-no-header", style(|_| None, move |p| tag(codec, p.keyframe, &p.units[0])))]
        }
        _ => vec![("vp9-no-header", style(|_| None, move |p| tag(codec, p.keyframe, &p.units[0])))],
    };
    all.into_iter().map(|(name, style)| (name, film.clone(), style)).collect()
}

/// Publishes all of them with audio, and reads each over what carries it.
fn publish_and_read(stage: &Stage, ffmpeg: &str, habits: Vec<Habit>) {
    let serve = Serve::start(stage, &[]);
    let tone = tone(stage);
    let audio = AudioTrack::aac(tone.config.clone()).unwrap();
    let mut senders = Vec::new();
    let mut reads = Vec::new();
    for (name, film, style) in habits {
        let first = vec![(kind::AUDIO, header::audio(&audio))];
        let message: fn(&[u8]) -> Vec<u8> = |packet| [&[0xaf, 1], packet].concat();
        let audio = Some((tone.clone(), message));
        senders.push(Sender::start(serve.address("rtmp"), name, &film, style, audio, first));
        let [rtmp, rtsp] = urls(&serve, name);
        reads.push((name, rtmp));
        if matches!(film.codec, VideoCodec::H264 | VideoCodec::H265) {
            reads.push((name, rtsp));
        }
    }
    for (name, _) in &reads {
        wait_for(&format!("{name} to be on the air"), PATIENCE, || {
            let path = serve.get("api", &format!("/v3/paths/get/{name}"));
            let tracks = path.json()["tracks"].as_array().map_or(0, Vec::len);
            if tracks == 2 { Ok(()) } else { Err(format!("{}\n{}", path.body, serve.running().stderr())) }
        });
    }
    for some in reads.chunks(4) {
        std::thread::scope(|scope| {
            let each = some.iter().map(|(name, url)| {
                scope.spawn(move || {
                    let got = read(stage, ffmpeg, url, (320, 180));
                    assert!(got.frames >= 40 && got.decoded >= 40 && got.audio, "{name} at {url}: {got:?}");
                })
            });
            let each: Vec<_> = each.collect();
            each.into_iter().for_each(|one| one.join().unwrap());
        });
    }
    senders.into_iter().for_each(Sender::end);
    let said = serve.running().stderr();
    for complaint in ["begins without", "may not publish", "neither behind lengths", "panicked"] {
        assert!(!said.contains(complaint), "{complaint}: {said}");
    }
    assert_eq!(
        said.matches("broken-header: a configuration of its video cannot be used").count(),
        said.matches("publishes broken-header\n").count(),
        "{said}"
    );
}

#[test]
fn h264_in_every_way_is_read_with_its_video() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("no-sequence-header");
    let film = Coded::make(&stage, "ffmpeg", VideoCodec::H264, "320x180", 50, 1);
    let other = Coded::make(&stage, "ffmpeg", VideoCodec::H264, "640x360", 1, 1);
    publish_and_read(&stage, "ffmpeg", h264(&film, &other));
}

#[test]
fn newer_codecs_are_read_with_their_video() {
    let Some(ffmpeg) = newer_ffmpeg() else { return };
    let stage = Stage::new("no-sequence-header-newer");
    let codecs = [VideoCodec::H265, VideoCodec::Av1, VideoCodec::Vp9];
    let films = codecs.map(|codec| Coded::make(&stage, &ffmpeg, codec, "320x180", 50, 1));
    publish_and_read(&stage, &ffmpeg, films.iter().flat_map(newer).collect());
}
