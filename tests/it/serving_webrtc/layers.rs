//! A browser publishes layers (RFC 8853), and they are one ladder for every protocol.

use super::house::House;
use crate::live::SOON;
use crate::stage::{Browser, needs, wait_for};
use serde_json::json;

/// Publishes what is drawn on a canvas of 960x540 in three layers, with a tone.
const PUBLISHES: &str = r#"(async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [960, 540];
    const pen = canvas.getContext("2d");
    let count = 0;
    setInterval(() => {
        pen.fillStyle = `hsl(${count++ % 360} 80% 50%)`;
        pen.fillRect((count * 7) % 960, (count * 3) % 540, 90, 60);
    }, 66);
    const audio = new AudioContext();
    const tone = new OscillatorNode(audio, { frequency: 440 });
    const into = new MediaStreamAudioDestinationNode(audio);
    tone.connect(into);
    tone.start();
    const peer = window.peer = new RTCPeerConnection();
    const layers = [["h", 1], ["m", 2], ["l", 4]].map(([rid, scaleResolutionDownBy]) => ({ rid, scaleResolutionDownBy }));
    const video = peer.addTransceiver(canvas.captureStream(15).getVideoTracks()[0],
        { direction: "sendonly", sendEncodings: layers });
    const all = RTCRtpSender.getCapabilities("video").codecs;
    video.setCodecPreferences(all.filter((one) => one.mimeType === "video/H264" || one.mimeType === "video/rtx"));
    peer.addTransceiver(into.stream.getAudioTracks()[0], { direction: "sendonly" });
    await peer.setLocalDescription(await peer.createOffer());
    const answer = await fetch("/live/cam/whip",
        { method: "POST", headers: { "Content-Type": "application/sdp" }, body: peer.localDescription.sdp });
    if (answer.status !== 201) return answer.text();
    window.session = answer.headers.get("Location");
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    return "published";
})()"#;

/// What the browser says of what it sends.
const SENT: &str = "peer.getStats().then((all) => JSON.stringify([...all.values()].filter((one) => one.type === 'outbound-rtp')\
    .map((one) => [one.rid, one.framesEncoded, one.frameHeight, one.qualityLimitationReason])))";

#[test]
fn layers_of_a_browser_are_a_ladder() {
    if !needs("ffmpeg") || !needs("ffprobe") {
        return;
    }
    let house = House::new("whip-layers", &[]);
    let Some(mut browser) = Browser::start(&house.stage) else { return };
    browser.open(&house.url("/watch/none"), json!({}));
    assert_eq!(browser.eval(PUBLISHES), "published");
    let labels = wait_for("three renditions", SOON, || {
        let list = house.serve.get("web", "/live/cam/index.m3u8").body;
        let labels: Vec<String> =
            list.lines().filter_map(|line| Some(line.strip_suffix("/i.m3u8")?.to_string())).collect();
        if labels.len() == 3 { Ok(labels) } else { Err(format!("{list}\n{}", browser.eval(SENT))) }
    });
    assert_eq!(labels[..2], ["540p", "270p"], "and a quarter of it, rounded to even: {labels:?}");
    for label in &labels {
        let rtsp = format!("rtsp://{}/cam_{label}", house.serve.address("rtsp"));
        let said = house.decodes("ffmpeg", &["-rtsp_transport", "tcp", "-i", &rtsp]);
        assert!(said.contains(&format!("x{}", label.trim_end_matches('p'))), "{label}: {said}");
        assert!(said.contains("Audio: opus"), "{said}");
    }
    let second = browser.eval(PUBLISHES);
    assert!(second.as_str().is_some_and(|said| said.contains("already")), "its names are taken: {second}");
    let gone = browser.eval("fetch(session, { method: 'DELETE' }).then((answer) => answer.status)");
    assert_eq!(gone, 200);
    for label in &labels {
        house.gone(&format!("cam_{label}"));
    }
}
