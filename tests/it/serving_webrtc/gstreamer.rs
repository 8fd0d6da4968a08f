//! GStreamer's webrtcbin at either end. It puts audio on the port of its video (`bundle-only`), and its frames have several
//! slices.

use super::aiortc::{is_watched, report};
use super::house::{House, aiortc};
use crate::live::SOON;
use crate::stage::{PYTHON, Running, needs};

/// The peer of `gst_peer.py`, at work. It is given a certificate: the one that it makes by itself is RSA, which browsers do
/// not use and our DTLS does not take.
fn peer(house: &House, verb: &str, path: &str, seconds: &str) -> Running {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/serving_webrtc/gst_peer.py");
    let [certificate, key] =
        ["peer.crt", "peer.key"].map(|name| house.stage.file(name).display().to_string());
    let kind = ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    let into = ["-days", "2", "-subj", "/CN=peer", "-keyout", &key, "-out", &certificate];
    house.stage.spawn("openssl", &[&kind[..], &into].concat()).wait(SOON).expect(0);
    let both = [&certificate, &key].map(|file| std::fs::read_to_string(file).unwrap()).concat();
    std::fs::write(&certificate, both).unwrap();
    house.stage.spawn(PYTHON, &[script, verb, &house.url(path), seconds, &certificate])
}

#[test]
fn it_watches_a_stream_of_aac() {
    if !needs("webrtcbin") || !needs("ffmpeg") || !needs("openssl") {
        return;
    }
    let house = House::new("whep-gstreamer", &[]);
    let _publisher = house.publish("cam", &["-bf", "0"]);
    let run = peer(&house, "watch", "/live/cam/whep", "5").wait(SOON).expect(0);
    is_watched(&report(&run.stdout), 50);
}

#[test]
fn what_it_publishes_is_watched() {
    let Some(python) = aiortc() else { return };
    if !needs("webrtcbin") || !needs("openssl") {
        return;
    }
    let house = House::new("whip-gstreamer", &[]);
    let publisher = peer(&house, "publish", "/live/cam/whip", "60");
    house.ready("cam", &publisher);
    let viewer = house.peer(&python, "watch", &house.url("/live/cam/whep"), "4");
    is_watched(&report(&viewer.wait(SOON).expect(0).stdout), 40);
}
