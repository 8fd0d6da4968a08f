//! The figures that msconv promises, measured with the release binary, a real nginx-rtmp and a real ffmpeg, and
//! printed as a table. Run by `scripts/bench.sh`; never part of the tests, because machines are noisy.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement that cannot go on says so by panicking")]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const MSCONV: &str = env!("CARGO_BIN_EXE_msconv");

fn main() {
    let film = std::env::var_os("MSCONV_TEST_FILM").map(PathBuf::from);
    let mut table = Table::default();
    version(&mut table);
    list(&mut table);
    match film.filter(|f| f.exists()) {
        Some(film) => live(&mut table, &film),
        None => {
            println!("note: MSCONV_TEST_FILM names no film; publish, supervisor and stop were not measured")
        }
    }
    table.print();
}

/// Rows of the table: what, goal, measured.
#[derive(Default)]
struct Table(Vec<[String; 3]>);

impl Table {
    fn row(&mut self, what: &str, goal: &str, measured: String) {
        eprintln!("{what}: {measured}");
        self.0.push([what.into(), goal.into(), measured]);
    }

    fn print(&self) {
        println!("\n| what | goal | measured |\n|---|---|---|");
        for [what, goal, measured] in &self.0 {
            println!("| {what} | {goal} | {measured} |");
        }
    }
}

/// Least, median and largest of several durations, in milliseconds.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let ms = |d: &Duration| d.as_secs_f64() * 1e3;
    let middle = &times[times.len() / 2];
    format!(
        "{:.1} ms (min {:.1}, max {:.1}, n={})",
        ms(middle),
        ms(&times[0]),
        ms(&times[times.len() - 1]),
        times.len()
    )
}

fn timed(command: &mut Command) -> (Duration, Output) {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    (began.elapsed(), output)
}

fn version(table: &mut Table) {
    let times = (0..21).map(|_| timed(Command::new(MSCONV).arg("--version")).0).collect();
    table.row("`msconv --version`", "<= 10 ms", spread(times));
}

/// Answers every HTTP request with what `page` makes of its target.
fn serve(page: impl Fn(&str) -> (&'static str, String) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let page = std::sync::Arc::new(page);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let page = page.clone();
            std::thread::spawn(move || answer(stream, &*page));
        }
    });
    port
}

fn answer(mut stream: TcpStream, page: &dyn Fn(&str) -> (&'static str, String)) {
    let mut request = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(n) => request.extend_from_slice(&chunk[..n]),
        }
        while let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).into_owned();
            request.drain(..end + 4);
            let target = head.split(' ').nth(1).unwrap_or("/");
            let (kind, body) = page(target);
            let reply = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// `/stat` of a server with `count` streams, as nginx-rtmp 1.2.2 writes it.
fn stat_xml(count: usize) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<rtmp><nginx_version>1.22.1</nginx_version><nginx_rtmp_version>1.1.4</nginx_rtmp_version><pid>1</pid><uptime>99</uptime><naccepted>9</naccepted><bw_in>1</bw_in><bytes_in>1</bytes_in><bw_out>1</bw_out><bytes_out>1</bytes_out><server><application><name>live</name><live>",
    );
    for n in 0..count {
        let _ = write!(
            xml,
            "<stream>\r\n<name>stream{n}</name>\r\n<time>99000</time><bw_in>2500000</bw_in>\r\n<bytes_in>{n}000000</bytes_in>\r\n<bw_out>0</bw_out>\r\n<bytes_out>0</bytes_out>\r\n<bw_audio>128000</bw_audio>\r\n<bw_video>2372000</bw_video>\r\n<client><id>{n}</id><address>10.0.0.7</address><time>99000</time><flashver>FMLE/3.0 (compatible; Lavf59.27</flashver><dropped>0</dropped><avsync>-6</avsync><timestamp>98000</timestamp><publishing/><active/></client>\r\n<meta><video><width>1280</width><height>720</height><frame_rate>30</frame_rate><codec>H264</codec><profile>High</profile><compat>0</compat><level>3.1</level></video><audio><codec>AAC</codec><profile>LC</profile><channels>2</channels><sample_rate>48000</sample_rate></audio></meta>\r\n<nclients>1</nclients>\r\n<publishing/>\r\n<active/>\r\n</stream>"
        );
    }
    xml.push_str("<nclients>1000</nclients></live></application></server></rtmp>\r\n");
    xml
}

/// One page of MediaMTX's `/v3/paths/list` over `count` paths.
fn paths_page(count: usize, target: &str) -> String {
    let query = |name: &str| {
        target.split(['?', '&']).find_map(|p| p.strip_prefix(name)?.strip_prefix('=')?.parse::<usize>().ok())
    };
    let per_page = query("itemsPerPage").unwrap_or(100);
    let page = query("page").unwrap_or(0);
    let items: Vec<String> = (page * per_page..((page + 1) * per_page).min(count))
        .map(|n| format!(r#"{{"name":"stream{n}","confName":"all","ready":true,"readyTime":"2026-11-21T07:46:15Z","available":true,"online":true,"source":{{"type":"rtmpSource","id":""}},"tracks":["H264","MPEG-4 Audio"],"tracks2":[{{"codec":"H264","codecProps":{{"width":1280,"height":720,"profile":"High","level":"3.1"}}}}],"readers":[{{"type":"rtspSession","id":"fa355262-8d67-4dae-a209-29a04b3245fe"}}],"inboundBytes":1,"outboundBytes":1}}"#))
        .collect();
    format!(
        r#"{{"itemCount":{count},"pageCount":{},"items":[{}]}}"#,
        count.div_ceil(per_page),
        items.join(",")
    )
}

fn list(table: &mut Table) {
    let home = tempfile::tempdir().unwrap();
    let xml = stat_xml(1000);
    let stat = serve(move |_| ("text/xml", xml.clone()));
    let api = serve(|target| {
        let body = if target.contains("/v3/info") {
            r#"{"version":"v1.20.1"}"#.to_string()
        } else {
            paths_page(1000, target)
        };
        ("application/json", body)
    });
    let run = || {
        timed(&mut world(
            home.path(),
            &[
                ("MSCONV_NGINX_STAT_URL", format!("http://127.0.0.1:{stat}/stat")),
                ("MSCONV_MEDIAMTX_URL", format!("http://127.0.0.1:{api}")),
            ],
            &["list"],
        ))
    };
    let (_, output) = run();
    let rows = String::from_utf8_lossy(&output.stdout).lines().count();
    assert!(rows >= 1000, "{rows} rows: {}", String::from_utf8_lossy(&output.stderr));
    table.row(
        "`list` with 1,000 streams on both servers",
        "<= 100 ms",
        spread((0..11).map(|_| run().0).collect()),
    );
}

fn world(home: &Path, vars: &[(&str, String)], args: &[&str]) -> Command {
    let mut command = Command::new(MSCONV);
    command.args(args).current_dir(home).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for name in ["HOME", "MSCONV_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
        command.env(name, home);
    }
    command.envs(vars.iter().map(|(k, v)| (k, v)));
    command
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn live(table: &mut Table, film: &Path) {
    let home = tempfile::tempdir().unwrap();
    let rtmp = free_port();
    let vars = [
        ("MSCONV_NGINX_RTMP_URL", format!("rtmp://127.0.0.1:{rtmp}/live")),
        ("MSCONV_NGINX_STAT_URL", format!("http://127.0.0.1:{}/stat", free_port())),
        ("MSCONV_MEDIAMTX_URL", format!("http://127.0.0.1:{}", free_port())),
        ("MSCONV_RTSP_URL", format!("rtsp://127.0.0.1:{}", free_port())),
    ];
    let msconv = |args: &[&str]| {
        let (took, output) = timed(&mut world(home.path(), &vars, args));
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        (took, output)
    };
    msconv(&["up"]);
    let film = film.to_str().unwrap();
    let publish = ["publish", "-s", "bench", "-f", film, "--wait", "60s"];
    msconv(&publish);
    msconv(&["stop", "-s", "bench"]);
    let mut published = Vec::new();
    let mut stopped = Vec::new();
    for _ in 0..5 {
        published.push(msconv(&publish).0);
        stopped.push(msconv(&["stop", "-s", "bench"]).0);
    }
    table.row("`publish` of a 1080p film to bytes of all four renditions", "<= 2 s", spread(published));
    msconv(&publish);
    let pid = record(home.path(), "supervisor");
    let ticks = cpu_ticks(pid);
    let began = Instant::now();
    std::thread::sleep(Duration::from_secs(30));
    let used = (cpu_ticks(pid) - ticks) as f64 / 100.0 / began.elapsed().as_secs_f64() * 100.0;
    table.row(
        "supervisor of one stream, memory",
        "<= 10 MB RSS",
        format!("{:.1} MB", rss_kb(pid) as f64 / 1e3),
    );
    table.row("supervisor of one stream, work over 30 s", "<= 0.5 % of a core", format!("{used:.2} %"));
    table.row("`stop`, healthy", "<= 1 s", spread(stopped));
    signal("-STOP", record(home.path(), "child"));
    signal("-STOP", pid);
    let stuck = msconv(&["stop", "-s", "bench"]).0;
    table.row("`stop`, ffmpeg and supervisor frozen", "<= 10 s", spread(vec![stuck]));
    msconv(&publish);
    let child = record(home.path(), "child");
    signal("-KILL", record(home.path(), "supervisor"));
    let killed = Instant::now();
    while Path::new(&format!("/proc/{child}/fd/0")).exists() && killed.elapsed() < Duration::from_secs(5) {
        std::thread::yield_now();
    }
    table.row("ffmpeg gone after `kill -9` of its supervisor", "<= 100 ms", spread(vec![killed.elapsed()]));
    msconv(&["down"]);
}

fn record(home: &Path, who: &str) -> i64 {
    let text = std::fs::read_to_string(home.join("pids/.state/bench.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    record[who]["pid"].as_i64().unwrap()
}

fn signal(which: &str, pid: i64) {
    assert!(Command::new("kill").arg(which).arg(pid.to_string()).status().unwrap().success());
}

/// User and system time of a process in hundredths of a second.
fn cpu_ticks(pid: i64) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn rss_kb(pid: i64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}
