//! MediaMTX (pion) as a viewer by WHEP: what it gets is read from it over RTSP.

use super::house::House;
use crate::live::SOON;
use crate::stage::{Mediamtx, mediamtx, needs, wait_for};

#[test]
fn it_reads_video_and_audio_by_whep() {
    let Some(program) = mediamtx() else { return };
    if !needs("ffmpeg") || !needs("ffprobe") {
        return;
    }
    let house = House::new("whep-mediamtx", &[]);
    let _publisher = house.publish("cam", &["-bf", "0"]);
    let source = format!("whep://{}/live/cam/whep", house.serve.address("web"));
    let reader = Mediamtx::start(&house.stage, &program, &format!("paths:\n  cam:\n    source: {source}\n"));
    wait_for("MediaMTX to have it", SOON, || {
        let path = reader.get("api", "/v3/paths/get/cam");
        if path.status == 200 && path.json()["ready"] == true {
            Ok(())
        } else {
            Err(path.body + &reader.said())
        }
    });
    let rtsp = format!("rtsp://{}/cam", reader.address("rtsp"));
    let said = house.decodes("ffmpeg", &["-rtsp_transport", "tcp", "-i", &rtsp]);
    assert!(said.contains("320x240") && said.contains("Audio: opus"), "{said}");
    let sessions = house.sessions();
    assert_eq!((sessions.len(), &sessions[0]["state"]), (1, &"read".into()), "{sessions:?}");
    assert_eq!(reader.complaints(), [""; 0]);
}
