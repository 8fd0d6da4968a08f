//! A short file that has to be opened anew for each round stood 380 times in ffmpeg's arguments, and so in `--dry-run`,
//! in `ps` and in the record.

use crate::live::{Air, NAMES, SMALL, SOON, ready};
use crate::stage::{film, made, wait_for};
use msconv::model::State;
use nix::sys::signal::Signal;
use std::path::PathBuf;

/// Two seconds of MPEG-TS, and a film whose picture is longer than its audio.
fn short() -> [PathBuf; 2] {
    let film = film(2, 426, 240);
    let film = film.to_str().unwrap();
    let ts = made("short.ts", &["-i", film, "-c", "copy", "-f", "mpegts"]);
    let tone = "sine=frequency=440:duration=1";
    let longer = made(
        "short-audio.mp4",
        &["-i", film, "-f", "lavfi", "-i", tone, "-map", "0:v", "-map", "1:a", "-c:v", "copy"],
    );
    [ts, longer]
}

#[test]
fn it_is_one_readable_line_that_a_shell_can_run() {
    if !ready() {
        return;
    }
    let air = Air::new("dry-run-line");
    for file in short() {
        let odd = air.stage.file("it's $a [1] \\ ü.mp4");
        std::fs::copy(&file, &odd).unwrap();
        let args = ["publish", "-s", "a", "-f", odd.to_str().unwrap(), "--variants", SMALL, "--dry-run"];
        let run = air.stage.msconv(&args).expect(0);
        assert_eq!(run.stdout.lines().count(), 1, "{run}");
        assert_eq!(run.stdout.matches("[1").count(), 1, "the file is named once: {run}");
        assert!(run.stdout.len() < 4096, "{} bytes: {run}", run.stdout.len());
        let json = air.stage.msconv(&[&args[..], &["--json"]].concat()).expect(0).json();
        let longest = json["argv"].as_array().unwrap().iter().map(|a| a.as_str().unwrap().len()).max();
        assert!(longest.unwrap() < 2048, "{json}");
        assert!(json["stdin"]["times"].as_u64().unwrap() > 1000, "{json}");
        // timeout passes the end on to all that the line started.
        let shell = air.stage.spawn("timeout", &["120", "sh", "-c", run.stdout.trim_end()]);
        wait_for("both names", SOON, || NAMES.iter().all(|n| air.nginx.bytes_in(n).is_some_and(|b| b > 0)));
        shell.signal(Signal::SIGTERM);
        shell.wait(SOON);
        wait_for("the names to be free", SOON, || air.nginx.names().is_empty());
    }
}

#[test]
fn it_is_on_the_air_for_many_rounds() {
    if !ready() {
        return;
    }
    let air = Air::new("short-rounds");
    for file in short() {
        let args = ["publish", "-s", "a", "-f", file.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"];
        air.stage.msconv(&args).expect(0);
        let record = air.record().unwrap();
        let named = record.argv.iter().filter(|a| a.contains("short")).count();
        assert_eq!(named, 0, "{:?}", record.argv);
        wait_for("five rounds", SOON, || {
            air.record().filter(|r| r.state == State::Live && r.child == record.child).and_then(|r| {
                let up = r.written_at_ms - r.live_since_ms?;
                (up > 10_000).then_some(())
            })
        });
        air.stop();
    }
}
