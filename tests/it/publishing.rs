//! Publishing and stopping on a real server.

use crate::live::{Air, NAMES, SMALL, SOON, ended, ready, signal};
use crate::stage::{Film, Gate, Nginx, NginxOptions, Stage, film, wait_for};
use msconv::model::State;
use nix::sys::signal::Signal;

#[test]
fn publish_returns_when_the_server_has_bytes_of_every_rendition() {
    if !ready() {
        return;
    }
    let air = Air::new("publish");
    let run = air.publish_with(&["--wait", "50s"]).expect(0).prints("ok  live after").prints("240p 120p");
    assert!(run.stdout.contains("repeated, in 2 variants"), "{run}");
    for name in NAMES {
        assert!(air.nginx.bytes_in(name).unwrap() > 0, "{name}");
    }
    let record = air.record().unwrap();
    assert_eq!(air.stage.pid("a"), Some(record.child.unwrap().pid));
    air.stop().prints("a: stopped after");
    wait_for("the names to be free", SOON, || air.nginx.names().is_empty());
    air.stage.msconv(&["stop", "-s", "a"]).expect(3).says("a is not running");
}

#[test]
fn original_copies_and_once_ends() {
    if !ready() {
        return;
    }
    let air = Air::new("original");
    let clip = film(3, 426, 240);
    let run = air
        .stage
        .msconv(&["publish", "-s", "a", "-f", clip.to_str().unwrap(), "-o", "--once", "--json"])
        .expect(0);
    let json = run.json();
    assert_eq!(json["schema"], "msconv.publish/1");
    assert_eq!(json["renditions"][0]["name"], "a");
    let record = air.wait_record("the end of the file", |r| r.state.ended());
    assert_eq!(record.state, State::Finished, "{}", air.log());
    assert_eq!(record.restarts, 0);
    ended(Some(json_identity(&json)));
    air.stage.msconv(&["stop", "-s", "a"]).expect(3);
}

fn json_identity(json: &serde_json::Value) -> msconv::process::identity::Identity {
    let pid = i32::try_from(json["supervisor_pid"].as_i64().unwrap()).unwrap();
    msconv::process::identity::Identity::of(pid)
        .unwrap_or(msconv::process::identity::Identity { pid, start: 0 })
}

#[test]
fn of_twelve_publishes_at_once_one_wins() {
    if !ready() {
        return;
    }
    let air = Air::new("twelve");
    let clip = air.film();
    let args = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL, "--wait", "55s"];
    let all: Vec<_> = (0..12).map(|_| air.stage.spawn_msconv(&args)).collect();
    let mut codes: Vec<i32> = all.into_iter().map(|r| r.wait(SOON).code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]);
    let record = air.record().unwrap();
    assert_eq!(air.stage.pid("a"), Some(record.child.unwrap().pid));
    air.stop();
}

#[test]
fn publish_twice_is_a_conflict_and_replace_is_not() {
    if !ready() {
        return;
    }
    let air = Air::new("twice");
    let first = air.publish();
    air.publish_with(&[]).expect(8).says("already publishing since").says("--replace");
    assert_eq!(air.record().unwrap().child, first.child, "the first one is unharmed");
    air.publish_with(&["--replace", "--wait", "50s"]).expect(0);
    assert_ne!(air.record().unwrap().child, first.child);
    // A key that is one of our renditions' names.
    let clip = air.film();
    air.stage
        .msconv(&["publish", "-s", "a_240p", "-f", clip.to_str().unwrap(), "-o"])
        .expect(8)
        .says("belongs to the running stream a");
    air.stop();
}

#[test]
fn a_name_published_by_somebody_else_is_refused_and_unharmed() {
    if !ready() {
        return;
    }
    let air = Air::new("foreign");
    let mut foreign = air.nginx.foreign_publisher(&air.stage, &air.film(), NAMES[1]);
    air.publish_with(&[]).expect(8).says("the name a_120p is already published from 127.0.0.1");
    assert!(foreign.running());
    assert_eq!(air.nginx.names(), [NAMES[1]]);
    assert!(!air.stage.file("pids/a.pid").exists());
}

#[test]
fn nothing_listening_is_told_with_the_next_step() {
    if !ready() {
        return;
    }
    let stage = Stage::new("absent");
    let clip = film(3, 426, 240);
    let run = stage.msconv(&["publish", "-s", "a", "-f", clip.to_str().unwrap()]).expect(6);
    run.says("nothing listens at").says("why: connection refused").says("try: msconv up");
    assert!(!stage.file("pids/a.pid").exists());
}

#[test]
fn a_wrong_application_names_the_right_one() {
    if !ready() {
        return;
    }
    let air = Air::new("application");
    let url = format!("{}x", air.nginx.rtmp_url());
    air.publish_with(&["--nginx-rtmp-url", &url])
        .expect(6)
        .says("no application 'livex'")
        .says("it has live");
}

#[test]
fn a_server_of_another_protocol_is_told() {
    if !ready() {
        return;
    }
    let air = Air::new("protocol");
    let url = format!("rtmp://127.0.0.1:{}/live", air.stage.stat.number());
    air.publish_with(&["--nginx-rtmp-url", &url]).expect(6).says("is no RTMP server").says("HTTP");
}

#[test]
fn one_refused_rendition_fails_the_publish_and_leaves_nothing() {
    if !ready() {
        return;
    }
    let stage = Stage::new("refused");
    let gate = Gate::start();
    gate.refuse(NAMES[1]);
    let nginx = Nginx::with(&stage, NginxOptions::default().gated_by(&gate));
    let air = Air { nginx, stage };
    let run = air.publish_with(&["--wait", "6s"]).expect(6);
    run.says("120p not live within");
    air.gone();
}

#[test]
fn without_stat_progress_and_connections_have_to_do() {
    if !ready() {
        return;
    }
    let air = Air::new("blind");
    let nowhere = crate::stage::Port::free();
    let stat = format!("http://127.0.0.1:{}/stat", nowhere.number());
    air.publish_with(&["--nginx-stat-url", &stat, "--wait", "50s"]).expect(0).says("does not answer");
    for name in NAMES {
        assert!(air.nginx.bytes_in(name).unwrap() > 0);
    }
    air.stop();
}

#[test]
fn wait_zero_returns_and_goes_on_trying() {
    if !ready() {
        return;
    }
    let mut air = Air::new("patient");
    air.nginx.stop();
    air.publish_with(&["--wait", "0"]).expect(0).prints("not waited for");
    air.nginx.begin();
    air.wait_record("live once the server is there", |r| r.state == State::Live);
    air.stop();
}

#[test]
fn a_foreground_publish_ends_with_its_process() {
    if !ready() {
        return;
    }
    let air = Air::new("foreground");
    let clip = air.film();
    let args = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL, "--foreground"];
    let running = air.stage.spawn_msconv(&args);
    running.wait_for_words("state=live", SOON);
    running.signal(Signal::SIGTERM);
    running.wait(SOON).expect(0);
    air.gone();
    let running = air.stage.spawn_msconv(&args);
    running.wait_for_words("state=live", SOON);
    running.signal(Signal::SIGINT);
    running.wait(SOON).expect(130);
    air.gone();
    // Killed without a chance to tidy up: ffmpeg goes with it all the same.
    let running = air.stage.spawn_msconv(&args);
    running.wait_for_words("state=live", SOON);
    let child = air.record().unwrap().child;
    running.signal(Signal::SIGKILL);
    running.wait(SOON);
    ended(child);
    air.publish();
    air.stop();
}

#[test]
fn interrupting_a_publish_leaves_nothing() {
    if !ready() {
        return;
    }
    let stage = Stage::new("interrupt");
    let gate = Gate::start();
    NAMES.iter().for_each(|name| gate.refuse(name));
    let nginx = Nginx::with(&stage, NginxOptions::default().gated_by(&gate));
    let air = Air { nginx, stage };
    let clip = air.film();
    let args = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"];
    let running = air.stage.spawn_msconv(&args);
    air.wait_record("it to begin", |r| r.child.is_some());
    running.signal(Signal::SIGINT);
    running.wait(SOON).expect(130);
    air.gone();
}

#[test]
fn streams_of_another_folder_are_stopped_from_here() {
    if !ready() {
        return;
    }
    let air = Air::new("elsewhere");
    let elsewhere = air.stage.root().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let record = {
        let clip = air.film();
        let home = elsewhere.to_str().unwrap();
        air.stage
            .msconv(&[
                "publish",
                "-s",
                "a",
                "-f",
                clip.to_str().unwrap(),
                "--variants",
                SMALL,
                "--home",
                home,
                "--wait",
                "50s",
            ])
            .expect(0);
        msconv::process::run_record::RunRecord::read(&elsewhere.join("pids/.state/a.json")).unwrap()
    };
    air.publish_with(&[]).expect(8).says("it was published from");
    air.stage.msconv(&["stop", "-s", "a"]).expect(0).prints("published from");
    ended(record.supervisor);
    ended(record.child);
}

#[test]
fn stop_names_each_key_and_goes_on() {
    if !ready() {
        return;
    }
    let air = Air::new("keys");
    air.publish();
    let run = air.stage.msconv(&["stop", "-s", "nobody", "a"]).expect(3);
    let run = run.says("error: nobody is not running").prints("a: stopped");
    assert_eq!(run.stdout.lines().count(), 1, "{run}");
    air.gone();
    air.publish();
    let json = air.stage.msconv(&["stop", "--all", "--json"]).expect(0).json();
    assert_eq!(json["streams"][0]["outcome"], "stopped");
    air.gone();
}

#[test]
fn audio_only_and_silent_films() {
    if !ready() {
        return;
    }
    let air = Air::new("tracks");
    let silent = Film::new(4, 426, 240).silent().make();
    air.stage
        .msconv(&["publish", "-s", "a", "-f", silent.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"])
        .expect(0)
        .says("no audio");
    air.stop();
    let audio = Film::new(4, 426, 240).audio_only().make();
    air.stage
        .msconv(&["publish", "-s", "a", "-f", audio.to_str().unwrap(), "--wait", "50s"])
        .expect(0)
        .prints("audio");
    wait_for("the audio's name", SOON, || air.nginx.names() == ["a_audio"]);
    air.stop();
}

#[test]
fn a_closed_terminal_does_not_end_the_stream() {
    if !ready() {
        return;
    }
    let air = Air::new("terminal");
    let clip = air.film();
    let args = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"];
    let mut terminal = air.stage.terminal(&args);
    air.wait_record("it to begin", |r| r.child.is_some());
    terminal.close();
    let record = air.wait_record("live", |r| r.state == State::Live);
    signal(record.child, Signal::SIGCONT);
    air.stop();
}

#[test]
fn a_source_joined_between_keyframes_has_picture_and_audio() {
    if !ready() {
        return;
    }
    let air = Air::new("relay");
    // One keyframe every 8 s: whoever joins hears before it sees.
    let clip = air.film();
    air.stage
        .msconv(&["publish", "-s", "source", "-f", clip.to_str().unwrap(), "-o", "--wait", "50s"])
        .expect(0);
    let url = format!("{}/source", air.nginx.rtmp_url());
    let run = air.stage.msconv(&["publish", "-s", "a", "-r", &url, "--variants", SMALL, "--wait", "50s"]);
    run.expect(0).prints("240p 120p");
    let json = air.stage.msconv(&["list", "--json"]).expect(0).json();
    let stream = json["streams"].as_array().unwrap().iter().find(|s| s["key"] == "a").unwrap();
    assert_eq!(stream["renditions"].as_array().unwrap().len(), 2);
    for rendition in stream["renditions"].as_array().unwrap() {
        assert_eq!(rendition["video"]["codec"], "h264");
        assert_eq!(rendition["audio"]["codec"], "aac");
    }
    // The source goes: that is a fault of the source, tried again until it is back.
    let before = air.record().unwrap();
    air.stage.msconv(&["stop", "-s", "source"]).expect(0);
    air.wait_record("the loss to be told", |r| !r.state.on_air());
    air.stage
        .msconv(&["publish", "-s", "source", "-f", clip.to_str().unwrap(), "-o", "--wait", "50s"])
        .expect(0);
    air.wait_restarted(&before);
    air.stage.msconv(&["stop", "--all"]).expect(0);
}
