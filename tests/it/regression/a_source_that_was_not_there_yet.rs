//! A network source that came a moment later: `publish -r` had given up at once, whatever `--wait` said.

use crate::live::SOON;
use crate::stage::{Port, Running, Serve, Stage, film, needs, wait_for};
use msconv::model::State;
use msconv::process::run_record::RunRecord;
use nix::sys::signal::Signal;

/// Somebody who publishes a film at `url`, again and again.
fn publisher(stage: &Stage, url: &str) -> Running {
    let film = film(8, 426, 240);
    let args = ["-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", film.to_str().unwrap()];
    let muxer = if url.starts_with("rtsp") { "rtsp" } else { "flv" };
    stage.spawn("ffmpeg", &[&args[..], &["-c", "copy", "-f", muxer, url]].concat())
}

fn record(stage: &Stage) -> Option<RunRecord> {
    RunRecord::read(&stage.file("pids/.state/a.json"))
}

#[track_caller]
fn wait_state(stage: &Stage, state: State) -> RunRecord {
    wait_for(&format!("{state}"), SOON, || {
        let record = record(stage).ok_or("no record")?;
        if record.state == state { Ok(record) } else { Err(format!("{record:#?}")) }
    })
}

fn end(publisher: Running) {
    publisher.signal(Signal::SIGTERM);
    publisher.wait(SOON);
}

#[test]
fn wait_waits_for_it_over_every_protocol() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("source-later");
    let _server = Serve::start_at_stage(&stage);
    for url in [format!("{}/cam", stage.rtmp_url()), format!("{}/cam", stage.rtsp_url())] {
        let args = ["publish", "-s", "a", "-r", &url, "--wait", "50s", "-o"];
        let publishing = stage.spawn_msconv(&args);
        publishing.wait_for_words("nobody publishes that stream); it is waited for", SOON);
        let camera = publisher(&stage, &url);
        publishing.wait(SOON).expect(0).prints("ok  live after");
        stage.msconv(&["stop", "-s", "a"]).expect(0);
        end(camera);
    }
}

#[test]
fn a_whole_server_may_come_later() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("server-later");
    let _server = Serve::start_at_stage(&stage);
    let other = Stage::new("server-later-source");
    let url = format!("{}/cam", other.rtmp_url());
    let publishing = stage.spawn_msconv(&["publish", "-s", "a", "-r", &url, "--wait", "50s", "-o"]);
    publishing.wait_for_words("nothing listens there", SOON);
    let server = Serve::start_at_stage(&other);
    let camera = publisher(&other, &url);
    publishing.wait(SOON).expect(0);
    stage.msconv(&["stop", "-s", "a"]).expect(0);
    end(camera);
    drop(server);
}

#[test]
fn without_a_wait_the_supervisor_goes_on_looking() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("source-left");
    let _server = Serve::start_at_stage(&stage);
    let url = format!("{}/cam", stage.rtmp_url());
    let args = ["publish", "-s", "a", "-r", &url, "--variants", "120p:150k:214:120", "--wait", "0"];
    stage.msconv(&args).expect(0).prints("ok  started, not waited for");
    let waiting = wait_for("the reason", SOON, || {
        record(&stage).filter(|r| r.reason.as_ref().is_some_and(|why| why.contains("nobody publishes")))
    });
    assert_eq!(waiting.state, State::Pending);
    stage.msconv(&["status", "a"]).expect(0).prints("nobody publishes that stream");
    stage.msconv(&["list", "-a", "-q"]).expect(0).prints("a\n");
    // Its key is taken meanwhile, and what is typed again waits for nothing.
    stage.msconv(&args).expect(8).says("already publishing");
    let camera = publisher(&stage, &url);
    let live = wait_state(&stage, State::Live);
    assert_eq!(live.supervisor, waiting.supervisor, "the one that waited supervises");
    let labels: Vec<&str> = live.renditions.iter().map(|r| r.label.as_str()).collect();
    assert_eq!(labels, ["120p"], "with what was typed");
    stage.msconv(&["stop", "-s", "a"]).expect(0);
    end(camera);
    // Stopped before it came, nothing is left.
    let json = stage.msconv(&[&args[..], &["--json"]].concat()).expect(0).json();
    assert_eq!((&json["schema"], &json["state"]), (&"msconv.publish/1".into(), &"pending".into()));
    stage.msconv(&["stop", "-s", "a"]).expect(0).prints("a: stopped");
    assert!(record(&stage).is_none());
    // A silent one is not waited for either.
    let port = Port::free();
    let silent = std::net::TcpListener::bind(("127.0.0.1", port.number())).unwrap();
    let url = format!("rtmp://127.0.0.1:{port}/live/cam");
    stage.msconv(&["publish", "-s", "a", "-r", &url, "--wait", "0"]).expect(0).prints("not waited for");
    stage.msconv(&["stop", "-s", "a"]).expect(0);
    drop(silent);
}

#[test]
fn the_foreground_waits_as_a_service_does() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("source-foreground");
    let _server = Serve::start_at_stage(&stage);
    let url = format!("{}/cam", stage.rtmp_url());
    let publishing = stage.spawn_msconv(&["publish", "-s", "a", "-r", &url, "-o", "--foreground"]);
    wait_state(&stage, State::Pending);
    let camera = publisher(&stage, &url);
    wait_state(&stage, State::Live);
    publishing.signal(Signal::SIGTERM);
    publishing.wait(SOON).expect(0);
    end(camera);
}

#[test]
fn what_waiting_cannot_mend_is_not_waited_for() {
    let stage = Stage::new("source-wrong");
    let _server = Serve::start_at_stage(&stage);
    // The status page is no RTMP server.
    let url = format!("rtmp://127.0.0.1:{}/live/cam", stage.stat);
    let args = ["publish", "-s", "a", "-r", &url];
    for more in [&[][..], &["--wait", "50s"], &["--wait", "0"], &["--foreground"]] {
        let run = stage.msconv(&[&args[..], more].concat()).expect(7);
        let run = run.says("error: cannot publish a: cannot read ").says("it does not speak RTMP, but HTTP");
        assert!(!run.stderr.contains("--wait"), "{run}");
        assert!(record(&stage).is_none());
    }
    // What did not come says how it is waited for.
    let url = format!("{}/cam", stage.rtmp_url());
    let run = stage.msconv(&["publish", "-s", "a", "-r", &url, "--wait", "1s"]).expect(7);
    run.says("nobody publishes that stream").says("try: --wait 60s");
}
