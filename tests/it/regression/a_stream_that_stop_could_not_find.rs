//! `rm -rf pids`, or a full disk, while a stream runs: it went on, `stop` could not find it, and `publish` could not
//! replace it. The kernel still has its lock, and the index knows its file.

use crate::live::{Air, SMALL, SOON, ended, ready, signal};
use crate::stage::{PATIENCE, Run, Serve, SmallDisk, Stage, needs, wait_for};
use msconv::model::State;
use msconv::process::identity::Identity;
use msconv::process::run_record::RunRecord;
use nix::sys::signal::Signal;
use std::fs;
use std::path::{Path, PathBuf};

/// The stream `a` of a home that may go away under it.
struct Away {
    air: Air,
    home: PathBuf,
    record: RunRecord,
}

impl Away {
    fn new(name: &str) -> Away {
        let air = Air::new(name);
        let home = air.stage.root().join("house");
        fs::create_dir(&home).unwrap();
        Away::publish(&air, &home).expect(0);
        let record = record_at(&home).expect("a record");
        Away { air, home, record }
    }

    fn publish(air: &Air, home: &Path) -> Run {
        let film = air.film();
        let args = ["publish", "-s", "a", "-f", film.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"];
        air.stage.msconv(&[&args[..], &["--home", home.to_str().unwrap()]].concat())
    }

    /// msconv in another home.
    fn msconv(&self, home: &Path, args: &[&str]) -> Run {
        self.air.stage.msconv(&[&["--home", home.to_str().unwrap()], args].concat())
    }

    /// It is known as running, and nobody else gets its key.
    fn is_known(&self) {
        Away::publish(&self.air, &self.home).expect(8).says("a is already publishing");
        self.msconv(&self.home, &["status", "a"]).expect(0);
        self.msconv(&self.home, &["list", "-q"]).expect(0).prints("a\n");
    }

    /// `stop` in a home ends it, and nothing of it is left.
    fn stops(self, home: &Path) {
        self.msconv(home, &["stop", "-s", "a"]).expect(0).prints("a: stopped");
        assert!(!self.record.supervisor.unwrap().alive() && !self.record.child.unwrap().alive());
        self.msconv(home, &["stop", "-s", "a"]).expect(3);
        // And the key is free.
        fs::create_dir_all(&self.home).unwrap();
        Away::publish(&self.air, &self.home).expect(0);
        self.msconv(&self.home, &["stop", "-s", "a"]).expect(0);
    }

    fn has_its_files(&self) -> RunRecord {
        wait_for("its files", SOON, || {
            let record = record_at(&self.home).ok_or("no record")?;
            let pid = fs::read_to_string(self.home.join("pids/a.pid")).map_err(|e| e.to_string())?;
            let child = record.child.ok_or("no child")?;
            let known = pid.trim() == child.pid.to_string() && record.state == State::Live;
            if known { Ok(record) } else { Err(format!("{pid} {record:#?}")) }
        })
    }
}

fn record_at(home: &Path) -> Option<RunRecord> {
    RunRecord::read(&home.join("pids/.state/a.json"))
}

#[test]
fn its_folder_removed() {
    if !ready() {
        return;
    }
    let away = Away::new("pids-removed");
    fs::remove_dir_all(away.home.join("pids")).unwrap();
    away.is_known();
    // Whether it has been made again by now or not.
    let _ = fs::remove_dir_all(away.home.join("pids"));
    let home = away.home.clone();
    away.stops(&home);
}

#[test]
fn its_folder_and_the_index_removed() {
    if !ready() {
        return;
    }
    let away = Away::new("pids-and-index");
    fs::remove_dir_all(away.home.join("pids")).unwrap();
    fs::remove_dir_all(away.air.stage.root().join("run/msconv")).unwrap();
    Away::publish(&away.air, &away.home).expect(8);
    let home = away.home.clone();
    away.stops(&home);
}

#[test]
fn what_was_removed_is_written_again() {
    if !ready() {
        return;
    }
    let away = Away::new("pids-again");
    fs::remove_dir_all(away.home.join("pids")).unwrap();
    fs::remove_dir_all(away.home.join("logs")).unwrap();
    let before = away.has_its_files();
    assert_eq!((before.supervisor, before.child), (away.record.supervisor, away.record.child));
    assert!(away.air.stage.root().join("run/msconv/streams").read_dir().unwrap().next().is_some());
    // A program that is started after that is under the new lock.
    signal(before.child, Signal::SIGKILL);
    wait_for("another ffmpeg", SOON, || {
        record_at(&away.home)
            .filter(|r| r.state == State::Live && r.child.is_some() && r.child != before.child)
    });
    let after = away.has_its_files();
    assert!(fs::read_to_string(away.home.join("logs/ffmpeg/a.log")).unwrap().contains("starting again"));
    // Killed together, both are gone for good: the key is free again.
    signal(after.supervisor, Signal::SIGKILL);
    ended(after.child);
    Away::publish(&away.air, &away.home).expect(0);
    away.msconv(&away.home, &["stop", "-s", "a"]).expect(0);
}

#[test]
fn its_folder_replaced_by_a_link() {
    if !ready() {
        return;
    }
    let away = Away::new("pids-link");
    fs::rename(away.home.join("pids"), away.home.join("pids.old")).unwrap();
    fs::create_dir(away.home.join("new")).unwrap();
    std::os::unix::fs::symlink(away.home.join("new"), away.home.join("pids")).unwrap();
    away.is_known();
    away.has_its_files();
    assert!(away.home.join("new/a.pid").exists());
    let home = away.home.clone();
    away.stops(&home);
}

#[test]
fn its_home_moved() {
    if !ready() {
        return;
    }
    let away = Away::new("home-moved");
    let (home, new) = (away.home.clone(), away.air.stage.root().join("new-house"));
    fs::rename(&home, &new).unwrap();
    wait_for("the record there", SOON, || {
        record_at(&new).filter(|r| r.home == new && r.written_at_ms > away.record.written_at_ms)
    });
    assert!(!home.exists(), "nothing is made again where it was");
    away.msconv(&new, &["status", "a"]).expect(0).prints("live");
    away.stops(&new);
}

#[test]
fn its_home_moved_a_moment_ago() {
    if !ready() {
        return;
    }
    let away = Away::new("home-moved-now");
    let new = away.air.stage.root().join("new-house");
    fs::rename(&away.home, &new).unwrap();
    away.stops(&new);
}

#[test]
fn its_home_removed() {
    if !ready() {
        return;
    }
    let away = Away::new("home-removed");
    let home = away.home.clone();
    fs::remove_dir_all(&home).unwrap();
    let elsewhere = away.air.stage.home();
    wait_for("the record in the index", SOON, || {
        let run = away.msconv(&elsewhere, &["status", "a"]);
        if run.stdout.contains("live") { Ok(()) } else { Err(run.to_string()) }
    });
    let run = away.msconv(&elsewhere, &["stop", "-s", "a"]).expect(0);
    run.prints("published from");
    assert!(!home.exists(), "neither stream nor stop makes it again");
    assert!(!away.record.supervisor.unwrap().alive() && !away.record.child.unwrap().alive());
}

#[test]
fn a_disk_that_is_full_and_then_wiped() {
    if !ready() || !needs("root") {
        return;
    }
    let stage = Stage::new("full-wiped-disk");
    let home = stage.root().join("house");
    fs::create_dir(&home).unwrap();
    let disk = SmallDisk::mount(&home, 512);
    let nginx = crate::stage::Nginx::start(&stage);
    let air = Air { nginx, stage };
    Away::publish(&air, &home).expect(0);
    let record = record_at(&home).unwrap();
    let away = Away { air, home: home.clone(), record };
    disk.fill();
    away.is_known();
    fs::remove_dir_all(home.join("pids")).unwrap();
    disk.fill();
    wait_for("the record in the index", SOON, || {
        let run = away.msconv(&home, &["status", "a"]);
        if run.stdout.contains("live") { Ok(()) } else { Err(run.to_string()) }
    });
    away.is_known();
    // Room again: so are its files.
    for entry in fs::read_dir(&home).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("filler") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    away.has_its_files();
    disk.fill();
    away.stops(&home);
}

#[test]
fn a_disk_that_takes_no_writes_any_more() {
    if !ready() || !needs("root") {
        return;
    }
    let away = Away::new("read-only");
    let home = away.home.clone();
    let path = home.to_str().unwrap();
    let mount = |args: &[&str]| away.air.stage.spawn("mount", args).wait(PATIENCE).expect(0);
    mount(&["--bind", path, path]);
    mount(&["-o", "remount,bind,ro", path]);
    assert!(fs::write(home.join("x"), "").is_err());
    away.is_known();
    signal(away.record.child, Signal::SIGKILL);
    let child = wait_for("another ffmpeg in the index", SOON, || {
        let json = away.msconv(&home, &["status", "a", "--json"]).json();
        let pid = json["streams"][0]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        pid.filter(|pid| Some(*pid) != away.record.child.map(|c| c.pid)).and_then(Identity::of)
    });
    away.msconv(&home, &["stop", "-s", "a"]).expect(0).prints("a: stopped");
    assert!(!child.alive() && !away.record.supervisor.unwrap().alive());
    // Its files cannot be removed, which is no reason to say that it runs.
    away.msconv(&home, &["stop", "-s", "a"]).expect(3).says("error: a is not running");
    away.air.stage.spawn("umount", &["-l", path]).wait(PATIENCE).expect(0);
    Away::publish(&away.air, &home).expect(0);
    away.msconv(&home, &["stop", "-s", "a"]).expect(0);
}

#[test]
fn one_that_waits_for_its_source() {
    let stage = Stage::new("pids-waiting");
    let _server = Serve::start_at_stage(&stage);
    let url = format!("{}/nobody", stage.rtmp_url());
    let args = ["publish", "-s", "a", "-r", &url, "-o", "--wait", "0"];
    stage.msconv(&args).expect(0);
    fs::remove_dir_all(stage.file("pids")).unwrap();
    stage.msconv(&args).expect(8);
    wait_for("the record", SOON, || RunRecord::read(&stage.file("pids/.state/a.json")));
    fs::remove_dir_all(stage.file("pids")).unwrap();
    stage.msconv(&["stop", "-s", "a"]).expect(0);
}
