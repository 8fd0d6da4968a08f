//! What the ladder costs and how it looks against the plain command of the first days (four `scale`, four
//! `libx264 -preset fast -crf 23` with a cap, four AAC encoders, a keyframe every 2 s): user and system time of the same
//! work, unpaced, into files, interleaved, medians. Run by `scripts/bench.sh ladder`; never part of the tests.
//!
//! `MSCONV_BENCH_ROUNDS` (3) rounds over `MSCONV_BENCH_SECONDS` (12) of the film; `MSCONV_BENCH_VMAF` names an ffmpeg with
//! libvmaf, without which quality is not measured; `MSCONV_BENCH_ONLY` names the rows wanted, comma between.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement that cannot go on says so by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const MSCONV: &str = env!("CARGO_BIN_EXE_msconv");
/// The rungs of the default ladder.
const RUNGS: [(&str, u32, u32, &str, &str); 4] = [
    ("1080p", 1920, 1080, "4000k", "8000k"),
    ("720p", 1280, 720, "2500k", "5000k"),
    ("480p", 854, 480, "1200k", "2400k"),
    ("360p", 640, 360, "600k", "1200k"),
];

fn main() {
    let Some(film) = std::env::var_os("MSCONV_TEST_FILM").map(PathBuf::from).filter(|f| f.exists()) else {
        println!("note: MSCONV_TEST_FILM names no film; nothing was measured");
        return;
    };
    let number =
        |name: &str, default: usize| std::env::var(name).ok().and_then(|t| t.parse().ok()).unwrap_or(default);
    let (rounds, seconds) = (number("MSCONV_BENCH_ROUNDS", 3), number("MSCONV_BENCH_SECONDS", 12));
    let only = std::env::var("MSCONV_BENCH_ONLY").unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    // The same stretch for all, cut without encoding it again, and a source that fits the largest rung.
    let cut = folder.path().join("cut.mp4");
    let fitting = folder.path().join("fitting.mp4");
    let length = seconds.to_string();
    let copy = ["-c", "copy", "-avoid_negative_ts", "make_zero"];
    ffmpeg(&["-i", film.to_str().unwrap(), "-t", &length], &copy, &cut);
    let within =
        ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "3300k", "-maxrate", "3600k", "-bufsize", "4000k"];
    let audio = ["-g", "48", "-c:a", "aac", "-b:a", "128k", "-shortest"];
    ffmpeg(&["-i", cut.to_str().unwrap()], &[&within[..], &audio[..]].concat(), &fitting);

    let mut rows: Vec<Row> = vec![
        Row::new("plain command", |out| plain(&cut, out, &[])),
        Row::new("plain command without B-frames", |out| plain(&cut, out, &["-bf", "0"])),
    ];
    for quality in ["fastest", "fast", "balanced", "best"] {
        rows.push(Row::new(quality, |out| ladder(&cut, out, &["--no-passthrough", "--quality", quality])));
    }
    rows.push(Row::new("plain command (fitting source)", |out| plain(&fitting, out, &[])));
    rows.push(Row::new("balanced over a copied top", |out| {
        ladder(&fitting, out, &["--quality", "balanced"])
    }));
    rows.push(Row::new("fast over a copied top", |out| ladder(&fitting, out, &["--quality", "fast"])));
    rows.retain(|row| {
        only.is_empty() || row.name.starts_with("plain") || only.split(',').any(|o| o == row.name)
    });

    let out = |row: usize| folder.path().join(format!("out{row}"));
    for round in 0..rounds {
        for (index, row) in rows.iter_mut().enumerate() {
            std::fs::create_dir_all(out(index)).unwrap();
            let command = (row.make)(&out(index));
            row.cpu.push(cpu_of(command));
            eprintln!("round {}: {} {:.2} CPU-seconds", round + 1, row.name, row.cpu.last().unwrap());
        }
    }
    let vmaf = std::env::var_os("MSCONV_BENCH_VMAF");
    println!("\n| what | CPU | bits | VMAF 1080p, 720p, 480p, 360p |\n|---|---|---|---|");
    let mut base = (1.0, 1.0);
    for (index, row) in rows.iter().enumerate() {
        let (cpu, bits) = (median(&row.cpu), bits(&out(index)));
        if row.name.starts_with("plain") && !row.name.ends_with("B-frames") {
            base = (cpu, bits);
        }
        let source =
            if row.name.contains("fitting") || row.name.contains("copied") { &fitting } else { &cut };
        let looks =
            vmaf.as_ref().map_or("-".into(), |program| looks(Path::new(program), source, &out(index)));
        println!("| {} | {:.3} | {:.2} | {looks} |", row.name, cpu / base.0, bits / base.1);
    }
}

type Make<'a> = Box<dyn Fn(&Path) -> Command + 'a>;

struct Row<'a> {
    name: String,
    make: Make<'a>,
    cpu: Vec<f64>,
}

impl<'a> Row<'a> {
    fn new(name: &str, make: impl Fn(&Path) -> Command + 'a) -> Row<'a> {
        Row { name: name.into(), make: Box::new(make), cpu: Vec::new() }
    }
}

fn ffmpeg(input: &[&str], coding: &[&str], to: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-y", "-loglevel", "error"]).args(input).args(coding).arg(to);
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// The command of the README of the first days, with the same keyframes as the ladder, and `more` for each encoder.
fn plain(source: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-y", "-loglevel", "error", "-i"]).arg(source);
    let parts: String = (0..4).map(|n| format!("[p{n}]")).collect();
    let scales = RUNGS.iter().enumerate().map(|(n, (_, w, h, ..))| format!("[p{n}]scale={w}:{h}[v{n}]"));
    let graph = format!("[0:v]split=4{parts};{}", scales.collect::<Vec<_>>().join(";"));
    command.arg("-filter_complex").arg(graph);
    for (n, (label, _, _, most, buffer)) in RUNGS.iter().enumerate() {
        command.args([
            "-map",
            &format!("[v{n}]"),
            "-map",
            "0:a?",
            "-c:v",
            "libx264",
            "-preset",
            "fast",
            "-crf",
            "23",
        ]);
        command.args(more);
        command.args(["-maxrate", most, "-bufsize", buffer, "-force_key_frames", "expr:gte(t,n_forced*2)"]);
        command.args(["-sc_threshold", "0", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "flv"]);
        command.arg(out.join(format!("{label}.flv")));
    }
    command
}

/// msconv's own command, unpaced and into files.
fn ladder(source: &Path, out: &Path, more: &[&str]) -> Command {
    let mut ask = Command::new(MSCONV);
    ask.args(["publish", "-s", "x", "--once", "--dry-run", "--json", "-f"]).arg(source).args(more);
    let said = ask.stdin(Stdio::null()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let json: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let argv: Vec<String> =
        json["argv"].as_array().unwrap().iter().map(|a| a.as_str().unwrap().into()).collect();
    let mut command = Command::new(&argv[0]);
    let mut skip = 0;
    for argument in &argv[1..] {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        skip = match argument.as_str() {
            "-re" => continue,
            "-readrate" | "-readrate_catchup" | "-progress" => 1,
            _ => 0,
        };
        if skip == 0 {
            command.arg(to_files(argument, out));
        }
    }
    command.arg("-y");
    command
}

/// The argument of `tee` with files for addresses, and no queue that could drop what is made too fast.
fn to_files(argument: &str, out: &Path) -> String {
    if !argument.contains("[select=") {
        return argument.to_string();
    }
    let slave = |slave: &str| {
        let select = slave.split_once("select=").unwrap().1.split_once(":f=").unwrap().0;
        let label = slave.rsplit_once("/x_").unwrap().1;
        format!("[select={select}:f=flv]{}", out.join(format!("{label}.flv")).display())
    };
    argument.split('|').map(slave).collect::<Vec<_>>().join("|")
}

/// User and system time of a command.
fn cpu_of(mut command: Command) -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    };
    let before = used();
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    used() - before
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Bytes of all renditions.
fn bits(out: &Path) -> f64 {
    RUNGS
        .iter()
        .map(|(label, ..)| std::fs::metadata(out.join(format!("{label}.flv"))).unwrap().len() as f64)
        .sum()
}

/// VMAF of each rendition against the source at the rendition's size, picture by picture: by their times, which FLV
/// rounds to milliseconds, every other pair would be a picture apart. A rendition may begin with frames of its own
/// (a grid of frames begins at zero, a film a little later), so the beginning that fits best is looked for first.
fn looks(program: &Path, source: &Path, out: &Path) -> String {
    let of = |(label, width, height, ..): &(&str, u32, u32, &str, &str), skip: u32, length: &[&str]| {
        let graph = format!(
            "[0:v]scale={width}:{height}:flags=lanczos,format=yuv420p,settb=1/25,setpts=N[r];\
             [1:v]trim=start_frame={skip},format=yuv420p,settb=1/25,setpts=N[d];[d][r]libvmaf=n_threads=2:n_subsample=3"
        );
        let mut command = Command::new(program);
        command.args(["-nostdin", "-hide_banner", "-i"]).arg(source);
        command.arg("-i").arg(out.join(format!("{label}.flv")));
        let output = command
            .args(["-filter_complex", &graph])
            .args(length)
            .args(["-f", "null", "-"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let score =
            said.split("VMAF score: ").nth(1).and_then(|s| s.split_whitespace().next()?.parse::<f64>().ok());
        score.unwrap_or(0.0)
    };
    let best = |rung| {
        let begin = |skip: &u32| of(rung, *skip, &["-frames:v", "150"]);
        let skip = (0..4).max_by(|a, b| begin(a).total_cmp(&begin(b))).unwrap_or(0);
        of(rung, skip, &[])
    };
    RUNGS.iter().map(|rung| format!("{:.1}", best(rung))).collect::<Vec<_>>().join(" ")
}
