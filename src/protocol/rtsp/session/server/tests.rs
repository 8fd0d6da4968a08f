//! The dialog of the server, alone and with our client, with bytes split at every place.

use super::super::client::{Caller, Event, Intent, Way};
use super::setup::ends_with;
use super::*;
use crate::auth::Credentials;
use crate::media::AudioTrack;
use crate::media::codec::{aac, h264};
use crate::protocol::rtsp::wire::Transport;
use proptest::prelude::*;

fn around(ports: bool) -> Surroundings {
    Surroundings {
        local: "127.0.0.1".parse().unwrap(),
        ports: ports.then_some((8000, 8001)),
        nonce: "n0".into(),
        basic_only: false,
        session: "s1".into(),
        applications: vec!["live".to_string()].into(),
    }
}

fn tracks() -> Tracks {
    let sps = [
        0x67, 0x64, 0, 0x1f, 0xac, 0xd9, 0x40, 0x50, 5, 0xbb, 1, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3, 0xc0,
        0xf1, 0x83, 0x19, 0x60,
    ];
    let pps = [0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
    let audio = AudioTrack::aac(aac::lc(48_000, 2).unwrap()).unwrap();
    Tracks::of(h264::track_of_sets(&sps, &pps).unwrap(), audio)
}

/// What a lenient server answers.
fn lenient(ask: &Ask) -> Answer {
    match ask {
        Ask::Read(..) => Answer::Tracks(tracks(), "cam".into()),
        Ask::Play(..) => Answer::Playing(vec![(TrackId::VIDEO, 65_535, 7), (TrackId::AUDIO, 9, u32::MAX)]),
        _ => Answer::Done,
    }
}

/// The statuses of the answers to these bytes, and all that was asked.
fn talk(dialog: &mut Dialog, bytes: &[u8]) -> (Vec<u16>, Vec<Ask>) {
    let (text, asks, _) = talk_text(dialog, bytes);
    let status = |answer: &str| answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap();
    (text.iter().map(|t| status(t)).collect(), asks)
}

fn talk_text(dialog: &mut Dialog, bytes: &[u8]) -> (Vec<String>, Vec<Ask>, Vec<Step>) {
    dialog.buffer().extend_from_slice(bytes);
    let (mut answers, mut asks, mut others) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(step) = dialog.step() {
        match step {
            Step::Say(bytes) => answers.push(String::from_utf8(bytes.to_vec()).unwrap()),
            Step::Ask(ask) => {
                dialog.answer(lenient(&ask));
                asks.push(*ask);
            }
            other => others.push(other),
        }
    }
    (answers, asks, others)
}

fn one(dialog: &mut Dialog, line: &str, headers: &str) -> u16 {
    let (statuses, _) = talk(dialog, format!("{line} RTSP/1.0\r\nCSeq: 3\r\n{headers}\r\n").as_bytes());
    assert_eq!(statuses.len(), 1, "{line}");
    statuses[0]
}

const TCP: &str = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
const SESSION: &str = "Session: s1\r\n";
const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
    a=rtpmap:96 H264/90000\r\na=control:streamid=0\r\nm=audio 0 RTP/AVP 0\r\na=control:rtsp://h/live/cam/audio\r\n";

fn announce(dialog: &mut Dialog, uri: &str, sdp: &str) -> u16 {
    let text = format!("ANNOUNCE {uri} RTSP/1.0\r\nCSeq: 1\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    talk(dialog, text.as_bytes()).0[0]
}

#[test]
fn a_reader_as_ffmpeg_is_one() {
    let mut d = Dialog::new(around(true));
    assert_eq!(one(&mut d, "OPTIONS rtsp://h:8554/live/cam", ""), 200);
    let (text, asks, _) = talk_text(
        &mut d,
        b"DESCRIBE rtsp://u:p@h:8554/live/cam?k=v RTSP/1.0\r\nCSeq: 2\r\nAccept: application/sdp\r\nUser-Agent: Lavf\r\n\r\n",
    );
    assert!(text[0].contains("\r\nContent-Base: rtsp://h:8554/live/cam/\r\n"), "{}", text[0]);
    assert!(text[0].contains("a=control:trackID=1\r\n"));
    assert!(matches!(&asks[0], Ask::Read(place, _) if place.stream.name == "cam" && place.query == "k=v"));
    assert_eq!(d.agent(), "Lavf");
    assert_eq!(one(&mut d, "SETUP rtsp://h:8554/live/cam/trackID=0", TCP), 200);
    let second = "Transport: RTP/AVP/TCP;unicast;interleaved=2-3\r\nSession: s1\r\n";
    assert_eq!(one(&mut d, "SETUP rtsp://h:8554/live/cam/trackID=1", second), 200);
    let (text, asks, _) = talk_text(
        &mut d,
        b"PLAY rtsp://h:8554/live/cam/ RTSP/1.0\r\nCSeq: 5\r\nRange: npt=0.000-\r\nSession: s1\r\n\r\n",
    );
    let info = "\r\nRTP-Info: url=rtsp://h:8554/live/cam/trackID=0;seq=65535;rtptime=7,\
        url=rtsp://h:8554/live/cam/trackID=1;seq=9;rtptime=4294967295\r\n";
    assert!(text[0].contains(info), "{}", text[0]);
    assert!(text[0].contains("\r\nSession: s1;timeout=60\r\n"), "{}", text[0]);
    assert!(matches!(&asks[0], Ask::Play(_, r) if r.ways.places().count() == 2));
    let (_, _, packets) = talk_text(&mut d, b"$\x01\0\x02ab$\x03\0\x01c$\x09\0\x01d");
    let channel = |track| Channel { track, rtcp: true };
    let expected = [
        Step::Packet(channel(0), Bytes::from_static(b"ab")),
        Step::Packet(channel(1), Bytes::from_static(b"c")),
        Step::Stray,
    ];
    assert_eq!(packets, expected);
    assert_eq!(one(&mut d, "GET_PARAMETER rtsp://h:8554/live/cam/", SESSION), 200);
    assert_eq!(one(&mut d, "PAUSE rtsp://h:8554/live/cam/", SESSION), 200);
    assert_eq!(one(&mut d, "PLAY rtsp://h:8554/live/cam/", SESSION), 200);
    assert_eq!(one(&mut d, "TEARDOWN rtsp://h:8554/live/cam/", SESSION), 200);
    // A last report that was under way harms nobody; a stream of them does.
    let (said, _, packets) = talk_text(&mut d, b"$\x01\0\x02ab");
    assert_eq!((said, packets), (vec![], vec![Step::Stray]));
    assert_eq!(one(&mut d, "TEARDOWN rtsp://h:8554/live/cam/", SESSION), 454);
    let (said, _, _) = talk_text(&mut d, &b"$\x01\0\x02ab".repeat(40));
    assert!(said[0].starts_with("RTSP/1.0 400 "), "{}", said[0]);
}

#[test]
fn a_publisher_as_ffmpeg_is_one() {
    let mut d = Dialog::new(around(true));
    assert_eq!(announce(&mut d, "rtsp://h/live/cam", SDP), 200);
    let record = "Transport: RTP/AVP/UDP;unicast;client_port=9000-9001;mode=record\r\n";
    assert_eq!(one(&mut d, "SETUP rtsp://h/live/cam/streamid=0", record), 200);
    let second = "Transport: RTP/AVP/UDP;unicast;client_port=9002-9003;mode=record\r\nSession: s1\r\n";
    assert_eq!(one(&mut d, "SETUP rtsp://h/live/cam/audio", second), 200);
    let (statuses, asks) =
        talk(&mut d, b"RECORD rtsp://h/live/cam RTSP/1.0\r\nCSeq: 9\r\nSession: s1;timeout=60\r\n\r\n");
    assert_eq!(statuses, [200]);
    let Ask::Record(ways) = &asks[0] else { panic!("{asks:?}") };
    assert_eq!(ways.way(1), Some(Transport::Datagrams { rtp: 9002, rtcp: 9003 }));
    assert_eq!(one(&mut d, "SETUP rtsp://h/live/cam/audio", second), 455);
    assert_eq!(announce(&mut d, "rtsp://h/live/cam", SDP), 455);
    assert_eq!(one(&mut d, "PLAY rtsp://h/live/cam", SESSION), 455);
    assert_eq!(one(&mut d, "TEARDOWN rtsp://h/live/cam", SESSION), 200);
}

#[test]
fn wrong_requests_get_the_fitting_answer() {
    let fresh = || Dialog::new(around(false));
    for (line, headers, status) in [
        ("DESCRIBE rtsp://h/../x", "", 400),
        ("DESCRIBE rtsp://h/a/b", "", 400),
        ("DESCRIBE *", "", 405),
        ("DESCRIBE rtsp://h/cam", "Accept: text/html\r\n", 406),
        ("DESCRIBE rtsp://h/cam", "Require: feature\r\n", 551),
        ("SETUP rtsp://h/cam/trackID=0", "", 400),
        ("SETUP rtsp://h/cam/trackID=0", "Transport: RTP/AVP;unicast;client_port=4-5\r\n", 461),
        ("SETUP rtsp://h/cam/trackID=0", "Transport: nonsense\r\n", 461),
        ("SETUP rtsp://h/cam/trackID=7", TCP, 404),
        ("SETUP rtsp://h/cam", TCP, 459),
        ("SETUP rtsp://h/cam/trackID=0", "Transport: RTP/AVP/TCP;interleaved=0-1;mode=record\r\n", 455),
        ("SETUP rtsp://h/cam/trackID=0", "Session: s1\r\nTransport: RTP/AVP/TCP\r\n", 454),
        ("SETUP rtsp://h/cam/trackID=0", "Session:\r\nTransport: RTP/AVP;interleaved=0-1\r\n", 200),
        ("DESCRIBE rtsp://h/cam", "Session: of-yesterday\r\n", 200),
        ("OPTIONS rtsp://h/cam", "Session: of-yesterday\r\n", 200),
        ("PLAY rtsp://h/cam", "", 455),
        ("PLAY rtsp://h/cam", "Session: s1\r\n", 454),
        ("PAUSE rtsp://h/cam", "", 455),
        ("RECORD rtsp://h/cam", "", 455),
        ("TEARDOWN rtsp://h/cam", "", 454),
        ("REDIRECT rtsp://h/cam", "", 501),
        ("GET_PARAMETER rtsp://h/cam", "", 200),
        ("SET_PARAMETER rtsp://h/cam", "", 200),
    ] {
        assert_eq!(one(&mut fresh(), line, headers), status, "{line} {headers}");
    }
    let body = b"SET_PARAMETER rtsp://h/cam RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(talk(&mut fresh(), body).0, [451]);
    assert_eq!(announce(&mut fresh(), "rtsp://h/cam", "v=1"), 400);
    let l16 = "v=0\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 L16/48000\r\n";
    assert_eq!(announce(&mut fresh(), "rtsp://h/cam", l16), 415);
    let html = b"ANNOUNCE rtsp://h/cam RTSP/1.0\r\nCSeq: 1\r\nContent-Type: text/html\r\n\r\n";
    assert_eq!(talk(&mut fresh(), html).0, [415]);
}

#[test]
fn each_track_may_be_set_up_and_given_up_by_itself() {
    let mut d = Dialog::new(around(true));
    let mut two = tracks();
    let second = TrackId::new(crate::media::TrackKind::Audio, 1).unwrap();
    two.set_audio(second, AudioTrack::opus(crate::media::codec::opus::head(2)).unwrap());
    d.described = Some((StreamPath::of("rtsp://h/cam", &["live".to_string()]).unwrap().0, two));
    assert_eq!(one(&mut d, "SETUP rtsp://h/cam", TCP), 459, "which of them?");
    assert_eq!(one(&mut d, "SETUP rtsp://h/cam/trackID=2", TCP), 404, "there is no second video");
    assert_eq!(one(&mut d, "SETUP rtsp://h/cam/trackID=3", TCP), 200);
    let more = "Transport: RTP/AVP/TCP;unicast;interleaved=2-3\r\nSession: s1\r\n";
    assert_eq!(one(&mut d, "SETUP rtsp://h/cam/trackID=0", more), 200);
    assert_eq!(one(&mut d, "TEARDOWN rtsp://h/cam/trackID=1", SESSION), 200, "it was not set up");
    assert_eq!(one(&mut d, "TEARDOWN rtsp://h/cam/trackID=0", SESSION), 200);
    let (_, asks, _) = talk_text(&mut d, b"PLAY rtsp://h/cam RTSP/1.0\r\nCSeq: 5\r\nSession: s1\r\n\r\n");
    let Ask::Play(_, reading) = &asks[0] else { panic!("{asks:?}") };
    assert_eq!(reading.ways.places().collect::<Vec<_>>(), [second.place().unwrap()]);
}

#[test]
fn the_state_decides() {
    let mut d = Dialog::new(around(true));
    assert_eq!(one(&mut d, "SETUP rtsp://h/cam/trackID=0", TCP), 200);
    assert_eq!(one(&mut d, "SETUP rtsp://h/other/trackID=1", TCP), 400);
    let udp = "Transport: RTP/AVP;unicast;client_port=4-5\r\nSession: s1\r\n";
    assert_eq!(one(&mut d, "SETUP rtsp://h/cam/trackID=1", udp), 461, "one kind of way for both");
    let taken = "Transport: RTP/AVP/TCP;unicast;interleaved=1-2\r\nSession: s1\r\n";
    assert_eq!(one(&mut d, "SETUP rtsp://h/cam/trackID=1", taken), 200, "on channels of our choice");
    assert_eq!(one(&mut d, "PLAY rtsp://h/cam/trackID=1", SESSION), 460);
    assert_eq!(one(&mut d, "PLAY rtsp://h/other", SESSION), 404);
    assert_eq!(one(&mut d, "PLAY rtsp://h/cam", "Session: other\r\n"), 454);
    assert_eq!(one(&mut d, "TEARDOWN rtsp://h/cam/trackID=1", SESSION), 200, "one of two");
    assert_eq!(one(&mut d, "PLAY rtsp://h/cam/trackID=0", SESSION), 200, "the only one");
    for range in ["", "Range:\r\n", "Range: npt=now-\r\n", "Range: npt:0 -\r\n", "Range: bytes=1-2\r\n"] {
        assert_eq!(one(&mut d, "PLAY rtsp://h/cam", &format!("{SESSION}{range}")), 200, "live: {range}");
    }
    // A further track is refused with its reason, now and during a pause; the session goes on.
    for method in ["PAUSE", "PLAY", "TEARDOWN"] {
        let (text, ..) = talk_text(
            &mut d,
            format!("SETUP rtsp://h/cam/trackID=1 RTSP/1.0\r\nCSeq: 3\r\n{TCP}\r\n").as_bytes(),
        );
        assert!(text[0].starts_with("RTSP/1.0 455 ") && text[0].contains("\r\nSession: s1;"), "{}", text[0]);
        assert!(
            text[0].ends_with(
                "\r\n\r\ntracks are set up before PLAY; this session goes on with those that it has\n"
            ),
            "{}",
            text[0]
        );
        assert_eq!(one(&mut d, &format!("{method} rtsp://h/cam/trackID=0"), SESSION), 200, "{method}");
    }
    assert_eq!(announce(&mut d, "rtsp://h/cam", SDP), 200, "and ends when it is told to");
    assert_eq!(announce(&mut d, "rtsp://h/cam", SDP), 455);
}

#[test]
fn transports_are_answered_as_they_were_offered_or_refused_by_name() {
    let setup = |ports, transport: &str| {
        let mut d = Dialog::new(around(ports));
        let request =
            format!("SETUP rtsp://h/cam/trackID=0 RTSP/1.0\r\nCSeq: 3\r\nTransport: {transport}\r\n\r\n");
        talk_text(&mut d, request.as_bytes()).0.remove(0)
    };
    for (transport, answer) in [
        ("RTP/AVP;unicast;interleaved=0-1", "RTP/AVP/TCP;unicast;interleaved=0-1;mode=play"),
        ("RTP/AVP/TCP;unicast", "RTP/AVP/TCP;unicast;interleaved=0-1;mode=play"),
        ("RTP/AVPF/TCP;interleaved=4-5", "RTP/AVPF/TCP;unicast;interleaved=4-5;mode=play"),
        (
            "RTP/SAVP;client_port=4-5,RTP/AVPF;client_port=6-7",
            "RTP/AVPF/UDP;unicast;client_port=6-7;server_port=8000-8001;mode=play",
        ),
    ] {
        let said = setup(true, transport);
        assert!(said.contains(&format!("\r\nTransport: {answer}\r\n")), "{transport}: {said}");
    }
    for (ports, transport, why) in [
        (true, "RTP/SAVP/TCP;interleaved=0-1", "RTP/SAVP/TCP is SRTP, which is not carried; use RTP/AVP"),
        (true, "RTP/AVP;multicast", "multicast is not carried"),
        (false, "RTP/AVP;client_port=4-5", "only RTP/AVP/TCP can be used here"),
    ] {
        let said = setup(ports, transport);
        assert!(said.starts_with("RTSP/1.0 461 ") && said.ends_with(&format!("\r\n\r\n{why}\n")), "{said}");
    }
}

#[test]
fn a_publisher_hears_what_is_left_out_and_may_send_it() {
    let mut d = Dialog::new(around(true));
    let sdp = "v=0\r\nm=audio 0 RTP/AVP 11\r\na=control:pcm\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
        a=control:rtsp://10.0.0.1/media/video?profile=1\r\nm=application 0 RTP/AVP 107\r\na=rtpmap:107 \"x\"/90000\r\na=control:?ctype=app107\r\n";
    let text = format!(
        "ANNOUNCE rtsp://h/live/cam RTSP/1.0\r\nCSeq: 1\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    let (said, asks, _) = talk_text(&mut d, text.as_bytes());
    let warning = "\r\nWarning: 199 msconv \"left out: track 1 (audio): L16 is not carried; \
        track 3 (application): 'x' is not carried, only video and audio\"\r\n";
    assert!(said[0].starts_with("RTSP/1.0 200 ") && said[0].contains(warning), "{}", said[0]);
    assert!(matches!(&asks[0], Ask::Publish(_, _, described) if described.len() == 3));
    // Whatever stands before what the control URLs end with.
    for uri in
        ["rtsp://h/live/cam/pcm/", "rtsp://10.0.0.1/media/video?profile=1", "rtsp://h/live/cam/?ctype=app107"]
    {
        assert_eq!(
            one(&mut d, &format!("SETUP {uri}"), "Transport: RTP/AVP/TCP;unicast;mode=record\r\n"),
            200,
            "{uri}"
        );
    }
    assert_eq!(
        one(&mut d, "SETUP rtsp://h/live/cam/other", "Transport: RTP/AVP/TCP;unicast;mode=record\r\n"),
        404
    );
    let (_, asks) = talk(&mut d, b"RECORD rtsp://h/live/cam RTSP/1.0\r\nCSeq: 9\r\nSession: s1\r\n\r\n");
    assert!(matches!(&asks[0], Ask::Record(ways) if ways.places().count() == 3), "{asks:?}");
}

#[test]
fn tracks_without_control_urls_are_set_up_in_order() {
    let mut d = Dialog::new(around(true));
    let sdp = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 0 RTP/AVP 8\r\n";
    assert_eq!(announce(&mut d, "rtsp://h/cam", sdp), 200);
    for track in 0..2_u8 {
        assert_eq!(
            one(&mut d, "SETUP rtsp://h/cam", "Transport: RTP/AVP;interleaved=0-1;mode=record\r\n"),
            200
        );
        let State::Publishing { ways, .. } = &d.state else { panic!() };
        let channels = Transport::Interleaved(Some((track * 2, track * 2 + 1)));
        assert_eq!(ways.way(track.into()), Some(channels), "channels that are taken are chosen anew");
    }
    assert_eq!(one(&mut d, "SETUP rtsp://h/cam", TCP), 404);
}

#[test]
fn what_control_urls_end_with() {
    for (uri, control, ends) in [
        ("rtsp://h/cam/track1", "track1", true),
        ("rtsp://h/cam/track1/", "/track1", true),
        ("rtsp://h/cam/track1?token=x", "track1", true),
        ("rtsp://h/cam?token=x/track1", "track1", true),
        ("rtsp://h/cam/track11", "track1", false),
        ("rtsp://h/cam/xtrack1", "track1", false),
        ("rtsp://h/cam", "rtsp://10.0.0.1/cam", true),
        ("rtsp://h:554/a/b/trackID=1?mode=x&y", "rtsp://other/a/b/trackID=1?mode=x&y", true),
        ("rtsp://h/cam/?ctype=video", "?ctype=video", true),
        ("rtsp://h/cam", "", false),
        ("rtsp://h/cam/*", "*", false),
        ("rtsp://h", "rtsp://h", false),
    ] {
        assert_eq!(ends_with(uri, control), ends, "{uri} {control}");
    }
}

#[test]
fn tunnels_through_http_begin_a_connection_and_nothing_else() {
    let get = b"GET /cam HTTP/1.0\r\nx-sessioncookie: abc\r\n\r\n";
    let mut d = Dialog::new(around(true));
    let (said, _, steps) = talk_text(&mut d, get);
    assert_eq!((said.len(), &steps[..]), (0, &[Step::Tunnel(Tunnel::Down("abc".into()))][..]));
    assert_eq!(one(&mut d, "OPTIONS *", ""), 200, "it goes on with what comes by the other connection");
    let (said, _, steps) = talk_text(&mut d, get);
    assert!(said[0].starts_with("RTSP/1.0 400 ") && matches!(steps[..], [Step::Close(None)]), "{said:?}");
    let mut d = Dialog::new(around(true));
    let (said, _, steps) =
        talk_text(&mut d, b"POST /cam HTTP/1.1\r\nx-sessioncookie: abc\r\nContent-Length: 32767\r\n\r\nT1BU");
    assert_eq!(
        (said.len(), &steps[..]),
        (0, &[Step::Tunnel(Tunnel::Up("abc".into()))][..]),
        "a POST gets no answer"
    );
    assert_eq!(&d.rest()[..], b"T1BU");
    let (said, _, _) = talk_text(&mut Dialog::new(around(true)), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(
        said[0].starts_with("RTSP/1.0 400 ")
            && said[0].contains("this port speaks RTSP; HTTP only carries it"),
        "{}",
        said[0]
    );
}

#[test]
fn refusals_come_with_their_reason() {
    let mut d = Dialog::new(around(true));
    d.buffer().extend_from_slice(
        b"DESCRIBE rtsp://h/cam RTSP/1.0\r\nCSeq: 1\r\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: 2\r\n\r\n",
    );
    assert!(matches!(d.step(), Some(Step::Ask(_))));
    assert_eq!(d.step(), None, "the second request waits for the first answer");
    d.answer(Answer::Refused(Status::UNAUTHORIZED, String::new()));
    let Some(Step::Say(text)) = d.step() else { panic!() };
    let text = String::from_utf8(text.to_vec()).unwrap();
    let digest = text.find("WWW-Authenticate: Digest realm=\"msconv\", nonce=\"n0\"\r\n").unwrap();
    assert!(text.find("WWW-Authenticate: Basic realm=\"msconv\"\r\n").unwrap() > digest);
    assert!(matches!(d.step(), Some(Step::Say(t)) if t.starts_with(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\n")));
    d.buffer().extend_from_slice(b"DESCRIBE rtsp://h/cam RTSP/1.0\r\nCSeq: 3\r\n\r\n");
    assert!(matches!(d.step(), Some(Step::Ask(_))));
    d.answer(Answer::Dismissed(Status::FORBIDDEN, "too many failed attempts".into()));
    assert!(matches!(d.step(), Some(Step::Say(t)) if t.ends_with(b"\r\n\r\ntoo many failed attempts\n")));
    assert_eq!(d.step(), Some(Step::Close(None)));
    d.buffer().extend_from_slice(b"OPTIONS * RTSP/1.0\r\nCSeq: 4\r\n\r\n");
    assert_eq!(d.step(), None, "nothing is read after that");
}

#[test]
fn strays_end_the_connection() {
    let mut d = Dialog::new(around(true));
    let (text, _, steps) = talk_text(&mut d, b"$\0\0\x01a");
    assert!(text[0].starts_with("RTSP/1.0 400 "), "before SETUP at once");
    assert_eq!(steps.last(), Some(&Step::Close(Some("rtsp_stray_packets"))));
    let mut d = Dialog::new(around(true));
    assert_eq!(one(&mut d, "SETUP rtsp://h/cam/trackID=0", TCP), 200);
    let (text, _, steps) = talk_text(&mut d, &b"$\x09\0\x01a".repeat(100));
    assert_eq!((text.len(), steps.len()), (1, 34), "32 are borne");
}

/// Our client and our server, with bytes handed over in pieces of `piece`.
fn together(wanted: &Intent, way: &Way, password: Option<&str>, piece: usize) -> Vec<Event> {
    let bob = Credentials::new("bob", "pw");
    let shown = password.map(|p| Credentials::new("bob", p));
    let mut client = Caller::new("rtsp://h:8554/live/cam?x=y", shown, wanted.clone(), way.clone());
    let mut server = Dialog::new(around(true));
    let mut events = Vec::new();
    let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
    loop {
        while let Some(event) = client.event() {
            match event {
                Event::Say(bytes) => to_server.extend_from_slice(&bytes),
                event => events.push(event),
            }
        }
        while let Some(step) = server.step() {
            match step {
                Step::Say(bytes) => to_client.extend_from_slice(&bytes),
                Step::Ask(ask) => {
                    let fits = |login: &Login| {
                        password.is_none()
                            || login.shown.as_ref().is_some_and(|s| s.fits(&bob, &login.method, "n0"))
                    };
                    let answer = match &*ask {
                        Ask::Read(_, login) | Ask::Publish(_, login, _) if !fits(login) => {
                            Answer::Refused(Status::UNAUTHORIZED, "no".into())
                        }
                        ask => lenient(ask),
                    };
                    server.answer(answer);
                    if matches!(*ask, Ask::Play(..)) {
                        // The answer first, then packets.
                        while let Some(Step::Say(bytes)) = server.step() {
                            to_client.extend_from_slice(&bytes);
                        }
                        to_client.extend_from_slice(b"$\0\0\x02ab$\x03\0\x01c");
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        if to_server.is_empty() && to_client.is_empty() {
            return events;
        }
        let some = to_server.split_to(piece.min(to_server.len()));
        server.buffer().extend_from_slice(&some);
        let some = to_client.split_to(piece.min(to_client.len()));
        client.buffer().extend_from_slice(&some);
    }
}

#[test]
fn our_client_and_our_server_understand_each_other_in_any_pieces() {
    let publish = Intent::Publish(Box::new(tracks()));
    let udp = Way::Datagrams(vec![(9000, 9001), (9002, 9003)]);
    for (wanted, way) in [
        (&Intent::Read, &Way::Interleaved),
        (&Intent::Read, &udp),
        (&publish, &Way::Interleaved),
        (&publish, &udp),
    ] {
        for password in [None, Some("pw")] {
            let whole = together(wanted, way, password, usize::MAX);
            assert!(whole.iter().any(|e| matches!(e, Event::Granted(_))), "{whole:?}");
            for piece in 1..40 {
                assert_eq!(together(wanted, way, password, piece), whole, "in pieces of {piece}");
            }
        }
        let refused = together(wanted, way, Some("wrong"), 7);
        assert!(matches!(refused.last(), Some(Event::Refused(Status::UNAUTHORIZED, _))), "{refused:?}");
    }
    let read = together(&Intent::Read, &Way::Interleaved, None, 1);
    let packets = read.iter().filter(|e| matches!(e, Event::Packet(..))).count();
    assert_eq!(packets, 2);
    assert!(matches!(&read[1], Event::Granted(starts) if starts.len() == 2), "{read:?}");
}

proptest! {
    #[test]
    fn any_dialog_ends_or_waits(
        requests in proptest::collection::vec(
            ("(OPTIONS|DESCRIBE|SETUP|PLAY|PAUSE|RECORD|TEARDOWN|ANNOUNCE|X)",
             "(rtsp://h/(live/)?cam(/trackID=[0-2])?(\\?a/b=1)?|\\*|/x|rtsp://h/[a-z./?=]{0,9})",
             "(Session: s1\r\n)?(Transport: RTP/AVP(/TCP)?;(client_port=4-5|interleaved=[0-9]-[0-9])(;mode=record)?\r\n)?"),
            0..12),
        garbage in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut d = Dialog::new(around(true));
        for (method, uri, headers) in requests {
            let body = if method == "ANNOUNCE" { SDP } else { "" };
            let text = format!("{method} {uri} RTSP/1.0\r\nCSeq: 1\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
            let (statuses, _) = talk(&mut d, text.as_bytes());
            prop_assert_eq!(statuses.len(), 1, "{}", text);
            if d.closed {
                return Ok(());
            }
        }
        talk(&mut d, &garbage);
    }
}
