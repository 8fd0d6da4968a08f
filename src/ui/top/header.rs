//! The machine, in a few lines: what it is at now, how it was in the last minutes, and what that means.

use super::graph::{Line, cores, spark};
use crate::base::printable::bounded;
use crate::machine::disk::Disk;
use crate::machine::gpu::Gpu;
use crate::platform::load::moment::{Moment, Step};
use crate::ui::units::{bitrate, bytes};
use std::time::Duration;

const DIM: &str = "2";
const GOOD: &str = "32";
const CAREFUL: &str = "33";
const BAD: &str = "31";

/// Elsewhere than on a terminal: nothing is cut, and nothing is drawn.
pub const NO_TERMINAL: usize = usize::MAX;

/// The lines within `width` columns.
pub fn lines(moment: &Moment, past: &[Step], width: usize, color: bool) -> Vec<String> {
    let mut lines = vec![cpu(moment, past, width), memory(moment, past, width)];
    lines.extend(gpus(moment, past, width));
    lines.extend(disks(moment, past, width));
    lines.extend(network(moment, past, width));
    lines.iter().map(|line| line.shown(width, color)).collect()
}

/// How wide a graph is on a line so wide.
fn graph_width(width: usize) -> usize {
    match width {
        0..60 => 8,
        60..100 => 20,
        100..120 => 24,
        NO_TERMINAL => 0,
        _ => 40,
    }
}

/// A line that begins with a word, a figure and a graph.
fn begun(word: &str, figure: &str, style: &'static str, graph: &str) -> Line {
    let mut line = Line::default();
    line.add("1", format!("{word:<7}"));
    line.add(style, format!("{figure:>9}"));
    if !graph.is_empty() {
        line.add("", "  ");
        line.add("36", graph);
    }
    line
}

fn graph(past: &[Step], of: impl Fn(&Step) -> Option<f64>, most: Option<f64>, width: usize) -> String {
    let values: Vec<Option<f64>> = past.iter().map(of).collect();
    spark(&values, most, graph_width(width))
}

/// Adds what there is room for, whole.
fn facts(line: &mut Line, width: usize, facts: &[String]) {
    let mut between = "  ";
    for fact in facts.iter().filter(|fact| !fact.is_empty()) {
        // The first ones say most: a later one does not push in where one of them had no room.
        if !line.add_whole(DIM, format!("{between}{fact}"), width) {
            return;
        }
        between = ", ";
    }
}

/// A share in words for those who see no colours, and its style.
fn judged(percent: f64, careful: f64, bad: f64, word: &'static str) -> (&'static str, &'static str) {
    if percent >= bad {
        (BAD, word)
    } else if percent >= careful {
        (CAREFUL, "high")
    } else {
        (GOOD, "")
    }
}

fn alarm(line: &mut Line, style: &'static str, word: &str) {
    if !word.is_empty() {
        line.add(style, format!("  {word}"));
    }
}

fn cpu(moment: &Moment, past: &[Step], width: usize) -> Line {
    let cpu = &moment.machine.cpu;
    let graph = graph(past, |step| step.cpu_percent, Some(100.0), width);
    let Some(busy) = cpu.busy_percent else {
        return begun("CPU", "-", DIM, &graph);
    };
    let (style, word) = judged(busy, 80.0, 95.0, "full");
    let mut line = begun("CPU", &format!("{busy:.0} %"), style, &graph);
    if graph_width(width) > 0 {
        line.add("36", format!("  {}", cores(&cpu.cores_percent, graph_width(width) / 2)));
    }
    alarm(&mut line, style, word);
    let count = cpu.cores_percent.len();
    let cores = match cpu.limit_cores {
        Some(limit) => format!("{limit} of {count} cores"),
        None => format!("{count} core{}", if count == 1 { "" } else { "s" }),
    };
    let load = cpu.load.first().map(|load| format!("load {load:.2}")).unwrap_or_default();
    let waiting = cpu.pressure_percent.map(|waiting| format!("waiting {waiting:.0} %")).unwrap_or_default();
    facts(&mut line, width, &[cores, load, waiting]);
    line
}

fn memory(moment: &Moment, past: &[Step], width: usize) -> Line {
    let memory = &moment.machine.memory;
    let (used, whole) = memory.in_use();
    let percent = if whole == 0 { 0.0 } else { used as f64 / whole as f64 * 100.0 };
    let (style, word) = judged(percent, 85.0, 95.0, "almost full");
    let graph = graph(past, |step| Some(step.memory_used_bytes as f64), Some(whole as f64), width);
    let mut line = begun("memory", &format!("{percent:.0} %"), style, &graph);
    alarm(&mut line, style, word);
    let limit = if memory.limit_bytes.is_some() { " (limit)" } else { "" };
    let swap = if memory.swap_used_bytes > 0 {
        format!("swap {}", bytes(memory.swap_used_bytes))
    } else {
        String::new()
    };
    let server = format!("server {}", bytes(moment.server.memory_bytes));
    facts(&mut line, width, &[format!("{} of {}{limit}", bytes(used), bytes(whole)), server, swap]);
    line
}

fn gpus(moment: &Moment, past: &[Step], width: usize) -> Vec<Line> {
    let gpus = &moment.machine.gpus;
    if gpus.is_empty() {
        return vec![begun("GPU", "none", DIM, "")];
    }
    let one = gpus.len() == 1;
    gpus.iter()
        .take(4)
        .map(|gpu| {
            let graph =
                if one { graph(past, |step| step.gpu_percent, Some(100.0), width) } else { String::new() };
            of_gpu(gpu, &graph, width)
        })
        .collect()
}

fn of_gpu(gpu: &Gpu, graph: &str, width: usize) -> Line {
    let percent = |value: Option<f64>| value.map(|value| format!("{value:.0} %"));
    let style = gpu.busy_percent.map_or(DIM, |busy| judged(busy, 90.0, 99.0, "").0);
    let mut line = begun("GPU", &percent(gpu.busy_percent).unwrap_or("-".into()), style, graph);
    let named =
        |name: &str, value: Option<String>| value.map(|value| format!("{name}{value}")).unwrap_or_default();
    let memory = match (gpu.memory_used_bytes, gpu.memory_total_bytes) {
        (Some(used), Some(whole)) => format!("{} of {}", bytes(used), bytes(whole)),
        _ => String::new(),
    };
    facts(
        &mut line,
        width,
        &[
            named("encoder ", percent(gpu.encoder_percent)),
            named("decoder ", percent(gpu.decoder_percent)),
            memory,
            named("", gpu.temperature_c.map(|celsius| format!("{celsius} °C"))),
            named("", gpu.power_w.map(|watts| format!("{watts} W"))),
            bounded(&gpu.name, 40),
        ],
    );
    line
}

fn disks(moment: &Moment, past: &[Step], width: usize) -> Vec<Line> {
    let one = moment.machine.disks.len() == 1;
    let of = |disk: &Disk| {
        let graph = graph(past, |step| Some(step.written_bytes_s as f64), None, width);
        let percent = disk.free_bytes as f64 / disk.total_bytes.max(1) as f64 * 100.0;
        let soon = disk.full_in_s.is_some_and(|left| left < 3600);
        let (style, word) = if percent < 2.0 || soon {
            (BAD, "almost full")
        } else if percent < 10.0 {
            (CAREFUL, "careful")
        } else {
            (GOOD, "")
        };
        let mut line = begun("disk", &bytes(disk.free_bytes), style, &graph);
        alarm(&mut line, style, word);
        let left = disk.full_in_s.map(|left| format!("full in {}", distance(left))).unwrap_or_default();
        let drives = moment.machine.drives.iter();
        let (read, written) = drives.fold((0u64, 0u64), |(read, written), drive| {
            (read.saturating_add(drive.read_bytes_s), written.saturating_add(drive.written_bytes_s))
        });
        let free = format!("free of {}", bytes(disk.total_bytes));
        let place = if one { String::new() } else { bounded(&disk.path, 60) };
        facts(
            &mut line,
            width,
            &[free, left, format!("writes {}/s", bytes(written)), format!("reads {}/s", bytes(read)), place],
        );
        line
    };
    moment.machine.disks.iter().take(3).map(of).collect()
}

fn network(moment: &Moment, past: &[Step], width: usize) -> [Line; 2] {
    let network = &moment.machine.network;
    let mut received =
        begun("in", &bitrate(network.in_bps), "", &graph(past, |step| Some(step.in_bps as f64), None, width));
    let mut sent = begun(
        "out",
        &bitrate(network.out_bps),
        "",
        &graph(past, |step| Some(step.out_bps as f64), None, width),
    );
    let total = |of: fn(&crate::platform::load::moment::StreamLoad) -> u64| {
        moment.streams.iter().map(of).fold(0, u64::saturating_add)
    };
    let local = network.interfaces.iter().find(|interface| interface.name == "lo");
    let local = local.map(|lo| format!("within this machine {}", bitrate(lo.out_bps))).unwrap_or_default();
    facts(&mut received, width, &[format!("streams {}", bitrate(total(|stream| stream.in_bps))), local]);
    if network.dropped_s > 0 {
        alarm(&mut sent, CAREFUL, &format!("{} packets dropped a second", network.dropped_s));
    }
    facts(&mut sent, width, &[format!("viewers {}", bitrate(total(|stream| stream.out_bps)))]);
    [received, sent]
}

/// A time that lies ahead: `3 d`, `5 h`, `12 min`.
pub fn distance(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long something has been going on: `3 d 04:10`, `00:12:41`.
pub fn up(seconds: u64) -> String {
    let days = seconds / 86_400;
    let clock = crate::base::clock::uptime(Duration::from_secs(seconds % 86_400));
    match days {
        0 => clock,
        _ => format!("{days} d {}", clock.get(..5).unwrap_or_default()),
    }
}
