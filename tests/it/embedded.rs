//! The built-in server through the binary: up, publish, list, play, stop, down, and what may go wrong on the way.

use crate::live::SMALL;
use crate::stage::{Nginx, Run, Running, Serve, Stage, film, http_get, needs, raw, wait_for};
use msconv::process::identity;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// The server's number, from `up --json`.
fn pid_of(run: &Run) -> i32 {
    run.json()["servers"][0]["pid"].as_i64().unwrap_or_else(|| panic!("no pid: {run}")) as i32
}

fn hurt(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

fn gone(pid: i32) {
    wait_for(&format!("{pid} to be gone"), SOON, || identity::Identity::of(pid).is_none());
}

/// What a home may hold after `down`: logs, and no file of the server's state.
fn only_logs_are_left(stage: &Stage) {
    assert!(!stage.file("pids/.serve").exists());
    let left: Vec<_> = std::fs::read_dir(stage.file("pids"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".state")
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(
        stage.read("logs/serve/serve.log").contains(" info  ended"),
        "{}",
        stage.read("logs/serve/serve.log")
    );
}

fn decodes(stage: &Stage, url: &str, more: &[&str]) {
    let args =
        [&["-nostdin", "-loglevel", "warning", "-xerror"], more, &["-i", url, "-t", "2", "-f", "null", "-"]];
    let run = stage.spawn("ffmpeg", &args.concat()).wait(SOON).expect(0);
    let grave =
        |line: &&str| line.contains("error") || line.contains("corrupt") || line.contains("concealing");
    let bad: Vec<&str> = run.stderr.lines().filter(grave).collect();
    assert!(bad.is_empty(), "{url}: {bad:?}");
}

#[test]
fn the_whole_way_needs_nothing_but_ffmpeg() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("embedded-way");
    // Neither nginx nor MediaMTX can be found here.
    stage.set("MSCONV_NGINX", "/no/such/nginx");
    stage.set("MSCONV_MEDIAMTX", "/no/such/mediamtx");
    let up =
        stage.msconv(&["up"]).expect(0).prints("ok  msconv serve answers after").prints(&stage.rtmp_url());
    up.prints("logs/serve/serve.log").prints("next   msconv publish");
    let status = stage.msconv(&["status", "--json"]).expect(0).json();
    assert_eq!(
        (&status["servers"][0]["name"], &status["servers"][0]["running"]),
        (&"serve".into(), &true.into())
    );
    stage.msconv(&["doctor"]).expect(0).prints("the built-in server's API answers").prints("RTSP answers at");

    let clip = film(8, 426, 240);
    let publish = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL];
    stage.msconv(&publish).expect(0).prints("live after").prints("240p 120p");
    let list = stage.msconv(&["list", "--json"]).expect(0).json();
    let stream = &list["streams"][0];
    assert_eq!(
        (&stream["key"], &stream["state"], &stream["from"]),
        (&"a".into(), &"live".into(), &"here".into())
    );
    assert!(list["servers"].as_array().unwrap().iter().all(|s| s["ok"] == true), "{list}");
    // One answer of the server says it all: its status page is not even asked for.
    let nowhere = stage.stat_url().replace("/stat", "/nothing");
    let run = stage.msconv(&["list", "--json", "--nginx-stat-url", &nowhere]).expect(0);
    assert!(!run.stderr.contains("note"), "{run}");
    let (video, seen) = (&run.json()["streams"][0]["renditions"][0], &stream["renditions"][0]);
    for field in ["label", "name", "state", "video", "audio", "rtmp_url", "rtsp_url", "hls_url"] {
        assert_eq!(video[field], seen[field], "{field}");
    }
    assert_eq!(video["video"]["height"], 240, "{run}");
    for (protocol, more) in
        [("rtsp", &["-rtsp_transport", "tcp"][..]), ("rtsp", &["-rtsp_transport", "udp"]), ("rtmp", &[])]
    {
        let args = ["play", "-s", "a", "-v", "240p", "--protocol", protocol, "--print-url"];
        let url = stage.msconv(&args).expect(0).stdout;
        decodes(&stage, url.trim(), more);
    }
    let hls =
        stage.msconv(&["play", "-s", "a", "-v", "240p", "--protocol", "hls", "--print-url"]).expect(0).stdout;
    assert_eq!(stream["renditions"][0]["hls_url"], hls.trim());
    decodes(&stage, hls.trim(), &[]);
    decodes(&stage, stream["hls_url"].as_str().unwrap(), &[]);
    // A viewer of either protocol is one viewer, and of the same stream.
    let url = format!("{}/a_240p", stage.rtsp_url());
    let watch = ["-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", &url, "-f", "null", "-"];
    let viewer = stage.spawn("ffmpeg", &watch);
    wait_for("one viewer", SOON, || {
        let run = stage.msconv(&["list", "--json"]);
        let viewers = run.json()["streams"][0]["viewers"].clone();
        if viewers == 1 { Ok(()) } else { Err(format!("{run}\n{}", viewer.stderr())) }
    });
    let notes = stage.msconv(&["list"]).expect(0);
    assert!(!notes.stderr.contains("MediaMTX"), "{notes}");
    drop(viewer);

    stage.msconv(&["logs", "--service", "serve"]).expect(0).prints("publishes a_240p");
    stage.msconv(&["stop", "-s", "a"]).expect(0).prints("stopped after");
    stage.msconv(&["down"]).expect(0).prints("msconv serve (pid ").prints("stopped in");
    only_logs_are_left(&stage);
    stage.msconv(&["down"]).expect(0).prints("no servers of this home were running");
    stage.msconv(&["list"]).expect(6).says("no media server answers").says("(starts the built-in server)");
}

#[test]
fn publish_offers_to_start_it() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("embedded-offer");
    let clip = film(8, 426, 240);
    let publish = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"];
    // Nobody is there to answer: the command that starts it is named.
    stage
        .msconv(&publish)
        .expect(6)
        .says("nothing listens at")
        .says("msconv up            (starts the built-in server)");
    let mut terminal = stage.terminal(&publish);
    terminal.wait_for("start the built-in server now (msconv up)?");
    terminal.type_keys("n");
    assert_eq!(terminal.wait_exit(), 6);
    assert!(http_get(stage.stat.number(), "/stat").is_err());
    let mut terminal = stage.terminal(&publish);
    terminal.wait_for("start the built-in server now (msconv up)?");
    terminal.type_keys("y");
    terminal.wait_for("live after");
    assert_eq!(terminal.wait_exit(), 0);
    stage.msconv(&["stop", "-s", "a"]).expect(0);
    stage.msconv(&["down"]).expect(0).prints("stopped");
}

#[test]
fn up_twice_is_one_server_and_killed_it_comes_back() {
    let stage = Stage::new("embedded-twice");
    let first = stage.msconv(&["up", "--json"]).expect(0);
    assert_eq!(
        (&first.json()["schema"], &first.json()["backend"]),
        (&"msconv.up/1".into(), &"embedded".into())
    );
    assert_eq!(first.json()["servers"][0]["started"], true);
    let second = stage.msconv(&["up", "--json"]).expect(0);
    assert_eq!(
        (second.json()["servers"][0]["started"].clone(), pid_of(&second)),
        (false.into(), pid_of(&first))
    );
    stage.msconv(&["up"]).expect(0).prints("msconv serve was up already");
    hurt(pid_of(&first), Signal::SIGKILL);
    gone(pid_of(&first));
    let status = stage.msconv(&["status", "--json"]).expect(0).json();
    assert_eq!(status["servers"][0]["running"], false, "{status}");
    let third = stage.msconv(&["up", "--json"]).expect(0);
    assert_ne!(pid_of(&third), pid_of(&first));
    // Another port is another server.
    let other = format!("--nginx-rtmp-url=rtmp://127.0.0.1:{}/live", crate::stage::Port::free());
    stage.msconv(&["up", &other]).expect(8).says("runs already, at").says("try: msconv down");
    // A frozen one is named, and ended all the same.
    hurt(pid_of(&third), Signal::SIGSTOP);
    stage.msconv(&["up", "--timeout", "1s"]).expect(6).says("runs (pid ").says("try: msconv down");
    let down = stage.msconv(&["down", "--json"]).expect(0);
    assert_eq!(down.json()["servers"][0]["name"], "serve");
    gone(pid_of(&third));
    assert!(!stage.file("pids/.serve").exists());
}

#[test]
fn six_ups_at_once_start_one_server() {
    let stage = Stage::new("embedded-race");
    let racers: Vec<Running> = (0..6).map(|_| stage.spawn_msconv(&["up", "--json"])).collect();
    let runs: Vec<Run> = racers.into_iter().map(|r| r.wait(SOON).expect(0)).collect();
    let mut pids: Vec<i32> = runs.iter().map(pid_of).collect();
    pids.dedup();
    assert_eq!(pids.len(), 1, "{pids:?}");
    assert_eq!(runs.iter().filter(|r| r.json()["servers"][0]["started"] == true).count(), 1);
    stage.msconv(&["down"]).expect(0).prints("stopped");
    only_logs_are_left(&stage);
}

#[test]
fn a_taken_port_names_who_has_it() {
    let stage = Stage::new("embedded-busy");
    for (port, flag) in [
        (&stage.rtmp, "--rtmp-port"),
        (&stage.stat, "--stat-port"),
        (&stage.api, "--api-port"),
        (&stage.rtsp, "--rtsp-port"),
    ] {
        let taken = TcpListener::bind(("127.0.0.1", port.number())).unwrap();
        for command in ["up", "serve"] {
            stage
                .msconv(&[command])
                .expect(6)
                .says(&format!("port {port} is taken by"))
                .says(&format!("(pid {})", std::process::id()))
                .says(&format!("try: {flag} with another port"));
        }
        drop(taken);
        assert!(!stage.file("pids/.serve").exists());
    }
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port() & !1;
    let rtp = port.to_string();
    stage.set("MSCONV_RTP_PORT", &rtp);
    for command in ["up", "serve"] {
        let run = stage.msconv(&[command]).expect(6);
        run.says("(UDP) is taken by").says(&format!("(pid {})", std::process::id())).says("--rtp-port");
    }
    stage.unset("MSCONV_RTP_PORT");
    if needs("nginx-rtmp") {
        let nginx = Nginx::start(&stage);
        stage
            .msconv(&["up"])
            .expect(6)
            .says(&format!("is taken by nginx (pid {})", nginx.pid()))
            .says("publish can use it as it is");
    }
    stage.msconv(&["down"]).expect(0).prints("no servers");
}

#[test]
fn backends_do_not_mix_and_down_ends_whichever_runs() {
    if !needs("nginx-rtmp") {
        return;
    }
    let stage = Stage::new("embedded-mix");
    stage.msconv(&["up"]).expect(0);
    stage
        .msconv(&["up", "--backend", "native"])
        .expect(8)
        .says("of another backend")
        .says("try: msconv down");
    stage.msconv(&["down", "--json"]).expect(0);
    only_logs_are_left(&stage);
    stage.msconv(&["up", "--backend", "native"]).expect(0).prints("nginx answers");
    stage.msconv(&["up"]).expect(8).says("nginx (pid ").says("of another backend");
    stage.msconv(&["down"]).expect(0).prints("nginx (pid ");
    assert!(http_get(stage.stat.number(), "/stat").is_err());
}

#[test]
fn wrong_values_are_usage_errors() {
    let stage = Stage::new("embedded-usage");
    for (args, words) in [
        (&["up", "--backend=podman"][..], "'podman' is not one of embedded, native, docker"),
        (&["up", "--listen=everywhere"], "--listen: 'everywhere' is no IP address"),
        (&["up", "--nginx-rtmp-url=rtmp://media.example/live"], "names another one"),
        (&["up", "--nginx-stat-url=https://localhost/stat"], "speaks http://"),
        (&["serve", "--rtmp-port=70000"], "'70000' is no port"),
        (&["serve", "--rtp-port=8001"], "8001 is odd"),
        (&["serve", "--rtmp-port=5000", "--api-port=5000"], "both name port 5000"),
        (&["serve", "--trusted=lan"], "'lan' is no network"),
        (&["serve", "--publish-password-file=/no/such/file"], "cannot read the publish_password"),
        (&["serve", "--listen=192.0.2.1"], "192.0.2.1 is no address of this machine"),
        (&["serve", "--log-file=/proc/no/x.log"], "--log-file: cannot write"),
        (&["serve", "--applications=a//b"], "is no application"),
    ] {
        stage.msconv(args).expect(2).says(words);
    }
    stage.set("MSCONV_PUBLISH_PASSWORD", "");
    stage.set("MSCONV_RTMP_PORT", "x");
    stage.msconv(&["serve"]).expect(2).says("MSCONV_RTMP_PORT: 'x' is no port");
    assert!(!stage.file("pids/.serve").exists());
}

#[test]
fn serve_in_the_foreground_says_where_and_ends_politely() {
    let stage = Stage::new("embedded-foreground");
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let serve = Serve::start(&stage, &[]);
        let names = ["rtmp", "rtsp", "rtp", "stat", "api", "metrics"];
        let addresses = names.map(|name| serve.address(name));
        assert!(addresses.iter().all(|a| a.ip().is_loopback() && a.port() != 0), "{addresses:?}");
        assert_eq!(addresses[2].port() % 2, 0, "RTP has an even port");
        for at in [0, 1, 3, 4, 5] {
            TcpStream::connect(addresses[at]).unwrap();
        }
        // Somebody who says nothing does not hold it up.
        let _silent = TcpStream::connect(addresses[0]).unwrap();
        let running = serve.into_running();
        running.signal(signal);
        let run = running.wait(SOON).expect(0);
        assert_eq!(run.json()["schema"], "msconv.serve/1");
        run.says(" info  ready rtmp=127.0.0.1:").says(" info  ended");
        for at in [0, 1, 3, 4, 5] {
            assert!(TcpStream::connect(addresses[at]).is_err(), "{} still listens", names[at]);
        }
    }
    let plain =
        stage.spawn_msconv(&["serve", "--rtmp-port=0", "--rtsp-port=0", "--stat-port=0", "--api-port=0"]);
    plain.wait_for_words("ready rtmp=127.0.0.1:", SOON);
    plain.signal(Signal::SIGTERM);
    let run = plain.wait(SOON).expect(0);
    assert_eq!(run.stdout.lines().count(), 1, "{run}");
    let words: Vec<&str> = run.stdout.split_whitespace().map(|w| w.split('=').next().unwrap()).collect();
    assert_eq!(words, ["ready", "rtmp", "rtsp", "rtp", "stat", "api", "metrics", "web", "webrtc"]);
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("embedded-ctrl-c");
    let serve = Serve::start(&stage, &[]);
    // Connections that answer nothing keep the polite end waiting.
    let _open: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(serve.address("rtmp")).unwrap()).collect();
    let running = serve.into_running();
    running.signal(Signal::SIGINT);
    running.wait_for_words("ending", SOON);
    running.signal(Signal::SIGINT);
    let code = running.wait(SOON).code;
    assert!(code == 130 || code == 0, "{code}");
}

#[test]
fn passwords_stand_in_no_argument_and_no_log() {
    let stage = Stage::new("embedded-log");
    stage.set("MSCONV_PUBLISH_PASSWORD", "hunter22");
    let up = stage.msconv(&["up", "--json"]).expect(0);
    let line = std::fs::read(format!("/proc/{}/cmdline", pid_of(&up))).unwrap();
    assert!(!String::from_utf8_lossy(&line).contains("hunter22"), "the password stands in the arguments");
    let show = stage.msconv(&["config", "show"]).expect(0);
    assert!(show.stdout.contains("publish_password") && !show.stdout.contains("hunter22"), "{show}");
    // A wrong password is told, with the address and without the password.
    let said = raw(
        ([127, 0, 0, 1], stage.api.number()).into(),
        b"GET / HTTP/1.0\r\nAuthorization: Basic cHVibGlzaDpodW50ZXIyMw==\r\n\r\n",
    );
    assert!(said.starts_with("HTTP/1.0 401 "), "{said}");
    let log = stage.read("logs/serve/serve.log");
    assert!(log.contains("wrong password from 127.0.0.1:") && !log.contains("hunter2"), "{log}");
    stage.msconv(&["down"]).expect(0);
}

#[test]
fn passwords_are_asked_of_strangers_and_shown_by_our_own_programs() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("embedded-login");
    stage.set("MSCONV_PUBLISH_PASSWORD", "p&ss=1?");
    stage.set("MSCONV_READ_PASSWORD", "l@t/me:in");
    stage.msconv(&["up"]).expect(0);
    let clip = film(8, 426, 240);
    let publish = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"];
    let run = stage.msconv(&publish).expect(0);
    assert!(!run.stdout.contains("p&ss") && !run.stdout.contains("p%26ss"), "{run}");
    for (protocol, more) in [("rtsp", &["-rtsp_transport", "tcp"][..]), ("rtmp", &[])] {
        let args = ["play", "-s", "a", "-v", "240p", "--protocol", protocol, "--print-url"];
        let url = stage.msconv(&args).expect(0).stdout;
        decodes(&stage, url.trim(), more);
    }
    for (args, url) in [
        (&["-rtsp_transport", "tcp"][..], format!("{}/a_240p", stage.rtsp_url())),
        (&[], format!("{}/a_240p", stage.rtmp_url())),
    ] {
        let run = stage.spawn(
            "ffmpeg",
            &[&["-nostdin", "-v", "error"], args, &["-i", &url, "-f", "null", "-"]].concat(),
        );
        assert_ne!(run.wait(SOON).code, 0, "{url} is read without a password");
    }
    let stranger = format!("{}/b", stage.rtmp_url());
    let args = [
        "-nostdin",
        "-v",
        "error",
        "-re",
        "-i",
        clip.to_str().unwrap(),
        "-c",
        "copy",
        "-f",
        "flv",
        &stranger,
    ];
    assert_ne!(stage.spawn("ffmpeg", &args).wait(SOON).code, 0, "it is published without a password");
    for place in ["logs/serve/serve.log", "logs/ffmpeg/a.log", "pids/.state/a.json"] {
        let text = stage.read(place);
        assert!(!text.is_empty() || place.contains("ffmpeg"), "{place}");
        for secret in ["p&ss=1?", "p%26ss", "l@t/me:in", "l%40t"] {
            assert!(!text.contains(secret), "{place} holds {secret}: {text}");
        }
    }
    stage.msconv(&["stop", "-s", "a"]).expect(0);
    stage.msconv(&["down"]).expect(0);
}

#[test]
fn settings_files_and_variables_reach_the_server() {
    let stage = Stage::new("embedded-settings");
    let rtmp = crate::stage::Port::free();
    for name in ["MSCONV_NGINX_RTMP_URL", "MSCONV_NGINX_STAT_URL", "MSCONV_MEDIAMTX_URL", "MSCONV_RTSP_URL"] {
        stage.unset(name);
    }
    let (stat, api, rtsp) = (&stage.stat, &stage.api, &stage.rtsp);
    let file = format!(
        "rtmp_port = {rtmp}\nstat_port = {stat}\napi_port = {api}\nrtsp_port = {rtsp}\napplications = \"tv\"\n\
         stat_path = \"/s\"\nread_password = \"letmein\"\n"
    );
    std::fs::write(stage.file("msconv.toml"), file).unwrap();
    let up = stage.msconv(&["up", "--json"]).expect(0);
    let urls = up.json()["servers"][0]["urls"].to_string();
    assert!(urls.contains(&format!("rtmp://localhost:{rtmp}/tv")), "{urls}");
    assert!(urls.contains(&format!("http://localhost:{stat}/s")), "{urls}");
    let (status, page) = http_get(stat.number(), "/s").unwrap();
    assert!(status == 200 && page.contains("<name>tv</name>"), "{page}");
    stage.msconv(&["doctor"]).expect(0).prints("it has the application tv");
    // From any folder, by the file's own name.
    let elsewhere = stage.root().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    stage.msconv(&["down"]).expect(0).prints("stopped");
    let config = stage.file("msconv.toml");
    let mut command = stage.command(Stage::binary());
    command.args(["up", "--config"]).arg(&config).current_dir(&elsewhere);
    Running::start(command).wait(SOON).expect(0).prints("answers after");
    stage.msconv(&["down"]).expect(0).prints("stopped");
}
