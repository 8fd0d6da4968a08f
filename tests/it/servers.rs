//! `up --backend native` and `down` with the real nginx, and with programs that behave as badly as programs do.

use crate::stage::{Nginx, NginxOptions, Port, Stage, film, http_get, needs, wait_for};
use msconv::process::identity;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// A stage on which `up` can be tried; `None` without nginx.
fn stage(name: &str) -> Option<Stage> {
    if !needs("nginx-rtmp") {
        return None;
    }
    let stage = Stage::new(name);
    // Whatever MediaMTX the machine may have is not part of these tests.
    let path = without_mediamtx(&stage);
    stage.set("PATH", &path);
    stage.set("MSCONV_BACKEND", "native");
    Some(stage)
}

/// The search path without folders that hold a mediamtx.
fn without_mediamtx(_stage: &Stage) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let kept: Vec<&str> = path.split(':').filter(|d| !PathBuf::from(d).join("mediamtx").exists()).collect();
    kept.join(":")
}

/// The master's number, from the last `up --json`.
fn pid_of(run: &crate::stage::Run, server: usize) -> i32 {
    run.json()["servers"][server]["pid"].as_i64().unwrap_or_else(|| panic!("no pid: {run}")) as i32
}

fn hurt(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

fn children(pid: i32) -> Vec<i32> {
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_ascii_whitespace()
        .filter_map(|p| p.parse().ok())
        .collect()
}

fn gone(pid: i32) {
    wait_for(&format!("{pid} to be gone"), SOON, || identity::Identity::of(pid).is_none());
}

/// What a home may hold after `down`: logs, and no file of state.
fn only_logs_are_left(stage: &Stage) {
    assert!(!stage.file("pids/.native").exists());
    let left: Vec<_> =
        std::fs::read_dir(stage.file("pids")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn up_serves_and_down_leaves_nothing_but_logs() {
    let Some(stage) = stage("up-down") else { return };
    if !needs("ffmpeg") {
        return;
    }
    let up = stage.msconv(&["up"]).expect(0);
    assert!(up.stdout.starts_with("ok  nginx answers after"), "{up}");
    up.clone().prints(&stage.rtmp_url()).says("no RTSP: MediaMTX is not installed");

    let clip = film(5, 320, 180);
    let url = format!("{}/clip", stage.rtmp_url());
    let args = [
        "-nostdin",
        "-re",
        "-stream_loop",
        "-1",
        "-i",
        clip.to_str().unwrap(),
        "-c",
        "copy",
        "-f",
        "flv",
        &url,
    ];
    let publisher = stage.spawn("ffmpeg", &args);
    wait_for("clip on the server", SOON, || match http_get(stage.stat.number(), "/stat") {
        Ok((200, page)) if page.contains("<name>clip</name>") && page.contains("<publishing/>") => Ok(()),
        other => Err(format!("{other:?}\n{}", publisher.stderr())),
    });
    publisher.signal(Signal::SIGTERM);
    publisher.wait(SOON);

    // Nothing but the status page, and no control.
    for path in ["/", "/control/drop/publisher", "/stat/", "/stat.xsl"] {
        assert_eq!(http_get(stage.stat.number(), path).unwrap().0, 404, "{path}");
    }
    stage.msconv(&["down"]).expect(0).prints("nginx (pid ").prints("stopped in");
    only_logs_are_left(&stage);
    assert!(stage.read("logs/nginx/rtmp.log").contains("PUBLISH \"live\" \"clip\""));
    stage.msconv(&["down"]).expect(0).prints("no servers of this home were running");
}

#[test]
fn the_worker_is_not_root_and_has_a_small_stack() {
    let Some(stage) = stage("up-rights") else { return };
    let up = stage.msconv(&["up", "--json"]).expect(0);
    let workers = children(pid_of(&up, 0));
    assert_eq!(workers.len(), 1, "one worker, or /stat shows half of the streams");
    for worker in workers {
        assert_ne!(identity::owner(worker), Some(0), "the worker runs as root");
        let limits = std::fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
        let stack = limits.lines().find(|l| l.starts_with("Max stack size")).unwrap();
        assert!(stack.contains("134217728"), "{stack}");
    }
    // Only loopback is listened on.
    let tables = std::fs::read_to_string("/proc/net/tcp").unwrap();
    for port in [&stage.rtmp, &stage.stat] {
        let listens = format!(":{:04X} 00000000:0000 0A", port.number());
        let lines: Vec<&str> = tables.lines().filter(|l| l.contains(&listens)).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("0100007F:"), "{lines:?}");
    }
    stage.msconv(&["down"]).expect(0);
}

#[test]
fn up_twice_is_one_server() {
    let Some(stage) = stage("up-twice") else { return };
    let first = stage.msconv(&["up", "--json"]).expect(0);
    assert_eq!(first.json()["schema"], "msconv.up/1");
    assert_eq!(first.json()["servers"][0]["started"], true);
    let second = stage.msconv(&["up", "--json"]).expect(0);
    assert_eq!(second.json()["servers"][0]["started"], false);
    assert_eq!(pid_of(&first, 0), pid_of(&second, 0));
    stage.msconv(&["up"]).expect(0).prints("nginx was up already");
    assert_eq!(stage.msconv(&["up", "-q"]).expect(0).stdout, "");

    let down = stage.msconv(&["down", "--json"]).expect(0);
    assert_eq!(down.json()["schema"], "msconv.down/1");
    let outcomes: Vec<_> =
        down.json()["servers"].as_array().unwrap().iter().map(|s| s["outcome"].clone()).collect();
    assert_eq!(outcomes, ["not_running", "not_running", "stopped"]);
}

#[test]
fn six_ups_at_once_start_one_server() {
    let Some(stage) = stage("up-race") else { return };
    let racers: Vec<_> = (0..6).map(|_| stage.spawn_msconv(&["up", "--json"])).collect();
    let runs: Vec<_> = racers.into_iter().map(|r| r.wait(SOON * 2).expect(0)).collect();
    let started = runs.iter().filter(|r| r.json()["servers"][0]["started"] == true).count();
    assert_eq!(started, 1);
    assert!(runs.iter().all(|r| pid_of(r, 0) == pid_of(&runs[0], 0)));
    stage.msconv(&["down"]).expect(0);
}

#[test]
fn up_and_down_at_once_end_in_one_clean_state() {
    let Some(stage) = stage("up-down-race") else { return };
    for _ in 0..5 {
        let racers: Vec<_> =
            ["up", "down", "up", "down"].iter().map(|c| stage.spawn_msconv(&[*c, "--json"])).collect();
        for racer in racers {
            racer.wait(SOON * 2).expect(0);
        }
    }
    stage.msconv(&["down"]).expect(0);
    only_logs_are_left(&stage);
}

#[test]
fn two_homes_do_not_disturb_each_other() {
    let (Some(one), Some(two)) = (stage("home-one"), stage("home-two")) else { return };
    one.msconv(&["up"]).expect(0);
    two.msconv(&["up"]).expect(0);
    one.msconv(&["down"]).expect(0).prints("stopped");
    assert_eq!(http_get(two.stat.number(), "/stat").unwrap().0, 200);
    two.msconv(&["down"]).expect(0).prints("stopped");
}

#[test]
fn a_home_with_any_name_will_do() {
    let Some(stage) = stage("odd-home") else { return };
    let home = stage.root().join(r#"it's "a" {home}; $HOME \n #1 день"#);
    std::fs::create_dir(&home).unwrap();
    stage.set("MSCONV_HOME", home.to_str().unwrap());
    stage.msconv(&["up"]).expect(0);
    assert!(home.join("logs/nginx/error.log").exists());
    stage.msconv(&["down"]).expect(0).prints("stopped");
    assert!(!home.join("pids/.native").exists());
}

#[test]
fn a_taken_port_names_who_has_it() {
    let Some(stage) = stage("busy") else { return };
    for port in [&stage.rtmp, &stage.stat] {
        let taken = TcpListener::bind(("127.0.0.1", port.number())).unwrap();
        stage
            .msconv(&["up"])
            .expect(6)
            .says(&format!("port {port} is taken by"))
            .says(&format!("(pid {})", std::process::id()))
            .says("try:");
        drop(taken);
        assert!(!stage.file("pids/.native").exists());
    }
    // Another nginx-rtmp is not ours either.
    let nginx = Nginx::start(&stage);
    stage
        .msconv(&["up"])
        .expect(6)
        .says(&format!("is taken by nginx (pid {})", nginx.pid()))
        .says("publish can use it as it is");
    stage.msconv(&["down"]).expect(0).prints("no servers");
    assert!(nginx.names().is_empty(), "the other one lives");
}

#[test]
fn other_machines_and_forms_are_refused() {
    let stage = Stage::new("up-usage");
    stage.set("MSCONV_BACKEND", "native");
    for (flag, words) in [
        ("--nginx-rtmp-url=rtmp://media.example/live", "names another one"),
        ("--nginx-stat-url=http://10.1.2.3/stat", "names another one"),
        ("--nginx-rtmp-url=rtmps://localhost/live", "rtmps://"),
        ("--rtsp-url=rtsp://localhost:9997", "both name port"),
        ("--timeout=soon", "not a duration"),
        ("--backend=cloud", "not one of"),
    ] {
        let api = "--mediamtx-url=http://localhost:9997";
        stage.msconv(&["up", api, flag]).expect(2).says(words);
    }
    assert!(!stage.file("pids").exists());
}

#[test]
fn a_missing_nginx_or_module_says_what_to_install() {
    let stage = Stage::new("up-missing");
    stage.set("MSCONV_BACKEND", "native");
    stage.set("MSCONV_NGINX", "/no/such/nginx");
    stage
        .msconv(&["up"])
        .expect(5)
        .says("/no/such/nginx is no program")
        .says("apt install nginx libnginx-mod-rtmp");
    let bare = stage
        .fake("nginx", "echo 'nginx version: nginx/1.22.1\nconfigure arguments: --modules-path=/none' >&2");
    stage.set("MSCONV_NGINX", bare.to_str().unwrap());
    stage
        .msconv(&["up"])
        .expect(5)
        .says("its rtmp module is not")
        .says("apt install nginx libnginx-mod-rtmp");
    let broken = stage.fake("nginx", "exec sleep 100");
    stage.set("MSCONV_NGINX", broken.to_str().unwrap());
    stage.msconv(&["up"]).expect(5).says("did not end within 10 s");
    assert!(!stage.file("pids/.native").exists());
}

/// A fake nginx that has the module built in and then does `script`.
fn fake_nginx(stage: &Stage, script: &str) {
    let about = "configure arguments: --add-module=nginx-rtmp-module";
    let path =
        stage.fake("nginx", &format!("if [ \"$1\" = -V ]; then echo '{about}' >&2; exit; fi\n{script}"));
    stage.set("MSCONV_NGINX", path.to_str().unwrap());
}

#[test]
fn an_nginx_that_ends_is_quoted() {
    let stage = Stage::new("up-dies");
    stage.set("MSCONV_BACKEND", "native");
    fake_nginx(&stage, "echo 'nginx: [emerg] unknown directive \"rtmp\" in nginx.conf:12' >&2; exit 1");
    let run = stage.msconv(&["up"]).expect(6);
    run.says("nginx ended with exit code 1 instead of starting")
        .says("why: nginx: [emerg] unknown directive \"rtmp\"")
        .says("log: ");
    assert!(!stage.file("pids/.native").exists());
}

#[test]
fn an_nginx_that_never_answers_is_ended() {
    let stage = Stage::new("up-mute");
    stage.set("MSCONV_BACKEND", "native");
    // It ignores SIGTERM, too, and has a child.
    fake_nginx(&stage, "trap '' TERM; sleep 1000 & while :; do sleep 1000; done");
    stage.msconv(&["up", "--timeout", "1s"]).expect(6).says("nginx did not answer within 1.0 s");
    assert!(!stage.file("pids/.native").exists());
}

#[test]
fn ctrl_c_ends_what_was_started() {
    let stage = Stage::new("up-ctrl-c");
    stage.set("MSCONV_BACKEND", "native");
    fake_nginx(&stage, "exec sleep 1000");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let up = stage.spawn_msconv(&["up"]);
        wait_for("the record", SOON, || stage.file("pids/.native/nginx.json").exists());
        up.signal(signal);
        up.wait(SOON).expect(130).says("interrupted");
        assert!(!stage.file("pids/.native").exists());
    }
}

#[test]
fn a_killed_nginx_comes_up_again() {
    let Some(stage) = stage("up-killed") else { return };
    // The whole of it.
    let master = pid_of(&stage.msconv(&["up", "--json"]).expect(0), 0);
    let worker = children(master)[0];
    hurt(master, Signal::SIGKILL);
    hurt(worker, Signal::SIGKILL);
    gone(worker);
    let second = stage.msconv(&["up", "--json"]).expect(0);
    let master = pid_of(&second, 0);
    assert_eq!(second.json()["servers"][0]["started"], true);

    // The master only: its worker still holds the ports.
    let worker = children(master)[0];
    hurt(master, Signal::SIGKILL);
    gone(master);
    let third = stage.msconv(&["up", "--json"]).expect(0);
    assert_eq!(third.json()["servers"][0]["started"], true);
    assert!(third.stdout.contains("the remains of an older nginx"), "{third}");
    gone(worker);

    // The worker only: the master starts another.
    let worker = children(pid_of(&third, 0))[0];
    hurt(worker, Signal::SIGKILL);
    let fourth = stage.msconv(&["up", "--json"]).expect(0);
    assert_eq!(pid_of(&fourth, 0), pid_of(&third, 0));

    // Down after the master alone was killed.
    let worker = children(pid_of(&fourth, 0))[0];
    hurt(pid_of(&fourth, 0), Signal::SIGKILL);
    stage.msconv(&["down"]).expect(0).prints("stopped");
    gone(worker);
}

#[test]
fn a_frozen_nginx_is_told_and_ended() {
    let Some(stage) = stage("up-frozen") else { return };
    let master = pid_of(&stage.msconv(&["up", "--json"]).expect(0), 0);
    for pid in [vec![master], children(master)].concat() {
        hurt(pid, Signal::SIGSTOP);
    }
    stage
        .msconv(&["up", "--timeout", "2s"])
        .expect(6)
        .says(&format!("nginx of this home runs (pid {master})"))
        .says("try: msconv down");
    stage.msconv(&["down"]).expect(0);
    gone(master);
}

#[test]
fn a_stubborn_server_is_killed() {
    let Some(stage) = stage("up-stubborn") else { return };
    let real = msconv::process::locate::locate(None, "nginx").unwrap();
    // The real one as the child of a shell that ignores SIGTERM.
    let script = format!(
        "[ \"$1\" = -V ] && exec {0} -V\ntrap '' TERM\n{0} \"$@\" & while :; do wait; sleep 1; done",
        real.display()
    );
    let path = stage.fake("nginx", &script);
    stage.set("MSCONV_NGINX", path.to_str().unwrap());
    stage.msconv(&["up"]).expect(0);
    stage.msconv(&["down"]).expect(0).prints("killed after");
}

#[test]
fn records_are_help_and_not_truth() {
    let Some(stage) = stage("up-records") else { return };
    let record = stage.file("pids/.native/nginx.json");
    let stranger = stage.spawn("sleep", &["1000"]);

    let master = pid_of(&stage.msconv(&["up", "--json"]).expect(0), 0);
    for garbage in
        ["", "garbage", "{}", "[1,2", r#"{"schema":1,"process":{"pid":1,"start":0}}"#, "\u{0}\u{0}"]
    {
        std::fs::write(&record, garbage).unwrap();
        assert_eq!(pid_of(&stage.msconv(&["up", "--json"]).expect(0), 0), master, "{garbage:?}");
    }
    std::fs::remove_file(&record).unwrap();
    nix::unistd::mkfifo(&record, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(pid_of(&stage.msconv(&["up", "--json"]).expect(0), 0), master);
    std::fs::remove_file(&record).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &record).unwrap();
    stage.msconv(&["down"]).expect(0).prints("stopped");
    gone(master);

    // A record without a lock, of a stranger that lives, of another boot, of a dead process.
    let own = identity::Identity::of(stranger.pid()).unwrap();
    for (boot, pid, start) in [
        (identity::boot_id(), own.pid, own.start),
        ("of-another-boot".to_string(), own.pid, own.start),
        (identity::boot_id(), 1, 0),
        (identity::boot_id(), i32::MAX, 7),
        (identity::boot_id(), -1, 7),
    ] {
        std::fs::create_dir_all(stage.file("pids/.native")).unwrap();
        let text = format!(r#"{{"schema":1,"boot_id":"{boot}","process":{{"pid":{pid},"start":{start}}}}}"#);
        std::fs::write(&record, &text).unwrap();
        stage.msconv(&["down"]).expect(0).prints("no servers");
        std::fs::create_dir_all(stage.file("pids/.native")).unwrap();
        std::fs::write(&record, &text).unwrap();
        stage.msconv(&["up"]).expect(0).prints("answers after");
        stage.msconv(&["down"]).expect(0).prints("stopped");
    }
    assert!(own.alive(), "the stranger was hurt");
}

#[test]
fn a_removed_folder_does_not_orphan_the_server() {
    let Some(stage) = stage("up-removed") else { return };
    let first = pid_of(&stage.msconv(&["up", "--json"]).expect(0), 0);
    std::fs::remove_dir_all(stage.file("pids")).unwrap();
    let second = pid_of(&stage.msconv(&["up", "--json"]).expect(0), 0);
    gone(first);
    std::fs::remove_dir_all(stage.file("pids")).unwrap();
    stage.msconv(&["down"]).expect(0).prints("stopped");
    gone(second);
}

#[test]
fn other_addresses_while_running_are_a_conflict() {
    let Some(stage) = stage("up-elsewhere") else { return };
    stage.msconv(&["up"]).expect(0);
    let other = Port::free();
    let flag = format!("--nginx-rtmp-url=rtmp://127.0.0.1:{other}/live");
    stage.msconv(&["up", &flag]).expect(8).says(&stage.rtmp.to_string()).says("try: msconv down");
    let flag = format!("--nginx-rtmp-url=rtmp://127.0.0.1:{}/studio", stage.rtmp);
    stage.msconv(&["up", &flag, "--timeout", "1s"]).expect(6).says("it has no application 'studio'");
    stage.msconv(&["down", &flag]).expect(0).prints("stopped");
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    let Some(stage) = stage("up-no-home") else { return };
    std::fs::write(stage.file("pids"), "a file").unwrap();
    stage.msconv(&["up"]).expect(1).says("pids");
    std::fs::remove_file(stage.file("pids")).unwrap();
    std::fs::write(stage.file("logs"), "a file").unwrap();
    stage.msconv(&["up"]).expect(1).says("logs");
    assert!(!stage.file("pids/.native").exists());
}

/// A stand-in that reads its configuration, listens where it says and answers as the API does.
const FAKE_MEDIAMTX: &str = r#"exec perl -MIO::Socket::INET -MIO::Select -e '
if ($ARGV[0] eq "--version") { print "$ENV{FAKE_VERSION}\n"; exit }
open(my $conf, "<", $ARGV[0]) or die; my $text = join "", <$conf>;
if ($ENV{FAKE_REFUSES}) { print "ERR: json: unknown field \"bogus\"\n"; exit 1 }
my ($api) = $text =~ /apiAddress: "([^"]+)"/; my ($rtsp) = $text =~ /rtspAddress: "([^"]+)"/;
my %o = (Listen => 5, ReuseAddr => 1);
my $a = IO::Socket::INET->new(LocalAddr => $api, %o) or die; my $r = IO::Socket::INET->new(LocalAddr => $rtsp, %o) or die;
while (my $c = $a->accept) { my $line = <$c>; my $body = q({"itemCount":0,"pageCount":0,"items":[]});
  print $c "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ", length $body, "\r\n\r\n$body"; close $c }
' -- "$@""#;

fn fake_mediamtx(stage: &Stage, version: &str) {
    let path = stage.fake("mediamtx", FAKE_MEDIAMTX);
    stage.set("MSCONV_MEDIAMTX", path.to_str().unwrap());
    stage.set("FAKE_VERSION", version);
}

#[test]
fn mediamtx_is_started_and_ended_with_nginx() {
    let Some(stage) = stage("up-mediamtx") else { return };
    if !needs("perl") {
        return;
    }
    for (version, url) in [("v1.20.1", "/live#$G1\""), ("v1.9.3", "/live/$G1\"")] {
        fake_mediamtx(&stage, version);
        let up = stage.msconv(&["up", "--json"]).expect(0);
        assert_eq!(up.json()["servers"][1]["name"], "mediamtx");
        assert_eq!(up.json()["notes"].as_array().unwrap().len(), 0);
        let conf = stage.read("pids/.native/mediamtx.yml");
        assert!(conf.contains(url), "{conf}");
        // One of the two died: up brings back what is missing and leaves the other alone.
        hurt(pid_of(&up, 1), Signal::SIGKILL);
        gone(pid_of(&up, 1));
        let again = stage.msconv(&["up", "--json"]).expect(0);
        assert_eq!(pid_of(&again, 0), pid_of(&up, 0));
        assert_ne!(pid_of(&again, 1), pid_of(&up, 1));
        stage.msconv(&["up"]).expect(0).prints("MediaMTX was up already");
        stage.msconv(&["down"]).expect(0).prints("MediaMTX (pid ").prints("nginx (pid ");
        only_logs_are_left(&stage);
    }
    fake_mediamtx(&stage, "v1.1.0");
    stage.msconv(&["up"]).expect(0).says("MediaMTX v1.1.0 cannot read from nginx-rtmp");
    stage.msconv(&["down"]).expect(0);
}

#[test]
fn if_one_server_fails_none_is_left() {
    let Some(stage) = stage("up-half") else { return };
    if !needs("perl") {
        return;
    }
    fake_mediamtx(&stage, "v1.20.1");
    stage.set("FAKE_REFUSES", "1");
    stage
        .msconv(&["up"])
        .expect(6)
        .says("mediamtx ended with exit code 1")
        .says(r#"ERR: json: unknown field "bogus""#);
    assert!(http_get(stage.stat.number(), "/stat").is_err(), "nginx was left running");
    assert!(!stage.file("pids/.native").exists());

    let taken = TcpListener::bind(("127.0.0.1", stage.rtsp.number())).unwrap();
    stage.unset("FAKE_REFUSES");
    stage
        .msconv(&["up"])
        .expect(6)
        .says(&format!("mediamtx cannot start: port {} is taken", stage.rtsp))
        .says("--rtsp-url");
    drop(taken);
    stage.set("MSCONV_MEDIAMTX", "/no/such/mediamtx");
    stage.msconv(&["up"]).expect(5).says("/no/such/mediamtx is no program");

    // A server that was up before stays up.
    stage.unset("MSCONV_MEDIAMTX");
    let master = pid_of(&stage.msconv(&["up", "--json"]).expect(0), 0);
    fake_mediamtx(&stage, "nonsense");
    stage.msconv(&["up"]).expect(5).says("mediamtx --version says 'nonsense'");
    assert!(identity::Identity::of(master).is_some());
    stage.msconv(&["down"]).expect(0);
}

#[test]
fn a_second_server_of_other_options_is_left_alone() {
    let Some(stage) = stage("up-beside") else { return };
    let other = Nginx::on(&stage, "beside", Port::free(), Port::free(), NginxOptions::default());
    stage.msconv(&["up"]).expect(0);
    stage.msconv(&["down"]).expect(0);
    assert!(other.stat().contains("<rtmp>"));
}

#[test]
fn another_users_servers_are_left_alone() {
    let Some(stage) = stage("up-other-user") else { return };
    if !needs("root") {
        return;
    }
    let up = stage.msconv(&["up", "--json"]).expect(0);
    // Everyone may come in, as into /tmp; the home itself stays root's.
    std::fs::set_permissions(stage.root(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for path in ["", "pids", "logs"] {
        std::fs::set_permissions(stage.file(path), std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .unwrap();
    }
    // The build folder may be closed to others.
    let binary = stage.root().join("msconv");
    stage.spawn("cp", &[Stage::binary().as_ref(), binary.as_os_str()]).wait(SOON).expect(0);
    let nobody = ["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", binary.to_str().unwrap()];
    for command in ["down", "up"] {
        let args = [&nobody[..], &[command]].concat();
        stage
            .spawn("setpriv", &args)
            .wait(SOON)
            .expect(1)
            .says("belong to the user root")
            .says("try: msconv down");
    }
    assert!(identity::Identity::of(pid_of(&up, 0)).is_some());
    stage.msconv(&["down"]).expect(0).prints("stopped");
}

/// An RTMP `connect` of `size` bytes that is nothing but objects within objects, sent after a plain handshake.
fn nested_connect(port: u16, size: usize) -> std::io::Result<()> {
    use std::io::{Read, Write};
    let mut peer = std::net::TcpStream::connect(("127.0.0.1", port))?;
    peer.set_read_timeout(Some(SOON))?;
    peer.set_write_timeout(Some(SOON))?;
    let mut hello = vec![3u8];
    hello.extend([0u8; 1536]);
    peer.write_all(&hello)?;
    let mut answer = vec![0u8; 1 + 1536 + 1536];
    peer.read_exact(&mut answer)?;
    peer.write_all(&answer[1..1537])?;

    let mut body = b"\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\x03".to_vec();
    while body.len() + 4 <= size {
        body.extend(b"\x00\x01a\x03");
    }
    let length = (body.len() as u32).to_be_bytes();
    let mut message = vec![0x03, 0, 0, 0, length[1], length[2], length[3], 20, 0, 0, 0, 0];
    for (at, chunk) in body.chunks(128).enumerate() {
        if at > 0 {
            message.push(0xc3);
        }
        message.extend(chunk);
    }
    peer.write_all(&message)?;
    // It answers, hangs up, or dies.
    let _ = peer.read(&mut [0; 64]);
    Ok(())
}

#[test]
fn a_deeply_nested_command_does_not_kill_the_worker() {
    let Some(stage) = stage("up-nested") else { return };
    let up = stage.msconv(&["up", "--json"]).expect(0);
    let worker = children(pid_of(&up, 0))[0];
    for size in [240_000, 1536 * 1024, 1536 * 1024 + 4, 3_000_000] {
        // A refused message may cost the connection; the worker it may not.
        let _ = nested_connect(stage.rtmp.number(), size);
        wait_for("the server to answer", SOON, || {
            http_get(stage.stat.number(), "/stat").is_ok_and(|(status, _)| status == 200)
        });
        assert_eq!(children(pid_of(&up, 0)), [worker], "the worker died of {size} bytes");
    }
    stage.msconv(&["down"]).expect(0);
}
