//! `play` as a person meets it: which player starts with what, and what is said when it cannot be.

use crate::listing::{page, serve, staged};
use crate::live::{Air, ready};
use crate::stage::{PATIENCE, Port, Stage, keys, needs, wait_for};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A player that writes down how it was called and ends well.
const RECORDS: &str = r#"printf '%s\n' "$@" > "$MSCONV_HOME/argv""#;

/// An RTSP server that answers OPTIONS, and DESCRIBE with `answer`; none at all if that is empty.
fn rtsp_server(stage: &Stage, answer: &'static str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    stage.set("MSCONV_RTSP_URL", &format!("rtsp://{}", listener.local_addr().unwrap()));
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = socket.read(&mut buffer) {
                    let reply = match buffer[..n].starts_with(b"OPTIONS") {
                        _ if answer.is_empty() => continue,
                        true => "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n",
                        false => answer,
                    };
                    if socket.write_all(reply.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

fn argv(stage: &Stage) -> Vec<String> {
    stage.read("argv").lines().map(str::to_string).collect()
}

/// A stage with two renditions of `a`, and a folder of fake players at the front of the PATH.
fn ladder(test: &str) -> Stage {
    let stage = staged(test, &["a_720p", "a_360p"]);
    let path = std::env::var("PATH").unwrap_or_default();
    stage.set("PATH", &format!("{}:{path}", stage.root().join("bin").display()));
    stage
}

fn rtmp(stage: &Stage, name: &str) -> String {
    format!("rtmp://127.0.0.1:{}/live/{name}", stage.rtmp)
}

#[test]
fn print_url_prints_exactly_the_url() {
    let stage = ladder("play-url");
    let run = stage.msconv(&["play", "-s", "a", "-v", "480p,360p,best", "--print-url"]).expect(0);
    assert_eq!((run.stdout, run.stderr.as_str()), (format!("{}/a_360p\n", stage.rtsp_url()), ""));
    let run = stage.msconv(&["play", "-s", "a", "-v", "360p", "--print-url", "--protocol", "rtmp"]).expect(0);
    assert_eq!(run.stdout, format!("{}\n", rtmp(&stage, "a_360p")));
    let json = stage.msconv(&["play", "-s", "a", "-v", "360p", "--print-url", "--json"]).expect(0).json();
    assert_eq!((&json["schema"], &json["label"]), (&"msconv.play/1".into(), &"360p".into()));
    stage
        .msconv(&["play", "-s", "a", "--print-url", "--protocol", "hls"])
        .expect(6)
        .says("try: --protocol rtmp");
}

#[test]
fn wrong_keys_and_labels_name_the_right_ones() {
    let stage = ladder("play-wrong");
    stage.msconv(&["play", "-s", "aa"]).expect(4).says("live now: a").says("--wait 60s");
    stage.msconv(&["play", "-s", "a", "-v", "700p"]).expect(4).says("it has: 720p 360p").says("-v 720p");
    stage.msconv(&["play", "-s", "a", "-o"]).expect(4).says("a has no variant original");
    stage.msconv(&["play", "-s", "a", "-v", "7;p"]).expect(2).says("try: --variant 720p,480p,best");
    stage.msconv(&["play", "-s", "a", "-v", "720p", "-o"]).expect(2);
    stage.msconv(&["play", "-s", "стрим1"]).expect(2).says("try: strim1");
    stage.msconv(&["play"]).expect(2).says("msconv play -s KEY");
    stage.msconv(&["play", "-l"]).expect(2).says("needs a terminal");
    stage.set("MSCONV_NGINX_STAT_URL", "http://127.0.0.1:1/stat");
    stage.set("MSCONV_MEDIAMTX_URL", "http://127.0.0.1:1");
    stage.msconv(&["play", "-s", "a"]).expect(6).says("try: msconv up");
}

#[test]
fn a_named_player_gets_the_url_last_and_needs_no_display() {
    let stage = ladder("play-named");
    let player = stage.fake("thing", RECORDS);
    let player = player.to_str().unwrap();
    let run = stage.msconv(&["play", "-s", "a", "--player", player, "--", "--volume", "5"]).expect(0);
    assert_eq!(run.stdout, "", "the player's talk is no data");
    run.says("no RTSP server answers").says("playing with thing over RTMP");
    assert_eq!(argv(&stage), ["--volume", "5", &rtmp(&stage, "a_720p")]);
    let json = stage.msconv(&["play", "-s", "a", "--player", player, "--json"]).expect(0).json();
    assert_eq!((&json["protocol"], &json["label"]), (&"rtmp".into(), &"720p".into()));
}

#[test]
fn rtsp_is_asked_before_a_window_opens() {
    let stage = ladder("play-rtsp");
    let player = stage.fake("thing", RECORDS);
    let play = |more: &[&str]| {
        let args = [&["play", "-s", "a", "--player", player.to_str().unwrap()], more].concat();
        stage.msconv(&args)
    };
    play(&["--protocol", "rtsp"]).expect(6).says("no RTSP server answers").says("try: msconv up");
    rtsp_server(&stage, "RTSP/1.0 404 Not Found\r\nCSeq: 2\r\n\r\n");
    play(&[]).expect(6).says("has no path a_720p").says("mediamtx.yml").says("try: --protocol rtmp");
    rtsp_server(&stage, "RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\n\r\n");
    play(&[]).expect(6).says("without a password").says("authInternalUsers");
    rtsp_server(&stage, "");
    play(&[]).expect(6).says("says nothing");
    stage.set("MSCONV_RTSP_URL", &format!("rtsp://{}", serve(|_, _| String::new())));
    play(&[]).expect(6).says("does not speak RTSP").says("HTTP");
    assert_eq!(argv(&stage), [""; 0], "no player was started so far");
    rtsp_server(&stage, "RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n");
    let run = play(&[]).expect(0);
    assert!(!run.stderr.contains("note:"), "{run}");
    assert!(argv(&stage).last().is_some_and(|url| url.starts_with("rtsp://") && url.ends_with("/a_720p")));
}

#[test]
fn a_player_that_fails_is_quoted_whatever_its_exit_code() {
    let stage = ladder("play-fails");
    let play = |script: &str, name: &str| {
        let player = stage.fake(name, script);
        stage.msconv(&["play", "-s", "a", "--protocol", "rtmp", "--player", player.to_str().unwrap()])
    };
    play("echo 'went wrong: disk on fire' >&2; exit 3", "thing")
        .expect(5)
        .says("thing could not play a 720p")
        .says("why: went wrong: disk on fire")
        .says("exit code 3");
    play("echo \"[0000565486bd8d40] main input error: Your input can't be opened\" >&2", "cvlc-fake")
        .expect(5);
    play("echo 'cannot open display' >&2; exit 0", "thing").expect(5).says("cannot open display");
    play("kill -SEGV $$", "thing").expect(5).says("SIGSEGV");
    play("exit 0", "thing").expect(0).says("warning: thing ended after");
    play("printf '\\033[2Jevil\\n' >&2; exit 1", "thing").expect(5).says("evil");
    let run = play("printf '\\033]0;evil\\007 failed\\n' >&2; exit 1", "thing").expect(5);
    assert!(!run.stderr.contains('\u{1b}'), "{run}");
}

#[test]
fn the_next_best_player_is_taken_and_said_in_one_line() {
    let stage = ladder("play-next");
    stage.set("DISPLAY", "elsewhere:0");
    stage.fake("vlc", "[ \"$1\" = -p ] && echo 'No matching module found. Use --list' && exit 0\nexit 1");
    stage.fake("mpv", RECORDS);
    rtsp_server(&stage, "RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n");
    let run = stage.msconv(&["play", "-s", "a"]).expect(0);
    let why = if nix::unistd::geteuid().is_root() { "VLC refuses to run as root" } else { "no RTSP module" };
    assert_eq!(run.stderr.lines().filter(|l| l.starts_with("note:")).count(), 1, "{run}");
    run.says(why).says("playing with mpv over RTSP");
    assert!(argv(&stage).iter().any(|a| a == "--rtsp-transport=tcp"));
}

#[test]
fn without_a_display_or_a_player_the_way_out_is_named() {
    let stage = ladder("play-none");
    stage.msconv(&["play", "-s", "a"]).expect(5).says("no display").says("--print-url").says("--player");
    stage.set("DISPLAY", ":64997");
    stage.msconv(&["play", "-s", "a"]).expect(5).says("no X server listens there");
    stage.set("DISPLAY", "elsewhere:0");
    stage.msconv(&["play", "-s", "a", "--player", "no-such-player"]).expect(5).says("is not on the PATH");
    stage.msconv(&["play", "-s", "a", "--player", "./none"]).expect(5).says("there is no player at ./none");
    stage.set("PATH", stage.root().join("bin").to_str().unwrap());
    stage.msconv(&["play", "-s", "a"]).expect(5).says("no player is installed").says("--print-url");
}

#[test]
fn wait_takes_the_stream_when_it_comes() {
    let stage = ladder("play-wait");
    let live = Arc::new(AtomicBool::new(false));
    let seen = live.clone();
    let nginx = serve(move |n, _| {
        let names: Vec<String> =
            seen.load(Ordering::SeqCst).then(|| "late_480p".to_string()).into_iter().collect();
        page(&names, n)
    });
    stage.set("MSCONV_NGINX_STAT_URL", &format!("http://{nginx}/stat"));
    stage.set("MSCONV_MEDIAMTX_URL", "http://127.0.0.1:1");
    stage.msconv(&["play", "-s", "late", "--wait", "100ms", "--print-url"]).expect(4);
    let running = stage.spawn_msconv(&["play", "-s", "late", "-v", "480p", "--wait", "50s", "--print-url"]);
    running.wait_for_words("waiting up to", PATIENCE);
    live.store(true, Ordering::SeqCst);
    let run = running.wait(PATIENCE).expect(0);
    assert_eq!(run.stdout, format!("{}/late_480p\n", stage.rtsp_url()));
    stage.msconv(&["play", "-s", "late", "--wait", "soon"]).expect(2).says("--wait");
}

/// A player that starts a child of its own and obeys nobody.
const STUBBORN: &str = r#"trap '' INT TERM
setsid sh -c 'trap "" INT TERM HUP; while :; do sleep 1; done' &
echo up > "$MSCONV_HOME/started"
while :; do sleep 1; done"#;

#[test]
fn ctrl_c_ends_the_player_and_what_it_started() {
    let stage = ladder("play-ctrl-c");
    let player: PathBuf = stage.fake("stubborn", STUBBORN);
    let args = ["play", "-s", "a", "--protocol", "rtmp", "--player", player.to_str().unwrap()];
    let mut terminal = stage.terminal(&args);
    wait_for("the player", PATIENCE, || (stage.read("started") == "up\n").then_some(()));
    terminal.type_keys(keys::CTRL_C);
    assert_eq!(terminal.wait_exit(), 130);
    assert_eq!(stage.still_running(), [""; 0]);
}

#[test]
fn a_player_at_a_terminal_gets_the_keys_and_gives_the_terminal_back() {
    let stage = ladder("play-keys");
    // As mpv does: takes keys only if its stdout is a terminal, and turns the echo off.
    let player = stage.fake(
        "keyed",
        r#"test -t 1 || exit 9
stty raw -echo
echo ready
key=$(dd bs=1 count=1 2>/dev/null)
printf '%s' "$key" > "$MSCONV_HOME/key"
kill -KILL $$"#,
    );
    let args = ["play", "-s", "a", "--protocol", "rtmp", "--player", player.to_str().unwrap(), "--", "x"];
    let mut terminal = stage.terminal(&args);
    terminal.wait_for("ready");
    terminal.type_keys("q");
    assert_eq!(terminal.wait_exit(), 5);
    assert_eq!(stage.read("key"), "q");
    terminal.wait_for("SIGKILL");
}

#[test]
fn the_picker_chooses_stream_and_variant() {
    let stage = ladder("play-pick");
    let args = ["play", "-l", "--print-url"];
    let mut terminal = stage.terminal_with_piped_stdout(&args);
    terminal.wait_for("> a ");
    terminal.type_keys(keys::ENTER);
    terminal.wait_for("> 720p");
    terminal.type_keys(keys::DOWN);
    terminal.wait_for("> 360p");
    terminal.type_keys(keys::ENTER);
    assert_eq!(terminal.wait_exit(), 0);
    assert_eq!(terminal.stdout(), format!("{}/a_360p\n", stage.rtsp_url()));

    let mut terminal = stage.terminal_with_piped_stdout(&["play", "-l", "-v", "360p", "--print-url"]);
    terminal.wait_for("> a ");
    terminal.type_keys(keys::ENTER);
    assert_eq!(terminal.wait_exit(), 0);

    let mut terminal = stage.terminal(&["play", "-l"]);
    terminal.wait_for("> a ");
    terminal.type_keys(keys::ESC);
    assert_eq!(terminal.wait_exit(), 130);
    assert!(terminal.cursor_visible());
}

#[test]
fn real_players_show_a_real_stream_or_say_why_not() {
    if !ready() || !needs("mpv") || !needs("ffplay") {
        return;
    }
    let air = Air::new("play-real");
    air.publish();
    let mpv = ["play", "-s", "a", "--player", "mpv", "--protocol", "rtmp", "--"];
    let shown = ["--vo=null", "--ao=null", "--frames=25", "--no-config"];
    let json =
        air.stage.msconv(&[&mpv[..5], &["--protocol", "rtmp", "--json", "--"], &shown].concat()).expect(0);
    assert!(json.json()["watched_s"].as_f64().is_some_and(|s| s > 0.5), "{json}");
    let gone = Port::free();
    air.stage.set("MSCONV_NGINX_RTMP_URL", &format!("rtmp://127.0.0.1:{gone}/live"));
    air.stage
        .msconv(&[&mpv[..], &["--vo=null"]].concat())
        .expect(5)
        .says("mpv could not play a 240p")
        .says("Connection refused");
    let ffplay = ["play", "-s", "a", "--player", "ffplay", "--protocol", "rtmp", "--", "-nodisp"];
    air.stage.msconv(&ffplay).expect(5).says("ffplay could not play a 240p").says("Connection refused");
    air.stage.set("MSCONV_NGINX_RTMP_URL", &air.stage.rtmp_url());
    air.stop();
}
