//! `doctor` and `devices` on this machine and on made-up ones.

use crate::live::{Air, ready};
use crate::stage::{PATIENCE, Run, Stage, needs, wait_for};
use msconv::process::identity::Identity;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;

/// The check of this name.
fn check(run: &Run, name: &str) -> Value {
    let checks = run.json()["checks"].as_array().cloned().unwrap_or_default();
    checks.iter().find(|c| c["name"] == name).cloned().unwrap_or_else(|| panic!("no check {name}: {run}"))
}

#[test]
fn a_machine_with_everything_is_fit_though_nothing_runs() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("doctor-fit");
    let run = stage.msconv(&["doctor"]).expect(0).prints("a publish would work").prints("try: msconv up");
    for line in run.stdout.lines() {
        assert!(["ok  ", "warn", "    ", "a pu"].iter().any(|start| line.starts_with(start)), "{line}");
    }
    let run = stage.msconv(&["doctor", "--json"]).expect(0);
    assert_eq!((&run.json()["schema"], &run.json()["ok"]), (&"msconv.doctor/1".into(), &true.into()));
    assert_eq!(check(&run, "ffmpeg")["status"], "ok");
    assert_eq!(check(&run, "rtmp")["status"], "warn");
    assert_eq!(stage.msconv(&["doctor", "-q"]).expect(0).stdout, "");
    assert!(!stage.file("pids").exists(), "without --fix nothing is made");
    stage.msconv(&["doctor", "--fix"]).expect(0);
    assert!(stage.file("pids").is_dir() && stage.file("logs").is_dir());
}

#[test]
fn each_fault_has_its_exit_code_and_its_next_step() {
    let stage = Stage::new("doctor-unfit");
    let ffmpeg = stage.fake("ffmpeg", "echo 'ffmpeg version 5.1 Copyright'");
    stage.set("MSCONV_FFMPEG", ffmpeg.to_str().unwrap());
    let run = stage.msconv(&["doctor", "--json"]).expect(5);
    let ffmpeg = check(&run, "ffmpeg");
    assert!(ffmpeg["detail"].as_str().is_some_and(|d| d.contains("lacks the encoder libx264")), "{ffmpeg}");
    assert!(ffmpeg["try"].as_array().is_some_and(|t| !t.is_empty()));
    stage.msconv(&["doctor", "-q"]).expect(5).says("error: ffmpeg:").says("try: ");
    stage.unset("MSCONV_FFMPEG");
    stage.set("PATH", stage.root().join("bin").to_str().unwrap());
    stage.set("MSCONV_NGINX", "/no/such/nginx");
    let run = stage.msconv(&["doctor"]).expect(5).prints("ffprobe is not installed");
    assert!(!run.stdout.contains("nginx"), "the built-in server needs none: {run}");
    stage.set("MSCONV_BACKEND", "native");
    let run = stage.msconv(&["doctor"]).expect(5);
    assert!(run.stdout.contains("fail  nginx"), "nothing answers, so nginx is needed: {run}");
}

#[test]
fn folders_that_cannot_be_used_are_one() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("doctor-folders");
    fs::write(stage.file("logs"), "a file").unwrap();
    stage.msconv(&["doctor"]).expect(1).prints("is not a folder");
    stage.msconv(&["doctor", "--fix"]).expect(1);
    assert_eq!(stage.read("logs"), "a file", "what is in the way is not removed");
}

#[test]
fn a_running_server_is_seen_and_a_foreign_one_fails() {
    if !ready() {
        return;
    }
    let air = Air::new("doctor-servers");
    let run = air.stage.msconv(&["doctor", "--json"]).expect(0);
    let said = |name: &str| check(&run, name)["detail"].as_str().unwrap_or_default().to_string();
    assert!(said("rtmp").contains("RTMP answers") && said("rtmp").contains("nginx (pid "), "{run}");
    assert!(said("stat").contains("it has the application live"), "{run}");
    let url = air.stage.rtmp_url();
    air.stage.set("MSCONV_NGINX_RTMP_URL", &url.replace("/live", "/nope"));
    let run = air.stage.msconv(&["doctor"]).expect(6).prints("no application 'nope'");
    assert!(run.stdout.contains(&format!("try: --nginx-rtmp-url {url}")), "{run}");
    air.stage.set("MSCONV_NGINX_RTMP_URL", &format!("rtmp://127.0.0.1:{}/live", air.stage.stat));
    air.stage.msconv(&["doctor"]).expect(6).prints("speaks another protocol");
}

#[test]
fn fix_clears_up_after_the_dead_and_leaves_the_living() {
    if !ready() {
        return;
    }
    let air = Air::new("doctor-fix");
    let record = air.publish();
    let (pid_file, record_file) = ("pids/a.pid", "pids/.state/a.json");
    air.stage.msconv(&["doctor", "--fix"]).expect(0).prints("no stale PID files");
    assert!(air.stage.file(pid_file).exists() && air.stage.file(record_file).exists());
    let supervisor = record.supervisor.unwrap();
    kill(Pid::from_raw(supervisor.pid), Signal::SIGKILL).unwrap();
    let child = record.child.unwrap();
    wait_for("both to be gone", PATIENCE, || (!supervisor.alive() && !child.alive()).then_some(()));
    air.stage.msconv(&["doctor"]).expect(0).prints("is gone").prints("try: msconv doctor --fix");
    assert!(air.stage.file(pid_file).exists(), "without --fix nothing is touched");
    air.stage.msconv(&["doctor", "--fix"]).expect(0).prints("removed");
    assert!(!air.stage.file(pid_file).exists() && !air.stage.file(record_file).exists());
    air.stage.msconv(&["doctor"]).expect(0).prints("no stale PID files");
    assert!(Identity::of(air.nginx.pid()).is_some());
    air.publish();
    air.stop();
}

#[test]
fn devices_are_listed_and_none_is_no_fault() {
    let stage = Stage::new("devices");
    let run = stage.msconv(&["devices"]).expect(0);
    assert!(run.stdout.contains("msconv publish -s "), "{run}");
    let json = stage.msconv(&["devices", "--json"]).expect(0).json();
    assert_eq!(json["schema"], "msconv.devices/1");
    for list in ["video", "screens", "audio"] {
        assert!(json[list].is_array(), "{list}");
    }
    assert_eq!(json["screens"], serde_json::json!([]), "no DISPLAY, no screen");
}

#[test]
fn a_device_that_cannot_be_used_is_refused_before_anything_starts() {
    if !ready() {
        return;
    }
    let air = Air::new("devices-publish");
    let refused = |device: &str| air.stage.msconv(&["publish", "-s", "cam", "-d", device]).expect(7);
    refused("/dev/video99").says("there is no device /dev/video99").says("try: ");
    refused("screen").says("DISPLAY is not set");
    refused(":64996").says("no X server listens there");
    refused("/etc/hostname").says("is a file, not a capture device").says("-f /etc/hostname");
    assert_eq!(air.nginx.names(), [""; 0]);
    assert!(!air.stage.file("pids/cam.pid").exists());
}
