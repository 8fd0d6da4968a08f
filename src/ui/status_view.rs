//! The text of `msconv status`: a block for each stream, a line for each server. On a terminal columns are aligned,
//! elsewhere tabs stand between them.

use super::Console;
use super::units::{bitrate, bytes};
use crate::base::{clock, printable::printable};
use crate::config::Paths;
use crate::manager::listing::status::{Report, StreamStatus};
use crate::manager::servers::Server;
use std::path::Path;
use std::time::Duration;

/// The whole report, line by line; log files as seen from `cwd`.
pub fn lines(report: &Report, console: &Console, cwd: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for stream in &report.streams {
        if !out.is_empty() {
            out.push(String::new());
        }
        block(stream, console, cwd, &mut out);
    }
    if report.servers.iter().any(|server| server.running) {
        if !out.is_empty() {
            out.push(String::new());
        }
        servers(&report.servers, console, cwd, &mut out);
    }
    out
}

fn block(stream: &StreamStatus, console: &Console, cwd: &Path, out: &mut Vec<String>) {
    let style = match stream.state.as_str() {
        "live" => "32",
        "failed" | "stalled" => "31",
        "finished" | "stopped" => "2",
        _ => "33",
    };
    let reason = stream.reason.as_ref().map(|r| format!(" ({})", printable(r))).unwrap_or_default();
    let mut head = vec![
        console.paint_out("1", &stream.key),
        format!("{}{reason}", console.paint_out(style, &stream.state)),
    ];
    if let Some(uptime) = stream.uptime_s {
        head.push(clock::uptime(Duration::from_secs(uptime)));
    }
    out.push(head.join(gap(console)));
    let mut field = |name: &str, value: String| {
        if !value.is_empty() {
            let name = if console.out_terminal { format!("{name:7}") } else { name.to_string() };
            out.push(format!("  {name}{}{value}", gap(console)));
        }
    };
    field("source", printable(&stream.source));
    field("to", printable(&stream.endpoint));
    field("ffmpeg", encoder(stream));
    if let Some(pid) = stream.supervisor_pid {
        let since = clock::parse_stamp(&stream.started_at).map(|ms| clock::local_time(ms, clock::now_ms()));
        field("watched", format!("by pid {pid}, since {}", since.unwrap_or_default()));
    }
    match (&stream.last_error, &stream.reason) {
        (Some(error), reason) if reason.as_deref() != Some(error) => field("fault", printable(error)),
        _ => {}
    }
    field("log", printable(&Paths::shown(Path::new(&stream.log), cwd)));
    let mut rows =
        vec![["VARIANT", "STATE", "SIZE", "BITRATE", "RECEIVED", "VIEWERS"].map(str::to_string).to_vec()];
    for one in &stream.renditions {
        let size = match (one.width, one.height) {
            (Some(width), Some(height)) => format!("{width}x{height}"),
            _ => "-".to_string(),
        };
        rows.push(vec![
            printable(&one.label),
            one.state.clone(),
            size,
            one.bitrate_bps.map_or("-".to_string(), bitrate),
            one.bytes_in.map_or("-".to_string(), bytes),
            one.viewers.map_or("-".to_string(), |n| n.to_string()),
        ]);
    }
    if rows.len() > 1 {
        table(&rows, console, out);
    }
}

fn encoder(stream: &StreamStatus) -> String {
    let mut parts = Vec::new();
    match stream.pid {
        Some(pid) => parts.push(format!("pid {pid}")),
        None if stream.running => parts.push("not running".to_string()),
        None => {}
    }
    if let Some(fps) = stream.fps {
        parts.push(format!("{fps:.1} fps"));
    }
    if let Some(speed) = stream.speed {
        parts.push(format!("speed {speed:.2}"));
    }
    if stream.running || stream.dropped_frames > 0 {
        parts.push(format!("{} dropped", stream.dropped_frames));
    }
    if stream.running || stream.restarts > 0 {
        parts.push(format!("{} restart{}", stream.restarts, if stream.restarts == 1 { "" } else { "s" }));
    }
    parts.join(", ")
}

fn servers(servers: &[Server], console: &Console, cwd: &Path, out: &mut Vec<String>) {
    let mut rows = vec![["SERVER", "STATE", "PID", "UPTIME", "LISTENS", "LOG"].map(str::to_string).to_vec()];
    for server in servers {
        rows.push(vec![
            server.name.to_string(),
            if server.running { "running" } else { "stopped" }.to_string(),
            server.pid.map_or("-".to_string(), |pid| pid.to_string()),
            server.uptime_s.map_or("-".to_string(), |s| clock::uptime(Duration::from_secs(s))),
            if server.running { server.urls.join(" ") } else { "-".to_string() },
            if server.running {
                printable(&Paths::shown(Path::new(&server.log), cwd))
            } else {
                "-".to_string()
            },
        ]);
    }
    table(&rows, console, out);
}

fn table(rows: &[Vec<String>], console: &Console, out: &mut Vec<String>) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| console::measure_text_width(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| match console.out_terminal {
                true => console::pad_str(cell, *width, console::Alignment::Left, None).into_owned(),
                false => cell.clone(),
            })
            .collect();
        let line = format!("  {}", cells.join(gap(console)));
        let line = line.trim_end();
        out.push(if number == 0 { console.paint_out("2", line) } else { line.to_string() });
    }
}

fn gap(console: &Console) -> &'static str {
    if console.out_terminal { "  " } else { "\t" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::listing::status::RenditionStatus;
    use crate::model::Order;

    fn report() -> Report {
        let rendition = RenditionStatus {
            label: "720p".into(),
            name: "a_720p".into(),
            state: "live".into(),
            width: Some(1280),
            height: Some(720),
            bytes_in: Some(123_456_789),
            bitrate_bps: Some(2_480_000),
            viewers: Some(2),
        };
        let audio =
            RenditionStatus { label: "audio".into(), width: None, viewers: None, ..rendition.clone() };
        let stream = StreamStatus {
            key: "a".into(),
            state: "weak".into(),
            reason: Some("speed 0.8\u{1b}[2J".into()),
            running: true,
            order: Order::Run,
            started_at: "2026-11-21T12:00:00Z".into(),
            uptime_s: Some(761),
            pid: Some(41233),
            supervisor_pid: Some(41230),
            source: "./a.mp4 (h264 1920x1080 30 fps, aac)".into(),
            endpoint: "rtmp://localhost:1935/live".into(),
            fps: Some(24.04),
            speed: Some(0.8),
            dropped_frames: 12,
            restarts: 1,
            last_error: None,
            home: "/h".into(),
            log: "/h/logs/ffmpeg/a.log".into(),
            renditions: vec![rendition, audio],
        };
        let server = Server {
            name: "nginx",
            running: true,
            pid: Some(9),
            uptime_s: Some(5),
            started: false,
            urls: vec!["rtmp://127.0.0.1:1935".into()],
            log: "/h/logs/nginx/error.log".into(),
        };
        Report { streams: vec![stream], servers: vec![server] }
    }

    fn console(terminal: bool) -> Console {
        Console {
            json: false,
            quiet: false,
            color_out: false,
            color_err: false,
            out_terminal: terminal,
            err_terminal: terminal,
            interactive: false,
            debug: false,
        }
    }

    #[test]
    fn looks_as_promised_on_a_terminal() {
        let since = clock::parse_stamp("2026-11-21T12:00:00Z").unwrap();
        let since = clock::local_time(since, clock::now_ms());
        assert_eq!(
            lines(&report(), &console(true), Path::new("/h")).join("\n"),
            "\
a  weak (speed 0.8\u{fffd}[2J)  00:12:41
  source   ./a.mp4 (h264 1920x1080 30 fps, aac)
  to       rtmp://localhost:1935/live
  ffmpeg   pid 41233, 24.0 fps, speed 0.80, 12 dropped, 1 restart
  watched  by pid 41230, since SINCE
  log      ./logs/ffmpeg/a.log
  VARIANT  STATE  SIZE      BITRATE   RECEIVED  VIEWERS
  720p     live   1280x720  2.5 Mb/s  123 MB    2
  audio    live   -         2.5 Mb/s  123 MB    -

  SERVER  STATE    PID  UPTIME    LISTENS                LOG
  nginx   running  9    00:00:05  rtmp://127.0.0.1:1935  ./logs/nginx/error.log"
                .replace("SINCE", &since)
        );
    }

    #[test]
    fn elsewhere_tabs_stand_between_columns() {
        let lines = lines(&report(), &console(false), Path::new("/"));
        assert_eq!(lines[1], "  source\t./a.mp4 (h264 1920x1080 30 fps, aac)");
        assert_eq!(lines[7], "  720p\tlive\t1280x720\t2.5 Mb/s\t123 MB\t2");
    }
}
