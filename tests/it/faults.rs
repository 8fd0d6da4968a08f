//! What goes wrong in the night, with the real programs; after each nothing is left running and nobody else is hurt.

use crate::live::{Air, NAMES, SMALL, SOON, ended, ready, signal};
use crate::stage::{needs, wait_for};
use msconv::model::State;
use msconv::process::identity::Identity;
use nix::sys::signal::Signal;
use std::time::Duration;

#[test]
fn killing_the_supervisor_ends_ffmpeg_and_frees_the_key() {
    if !ready() {
        return;
    }
    let air = Air::new("kill-supervisor");
    let record = air.publish();
    signal(record.supervisor, Signal::SIGKILL);
    ended(record.child);
    air.stage.msconv(&["stop", "-s", "a"]).expect(3);
    air.publish();
    air.stop();
}

#[test]
fn killing_ffmpeg_starts_it_again_under_the_same_key() {
    if !ready() {
        return;
    }
    let air = Air::new("kill-ffmpeg");
    let before = air.publish();
    signal(before.child, Signal::SIGKILL);
    let after = air.wait_restarted(&before);
    assert_eq!(after.restarts, 1);
    assert_eq!(after.supervisor, before.supervisor);
    assert_eq!(air.stage.pid("a"), Some(after.child.unwrap().pid));
    air.stop();
}

#[test]
fn killing_both_frees_the_key() {
    if !ready() {
        return;
    }
    let air = Air::new("kill-both");
    let record = air.publish();
    signal(record.supervisor, Signal::SIGKILL);
    if record.child.is_some_and(|c| c.alive()) {
        let _ =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(record.child.unwrap().pid), Signal::SIGKILL);
    }
    ended(record.child);
    air.publish();
    air.stop();
}

#[test]
fn kill_by_hand_of_the_pid_file_is_a_stop() {
    if !ready() {
        return;
    }
    let air = Air::new("kill-by-hand");
    let record = air.publish();
    air.stage.spawn("sh", &["-c", "kill $(cat pids/a.pid)"]).wait(SOON).expect(0);
    ended(record.supervisor);
    air.gone();
}

#[test]
fn a_frozen_ffmpeg_is_seen_and_replaced() {
    if !ready() {
        return;
    }
    let air = Air::new("frozen-ffmpeg");
    let before = air.publish();
    signal(before.child, Signal::SIGSTOP);
    let after = air.wait_restarted(&before);
    assert!(air.log().contains("no progress") || air.log().contains("received nothing"), "{}", air.log());
    assert!(!before.child.unwrap().alive());
    assert!(after.restarts >= 1);
    air.stop();
}

#[test]
fn stop_ends_a_frozen_ffmpeg() {
    if !ready() {
        return;
    }
    let air = Air::new("stop-frozen");
    let record = air.publish();
    signal(record.child, Signal::SIGSTOP);
    air.stop();
    ended(record.child);
}

#[test]
fn stop_ends_a_stream_whose_supervisor_is_frozen() {
    if !ready() {
        return;
    }
    let air = Air::new("frozen-supervisor");
    let record = air.publish();
    signal(record.supervisor, Signal::SIGSTOP);
    air.stop();
    ended(record.supervisor);
    ended(record.child);
}

#[test]
fn a_server_that_goes_and_comes_back() {
    if !ready() {
        return;
    }
    let mut air = Air::new("server-back");
    let record = air.publish();
    air.nginx.stop();
    air.wait_record("the loss to be told", |r| !r.state.on_air());
    air.nginx.begin();
    let after = air.wait_record("live again", |r| r.state == State::Live);
    assert_eq!(after.supervisor, record.supervisor);
    wait_for("all names", SOON, || air.nginx.names().len() == NAMES.len());
    air.stop();
}

#[test]
fn a_crashed_worker_is_survived() {
    if !ready() {
        return;
    }
    let air = Air::new("worker");
    air.publish();
    air.nginx.crash_worker();
    wait_for("the loss", SOON, || air.nginx.names().len() < NAMES.len());
    wait_for("all names again", SOON, || air.nginx.names().len() == NAMES.len());
    air.wait_record("live again", |r| r.state == State::Live);
    air.stop();
}

#[test]
fn a_frozen_server_is_told_and_thawed_is_live() {
    if !ready() {
        return;
    }
    let air = Air::new("server-frozen");
    air.publish();
    air.nginx.freeze();
    let record = air.wait_record("the freeze to be told", |r| !r.state.on_air());
    assert!(record.reason.is_some());
    air.nginx.thaw();
    air.wait_record("live again", |r| r.state == State::Live);
    air.stop();
}

#[test]
fn stop_is_quick_while_the_server_is_frozen() {
    if !ready() {
        return;
    }
    let air = Air::new("stop-server-frozen");
    let record = air.publish();
    air.nginx.freeze();
    air.wait_record("the freeze to be told", |r| !r.state.on_air());
    air.stop();
    ended(record.child);
    air.nginx.thaw();
}

#[test]
fn one_dropped_rendition_comes_back_and_the_others_never_notice() {
    if !ready() {
        return;
    }
    let air = Air::new("dropped");
    let before = air.publish();
    let bytes = air.nginx.bytes_in(NAMES[0]).unwrap();
    assert_eq!(air.nginx.control_drop("live", NAMES[1]), 1);
    wait_for("the dropped one", SOON, || air.nginx.bytes_in(NAMES[1]).filter(|b| *b > 0));
    // A connection that was made anew would count from nothing.
    assert!(air.nginx.bytes_in(NAMES[0]).unwrap() >= bytes);
    let after = air.wait_record("live", |r| r.state == State::Live);
    assert_eq!((after.child, after.restarts), (before.child, 0));
    air.stop();
}

#[test]
fn a_removed_input_file_plays_on() {
    if !ready() {
        return;
    }
    let air = Air::new("removed");
    let copy = air.stage.file("copy.mp4");
    std::fs::copy(air.film(), &copy).unwrap();
    air.stage
        .msconv(&["publish", "-s", "a", "-f", copy.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"])
        .expect(0);
    let before = air.record().unwrap();
    std::fs::remove_file(&copy).unwrap();
    let bytes = air.nginx.bytes_in(NAMES[0]).unwrap();
    wait_for("more than one round of bytes", SOON, || {
        air.nginx.bytes_in(NAMES[0]).filter(|b| *b > bytes + 100_000)
    });
    assert_eq!(air.record().unwrap().child, before.child);
    // Started again it cannot open it any more: that is for good.
    signal(before.child, Signal::SIGKILL);
    let record = air.wait_record("the end", |r| r.state == State::Failed);
    assert!(record.reason.unwrap().to_lowercase().contains("no such file"));
    ended(before.supervisor);
    air.stage.msconv(&["stop", "-s", "a"]).expect(3);
}

#[test]
fn a_full_disk_under_logs_costs_the_log_only() {
    if !ready() || !needs("root") {
        return;
    }
    let air = Air::new("full-disk");
    let logs = air.stage.file("logs");
    std::fs::create_dir_all(&logs).unwrap();
    let disk = crate::stage::SmallDisk::mount(&logs, 64);
    disk.fill();
    air.publish();
    let record = air.wait_record("live", |r| r.state == State::Live);
    let bytes = air.nginx.bytes_in(NAMES[0]).unwrap();
    wait_for("bytes", SOON, || air.nginx.bytes_in(NAMES[0]).filter(|b| *b > bytes));
    assert_eq!(air.record().unwrap().child, record.child);
    air.stop();
}

#[test]
fn a_full_disk_under_pids_is_survived_or_told() {
    if !ready() || !needs("root") {
        return;
    }
    let air = Air::new("full-pids");
    let pids = air.stage.file("pids");
    std::fs::create_dir_all(&pids).unwrap();
    let disk = crate::stage::SmallDisk::mount(&pids, 64);
    let record = air.publish();
    disk.fill();
    signal(record.child, Signal::SIGKILL);
    wait_for("ffmpeg to be back on the air", SOON, || {
        air.nginx.names().len() == NAMES.len() && air.log().matches("] live").count() >= 2
    });
    // The old record is whole, whatever could not be written.
    assert!(air.record().is_some());
    air.stage.msconv(&["stop", "-s", "a"]).expect(0);
    ended(record.supervisor);
}

#[test]
fn the_log_folder_may_be_removed() {
    if !ready() {
        return;
    }
    let air = Air::new("log-folder");
    let before = air.publish();
    std::fs::remove_dir_all(air.stage.file("logs")).unwrap();
    signal(before.child, Signal::SIGKILL);
    air.wait_restarted(&before);
    assert!(air.log().contains("live"), "the log is back");
    air.stop();
}

#[test]
fn pid_files_that_lie() {
    if !ready() {
        return;
    }
    let air = Air::new("pid-files");
    let stage = &air.stage;
    std::fs::create_dir_all(stage.file("pids")).unwrap();
    let file = stage.file("pids/a.pid");
    let aside = stage.file("pids/a.pid.stale");
    let mut stranger = stage.spawn("sleep", &["300"]);

    // A stranger.
    std::fs::write(&file, format!("{}\n", stranger.pid())).unwrap();
    stage.msconv(&["stop", "-s", "a"]).expect(3).says("is not ours");
    assert!(stranger.running());
    assert!(aside.exists() && !file.exists());

    // Dead.
    let dead = stage.spawn("true", &[] as &[&str]);
    let dead_pid = dead.pid();
    dead.wait(SOON);
    std::fs::write(&file, format!("{dead_pid}\n")).unwrap();
    stage.msconv(&["stop", "-s", "a"]).expect(3).says("stale");
    assert!(!file.exists());

    // Garbage, a link, a folder, a FIFO, something huge.
    let target = stage.file("precious");
    std::fs::write(&target, format!("{}\n", stranger.pid())).unwrap();
    type Make = Box<dyn Fn(&std::path::Path)>;
    let forms: Vec<(&str, Make)> = vec![
        ("garbage", Box::new(|p| std::fs::write(p, "rm -rf /\n").unwrap())),
        ("empty", Box::new(|p| std::fs::write(p, "").unwrap())),
        ("negative", Box::new(|p| std::fs::write(p, "-1\n").unwrap())),
        ("one", Box::new(|p| std::fs::write(p, "1\n").unwrap())),
        (
            "huge",
            Box::new(|p| {
                let f = std::fs::File::create(p).unwrap();
                f.set_len(1 << 30).unwrap();
            }),
        ),
        ("link", Box::new(move |p| std::os::unix::fs::symlink(&target, p).unwrap())),
        ("folder", Box::new(|p| std::fs::create_dir(p).unwrap())),
        ("fifo", Box::new(|p| nix::unistd::mkfifo(p, nix::sys::stat::Mode::S_IRWXU).unwrap())),
    ];
    for (form, make) in &forms {
        make(&file);
        stage.msconv(&["stop", "-s", "a"]).expect(3);
        assert!(std::fs::symlink_metadata(&file).is_err(), "{form} is out of the way");
        assert!(stranger.running(), "{form} hurts nobody");
        let _ = std::fs::remove_file(&aside);
        let _ = std::fs::remove_dir(&aside);
    }
    assert!(stage.file("precious").exists());

    // None of them stops a publish, and a lie about a running stream does not save it.
    std::fs::write(&file, "garbage").unwrap();
    let record = air.publish();
    std::fs::write(&file, format!("{}\n", stranger.pid())).unwrap();
    air.stop();
    ended(record.child);
    assert!(stranger.running());
}

#[test]
fn records_that_lie() {
    if !ready() {
        return;
    }
    let air = Air::new("records");
    let state = air.stage.file("pids/.state/a.json");
    for (form, text) in [
        ("deleted", None),
        ("garbage", Some("{{{{".to_string())),
        ("empty", Some(String::new())),
        ("huge", Some("x".repeat(3_000_000))),
        ("a stranger", Some(stranger_record(&air))),
    ] {
        let record = air.publish();
        // The supervisor rewrites its record every few seconds; a lie must not survive until the stop, so freeze it.
        signal(record.supervisor, Signal::SIGSTOP);
        match &text {
            None => std::fs::remove_file(&state).unwrap(),
            Some(text) => std::fs::write(&state, text).unwrap(),
        }
        air.stage.msconv(&["stop", "-s", "a"]).expect(0);
        ended(record.supervisor);
        ended(record.child);
        air.gone();
        assert!(Identity::own().is_some(), "{form}");
    }
}

/// A record that names this very test as the supervisor and as ffmpeg.
fn stranger_record(air: &Air) -> String {
    let own = Identity::own().unwrap();
    serde_json::json!({
        "schema": 1, "key": "a", "home": air.stage.home(), "order": "run", "state": "live",
        "boot_id": msconv::process::identity::boot_id(),
        "supervisor": {"pid": own.pid, "start": own.start}, "child": {"pid": own.pid, "start": own.start},
    })
    .to_string()
}

#[test]
fn publish_and_stop_at_once_end_in_one_clean_state() {
    if !ready() {
        return;
    }
    let air = Air::new("race");
    let clip = air.film();
    let args = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"];
    for round in 0..12 {
        let publish = air.stage.spawn_msconv(&args);
        if round % 3 != 0 {
            let deadline = Duration::from_millis(20 * round);
            let began = std::time::Instant::now();
            while began.elapsed() < deadline {
                std::thread::yield_now();
            }
        }
        let stop = air.stage.spawn_msconv(&["stop", "-s", "a"]);
        let stop = stop.wait(SOON);
        let publish = publish.wait(SOON);
        assert!(matches!(stop.code, 0 | 3), "{stop}");
        assert!(matches!(publish.code, 0 | 130), "{publish}");
        if publish.code == 0 {
            let again = air.stage.msconv(&["stop", "-s", "a"]);
            assert!(matches!(again.code, 0 | 3), "{again}");
        }
        air.gone();
    }
}

#[test]
fn of_two_stops_one_stops() {
    if !ready() {
        return;
    }
    let air = Air::new("two-stops");
    air.publish();
    let both = [air.stage.spawn_msconv(&["stop", "-s", "a"]), air.stage.spawn_msconv(&["stop", "-s", "a"])];
    let mut codes = both.map(|r| r.wait(SOON).code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 3]);
    air.gone();
}

#[test]
fn an_ffmpeg_of_the_historic_tool_is_stopped_by_its_pid_file() {
    if !ready() {
        return;
    }
    let air = Air::new("historic");
    std::fs::create_dir_all(air.stage.file("pids")).unwrap();
    let publisher = air.nginx.foreign_publisher(&air.stage, &air.film(), "a");
    std::fs::write(air.stage.file("pids/a.pid"), format!("{}\n", publisher.pid())).unwrap();
    air.stage.msconv(&["stop", "-s", "a"]).expect(0).prints("a: stopped");
    publisher.wait(SOON);
    assert!(!air.stage.file("pids/a.pid").exists());
}

#[test]
fn an_old_boot_is_a_stopped_stream() {
    if !ready() {
        return;
    }
    let air = Air::new("reboot");
    let record = air.publish();
    air.stop();
    let mut old = record;
    old.boot_id = "00000000-0000-0000-0000-000000000000".into();
    old.write(&air.stage.file("pids/.state/a.json"), msconv::base::atomic_file::Durability::Cached).unwrap();
    air.stage.msconv(&["status"]).expect(0).prints("stopped (reboot)");
    air.stage.msconv(&["list", "-a"]).expect(0).prints("stopped (reboot)");
    air.publish();
    air.stop();
}
