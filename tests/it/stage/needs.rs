//! Which real programs a test needs. Where one is missing the test says so and is skipped; with
//! `MSCONV_REQUIRE_REAL=1` (scripts/test.sh) it fails instead, so that nothing is skipped silently.
//!
//! This is also what divides the tests: with `MSCONV_TEST_QUICK=1` (scripts/test.sh quick) every test that asks for a real
//! program is skipped, so nothing is encoded.

use std::path::Path;

/// The python that finds the system's bindings.
pub const PYTHON: &str = "/usr/bin/python3";

/// Whether the real parts are here: a program by name, `nginx-rtmp` for nginx with its module, `bunny` for the film,
/// `rtspclientsink` and `webrtcbin` for those elements of GStreamer, or `root`.
pub fn needs(what: &str) -> bool {
    if what != "root" && quick() {
        return false;
    }
    let there = match what {
        "nginx-rtmp" => program("nginx") && super::nginx::module().is_some(),
        "bunny" => super::film::bunny_path().is_some(),
        // Its publisher over RTSP is a package of its own.
        "rtspclientsink" => program("gst-launch-1.0") && gstreamer_has("rtspclientsink"),
        // GStreamer's peer of WebRTC, which a script of Debian's own python drives.
        "webrtcbin" => {
            let script = "import gi; [gi.require_version(n, '1.0') for n in ('Gst', 'GstWebRTC', 'GstSdp')]";
            let binding = std::process::Command::new(PYTHON).args(["-c", script]).output();
            binding.is_ok_and(|run| run.status.success())
                && ["webrtcbin", "nicesrc"].into_iter().all(gstreamer_has)
        }
        "root" => nix::unistd::geteuid().is_root(),
        name => program(name),
    };
    if what == "root" && !there {
        // Who runs the tests is nobody's fault; a missing program is.
        eprintln!("skipped: root not found");
    } else if !there {
        missing(what);
    }
    there
}

/// Says that a part is not here, which is a failure where nothing may be skipped.
pub fn missing(what: &str) {
    assert!(!required(), "MSCONV_REQUIRE_REAL is set and {what} is not here");
    eprintln!("skipped: {what} not found");
}

/// Where a newer ffmpeg is, one that speaks enhanced RTMP (6.1 and later): `MSCONV_FFMPEG_ENHANCED`.
pub fn enhanced() -> Option<String> {
    if quick() {
        return None;
    }
    let path = std::env::var("MSCONV_FFMPEG_ENHANCED").ok().filter(|p| Path::new(p).exists());
    if path.is_none() {
        eprintln!("skipped: MSCONV_FFMPEG_ENHANCED names no ffmpeg");
    }
    path
}

/// Whether this run leaves out what needs a real program.
pub fn quick() -> bool {
    let quick = std::env::var("MSCONV_TEST_QUICK").is_ok_and(|v| v == "1");
    if quick {
        eprintln!("skipped: quick run");
    }
    quick
}

/// Whether there is an element, of any version: those of other projects do not count as GStreamer does.
fn gstreamer_has(element: &str) -> bool {
    let inspect = std::process::Command::new("gst-inspect-1.0")
        .args(["--exists", "--atleast-version=0.0", element])
        .status();
    inspect.is_ok_and(|status| status.success())
}

fn required() -> bool {
    std::env::var("MSCONV_REQUIRE_REAL").is_ok_and(|v| v == "1")
}

fn program(name: &str) -> bool {
    msconv::process::locate::locate(None::<&Path>, name).is_some()
}
