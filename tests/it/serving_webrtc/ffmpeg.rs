//! FFmpeg publishes by WHIP, and viewers of every protocol get it.

use super::house::{House, offer};
use crate::live::SOON;
use crate::stage::{Running, enhanced, needs};
use nix::sys::signal::Signal;

/// FFmpeg as a publisher by WHIP; it knows no B-frames there.
pub fn whip(house: &House, program: &str, more: &[&str], url: &str) -> Running {
    let source = ["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=25"];
    let tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-ac", "2"];
    let video = ["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-bf", "0", "-g", "25"];
    let rest = ["-pix_fmt", "yuv420p", "-c:a", "libopus", "-f", "whip"];
    house.stage.spawn(program, &[&source[..], &tone, &video, &rest, more, &[url]].concat())
}

#[test]
fn what_ffmpeg_publishes_is_there_for_every_protocol() {
    let Some(newer) = enhanced() else { return };
    if !needs("ffmpeg") || !needs("ffprobe") {
        return;
    }
    let house = House::new("whip-ffmpeg", &[]);
    let whip_url = house.url("/live/cam/whip");
    let publisher = whip(&house, &newer, &[], &whip_url);
    house.ready("cam", &publisher);
    let rtsp = format!("rtsp://{}/cam", house.serve.address("rtsp"));
    let rtmp = format!("rtmp://{}/live/cam", house.serve.address("rtmp"));
    let hls = house.url("/live/cam/index.m3u8");
    // Opus over RTMP and in fMP4 is read by newer versions only.
    for (program, input) in [
        ("ffmpeg", &["-rtsp_transport", "tcp", "-i", &rtsp][..]),
        (&newer, &["-i", &rtmp]),
        (&newer, &["-i", &hls]),
    ] {
        let said = house.decodes(program, input);
        assert!(said.contains("320x240") && said.contains("Audio: opus"), "{input:?}: {said}");
    }
    // The name is taken, for everybody and by every protocol.
    let taken = house.offer("/live/cam/whip", &offer("sendonly"));
    assert_eq!(taken.status, 409, "{taken:?}");
    let second = whip(&house, &newer, &[], &whip_url).wait(SOON);
    assert!(second.code != 0 && second.stderr.contains("4XX Client Error"), "{second}");
    let sessions = house.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    let of = |field: &str| sessions[0][field].clone();
    assert_eq!(
        (of("state"), of("path"), of("peerConnectionEstablished")),
        ("publish".into(), "cam".into(), true.into())
    );
    assert!(of("inboundRTPPackets").as_u64().unwrap() > 50, "{sessions:?}");
    assert_eq!(house.metric("msconv_webrtc_sessions{direction=\"in\"}"), 1.0);
    // It says that it ends, and the name is free.
    publisher.signal(Signal::SIGINT);
    publisher.wait(SOON);
    house.gone("cam");
    assert_eq!(house.sessions(), [] as [serde_json::Value; 0]);
    assert!(
        house.metric("msconv_webrtc_bytes_total{direction=\"in\"}") > 10_000.0,
        "what it sent still counts"
    );
    let again = whip(&house, &newer, &[], &whip_url);
    house.ready("cam", &again);
}
