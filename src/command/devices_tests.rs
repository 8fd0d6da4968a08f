//! Tests of `devices`.

use super::*;
use crate::manager::devices::v4l2::Format;
use crate::process::device_users::DeviceUser;

#[test]
fn each_device_comes_with_its_line_or_its_trouble() {
    let camera = Camera {
        path: "/dev/video0".into(),
        name: "Integrated \u{1b}[2JCamera".into(),
        permitted: true,
        steps: vec![],
        used_by: vec![],
        formats: vec![Format {
            codec: "mjpeg".into(),
            compressed: true,
            sizes: vec!["640x480".into(), "1280x720".into()],
        }],
    };
    let used = Camera {
        path: "/dev/video2".into(),
        name: "Card".into(),
        formats: vec![],
        used_by: vec![DeviceUser { pid: 9, program: Some("obs".into()) }],
        ..camera.clone()
    };
    let forbidden = Camera {
        path: "/dev/video4".into(),
        permitted: false,
        steps: vec!["sudo usermod -aG video ann".into()],
        ..used.clone()
    };
    let (id, name) = ("hw:1,0".into(), "USB Audio".into());
    let audio = Audio { id, system: "alsa", name, permitted: true, steps: vec![] };
    let steps = vec!["sudo usermod -aG audio ann".into()];
    let deaf = Audio { id: "hw:2,0".into(), permitted: false, steps, ..audio.clone() };
    let found = Devices {
        cameras: vec![camera, used, forbidden],
        audio: vec![audio, deaf],
        screens: vec![":0".into()],
    };
    assert_eq!(
        lines(&found),
        [
            "/dev/video0  Integrated \u{fffd}[2JCamera",
            "    mjpeg up to 1280x720",
            "    msconv publish -s cam -d /dev/video0 --audio-device hw:1,0",
            "/dev/video2  Card",
            "    used by obs (pid 9)",
            "/dev/video4  Card",
            "    no right to use it",
            "    try: sudo usermod -aG video ann",
            "screen  the X display :0",
            "    msconv publish -s screen -d screen --audio-device hw:1,0",
            "hw:1,0  USB Audio",
            "hw:2,0  USB Audio",
            "    no right to use it",
            "    try: sudo usermod -aG audio ann",
        ]
    );
}

#[test]
fn a_bare_machine_gets_a_friendly_line() {
    let none = Devices { cameras: vec![], audio: vec![], screens: vec![] };
    assert_eq!(lines(&none).len(), 2);
    assert_eq!(report(&none)["schema"], "msconv.devices/1");
}
