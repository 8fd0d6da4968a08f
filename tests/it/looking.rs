//! `logs`, `status`, `config`, `completions` and `man` as a person or a script meets them.

use crate::live::Air;
use crate::stage::{PATIENCE, Stage, keys, wait_for};
use nix::sys::signal::Signal;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// A home with the log of one stream.
fn with_log(name: &str, lines: usize) -> (Stage, PathBuf) {
    let stage = Stage::new(name);
    let log = stage.file("logs/ffmpeg/stream1.log");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    let text: String = (1..=lines).map(|n| format!("2026-11-21T12:00:00.000Z line {n}\n")).collect();
    fs::write(&log, text).unwrap();
    (stage, log)
}

fn append(log: &PathBuf, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(log).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn logs_show_the_last_lines_and_say_whose_they_are() {
    let (stage, _) = with_log("logs_end", 300);
    let run = stage.msconv(&["logs"]).expect(0).says("note: log of stream1: ./logs/ffmpeg/stream1.log");
    assert_eq!(run.stdout.lines().count(), 100);
    let run = stage.msconv(&["logs", "stream1", "-n", "2"]).expect(0);
    assert_eq!(run.stdout, "2026-11-21T12:00:00.000Z line 299\n2026-11-21T12:00:00.000Z line 300\n");
    assert_eq!(run.stderr, "");
    let run = stage.msconv(&["logs", "stream1", "-n", "1", "--json"]).expect(0);
    let line = run.json();
    assert_eq!(line["schema"], "msconv.logs/1");
    assert_eq!((&line["key"], &line["time"]), (&"stream1".into(), &"2026-11-21T12:00:00.000Z".into()));
    stage.msconv(&["logs", "steam1"]).expect(4).says("try: msconv logs stream1");
    stage.msconv(&["logs", "--service", "nginx"]).expect(4).says("try: msconv up");
    stage.msconv(&["logs", "--since", "tomorrow"]).expect(2).says("--since: 'tomorrow'");
    stage.msconv(&["logs", "стрим"]).expect(2).says("try: strim");
}

#[test]
fn logs_of_a_hostile_source_cannot_act_on_the_terminal() {
    let (stage, log) = with_log("logs_hostile", 1);
    append(&log, "\x1b]0;owned\x07\x1b[2J\u{202e}end\r\nnext\n");
    let run = stage.msconv(&["logs", "stream1", "--color", "always"]).expect(0);
    assert!(!run.stdout.contains(['\x07', '\x1b', '\u{202e}', '\r']), "{run}");
    run.prints("next");
}

#[test]
fn followed_logs_survive_rotation_and_end_with_130() {
    let (stage, log) = with_log("logs_follow", 3);
    let follower = stage.spawn_msconv(&["logs", "stream1", "-f", "-n", "1"]);
    follower.wait_for_words("line 3", PATIENCE);
    append(&log, "added\n");
    follower.wait_for_words("added", PATIENCE);
    append(&log, "last of the old\n");
    fs::rename(&log, log.with_extension("log.1")).unwrap();
    append(&log, "first of the new\n");
    follower.wait_for_words("first of the new", PATIENCE);
    fs::write(&log, "cut\n").unwrap();
    follower.wait_for_words("cut", PATIENCE);
    fs::remove_file(&log).unwrap();
    append(&log, "born again\n");
    follower.wait_for_words("born again", PATIENCE);
    follower.signal(Signal::SIGINT);
    let run = follower.wait(PATIENCE).expect(130);
    let lines: Vec<&str> = run.stdout.lines().skip(1).collect();
    assert_eq!(lines, ["added", "last of the old", "first of the new", "cut", "born again"]);
}

#[test]
fn a_reader_that_goes_away_ends_everything_quietly() {
    let (stage, _) = with_log("pipes", 50_000);
    let shell = |line: &str| {
        let program = Stage::binary();
        let script = format!("{{ {program} {line}; echo \"exit $?\" >&2; }} | head -n 1");
        stage.spawn("sh", &["-c", &script]).wait(PATIENCE).expect(0)
    };
    for line in [
        "logs stream1 -n 50000",
        "logs stream1 -f -n 50000",
        "completions bash",
        "config show",
        "man",
        "--help",
    ] {
        let run = shell(line);
        assert_eq!(run.stderr.trim(), "exit 0", "{line}");
        assert_eq!(run.stdout.lines().count(), 1, "{line}");
    }
    // Nothing more will ever be printed, and still the follower notices.
    let run = shell("logs stream1 -f -n 1");
    assert_eq!(run.stderr.trim(), "exit 0");
}

#[test]
fn a_full_disk_under_stdout_is_an_error() {
    let (stage, _) = with_log("full", 10);
    for line in ["logs stream1", "completions zsh", "man"] {
        let script = format!("{} {line} > /dev/full", Stage::binary());
        stage.spawn("sh", &["-c", &script]).wait(PATIENCE).expect(1).says("no space left on device");
    }
}

#[test]
fn config_shows_where_each_value_comes_from() {
    let stage = Stage::new("config");
    stage.msconv(&["config", "init"]).expect(0).prints("wrote ./msconv.toml");
    stage.msconv(&["config", "init"]).expect(8).says("is there already");
    let run = stage.msconv(&["config", "show"]).expect(0);
    assert!(run.stdout.contains(&format!("nginx_rtmp_url\t{}\tenvironment\n", stage.rtmp_url())), "{run}");
    fs::write(stage.file("msconv.toml"), "\nwait = \"7s\"\nrtsp_url = \"rtsp://me:pw@h\"\n").unwrap();
    stage.unset("MSCONV_RTSP_URL");
    let run = stage.msconv(&["config", "show", "--quiet"]).expect(0);
    let run = run.prints("wait\t7s\t./msconv.toml:2\n").prints("quiet\ttrue\tflag\n");
    assert!(!run.stdout.contains("pw"), "{run}");
    let run = stage.msconv(&["config", "show", "--json"]).expect(0);
    let wait =
        run.json()["settings"].as_array().unwrap().iter().find(|s| s["name"] == "wait").cloned().unwrap();
    assert_eq!((&wait["value"], &wait["origin"], &wait["line"]), (&"7s".into(), &"file".into(), &2.into()));
    stage.msconv(&["config", "path"]).expect(0).prints("read\t").prints("absent\t/etc/msconv/config.toml");
    fs::write(stage.file("msconv.toml"), "wiat = 1\n").unwrap();
    stage
        .msconv(&["config", "show"])
        .expect(2)
        .says("msconv.toml:1: there is no setting 'wiat'")
        .says("try: wait = ...");
}

#[test]
fn status_tells_running_stopped_and_unknown_apart() {
    if !crate::live::ready() {
        return;
    }
    let air = Air::new("status");
    let stage = &air.stage;
    air.publish();
    let run = stage.msconv(&["status", "--json"]).expect(0);
    let status = run.json();
    assert_eq!(status["schema"], "msconv.status/1");
    let stream = status["streams"][0].clone();
    let key = stream["key"].as_str().unwrap().to_string();
    assert_eq!(stream["pid"].as_i64(), stage.pid(&key).map(i64::from));
    assert_eq!(stream["running"], true);

    let mut watch = stage.terminal(&["status", "--watch"]);
    watch.wait_for("VARIANT");
    watch.wait_for("speed");
    assert!(watch.cursor_visible());
    watch.type_keys(keys::CTRL_C);
    assert_eq!(watch.wait_exit(), 130);

    let wrong = format!("{key}x");
    stage.msconv(&["status", &wrong]).expect(4).says(&format!("try: msconv status {key}"));
    let watch = stage.spawn_msconv(&["status", &key, "--watch"]);
    watch.wait_for_words("VARIANT", PATIENCE);
    air.stop();
    watch.wait(PATIENCE).expect(3).says("the stream has been stopped");
    stage.msconv(&["status", &key]).expect(3).says(&format!("try: msconv logs {key}"));
    stage.msconv(&["logs", &key]).expect(0).prints("finished");
}

#[test]
fn status_of_a_killed_supervisor_and_of_another_boot() {
    if !crate::live::ready() {
        return;
    }
    let air = Air::new("status_dead");
    let stage = &air.stage;
    let record = air.publish();
    crate::live::signal(record.supervisor, Signal::SIGKILL);
    crate::live::ended(record.supervisor);
    crate::live::ended(record.child);
    wait_for("the lock to be free", PATIENCE, || {
        let run = stage.msconv(&["status", &record.key]);
        if run.code == 3 { Ok(()) } else { Err(run.to_string()) }
    });
    stage.msconv(&["status", &record.key]).expect(3).prints("stopped (its supervisor was killed)");
    let path = stage.file(&format!("pids/.state/{}.json", record.key));
    let text =
        fs::read_to_string(&path).unwrap().replace(&record.boot_id, "11111111-2222-3333-4444-555555555555");
    fs::write(&path, text).unwrap();
    stage.msconv(&["status", &record.key]).expect(3).prints("stopped (reboot)");
    stage.msconv(&["stop", "-s", &record.key]).expect(3);
    air.gone();
}
