//! The stage itself: if these fail, no other process test can be believed.

use crate::stage::{Gate, Nginx, NginxOptions, Stage, film, keys, needs, wait_for};
use msconv::process::identity::Identity;
use nix::sys::signal::Signal;
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_clip_published_by_ffmpeg_is_on_stat_and_leaves_nothing() {
    if !needs("nginx-rtmp") || !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("stage-clip");
    let mut nginx = Nginx::start(&stage);
    let publisher = nginx.foreign_publisher(&stage, &film(5, 320, 180), "clip");
    assert_eq!(nginx.names(), ["clip"]);
    let before = nginx.bytes_in("clip").unwrap();
    wait_for("more bytes", SOON, || nginx.bytes_in("clip").filter(|b| *b > before));

    nginx.freeze();
    nginx.thaw();
    assert_eq!(nginx.control_drop("live", "clip"), 1);
    publisher.wait(SOON);
    wait_for("the name to be free", SOON, || nginx.names().is_empty());

    nginx.restart();
    assert!(nginx.names().is_empty());
}

#[test]
fn a_gate_refuses_one_name() {
    if !needs("nginx-rtmp") || !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("stage-gate");
    let gate = Gate::start();
    gate.refuse("no");
    let nginx = Nginx::with(&stage, NginxOptions::default().gated_by(&gate));
    let _publisher = nginx.foreign_publisher(&stage, &film(5, 320, 180), "yes");
    let url = format!("{}/no", nginx.rtmp_url());
    let clip = film(5, 320, 180);
    let args = [
        "-nostdin",
        "-loglevel",
        "error",
        "-re",
        "-i",
        clip.to_str().unwrap(),
        "-c",
        "copy",
        "-f",
        "flv",
        &url,
    ];
    assert_ne!(stage.spawn("ffmpeg", &args).wait(SOON).code, 0);
    assert_eq!(gate.asked(), ["yes", "no"]);
    assert_eq!(nginx.names(), ["yes"]);
}

#[test]
fn a_process_left_behind_is_found_and_ended() {
    let stage = Stage::new("stage-left");
    let root = stage.root().to_path_buf();
    // In a group of its own and never waited for, as a detached supervisor would be.
    let left = stage.spawn("sh", &["-c", "setsid sleep 300 & echo $!"]);
    wait_for("the sleeper", SOON, || !stage.still_running().is_empty() && left.stdout().contains('\n'));
    std::mem::forget(left);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(stage)));
    let message = *outcome.expect_err("the leftover is reported").downcast::<String>().unwrap();
    assert!(message.contains("sleep 300"), "{message}");
    assert!(!root.exists());
}

#[test]
fn a_terminal_shows_and_takes_keys() {
    let stage = Stage::new("stage-terminal");
    let mut terminal = crate::stage::Terminal::start(
        &stage,
        "sh",
        &[
            "-c",
            r#"test -t 0 && test -t 2 && stty size && printf '\033[?25lname: ' >&2 && read n && echo "hi $n""#,
        ],
        false,
    );
    terminal.wait_for("24 100");
    terminal.wait_for("name:");
    assert!(!terminal.cursor_visible());
    terminal.type_keys("bob");
    terminal.type_keys(keys::ENTER);
    terminal.wait_for("hi bob");
    assert_eq!(terminal.wait_exit(), 0);
}

#[test]
fn the_program_is_the_built_one() {
    let stage = Stage::new("stage-binary");
    stage.msconv(&["--version"]).expect(0).prints(env!("CARGO_PKG_VERSION"));
    stage.msconv(&["--nonsense"]).expect(2).says("--nonsense");
}

#[test]
fn a_closed_terminal_hangs_up() {
    let stage = Stage::new("stage-hangup");
    let script = r#"trap 'echo told > told; exit' HUP; echo ready; while :; do sleep 0.1; done"#;
    let mut terminal = crate::stage::Terminal::start(&stage, "sh", &["-c", script], false);
    terminal.wait_for("ready");
    terminal.close();
    wait_for("the program to be told", SOON, || stage.file("told").exists());
}

#[test]
fn two_ports_are_never_the_same() {
    let ports: Vec<_> = (0..50).map(|_| crate::stage::Port::free()).collect();
    let distinct: std::collections::BTreeSet<u16> = ports.iter().map(crate::stage::Port::number).collect();
    assert_eq!(distinct.len(), ports.len());
}

#[test]
fn a_test_that_is_told_to_end_leaves_nothing() {
    // It plays both parts: started by itself it stands, with a program in a session of its own, as a supervisor is.
    const STANDS: &str = "IT_STANDS";
    if std::env::var_os(STANDS).is_some() {
        let stage = Stage::new("stage-standing");
        let sleeper = stage.spawn("setsid", &["sleep", "300"]);
        println!("standing {} {}", sleeper.pid(), stage.root().display());
        sleeper.wait(Duration::from_secs(300));
        return;
    }
    let stage = Stage::new("stage-told-to-end");
    stage.set(STANDS, "1");
    let own_name = "stage_works::a_test_that_is_told_to_end_leaves_nothing";
    let standing = stage.spawn(std::env::current_exe().unwrap(), &["--exact", own_name, "--nocapture"]);
    standing.wait_for_words("standing ", SOON);
    let said = standing.stdout();
    let line = said.lines().find_map(|line| line.split_once("standing ")).unwrap().1;
    let (pid, root) = line.split_once(' ').unwrap();
    let sleeper = Identity::of(pid.parse().unwrap()).expect("the program runs");
    standing.signal(Signal::SIGTERM);
    standing.wait(SOON).expect(128 + 15).says("stage-standing: told to end").says("sleep 300");
    wait_for("the program to end", SOON, || !sleeper.alive());
    assert!(!Path::new(root).exists(), "{root} is left");
}
