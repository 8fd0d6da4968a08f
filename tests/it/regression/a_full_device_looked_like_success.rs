//! An answer that a full disk swallowed ended with 0, so a script went on with half a file. What is written to a reader
//! that went away is another thing: `| head` has what it wanted.

use crate::live::{Air, SMALL, SOON, ready};
use crate::stage::{Run, Stage};

/// Runs msconv with its stdout on a device that is full.
fn onto_full(stage: &Stage, args: &[&str]) -> Run {
    let script = [&["-c", r#"exec "$0" "$@" > /dev/full"#, Stage::binary()], args].concat();
    stage.spawn("sh", &script).wait(SOON)
}

/// Runs msconv with its stdout on a pipe that nobody reads.
fn onto_closed(stage: &Stage, args: &[&str]) -> Run {
    let script = [
        &["-c", r#"{ "$0" "$@"; echo $? > code; } | true; until [ -s code ]; do sleep 0.05; done; exit "$(cat code)""#, Stage::binary()],
        args,
    ]
    .concat();
    let run = stage.spawn("sh", &script).wait(SOON);
    let _ = std::fs::remove_file(stage.file("code"));
    run
}

/// What answers without a server or a stream.
const ALONE: [&[&str]; 21] = [
    &["--help"],
    &["help", "play"],
    &["--version"],
    &["man"],
    &["completions", "zsh"],
    &["config", "show"],
    &["config", "path"],
    &["devices"],
    &["doctor"],
    &["export", "systemd", "--serve"],
    &["publish", "-s", "a", "--test", "--dry-run"],
    &["--json", "config", "show"],
    &["--json", "config", "path"],
    &["--json", "devices"],
    &["--json", "doctor"],
    &["--json", "status"],
    &["--json", "export", "systemd", "--exporter"],
    &["--json", "publish", "-s", "a", "--test", "--dry-run"],
    &["--json", "list"],
    &["--json", "stop", "-s", "a"],
    &["--json", "down"],
];

#[test]
fn every_answer_that_cannot_be_written_is_a_failure() {
    let stage = Stage::new("full-device");
    for args in ALONE {
        let run =
            onto_full(&stage, args).expect(1).says("cannot write the output\n  why: no space left on device");
        assert_eq!(run.stderr.matches("cannot write the output").count(), 1, "{run}");
    }
}

#[test]
fn a_reader_that_went_away_is_success() {
    let stage = Stage::new("closed-pipe");
    // Without its last three, which fail by themselves here.
    for args in &ALONE[..18] {
        let run = onto_closed(&stage, args).expect(0);
        assert!(!run.stderr.contains("error:"), "{run}");
    }
}

#[test]
fn what_runs_is_listed_onto_a_full_device_in_vain() {
    if !ready() {
        return;
    }
    let air = Air::new("full-live");
    air.publish();
    for args in [
        &["list"][..],
        &["list", "-q"],
        &["list", "--variants"],
        &["list", "--watch"],
        &["list", "--watch", "--json"],
        &["status"],
        &["status", "--watch"],
        &["status", "--watch", "--json"],
        &["logs", "a"],
        &["logs", "a", "--json"],
        &["logs", "a", "-f"],
        &["play", "-s", "a", "--print-url", "--protocol", "rtmp"],
    ] {
        onto_full(&air.stage, args).expect(1).says("cannot write the output");
    }
    for args in [&["list", "--watch"][..], &["status", "--watch", "--json"], &["logs", "a", "-f"]] {
        onto_closed(&air.stage, args).expect(0);
    }
    // One stream is stopped, and the next as well, though nobody can be told.
    onto_full(&air.stage, &["stop", "-s", "a", "b"]).expect(1);
    air.gone();
    let film = air.film();
    let publish = ["publish", "-s", "a", "-f", film.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"];
    // A publish that fails leaves nothing running, whatever the cause.
    for json in [&[][..], &["--json"]] {
        onto_full(&air.stage, &[&publish[..], json].concat()).expect(1).says("cannot write the output");
        air.gone();
    }
    // The reader of the summary may go: the stream is what was asked for.
    onto_closed(&air.stage, &publish).expect(0);
    air.stop();
}

#[test]
fn a_server_that_cannot_say_where_it_listens_does_not_stay() {
    let stage = Stage::new("full-serve");
    for args in [&["serve"][..], &["serve", "--json"], &["exporter", "--listen", "127.0.0.1:0"]] {
        onto_full(&stage, args).expect(1).says("cannot write the output");
    }
}
