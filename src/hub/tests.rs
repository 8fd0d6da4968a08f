//! The hub with a format and sinks that write down what they get.

mod ladders;
mod taps;
mod threads;

use super::*;
use crate::media::{AudioCodec, AudioTrack, Coding, Frame, MediaTime, TrackId, TrackKind, Tracks};
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Writes each frame as `v12 ` or `a12 ` (its time in ms), keyframes in capitals.
struct Words;

impl Format for Words {
    fn preamble(&mut self, headers: &Headers, at: MediaTime, _: i64) -> Packed {
        let tracks = u8::from(headers.tracks.video().is_some()) + u8::from(headers.tracks.audio().is_some());
        Packed { bytes: format!("<{tracks}@{}> ", at.millis()).into(), cuts: Vec::new() }
    }

    fn pack(&mut self, frame: &Frame, _: i64) -> Packed {
        let letter = match (frame.track.kind(), frame.keyframe) {
            (TrackKind::Video, true) => 'V',
            (TrackKind::Video, false) => 'v',
            (TrackKind::Audio, _) => 'a',
            (TrackKind::Data, _) => 'd',
        };
        Packed { bytes: format!("{letter}{} ", frame.dts.millis()).into(), cuts: Vec::new() }
    }

    fn changed(&mut self, _: &Headers, at: MediaTime, _: i64) -> Packed {
        Packed { bytes: format!("!{} ", at.millis()).into(), cuts: Vec::new() }
    }

    fn fits(&self, tracks: &Tracks) -> Result<(), Misfit> {
        // As if Opus had been described to them.
        let (was, mp3) = (Coding::Audio(AudioCodec::Opus), Coding::Audio(AudioCodec::Mp3));
        match tracks.audio().map(AudioTrack::coding) {
            Some(now) if now == mp3 => Err(Misfit { track: TrackId::AUDIO, was, now }),
            _ => Ok(()),
        }
    }
}

#[derive(Default)]
struct Paper {
    text: Mutex<String>,
    closed: AtomicBool,
    unsent: AtomicU64,
    /// Takes at most so many bytes a write; 0 means all.
    bite: AtomicU64,
}

impl Paper {
    fn read(&self) -> String {
        std::mem::take(&mut *locked(&self.text))
    }
}

impl Sink for Paper {
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let whole: Vec<u8> = parts.iter().flat_map(|p| p.iter().copied()).collect();
        let bite = self.bite.load(Ordering::Relaxed) as usize;
        let n = if bite == 0 { whole.len() } else { bite.min(whole.len()) };
        locked(&self.text).push_str(std::str::from_utf8(&whole[..n]).unwrap());
        Ok(n)
    }

    fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }
}

fn hub(limits: Limits) -> Hub {
    Hub::new(Registry::default(), limits)
}

fn live(name: &str) -> StreamName {
    StreamName::new("live", name)
}

fn client(hub: &Hub) -> Arc<Client> {
    let now = Now::read();
    hub.registry().enter(
        Kind { name: "test", connection: true },
        "127.0.0.1:9".parse().unwrap(),
        now.mono,
        now.wall_ms,
    )
}

fn video(ms: i64, keyframe: bool) -> Frame {
    let at = MediaTime::from_millis(ms);
    Frame { track: TrackId::VIDEO, dts: at, pts: at, keyframe, payload: Bytes::from_static(b"0123456789") }
}

fn audio(ms: i64) -> Frame {
    Frame { track: TrackId::AUDIO, keyframe: true, ..video(ms, true) }
}

fn video_track() -> Tracks {
    let sps = [
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
        0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
    ];
    let video = crate::media::codec::h264::track_of_sets(&sps, &[0x68, 0xeb]).unwrap();
    Tracks::of(video, None)
}

fn read(hub: &Hub, now: Now) -> (Reader, Arc<Paper>, Arc<Client>) {
    let paper = Arc::new(Paper::default());
    let client = client(hub);
    let reader = hub
        .subscribe(
            &live("s"),
            &client,
            FormatKey("w".into()),
            |_| Box::new(Words),
            Outlet::Stream(paper.clone()),
            now,
        )
        .unwrap();
    reader.play(now);
    (reader, paper, client)
}

#[tokio::test(start_paused = true)]
async fn late_readers_begin_with_the_keyframe_and_share() {
    let hub = hub(Limits::default());
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    assert!(matches!(hub.publish(&live("s"), &client(&hub), now), Err(Refused::Taken)));
    publisher.headers(video_track());
    let (_early, early, _) = read(&hub, now);
    for i in 0..6 {
        publisher.frame(video(i * 40, i % 4 == 1), now);
        publisher.frame(audio(i * 40), now);
        publisher.flush(now);
    }
    assert_eq!(early.read(), "<1@40> V40 a40 v80 a80 v120 a120 v160 a160 V200 a200 ");
    let (_late, late, _) = read(&hub, now);
    assert_eq!(late.read(), "<1@200> V200 a200 ");
    publisher.frame(video(240, false), now);
    publisher.flush(now);
    assert_eq!((early.read(), late.read()), ("v240 ".into(), "v240 ".into()));
    publisher.end();
    assert!(!hub.is_published(&live("s")));
    assert_eq!(_late.event().await, Wake::Ended(ReaderEnd::Unpublished));
    drop((_late, _early));
    assert!(hub.snapshot().is_empty());
}

/// The second video and the second audio, as the first ones are.
fn second(frame: Frame) -> Frame {
    Frame { track: TrackId::new(frame.track.kind(), 1).unwrap(), ..frame }
}

#[tokio::test(start_paused = true)]
async fn readers_begin_with_keyframes_of_the_first_video_and_get_all_tracks() {
    let hub = hub(Limits::default());
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    let mut tracks = video_track();
    tracks.set_video(TrackId::new(TrackKind::Video, 1).unwrap(), video_track().video().cloned().unwrap());
    for index in 0..2 {
        let audio = AudioTrack::plain(AudioCodec::G711A, 8000, 1);
        tracks.set_audio(TrackId::new(TrackKind::Audio, index).unwrap(), audio);
    }
    publisher.headers(tracks.clone());
    let mut tap = hub.subscribe_frames(&live("s"), &client(&hub), tap::Policy::Live).unwrap();
    for i in 0..4 {
        publisher.frame(video(i * 40, i == 1), now);
        publisher.frame(second(video(i * 40 + 1, i == 2)), now);
        publisher.frame(audio(i * 40 + 2), now);
        publisher.frame(second(audio(i * 40 + 3)), now);
        publisher.flush(now);
    }
    let (_late, late, _) = read(&hub, now);
    let all = "V40 v41 a42 a43 v80 V81 a82 a83 v120 v121 a122 a123";
    assert_eq!(late.read(), format!("<2@40> {all} "));
    let mut items = Vec::new();
    tap.next(&mut items).await.unwrap();
    assert!(matches!(&items[0], tap::Item::Tracks(headers) if headers.tracks == tracks));
    let ids: Vec<String> = items[1..]
        .iter()
        .map(|item| if let tap::Item::Frame(frame, _) = item { frame.track.to_string() } else { panic!() })
        .collect();
    assert_eq!(ids[..4], ["video", "video 2", "audio", "audio 2"]);
    assert_eq!(ids.len(), 12);
    // A further audio spoils nothing, another coding of one does.
    let set = |tracks: &mut Tracks, index, codec| {
        let id = TrackId::new(TrackKind::Audio, index).unwrap();
        tracks.set_audio(id, AudioTrack::plain(codec, 8000, 1));
    };
    set(&mut tracks, 2, AudioCodec::G711A);
    publisher.headers(tracks.clone());
    let (_later, later, _) = read(&hub, now);
    assert!(later.read().starts_with("<2@40> V40 "));
    set(&mut tracks, 1, AudioCodec::G711U);
    publisher.headers(tracks);
    let (_last, last, _) = read(&hub, now);
    assert_eq!(last.read(), "");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_skips_to_a_keyframe_and_others_lose_nothing() {
    let limits = Limits { lag_frames: 20, ..Limits::default() };
    let hub = hub(limits);
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    publisher.headers(video_track());
    let (slow, slow_paper, slow_client) = read(&hub, now);
    let (_fast, fast_paper, fast_client) = read(&hub, now);
    publisher.frame(video(0, true), now);
    publisher.flush(now);
    slow_paper.read();
    slow_paper.closed.store(true, Ordering::Relaxed);
    for i in 1..40 {
        publisher.frame(video(i * 40, i % 8 == 0), now);
        publisher.frame(audio(i * 40), now);
        publisher.flush(now);
    }
    assert_eq!(slow.event().await, Wake::Blocked);
    slow_paper.closed.store(false, Ordering::Relaxed);
    slow.flush(now);
    let got = slow_paper.read();
    // What stood in line goes out whole, then audio without video, then a keyframe.
    let words: Vec<&str> = got.split_whitespace().collect();
    let key = words.iter().rposition(|w| w.starts_with('V')).unwrap();
    assert_eq!(words[key], "V1280");
    assert!(words[..key].iter().rev().take_while(|w| w.starts_with('a')).count() > 0, "{got}");
    assert_eq!(words[key + 1..].len(), 15, "{got}");
    assert!(client::get(&slow_client.counters.frames_dropped) > 0);
    assert_eq!(client::get(&fast_client.counters.frames_dropped), 0);
    assert_eq!(fast_paper.read().split_whitespace().count(), 1 + 1 + 39 * 2);
}

#[tokio::test(start_paused = true)]
async fn packets_are_never_cut_by_the_dialog() {
    let hub = hub(Limits::default());
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    publisher.headers(video_track());
    let (reader, paper, _) = read(&hub, now);
    paper.bite.store(2, Ordering::Relaxed);
    publisher.frame(video(0, true), now);
    publisher.flush(now);
    reader.say(Bytes::from_static(b"(hello) "), now);
    publisher.frame(video(40, false), now);
    publisher.flush(now);
    assert_eq!(paper.read(), "<1@0> V0 (hello) v40 ");
    assert!(reader.drained());
}

#[tokio::test(start_paused = true)]
async fn readers_wait_for_a_lost_publisher_and_time_goes_on() {
    let hub = hub(Limits::default());
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    publisher.headers(video_track());
    let (reader, paper, _) = read(&hub, now);
    publisher.frame(video(5000, true), now);
    publisher.flush(now);
    drop(publisher);
    assert!(!hub.is_published(&live("s")));
    let later = now.after(Duration::from_secs(3));
    let publisher = hub.publish(&live("s"), &client(&hub), later).unwrap();
    publisher.headers(video_track());
    publisher.frame(video(0, true), later);
    publisher.frame(video(40, false), later);
    publisher.flush(later);
    assert_eq!(paper.read(), "<1@5000> V5000 V8000 v8040 ");
    drop(publisher);
    assert_eq!(reader.event().await, Wake::Ended(ReaderEnd::Lost));
    drop(reader);
    assert!(hub.snapshot().is_empty());
}

#[tokio::test(start_paused = true)]
async fn other_tracks_end_only_those_who_cannot_go_on() {
    let hub = hub(Limits::default());
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    publisher.headers(video_track());
    let (reader, paper, _) = read(&hub, now);
    publisher.frame(video(0, true), now);
    let mut other = video_track();
    other.video_mut().unwrap().config = Bytes::from_static(b"other");
    publisher.headers(other.clone());
    publisher.frame(video(40, true), now);
    publisher.flush(now);
    assert_eq!(paper.read(), "<1@0> V0 !0 V40 ");
    // Readers of this format cannot go on with MP3.
    let audio = AudioTrack::plain(AudioCodec::Mp3, 48_000, 2);
    let misfit = Misfit { track: TrackId::AUDIO, was: Coding::Audio(AudioCodec::Opus), now: audio.coding() };
    other.set_audio(TrackId::AUDIO, audio);
    publisher.headers(other);
    assert_eq!(reader.event().await, Wake::Ended(ReaderEnd::Reconfigured(misfit)));
    // Nor can one that comes with a description of before.
    let (late, paper, _) = read(&hub, now);
    assert_eq!(late.event().await, Wake::Ended(ReaderEnd::Reconfigured(misfit)));
    assert_eq!(paper.read(), "");
}

#[tokio::test(start_paused = true)]
async fn a_track_that_joins_leaves_late_readers_the_group_of_frames() {
    let hub = hub(Limits::default());
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    publisher.headers(video_track());
    let outlet = |paper: &Arc<Paper>| Outlet::Stream(paper.clone());
    let read = |name: &str| {
        let paper = Arc::new(Paper::default());
        let key = FormatKey(name.into());
        let reader = hub
            .subscribe(&live("s"), &client(&hub), key, |_| Box::new(Packets), outlet(&paper), now)
            .unwrap();
        reader.play(now);
        (reader, paper)
    };
    let (_early, early) = read("early");
    publisher.frame(video(0, true), now);
    publisher.frame(video(40, false), now);
    publisher
        .headers(Tracks::of(video_track().video().cloned(), AudioTrack::plain(AudioCodec::Mp3, 48_000, 2)));
    publisher.frame(audio(60), now);
    publisher.flush(now);
    let (_late, late) = read("late");
    assert_eq!((early.read(), late.read()), ("<2@0> V0 v40 a60 ".into(), "<2@0> V0 v40 a60 ".into()));
    // Another size: nobody begins with frames of before.
    let mut other = video_track();
    other.video_mut().unwrap().config = Bytes::from_static(b"other");
    publisher.headers(other);
    publisher.frame(video(80, false), now);
    publisher.frame(video(120, true), now);
    publisher.flush(now);
    let (_later, later) = read("later");
    assert_eq!((early.read(), later.read()), ("v80 V120 ".into(), "<1@120> V120 ".into()));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_missed_a_change_is_told_the_headers_anew() {
    let limits = Limits { lag_frames: 8, ..Limits::default() };
    let hub = hub(limits);
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    publisher.headers(video_track());
    let (reader, paper, _) = read(&hub, now);
    publisher.frame(video(0, true), now);
    publisher.flush(now);
    assert_eq!(paper.read(), "<1@0> V0 ");
    paper.closed.store(true, Ordering::Relaxed);
    let mut other = video_track();
    other.video_mut().unwrap().config = Bytes::from_static(b"other");
    for i in 1..40 {
        if i == 10 {
            publisher.headers(other.clone());
        }
        publisher.frame(video(i * 40, i % 10 == 0), now);
        publisher.flush(now);
    }
    paper.closed.store(false, Ordering::Relaxed);
    reader.flush(now);
    let text = paper.read();
    let begin = text.find("<1@1200> V1200 ").unwrap_or_else(|| panic!("{text}"));
    assert!(!text[begin..].contains('!'), "the change itself lies before: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_ended() {
    let hub = hub(Limits::default());
    let mut now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    publisher.headers(video_track());
    let (stuck, stuck_paper, _) = read(&hub, now);
    let (_well, _, well_client) = read(&hub, now);
    stuck_paper.unsent.store(1 << 40, Ordering::Relaxed);
    for i in 0..15 {
        publisher.frame(video(i * 1000, true), now);
        publisher.flush(now);
        now = now.after(Duration::from_secs(1));
    }
    assert_eq!(stuck.event().await, Wake::Ended(ReaderEnd::TooSlow));
    assert!(client::get(&well_client.counters.bytes_out) > 0);
    assert_eq!(hub.snapshot()[0].readers.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn descriptions_wait_for_tracks() {
    let hub = hub(Limits::default());
    let now = Now::read();
    assert!(hub.headers(&live("s")).await.is_none());
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    let waiting = tokio::spawn({
        let hub = hub.clone();
        async move { hub.headers(&live("s")).await }
    });
    tokio::task::yield_now().await;
    publisher.headers(video_track());
    publisher.ready(now);
    assert!(waiting.await.unwrap().unwrap().tracks.video().is_some());
    drop(publisher);
    assert!(hub.headers(&live("s")).await.is_none());
    let _silent = hub.publish(&live("s"), &client(&hub), now).unwrap();
    assert!(hub.headers(&live("s")).await.is_none(), "gives up after a while");
}

/// Writes down each batch: the words, and how many readers it went to.
#[derive(Default)]
struct Post(Mutex<Vec<(String, usize)>>);

impl Datagrams for Post {
    fn send(&self, packed: &[&Packed], to: &[(&Targets, &Counters)]) {
        let words: Vec<_> = packed.iter().map(|p| std::str::from_utf8(&p.bytes).unwrap().trim()).collect();
        locked(&self.0).push((words.join(" "), to.len()));
    }
}

/// As [`Words`], in packets.
struct Packets;

impl Format for Packets {
    fn preamble(&mut self, headers: &Headers, at: MediaTime, wall: i64) -> Packed {
        cut(Words.preamble(headers, at, wall))
    }

    fn pack(&mut self, frame: &Frame, wall: i64) -> Packed {
        cut(Words.pack(frame, wall))
    }

    fn changed(&mut self, _: &Headers, _: MediaTime, _: i64) -> Packed {
        Packed::default()
    }

    fn fits(&self, _: &Tracks) -> Result<(), Misfit> {
        Ok(())
    }
}

fn cut(packed: Packed) -> Packed {
    let len = packed.bytes.len() as u32;
    Packed { cuts: vec![PacketSpan { channel: 0, control: false, start: 0, len }], ..packed }
}

#[tokio::test(start_paused = true)]
async fn datagrams_go_out_together_and_late_readers_catch_up() {
    let hub = hub(Limits::default());
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    publisher.headers(video_track());
    let post = Arc::new(Post::default());
    let read = || {
        let outlet = Outlet::Datagrams(post.clone(), Targets::new(std::net::Ipv4Addr::LOCALHOST.into()));
        let key = FormatKey("p".into());
        let reader =
            hub.subscribe(&live("s"), &client(&hub), key, |_| Box::new(Packets), outlet, now).unwrap();
        reader.play(now);
        reader
    };
    let taken = || std::mem::take(&mut *locked(&post.0));
    let _a = read();
    let _b = read();
    publisher.frame(video(0, true), now);
    publisher.flush(now);
    let first = taken();
    assert_eq!(first.iter().filter(|(w, n)| w == "V0" && *n == 1).count(), 2, "{first:?}");
    publisher.frame(video(40, false), now);
    publisher.frame(audio(40), now);
    publisher.flush(now);
    assert_eq!(taken(), [("v40 a40".into(), 2)]);
    publisher.frame(audio(60), now);
    publisher.flush(now);
    assert_eq!(taken(), [("a60".into(), 2)], "where few read nothing waits");
    assert_eq!(publisher.due(), None);
    for frame in [video(80, false), audio(80), audio(100)] {
        publisher.frame(frame, now);
    }
    publisher.flush(now);
    assert_eq!(taken(), [("v80 a80 a100".into(), 2)]);
    let _c = read();
    let caught_up: Vec<String> = taken().into_iter().map(|(w, _)| w).collect();
    assert_eq!(caught_up, ["<1@0>", "V0", "v40", "a40", "a60", "v80", "a80", "a100"]);
    publisher.frame(video(120, false), now);
    publisher.flush(now);
    assert_eq!(taken(), [("v120".into(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn where_many_read_audio_waits_for_video() {
    let hub = hub(Limits::default());
    let began = Now::read();
    let at = |ms: u64| began.after(Duration::from_millis(ms));
    let publisher = hub.publish(&live("s"), &client(&hub), began).unwrap();
    publisher.headers(video_track());
    publisher.frame(video(0, true), began);
    publisher.flush(began);
    let readers: Vec<_> = (0..gathering::MANY - 1).map(|_| read(&hub, began)).collect();
    let post = Arc::new(Post::default());
    let datagrams = Outlet::Datagrams(post.clone(), Targets::new("127.0.0.1".parse().unwrap()));
    let key = FormatKey("p".into());
    let last =
        hub.subscribe(&live("s"), &client(&hub), key, |_| Box::new(Packets), datagrams, began).unwrap();
    last.play(began);
    let all = || {
        let texts: Vec<String> = readers.iter().map(|(_, paper, _)| paper.read()).collect();
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
        (texts[0].clone(), std::mem::take(&mut *locked(&post.0)))
    };
    assert_eq!(all().0, "<1@0> V0 ");
    let wait = gathering::WAIT.as_millis() as u64;
    let send = |frame: Frame, at: Now| {
        publisher.frame(frame, at);
        publisher.flush(at);
    };
    send(audio(20), at(20));
    assert_eq!(publisher.due(), Some(at(20 + wait).mono));
    assert_eq!(all(), (String::new(), Vec::new()));
    send(video(30, false), at(30));
    assert_eq!(all(), ("a20 v30 ".into(), vec![("a20 v30".into(), 1)]));
    // Audio alone does not wait for video that does not come.
    send(audio(60), at(60));
    publisher.flush(at(60 + wait));
    assert_eq!(all(), ("a60 ".into(), vec![("a60".into(), 1)]));
    assert_eq!(publisher.due(), None);
    publisher.flush(at(90));
    assert_eq!((publisher.due(), all()), (None, (String::new(), Vec::new())), "nothing came, nothing waits");
    // Nor does anything wait for a publisher that goes.
    send(audio(100), at(100));
    publisher.end();
    assert_eq!(all(), ("a100 ".into(), vec![("a100".into(), 1)]));
    drop(last);
}

#[tokio::test(start_paused = true)]
async fn byte_streams_and_datagrams_share_a_packing() {
    let hub = hub(Limits::default());
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    publisher.headers(video_track());
    let (post, paper) = (Arc::new(Post::default()), Arc::new(Paper::default()));
    let _readers: Vec<Reader> = [
        Outlet::Datagrams(post.clone(), Targets::new(std::net::Ipv4Addr::LOCALHOST.into())),
        Outlet::Stream(paper.clone()),
    ]
    .into_iter()
    .map(|outlet| {
        let key = FormatKey("p".into());
        let reader =
            hub.subscribe(&live("s"), &client(&hub), key, |_| Box::new(Packets), outlet, now).unwrap();
        reader.play(now);
        reader
    })
    .collect();
    for i in 0..4 {
        publisher.frame(video(i * 40, i == 0), now);
        publisher.flush(now);
        publisher.frame(audio(i * 40), now);
        publisher.flush(now);
    }
    publisher.end();
    let whole = "V0 a0 v40 a40 v80 a80 v120 a120";
    assert_eq!(paper.read().trim(), format!("<1@0> {whole}"));
    let sent: Vec<String> = std::mem::take(&mut *locked(&post.0)).into_iter().map(|(w, _)| w).collect();
    assert_eq!(sent.join(" "), format!("<1@0> {whole}"));
}

#[tokio::test(start_paused = true)]
async fn audio_alone_begins_anywhere() {
    let hub = hub(Limits::default());
    let now = Now::read();
    let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
    publisher.headers(Tracks::of(None, AudioTrack::plain(AudioCodec::G711A, 8000, 1)));
    for i in 0..10 {
        publisher.frame(audio(i * 20), now);
        publisher.flush(now);
    }
    let (_reader, paper, _) = read(&hub, now);
    publisher.frame(audio(200), now);
    publisher.flush(now);
    assert_eq!(paper.read(), "<1@180> a180 a200 ");
}

/// What a reader must be able to decode: packets whole and in order, no picture without the ones before it.
fn check(text: &str, whole: &[String]) -> Result<(), String> {
    let mut at = 0;
    let mut decodable = false;
    let mut last_picture = None;
    for word in text.split_whitespace().filter(|w| !w.starts_with(['<', '!'])) {
        let place = whole.iter().skip(at).position(|w| w == word).ok_or(format!("{word} out of order"))?;
        at += place + 1;
        let video = |w: &&String| w.starts_with(['v', 'V']);
        if word.starts_with('V') {
            decodable = true;
        } else if word.starts_with('v') {
            let before = whole.iter().take(at - 1).rfind(video);
            if !decodable || before != last_picture.as_ref() {
                return Err(format!("{word} cannot be decoded behind {last_picture:?}"));
            }
        }
        if word.starts_with(['v', 'V']) {
            last_picture = Some(word.to_string());
        }
    }
    Ok(())
}

proptest::proptest! {
    #[test]
    fn whatever_happens_readers_can_decode_what_they_get(
        steps in proptest::collection::vec((0_u8..12, 0_u8..4), 1..250),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let _entered = runtime.enter();
        let limits = Limits { lag_frames: 20, gop_frames: 30, ..Limits::default() };
        let hub = hub(limits);
        let now = Now::read();
        let publisher = hub.publish(&live("s"), &client(&hub), now).unwrap();
        publisher.headers(video_track());
        let (mut whole, mut readers, mut ms) = (Vec::new(), Vec::new(), 0);
        for (what, which) in steps {
            let reader = readers.get(usize::from(which));
            match (what, reader) {
                (0, _) if readers.len() < 4 => readers.push(read(&hub, now)),
                (1, Some((_, paper, _))) => paper.closed.store(true, Ordering::Relaxed),
                (2 | 3, Some((reader, paper, _))) => {
                    paper.closed.store(false, Ordering::Relaxed);
                    paper.bite.store(u64::from(what - 2) * 3, Ordering::Relaxed);
                    reader.flush(now);
                }
                (4, Some((reader, _, _))) => reader.pause(),
                (5, Some((reader, _, _))) => reader.play(now),
                _ => {
                    let frame = match what {
                        6 => video(ms, true),
                        7 | 8 => audio(ms),
                        _ => video(ms, false),
                    };
                    let letter = if what == 6 { 'V' } else if what == 7 || what == 8 { 'a' } else { 'v' };
                    whole.push(format!("{letter}{ms}"));
                    ms += 7;
                    publisher.frame(frame, now);
                    if which != 0 {
                        publisher.flush(now);
                    }
                }
            }
        }
        for (reader, paper, _) in &readers {
            paper.closed.store(false, Ordering::Relaxed);
            reader.flush(now);
            // After a pause it may begin again with a keyframe that it has had.
            let text = paper.read();
            let once: Vec<String> = text.split_whitespace().map(str::to_string).collect();
            let replays = once.windows(2).any(|w| number(&w[1]) <= number(&w[0]));
            if !replays {
                proptest::prop_assert_eq!(check(&text, &whole), Ok(()), "{}", text);
            }
        }
        let view = &hub.snapshot()[0];
        proptest::prop_assert_eq!(view.readers.len(), readers.len());
    }
}

fn number(word: &str) -> i64 {
    word.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_end_matches('>').parse().unwrap_or(0)
}
