//! `stop` of a stream that does not run said so on stdout, in its own form, and with `-q` not at all.

use crate::live::{Air, ready};
use crate::stage::Stage;

#[test]
fn it_fails_as_everything_fails() {
    let stage = Stage::new("stop-nobody");
    for flags in [&[][..], &["-q"], &["--no-input"]] {
        let run = stage.msconv(&[flags, &["stop", "-s", "nobody"]].concat()).expect(3);
        assert!(run.stderr.starts_with("error: nobody is not running\n"), "{run}");
        assert!(run.stderr.contains("\n  try: "), "{run}");
        assert_eq!(run.stdout, "", "{run}");
    }
    let run =
        stage.msconv(&["stop", "-s", "nobody", "--json"]).expect(3).says("error: nobody is not running");
    let json = run.json();
    assert_eq!((&json["schema"], &json["error"]["kind"]), (&"msconv.error/1".into(), &"not_running".into()));
    assert_eq!(json["error"]["exit_code"], 3);
    // Whatever names the stream.
    stage.set("MSCONV_STREAM_KEY", "nobody");
    stage.msconv(&["-q", "stop"]).expect(3).says("error: nobody is not running");
}

#[test]
fn of_several_each_is_told_and_the_others_are_stopped() {
    if !ready() {
        return;
    }
    let air = Air::new("stop-several");
    air.publish();
    let run = air.stage.msconv(&["stop", "-s", "first", "a", "last"]).expect(3);
    let run = run.says("error: first is not running").says("error: last is not running").prints("a: stopped");
    assert_eq!(run.stdout.lines().count(), 1, "{run}");
    air.gone();
    air.publish();
    let run = air.stage.msconv(&["stop", "--json", "-s", "first", "a", "last"]).expect(3);
    let objects: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let schemas: Vec<&str> = objects.iter().map(|o| o["schema"].as_str().unwrap()).collect();
    assert_eq!(schemas, ["msconv.error/1", "msconv.error/1", "msconv.stop/1"], "{run}");
    let outcomes: Vec<&str> =
        objects[2]["streams"].as_array().unwrap().iter().map(|s| s["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["not_running", "stopped", "not_running"], "{run}");
    air.gone();
}

#[test]
fn a_forged_pid_file_leads_to_the_doctor() {
    let stage = Stage::new("stop-forged");
    std::fs::create_dir_all(stage.file("pids")).unwrap();
    let stranger = stage.spawn("sleep", &["300"]);
    let link = stage.file("pids/link.pid");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    std::fs::write(stage.file("pids/stranger.pid"), format!("{}\n", stranger.pid())).unwrap();
    std::fs::write(stage.file("pids/garbage.pid"), "12 34\n").unwrap();
    std::fs::create_dir(stage.file("pids/folder.pid")).unwrap();
    for key in ["stranger", "garbage", "link", "folder"] {
        let run = stage.msconv(&["stop", "-s", key]).expect(3);
        let run =
            run.says(&format!("error: {key} is not running\n  why: ")).says("\n  try: msconv doctor --fix");
        assert_eq!(run.stdout, "", "{run}");
        assert!(stage.file(&format!("pids/{key}.pid.stale")).symlink_metadata().is_ok(), "{run}");
    }
    let json = stage.msconv(&["stop", "-s", "stranger", "--json"]).expect(3).json();
    assert_eq!(json["error"]["why"], serde_json::json!([]), "it was set aside before");
    let mut stranger = stranger;
    assert!(stranger.running(), "nobody was signalled");
}
