//! One of four renditions that freezes, or that the server refuses: the other three lose no frame, and it comes back.

use crate::live::{SOON, ready};
use crate::stage::{Gate, Nginx, NginxOptions, Running, Stage, film, wait_for};
use msconv::model::State;
use msconv::process::run_record::RunRecord;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LADDER: &str = "d:500k:320:180,c:400k:256:144,b:300k:192:108,a:200k:160:90";
/// The name whose connection freezes, as it stands in the publish command.
const FROZEN: &[u8] = b"s_c";

/// Stands between ffmpeg and the server; while `frozen`, it takes nothing from the connection that publishes [`FROZEN`].
struct Between {
    port: u16,
    frozen: Arc<AtomicBool>,
}

impl Between {
    fn start(server: u16) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let frozen = Arc::new(AtomicBool::new(false));
        let flag = frozen.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (back_from, back_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || carry(back_from, back_to, None));
                let flag = flag.clone();
                std::thread::spawn(move || carry(client, server, Some(&flag)));
            }
        });
        Between { port, frozen }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, frozen: Option<&AtomicBool>) {
    let mut head: Vec<u8> = Vec::new();
    let mut chosen = false;
    let mut piece = [0; 16 * 1024];
    loop {
        while chosen && frozen.is_some_and(|f| f.load(Ordering::Relaxed)) {
            // Asked again every moment, for as long as the test keeps it so.
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let Ok(count @ 1..) = from.read(&mut piece) else { break };
        if head.len() < 8192 {
            head.extend(&piece[..count]);
            chosen = head.windows(FROZEN.len()).any(|w| w == FROZEN);
        }
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// The ladder on the air through `between`.
fn publish(stage: &Stage, between: &Between) -> RunRecord {
    let url = format!("rtmp://127.0.0.1:{}/live", between.port);
    let clip = film(30, 320, 180);
    let args =
        ["publish", "-s", "s", "-f", clip.to_str().unwrap(), "--variants", LADDER, "--nginx-rtmp-url", &url];
    let more = ["--no-passthrough", "--keyframe-interval", "0.5s", "--quality", "fast", "--wait", "50s"];
    stage.msconv(&[&args[..], &more[..]].concat()).expect(0);
    record(stage)
}

fn record(stage: &Stage) -> RunRecord {
    RunRecord::read(&stage.file("pids/.state/s.json")).expect("a record")
}

/// Readers of the other three, each reading by now.
fn readers(stage: &Stage, nginx: &Nginx) -> [(&'static str, Running); 3] {
    let read = |name: &str| {
        let url = format!("{}/{name}", nginx.rtmp_url());
        let args =
            ["-v", "error", "-rw_timeout", "40000000", "-analyzeduration", "1000000", "-select_streams", "v"];
        let entries = ["-read_intervals", "%+24", "-show_entries", "packet=dts_time", "-of", "csv=p=0", &url];
        stage.spawn("ffprobe", &[&args[..], &entries[..]].concat())
    };
    let readers = ["s_d", "s_b", "s_a"].map(|name| (name, read(name)));
    for (name, _) in &readers {
        // The publisher, and the reader.
        let reads = |n: &str| nginx.stream(n).is_some_and(|s| s.matches("<client>").count() == 2);
        wait_for(&format!("a reader of {name}"), SOON, || reads(name));
    }
    readers
}

/// Waits for the fourth to be told as missing, then holds what the others saw meanwhile to every frame.
fn nothing_is_missing(stage: &Stage, readers: [(&'static str, Running); 3]) {
    wait_for("the fourth to be told", SOON, || {
        let record = record(stage);
        (record.state == State::Weak).then_some(()).ok_or_else(|| format!("{record:#?}"))
    });
    for (name, reader) in readers {
        let run = reader.wait(SOON);
        let times: Vec<f64> =
            run.stdout.lines().filter_map(|l| l.trim_end_matches(',').parse().ok()).collect();
        assert!(times.len() > 560, "{name}: {} frames: {run}", times.len());
        for pair in times.windows(2) {
            let step = pair[1] - pair[0];
            assert!((0.037..0.043).contains(&step), "{name}: {step} s between frames at {}", pair[0]);
        }
    }
}

/// Waits until the fourth is back, under the same ffmpeg.
fn is_back(stage: &Stage, nginx: &Nginx, before: &RunRecord) {
    wait_for("the fourth to be back", SOON, || {
        let record = record(stage);
        let back = record.state == State::Live && nginx.bytes_in("s_c").is_some_and(|b| b > 0);
        back.then_some(()).ok_or_else(|| format!("{record:#?}"))
    });
    let after = record(stage);
    assert_eq!((after.child, after.restarts), (before.child, 0), "the same ffmpeg all the time");
    stage.msconv(&["stop", "-s", "s"]).expect(0);
}

fn port(nginx: &Nginx) -> u16 {
    nginx.rtmp_url().rsplit(':').next().unwrap().split('/').next().unwrap().parse().unwrap()
}

#[test]
fn a_frozen_rendition_costs_the_other_three_nothing() {
    if !ready() {
        return;
    }
    let stage = Stage::new("frozen-rendition");
    let nginx = Nginx::start(&stage);
    let between = Between::start(port(&nginx));
    let before = publish(&stage, &between);
    let readers = readers(&stage, &nginx);
    between.frozen.store(true, Ordering::Relaxed);
    nothing_is_missing(&stage, readers);
    between.frozen.store(false, Ordering::Relaxed);
    is_back(&stage, &nginx, &before);
}

#[test]
fn a_refused_rendition_costs_the_other_three_nothing() {
    if !ready() {
        return;
    }
    let stage = Stage::new("refused-rendition");
    let gate = Gate::start();
    let nginx = Nginx::with(&stage, NginxOptions::default().gated_by(&gate));
    let between = Between::start(port(&nginx));
    let before = publish(&stage, &between);
    let readers = readers(&stage, &nginx);
    gate.refuse("s_c");
    assert_eq!(nginx.control_drop("live", "s_c"), 1);
    nothing_is_missing(&stage, readers);
    gate.allow("s_c");
    is_back(&stage, &nginx, &before);
}
