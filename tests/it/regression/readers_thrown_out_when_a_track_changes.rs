//! RTSP readers were thrown out, without a word, whenever a track changed: another size, audio that came late although it
//! was announced, audio before video.

use crate::serving_rtsp::house::{
    Came, House, Peer, SOON, audio, audio_frame, both, frames, number, picture, video,
};
use crate::stage::{Running, Stage, needs, stream, wait_for};
use bytes::Bytes;
use msconv::base::clock::Now;
use msconv::hub::Publisher;
use msconv::media::codec::{aac, h265, opus};
use msconv::media::frame::Nals;
use msconv::media::{AudioTrack, Frame, Tracks, VideoCodec, VideoTrack};
use msconv::protocol::rtsp::session::client::{Event, Intent};
use std::process::Command;
use std::time::Duration;

/// Longer than any program here may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// A publisher of whatever protocol: what stands behind it is what counts here.
fn publisher(house: &House, tracks: Tracks) -> Publisher {
    let now = Now::read();
    let here = "127.0.0.1:9".parse().unwrap();
    let client = house.hub.registry().enter(msconv::protocol::RTMP, here, now.mono, now.wall_ms);
    let publisher = house.hub.publish(&stream("cam"), &client, now).unwrap();
    publisher.headers(tracks);
    publisher.ready(now);
    publisher
}

fn send(publisher: &Publisher, frames: impl IntoIterator<Item = Frame>) {
    let now = Now::read();
    frames.into_iter().for_each(|frame| publisher.frame(frame, now));
    publisher.flush(now);
}

/// Frames with these numbers, 40 ms apart, the first one a keyframe, and audio beside them.
fn group(numbers: std::ops::Range<u32>, audio: bool) -> Vec<Frame> {
    let first = numbers.start;
    let one = |n: u32| {
        let ms = i64::from(n) * 40;
        let audio = audio.then(|| audio_frame(ms + 1));
        std::iter::once(picture(ms, n, n == first, 3000)).chain(audio)
    };
    numbers.flat_map(one).collect()
}

/// avcC of x264, 640x360, Main: other sets than those of [`video`].
fn larger() -> VideoTrack {
    let record: &[u8] = &[
        1, 0x4d, 0x40, 0x1e, 0xff, 0xe1, 0, 24, 0x67, 0x4d, 0x40, 0x1e, 0xec, 0xa0, 0x50, 0x17, 0xfc, 0xb8,
        8, 0x80, 0, 0, 3, 0, 0x80, 0, 0, 0x19, 7, 0x8b, 0x16, 0xcb, 1, 0, 4, 0x68, 0xeb, 0xe3, 0xcb,
    ];
    VideoTrack::from_config(VideoCodec::H264, Bytes::from_static(record)).expect("a track")
}

fn next_unit(reader: &mut Peer, datagrams: bool) -> msconv::media::rtp::Unit {
    if datagrams { reader.unit_by_datagram() } else { reader.unit().expect("the reader goes on") }
}

#[test]
fn another_size_goes_on_with_its_sets_before_the_keyframe() {
    let house = House::new();
    assert_ne!(larger().width, video().width);
    for datagrams in [false, true] {
        let publisher = publisher(&house, both());
        send(&publisher, group(0..10, true));
        let mut reader = Peer::reader(&house, "cam", datagrams);
        while number(&next_unit(&mut reader, datagrams)) < 9 {}
        // Also a change that comes before its keyframe, and one back to what the description said.
        for (track, from) in [(larger(), 20), (video(), 40)] {
            publisher.headers(Tracks::of(track.clone(), audio()));
            send(&publisher, [picture(from * 40 - 40, from as u32 - 1, false, 10)]);
            send(&publisher, group(from as u32..from as u32 + 10, true));
            assert_eq!(number(&next_unit(&mut reader, datagrams)), from as u32 - 1);
            let keyframe = next_unit(&mut reader, datagrams);
            let units: Vec<Vec<u8>> = Nals::of(&keyframe.payload).map(<[u8]>::to_vec).collect();
            assert!(keyframe.keyframe && number(&keyframe) == from as u32);
            assert_eq!(units[..2], track.parameter_sets()[..], "over datagrams: {datagrams}");
            while number(&next_unit(&mut reader, datagrams)) < from as u32 + 9 {}
        }
        publisher.end();
        wait_for("nobody to be left", SOON, || !house.hub.is_published(&stream("cam")));
    }
    assert_eq!(house.said(&["is ended", "described as"]).len(), 0);
}

/// The kinds of tracks in the description that a new reader gets, and the reader.
fn described(house: &House) -> (usize, Peer) {
    let mut peer = Peer::new(house, "cam", None, Intent::Read, false);
    let mut tracks = None;
    loop {
        match peer.next() {
            Came::Event(Event::Described(all)) => tracks = Some(all.len()),
            Came::Event(Event::Granted(_)) => return (tracks.expect("a description"), peer),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_track_that_comes_late_disturbs_nobody_who_reads() {
    let house = House::new();
    let audio_alone = Tracks::of(None, audio());
    for (first, audio_first) in [(frames(), false), (audio_alone, true)] {
        let publisher = publisher(&house, first);
        let frames = |range| {
            group(range, true)
                .into_iter()
                .filter(move |f| (f.track != msconv::media::TrackId::VIDEO) == audio_first)
        };
        send(&publisher, frames(0..10));
        let (tracks, mut early) = described(&house);
        assert_eq!(tracks, 1);
        send(&publisher, frames(10..15));
        publisher.headers(both());
        send(&publisher, group(20..30, true));
        let (tracks, mut late) = described(&house);
        assert_eq!(tracks, 2, "who asks now is told of both");
        send(&publisher, group(30..40, true));
        // The early one goes on with what it has, beyond what came after the change.
        let mut seen = 0;
        while seen < 40 {
            match early.next() {
                Came::Packet(0, false, _) => seen += if audio_first { 2 } else { 1 },
                Came::Packet(0, true, _) => {}
                other => panic!("audio first {audio_first}, {seen} packets: {other:?}"),
            }
        }
        let mut kinds = [0, 0];
        while kinds.iter().any(|n| *n < 10) {
            match late.next() {
                Came::Packet(track, false, _) => kinds[track] += 1,
                Came::Packet(_, true, _) => {}
                other => panic!("{other:?}"),
            }
        }
        publisher.end();
        while !matches!(early.next(), Came::End) {}
        wait_for("nobody to be left", SOON, || !house.hub.is_published(&stream("cam")));
    }
    assert_eq!(house.said(&["is ended", "described as"]).len(), 0);
}

#[test]
fn another_codec_ends_a_reader_and_the_log_says_which_and_why() {
    let house = House::new();
    let hevc = {
        // A VPS, SPS and PPS of x265, 320x240.
        let vps = [
            0x40, 1, 0x0c, 1, 0xff, 0xff, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x3c, 0x95, 0x98, 9,
        ];
        let sps = [
            0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x3c, 0xa0, 0x0a, 8, 0x0f, 0x16,
            0x59, 0x59, 0xa4, 0x93, 0x2b, 0xc0, 0x40, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 6, 0x42,
        ];
        h265::track_of_sets(&vps, &sps, &[0x44, 1, 0xc1, 0x72, 0xb4, 0x62, 0x40]).expect("a track")
    };
    let with = |audio: AudioTrack| Tracks::of(video(), audio);
    let aac = |rate, channels| AudioTrack::aac(aac::lc(rate, channels).unwrap()).unwrap();
    for (change, words) in [
        (Tracks::of(hevc, audio()), "the video is H265 now and was described as H264"),
        (
            with(AudioTrack::opus(opus::head(2)).unwrap()),
            "the audio is Opus now and was described as AAC LC of 48000 Hz, stereo",
        ),
        (
            with(aac(44_100, 2)),
            "the audio is AAC LC of 44100 Hz, stereo now and was described as AAC LC of 48000 Hz, stereo",
        ),
    ] {
        let publisher = publisher(&house, both());
        send(&publisher, group(0..10, true));
        let mut reader = Peer::reader(&house, "cam", false);
        let remote = reader.socket.local_addr().unwrap().to_string();
        while number(&reader.unit().unwrap()) < 9 {}
        // Mono instead of stereo is told by the frames.
        publisher.headers(with(aac(48_000, 1)));
        send(&publisher, group(10..20, true));
        while number(&reader.unit().unwrap()) < 19 {}
        publisher.headers(both());
        publisher.headers(change);
        while reader.unit().is_some() {}
        wait_for("the log to say so", SOON, || {
            let said = house.said(&[&remote, "which reads cam", words]);
            if said.len() == 1 { Ok(()) } else { Err(format!("{:?}", house.said(&["is ended"]))) }
        });
        publisher.end();
        wait_for("nobody to be left", SOON, || !house.hub.is_published(&stream("cam")));
    }
}

/// A film of two sizes, one after the other, with all sets in band.
fn film_of_two_sizes(stage: &Stage, encoder: &[&str]) -> std::path::PathBuf {
    let whole = stage.file(&format!("{}.ts", encoder[1]));
    let mut bytes = Vec::new();
    for size in ["320x240", "640x360"] {
        let part = stage.file(&format!("{}-{size}.ts", encoder[1]));
        let source = format!("testsrc2=size={size}:rate=25:duration=3");
        let output = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &source])
            .args(encoder)
            .args(["-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"])
            .arg(&part)
            .output()
            .expect("ffmpeg starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        bytes.extend(std::fs::read(part).unwrap());
    }
    std::fs::write(&whole, bytes).unwrap();
    whole
}

/// Waits until a reader has seen both sizes, and the first of them again.
fn sees_both(reader: &Running, small: &str, large: &str) {
    wait_for(&format!("{large} between {small} and {small}"), PATIENCE, || {
        let said = reader.stdout() + &reader.stderr();
        let after = said.find(small).and_then(|at| said[at..].find(large).map(|more| at + more));
        match after.and_then(|at| said[at..].find(small)) {
            Some(_) => Ok(()),
            None => Err(said[said.len().saturating_sub(2000)..].to_string()),
        }
    });
}

#[test]
fn programs_go_on_over_a_change_of_size() {
    if !needs("ffmpeg") || !needs("gst-launch-1.0") || !needs("mpv") {
        return;
    }
    let stage = Stage::new("two-sizes");
    let house = House::new();
    for encoder in
        [&["-c:v", "libx264", "-bf", "0"], &["-c:v", "libx265", "-x265-params", "log-level=error:bframes=0"]]
    {
        let film = film_of_two_sizes(&stage, encoder);
        let url = house.url(encoder[1]);
        let publish = [
            "-nostdin",
            "-v",
            "error",
            "-re",
            "-stream_loop",
            "-1",
            "-i",
            film.to_str().unwrap(),
            "-c",
            "copy",
        ];
        let publisher = stage.spawn("ffmpeg", &[&publish[..], &["-f", "rtsp", &url]].concat());
        wait_for("the stream", PATIENCE, || {
            let view = house.hub.snapshot().into_iter().find(|v| v.name.name == encoder[1]);
            view.filter(|v| v.totals.video_frames > 25).ok_or_else(|| publisher.stderr())
        });
        let ffmpeg = |transport: &str| {
            let input = ["-nostdin", "-rtsp_transport", transport, "-i", &url];
            stage.spawn("ffmpeg", &[&input[..], &["-vf", "showinfo=checksum=0", "-f", "null", "-"]].concat())
        };
        let location = format!("location={url}");
        let gst = [
            "-v",
            "rtspsrc",
            &location,
            "protocols=tcp",
            "latency=200",
            "!",
            "decodebin",
            "!",
            "fakesink",
            "sync=false",
        ];
        let mpv = ["--no-config", "--vo=null", "--ao=null", "--rtsp-transport=tcp", &url];
        let readers = [
            (ffmpeg("tcp"), " s:320x240 ", " s:640x360 "),
            (ffmpeg("udp"), " s:320x240 ", " s:640x360 "),
            (stage.spawn("gst-launch-1.0", &gst), "width=(int)320", "width=(int)640"),
            (stage.spawn("mpv", &mpv), "VO: [null] 320x240", "VO: [null] 640x360"),
        ];
        for (reader, small, large) in &readers {
            sees_both(reader, small, large);
        }
        assert_eq!(house.said(&["is ended"]), Vec::<String>::new());
    }
}
