//! Devices in the field speak RTSP in ways of their own: `RTP/AVP;interleaved` without `/TCP`, `RTP/AVPF`, lines that end
//! with a line feed alone, a further SETUP after PLAY; and what they sent beside their description vanished without a word.

use crate::serving_rtsp::house::{House, Peer, Raw, SOON, both, number};
use crate::stage::{Stage, needs, wait_for};
use msconv::protocol::RTSP_SESSION;
use std::time::Duration;

/// Longer than any program here may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn group(publisher: &mut Peer, from: u32) {
    for n in from..from + 10 {
        publisher.picture(i64::from(n) * 40, n, n == from, 200).unwrap();
    }
}

#[test]
fn readers_with_line_feeds_and_transports_of_their_own() {
    let house = House::new();
    let mut publisher = Peer::publisher(&house, "cam", &both(), false);
    group(&mut publisher, 0);
    wait_for("the stream", SOON, || house.hub.snapshot().iter().any(|v| v.totals.video_frames == 10));
    for (offered, answered) in [
        ("RTP/AVP;unicast;interleaved=0-1", "RTP/AVP/TCP;unicast;interleaved=0-1"),
        ("RTP/AVPF/TCP;unicast;interleaved=2-3", "RTP/AVPF/TCP;unicast;interleaved=2-3"),
        ("RTP/SAVP;client_port=4-5,RTP/AVPF;interleaved=0-1", "RTP/AVPF/TCP;unicast;interleaved=0-1"),
        ("RTP/AVP/TCP;unicast", "RTP/AVP/TCP;unicast;interleaved=0-1"),
    ] {
        let mut reader = Raw::new(&house);
        let described = reader.ask(
            b"\n\0DESCRIBE rtsp://h/live/cam  rtsp/1.0\ncseq :1\nAccept:\n application/sdp\nX \xff: y\n\n",
        );
        assert!(described.starts_with("RTSP/1.0 200 ") && described.contains("m=video"), "{described}");
        let answer = reader.ask(format!(
            "SETUP rtsp://h/live/cam/trackID=0 RTSP/1.0\nCSeq: 2 SETUP\nSession:\nTransport: {offered}\n\n"
        ));
        assert!(answer.contains(&format!("\r\nTransport: {answered}")), "{offered}: {answer}");
        let session = answer.split("Session: ").nth(1).and_then(|s| s.split(';').next()).unwrap().to_string();
        let play = format!(
            "PLAY rtsp://h/live/cam RTSP/1.0\nCSeq: 3\nRange: smpte=0:00:00 -\nSession:   {session} ;timeout=60\n\n"
        );
        assert!(reader.ask(play).starts_with("RTSP/1.0 200 "));
        // A further track is refused with its reason, and what plays goes on.
        let further = format!(
            "SETUP rtsp://h/live/cam/trackID=1 RTSP/1.0\nCSeq: 4\nSession: {session}\nTransport: {offered}\n\n"
        );
        let answer = reader.ask(further);
        assert!(answer.starts_with("RTSP/1.0 455 ") && answer.contains("this session goes on"), "{answer}");
        let option = format!("GET_PARAMETER rtsp://h/live/cam RTSP/1.0\nCSeq: 5\nSession: {session}\n\n");
        assert!(reader.ask(option).starts_with("RTSP/1.0 200 "), "between its packets");
    }
    let mut refused = Raw::new(&house);
    let answer = refused.ask("SETUP rtsp://h/live/cam/trackID=0 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/SAVP;unicast;client_port=4-5\r\n\r\n");
    assert!(
        answer.starts_with("RTSP/1.0 461 ")
            && answer.contains("RTP/SAVP is SRTP, which is not carried; use RTP/AVP"),
        "{answer}"
    );
    assert_eq!(house.said(&["was refused SETUP cam", "SRTP"]).len(), 1);
}

#[test]
fn packets_that_were_not_announced_are_told_once() {
    let house = House::new();
    for datagrams in [false, true] {
        let name = if datagrams { "by-datagram" } else { "by-connection" };
        let mut publisher = Peer::publisher(&house, name, &both(), datagrams);
        group(&mut publisher, 0);
        publisher.payload_type(0, 99);
        group(&mut publisher, 10);
        publisher.payload_type(0, 98);
        group(&mut publisher, 20);
        publisher.payload_type(0, 96);
        group(&mut publisher, 30);
        wait_for("what was announced", SOON, || {
            let view = house.hub.snapshot().into_iter().find(|v| v.name.name == name);
            view.is_some_and(|v| v.totals.video_frames == 20)
        });
        let said = house.said(&[&format!(
            "publishes {name}: packets of payload type 99 are dropped; track 1 announced 96"
        )]);
        assert_eq!(
            (said.len(), house.said(&[name, "are dropped"]).len()),
            (1, 1),
            "{:?}",
            house.said(&[name])
        );
        let session = house.client(RTSP_SESSION, |c| c.details().name == name);
        assert_eq!(msconv::hub::client::get(&session.counters.packets_in_error), 20);
        let mut reader = Peer::reader(&house, name, false);
        assert_eq!(number(&reader.unit().unwrap()), 30);
    }
}

#[test]
fn gstreamer_publishes_with_feedback_and_hears_that_srtp_is_not_carried() {
    if !needs("rtspclientsink") {
        return;
    }
    let stage = Stage::new("profiles");
    let house = House::new();
    for (profile, protocol) in [("avpf", "tcp"), ("avpf", "udp"), ("savp", "tcp")] {
        let name = format!("{profile}-{protocol}");
        let (location, way) = (format!("location={}", house.url(&name)), format!("protocols={protocol}"));
        let line = format!(
            "-q videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! x264enc tune=zerolatency ! \
             h264parse ! rtspclientsink {location} {way} profiles={profile}"
        );
        let publisher = stage.spawn("gst-launch-1.0", &line.split_whitespace().collect::<Vec<_>>());
        if profile == "savp" {
            wait_for("the refusal", PATIENCE, || {
                !house.said(&["was refused ANNOUNCE", "SRTP (RTP/SAVP) is not carried"]).is_empty()
            });
            continue;
        }
        wait_for("the stream", PATIENCE, || {
            let view = house.hub.snapshot().into_iter().find(|v| v.name.name == name);
            view.filter(|v| v.totals.video_frames > 5)
                .ok_or_else(|| format!("{}\n{:?}", publisher.stderr(), house.said(&[])))
        });
    }
}
