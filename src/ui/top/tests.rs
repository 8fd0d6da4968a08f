//! What `top` shows, on terminals of several widths, and what its keys do.

use super::*;
use crate::machine::disk::{Disk, Drive};
use crate::machine::gpu::Gpu;
use crate::machine::memory::Memory;
use crate::machine::network::{Interface, Network};
use crate::machine::processor::Cpu;
use console::measure_text_width;
use proptest::prelude::*;

fn stream(name: &str, state: &str) -> StreamLoad {
    StreamLoad { name: name.into(), application: "live".into(), state: state.into(), ..StreamLoad::default() }
}

fn moment() -> Moment {
    let film = StreamLoad {
        from: Some("here".into()),
        renditions: ["1080p", "720p", "480p", "360p", "240p"].map(String::from).to_vec(),
        uptime_s: Some(761),
        viewers: 3,
        in_bps: 8_140_000,
        out_bps: 24_000_000,
        encoder: Some("libx264".into()),
        cpu_percent: Some(82.4),
        memory_bytes: Some(310_000_000),
        speed: Some(1.0),
        fps: Some(25.0),
        dropped_frames: Some(0),
        ..stream("film", "live")
    };
    let cam = StreamLoad {
        title: Some("Evening \u{1b}[2Jshow".into()),
        from: Some("192.0.2.7".into()),
        renditions: vec!["original".into()],
        uptime_s: Some(300_000),
        viewers: 12,
        in_bps: 4_100_000,
        viewer_dropped_frames: 7,
        ..stream("a-camera-with-a-very-long-name-indeed", "live")
    };
    let weak = StreamLoad {
        why: Some("speed 0.8".into()),
        speed: Some(0.8),
        from: Some("here".into()),
        ..stream("weak", "weak")
    };
    let mut moment = Moment::at(60_000);
    moment.server.version = "0.1.0".into();
    moment.server.uptime_s = 90_061;
    moment.server.cpu_percent = Some(2.5);
    moment.server.memory_bytes = 42_000_000;
    moment.machine.cpu = Cpu {
        busy_percent: Some(62.0),
        cores_percent: vec![40.0, 84.0],
        limit_cores: None,
        load: vec![1.49, 1.06, 1.45],
        pressure_percent: Some(7.3),
    };
    moment.machine.memory =
        Memory { total_bytes: 24_700_000_000, available_bytes: 21_300_000_000, ..Memory::default() };
    moment.machine.disks = vec![Disk {
        path: "/data".into(),
        total_bytes: 252_000_000_000,
        free_bytes: 23_000_000_000,
        full_in_s: Some(3 * 86_400),
    }];
    moment.machine.drives =
        vec![Drive { name: "vda".into(), read_bytes_s: 0, written_bytes_s: 3_000_000, busy_percent: 4.0 }];
    let lo = Interface { name: "lo".into(), in_bps: 9_000_000, out_bps: 9_000_000, dropped_s: 0 };
    moment.machine.network =
        Network { in_bps: 8_100_000, out_bps: 24_200_000, interfaces: vec![lo], ..Network::default() };
    moment.streams = vec![film, cam, weak];
    moment
}

fn top(color: bool) -> Top {
    let mut top = Top::new(color);
    let step = |n: i64| Step {
        at_ms: n,
        cpu_percent: Some(n as f64),
        memory_used_bytes: 3_400_000_000,
        ..Step::default()
    };
    top.remember((0..60).map(step).collect());
    top.take(Ok(Arc::new(moment())));
    top
}

fn golden(name: &str, shown: &str) {
    let path = format!("{}/tests/golden/top/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let folder = std::path::Path::new(&path).parent().unwrap();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&path, shown).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), shown, "UPDATE_GOLDEN=1 writes it anew");
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn it_looks_as_agreed_on_every_width() {
    for (rows, columns) in [(18, 120), (18, 80), (18, 40)] {
        golden(&format!("{columns}"), &text(&top(false).frame(rows, columns)));
    }
    let mut help = top(false);
    help.press(Key::Char('?'));
    golden("help", &text(&help.frame(16, 80)));
    golden("once", &text(&page(&moment(), &[], Layout::Tabs)));
}

#[test]
fn every_frame_fits() {
    for color in [false, true] {
        for (rows, columns) in [(1, 1), (2, 5), (6, 20), (24, 80), (60, 300)] {
            let frame = top(color).frame(rows, columns);
            assert_eq!(frame.len(), rows);
            for line in frame {
                let seen = console::strip_ansi_codes(&line);
                assert!(measure_text_width(&seen) <= columns, "{columns}: {seen:?}");
                assert!(!seen.contains('\u{1b}'), "{seen:?}");
            }
        }
    }
    assert!(!text(&top(false).frame(24, 80)).contains('\u{1b}'), "no colours where none are wanted");
}

#[test]
fn keys_choose_sort_and_leave() {
    let mut top = top(false);
    let marked = |top: &mut Top| {
        let frame = top.frame(24, 120);
        let line = frame.iter().find(|line| line.starts_with("> ")).cloned().unwrap_or_default();
        line.split_whitespace().nth(1).unwrap_or_default().chars().take(4).collect::<String>()
    };
    assert_eq!(marked(&mut top), "a-ca");
    top.press(Key::Down);
    assert_eq!(marked(&mut top), "film");
    top.press(Key::Char('s'));
    assert_eq!(marked(&mut top), "film", "the row is the same, wherever it stands");
    assert!(top.frame(24, 120).last().unwrap().contains("by CPU"));
    top.press(Key::Home);
    assert_eq!(marked(&mut top), "film", "the busiest");
    top.press(Key::Char('k'));
    top.press(Key::End);
    assert_eq!(marked(&mut top), "weak");
    assert_eq!(top.press(Key::Enter), Act::Open("weak".into(), "live".into()));
    assert_eq!(
        (top.press(Key::Char('q')), top.press(Key::Cancel), top.press(Key::Suspend)),
        (Act::Leave, Act::Leave, Act::Suspend)
    );
}

#[test]
fn stopping_asks_and_names_the_stream() {
    let mut top = top(false);
    assert_eq!(top.press(Key::Char('x')), Act::Draw);
    assert!(top.frame(24, 120).last().unwrap().contains("its publisher at 192.0.2.7 ends it"));
    top.press(Key::Char('j'));
    assert_eq!(top.press(Key::Char('x')), Act::Draw);
    assert!(top.frame(24, 120).last().unwrap().contains("stop film?"));
    assert_eq!(top.press(Key::Enter), Act::Draw);
    assert!(top.frame(24, 120).last().unwrap().contains("not stopped"));
    top.press(Key::Char('x'));
    assert_eq!(top.press(Key::Char('y')), Act::Stop("film".into()));
    top.say("film: stopped");
    assert!(top.frame(24, 120).last().unwrap().contains("film: stopped"));
}

#[test]
fn alarms_are_words_and_lost_servers_are_told() {
    let mut moment = moment();
    moment.machine.cpu.busy_percent = Some(97.0);
    moment.machine.memory.available_bytes = 1_000_000;
    moment.machine.disks[0].full_in_s = Some(600);
    moment.machine.network.dropped_s = 4;
    moment.machine.gpus = vec![Gpu {
        name: "NVIDIA L4".into(),
        busy_percent: Some(31.0),
        encoder_percent: Some(12.0),
        ..Gpu::default()
    }];
    let mut top = Top::new(false);
    assert!(text(&top.frame(24, 100)).contains("waiting for the first figures"));
    top.take(Ok(Arc::new(moment)));
    let shown = text(&top.frame(24, 100));
    for words in
        ["97 %", "full", "almost full", "full in 10 min", "4 packets dropped", "encoder 12 %", "NVIDIA L4"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    top.take(Err("connection refused".into()));
    assert!(top.frame(24, 100).last().unwrap().contains("connection refused; asking again"));
    let mut nothing = Moment::at(0);
    nothing.machine.cpu.cores_percent = vec![0.0];
    top.take(Ok(Arc::new(nothing)));
    assert!(text(&top.frame(24, 100)).contains("nothing is live"));
}

#[test]
fn a_long_list_is_scrolled() {
    let mut many = moment();
    many.streams = (0..50).map(|n| stream(&format!("s{n:02}"), "live")).collect();
    let mut top = Top::new(false);
    top.take(Ok(Arc::new(many)));
    let shown = text(&top.frame(20, 80));
    assert!(shown.contains("> s00") && !shown.contains("s40"));
    top.press(Key::End);
    let shown = text(&top.frame(20, 80));
    assert!(shown.contains("> s49") && !shown.contains("s00"), "{shown}");
    top.press(Key::PageUp);
    assert!(!text(&top.frame(20, 80)).contains("> s49"));
}

proptest! {
    #[test]
    fn texts_of_strangers_break_nothing(name in "\\PC{0,80}", title in any::<String>(), why in any::<String>(), columns in 1usize..150) {
        let mut moment = moment();
        moment.streams.push(StreamLoad { title: Some(title), why: Some(why), ..stream(&name, "live") });
        let mut top = Top::new(true);
        top.take(Ok(Arc::new(moment)));
        for _ in 0..4 {
            for line in top.frame(20, columns) {
                let seen = console::strip_ansi_codes(&line);
                prop_assert!(measure_text_width(&seen) <= columns, "{:?}", seen);
                prop_assert!(!seen.contains(['\u{1b}', '\n', '\r', '\u{7}', '\u{202e}']), "{:?}", seen);
            }
            top.press(Key::Down);
        }
    }
}
