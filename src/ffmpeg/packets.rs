//! The packets of a file's picture as ffprobe lists them, and what they say about copying it: how many bits, how evenly,
//! how often a keyframe.
//!
//! The list is read loosely, line by line. A line of another shape makes the track unfit, never an error.

use super::input;
use crate::base::command_line::CommandLine;
use crate::model::Source;
use std::collections::VecDeque;
use std::path::Path;

/// Most bytes of the list that are read: half a million packets, five hours of film.
pub const LARGEST: u64 = 40 * 1024 * 1024;
/// Window in which the highest bitrate is measured, in seconds.
const WINDOW: f64 = 2.0;
/// Share of a picture's time by which the distance between two frames may be off: containers round, to a
/// millisecond in Matroska and FLV.
const UNEVEN: f64 = 0.3;

/// What a whole track of packets is like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packets {
    /// How many.
    pub count: usize,
    /// Bits per second over all.
    pub average_bps: u64,
    /// Bits per second of the highest 2 s.
    pub highest_bps: u64,
    /// Longest time without a keyframe, in seconds; to the end of the track too.
    pub longest_gap: f64,
    /// Every picture has a time, and they come evenly.
    pub even: bool,
    /// Frames are sent in another order than they are shown.
    pub reordered: bool,
    /// Frames that follow a keyframe are shown before it, so that nobody can begin there cleanly.
    pub open_groups: bool,
    /// The first packet is no keyframe, or some are cut away by an edit list or marked as damaged.
    pub damaged: bool,
}

/// The command that lists the packets of all tracks.
pub fn command(ffprobe: &Path, source: &Source) -> CommandLine {
    let mut command = CommandLine::new(ffprobe);
    let entries = "packet=stream_index,pts_time,dts_time,size,flags";
    command.args(["-hide_banner", "-loglevel", "error", "-show_entries", entries]);
    command.args(["-print_format", "compact=p=0"]);
    command.args(input::probing(source, None));
    command
}

/// One packet; times in seconds.
#[derive(Clone, Copy, Debug)]
struct Packet {
    shown: f64,
    sent: f64,
    size: u64,
    key: bool,
    bad: bool,
}

/// Reads what [`command`] printed of track `index`; `None` if there is no packet of it.
pub fn parse(list: &[u8], index: u32) -> Option<Packets> {
    let mut found = Packets { even: true, ..Packets::default() };
    let mut packets = Vec::new();
    let own = format!("stream_index={index}|");
    for line in list.split(|b| *b == b'\n') {
        let line = String::from_utf8_lossy(line);
        if !line.starts_with(&own) {
            continue;
        }
        match packet(&line) {
            // Side data stand on lines of their own (MPEG-TS), blank ones among them.
            None if !line.contains("size=") => {}
            Some(packet) => packets.push(packet),
            None => found.even = false,
        }
    }
    let first = packets.first()?;
    found.count = packets.len();
    found.damaged = !first.key || packets.iter().any(|p| p.bad);
    order(&packets, &mut found);
    times(&packets, &mut found);
    Some(found)
}

fn packet(line: &str) -> Option<Packet> {
    let mut packet = (None, None, None, None);
    for field in line.trim().split('|').take(16) {
        match field.split_once('=') {
            Some(("pts_time", value)) => packet.0 = time(value),
            Some(("dts_time", value)) => packet.1 = time(value),
            Some(("size", value)) => packet.2 = value.parse::<u64>().ok().filter(|s| *s < 1 << 31),
            Some(("flags", value)) => packet.3 = Some((value.contains('K'), value.contains(['D', 'C']))),
            _ => {}
        }
    }
    let (key, bad) = packet.3?;
    let shown = packet.0?;
    Some(Packet { shown, sent: packet.1.unwrap_or(shown), size: packet.2?, key, bad })
}

fn time(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|t| t.abs() < 1e9)
}

/// What the order in which packets are sent says.
fn order(packets: &[Packet], found: &mut Packets) {
    let mut latest = f64::NEG_INFINITY;
    let mut key = f64::NEG_INFINITY;
    for packet in packets {
        found.reordered |= packet.shown < latest;
        latest = latest.max(packet.shown);
        if packet.key {
            key = packet.shown;
        }
        found.open_groups |= packet.shown < key;
    }
}

/// Evenness, bitrates and the distances of keyframes.
fn times(packets: &[Packet], found: &mut Packets) {
    let mut shown: Vec<f64> = packets.iter().map(|p| p.shown).collect();
    shown.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (shown.first().copied(), shown.last().copied()) else { return };
    let step = if shown.len() > 1 { (last - first) / (shown.len() - 1) as f64 } else { 0.04 };
    let uneven = |pair: &[f64]| matches!(pair, [a, b] if ((b - a) - step).abs() > step * UNEVEN);
    found.even &= shown.len() > 1 && step > 0.0 && !shown.windows(2).any(uneven);

    let length = (last - first + step).max(0.001);
    let total: u64 = packets.iter().fold(0, |sum, p| sum.saturating_add(p.size));
    found.average_bps = (total as f64 * 8.0 / length) as u64;

    let (mut window, mut inside, mut most) = (VecDeque::new(), 0u64, 0u64);
    for packet in packets {
        window.push_back(packet);
        inside = inside.saturating_add(packet.size);
        while window.front().is_some_and(|old| packet.sent - old.sent >= WINDOW - 0.000_5) {
            inside = inside.saturating_sub(window.pop_front().map_or(0, |old| old.size));
        }
        most = most.max(inside);
    }
    found.highest_bps = (most as f64 * 8.0 / WINDOW.min(length)) as u64;

    let mut keys: Vec<f64> = packets.iter().filter(|p| p.key).map(|p| p.shown).collect();
    keys.push(last + step);
    keys.sort_by(f64::total_cmp);
    let gap = |pair: &[f64]| if let [a, b] = pair { b - a } else { 0.0 };
    found.longest_gap = keys.windows(2).map(gap).fold(0.0, f64::max);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A list of `count` packets of `size` bytes, 25 a second, a keyframe every `group`.
    fn list(count: usize, size: u64, group: usize) -> String {
        let line = |n: usize| {
            let key = if n.is_multiple_of(group) { "K_" } else { "__" };
            format!(
                "stream_index=0|pts_time={:.3}|dts_time={:.3}|size={size}|flags={key}\n",
                n as f64 / 25.0,
                n as f64 / 25.0
            )
        };
        (0..count).map(line).collect()
    }

    #[test]
    fn an_even_track() {
        let found = parse(list(250, 1000, 50).as_bytes(), 0).unwrap();
        assert_eq!((found.count, found.even, found.reordered, found.open_groups), (250, true, false, false));
        assert_eq!((found.average_bps, found.highest_bps), (200_000, 200_000));
        assert!((found.longest_gap - 2.0).abs() < 0.001 && !found.damaged);
        assert_eq!(parse(b"", 0), None);
        // As MPEG-TS is listed, with side data.
        let transport = list(250, 1000, 50).replace('\n', "|\n\n");
        assert_eq!(parse(transport.as_bytes(), 0), Some(found));
    }

    #[test]
    fn a_burst_shows_in_the_highest_and_hardly_in_the_average() {
        let mut text = list(500, 1000, 25);
        text = text
            .replace("pts_time=8.000|dts_time=8.000|size=1000", "pts_time=8.000|dts_time=8.000|size=201000");
        let found = parse(text.as_bytes(), 0).unwrap();
        assert_eq!(found.highest_bps, 1_000_000);
        assert_eq!(found.average_bps, 280_000);
    }

    #[test]
    fn b_frames_open_groups_and_cuts_are_seen() {
        let closed = "stream_index=0|pts_time=0|dts_time=-0.08|size=9|flags=K_\nstream_index=0|pts_time=0.12|dts_time=-0.04|size=9|flags=__\n\
                      stream_index=0|pts_time=0.04|dts_time=0|size=9|flags=__\nstream_index=0|pts_time=0.08|dts_time=0.04|size=9|flags=__\n";
        let found = parse(closed.as_bytes(), 0).unwrap();
        assert!(found.reordered && !found.open_groups && found.even);
        let open =
            closed.replace("0.12|dts_time=-0.04|size=9|flags=__", "0.12|dts_time=-0.04|size=9|flags=K_");
        assert!(parse(open.as_bytes(), 0).unwrap().open_groups);
        assert!(parse(closed.replace("flags=K_", "flags=__").as_bytes(), 0).unwrap().damaged);
        assert!(
            parse(closed.replace("0.04|size=9|flags=__", "0.04|size=9|flags=_D").as_bytes(), 0)
                .unwrap()
                .damaged
        );
        assert!(!parse(closed.replace("pts_time=0.08", "pts_time=N/A").as_bytes(), 0).unwrap().even);
        assert!(!parse(closed.replace("pts_time=0.12", "pts_time=0.50").as_bytes(), 0).unwrap().even);
    }

    #[test]
    fn no_keyframe_for_long_counts_to_the_end() {
        assert!((parse(list(250, 10, 1000).as_bytes(), 0).unwrap().longest_gap - 10.0).abs() < 0.001);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(stream_index=0\\||pts_time=|dts_time=|size=|flags=|K|D|[0-9.eE-]|\\||\n|\\PC){0,200}") {
            if let Some(found) = parse(text.as_bytes(), 0) {
                prop_assert!(found.longest_gap >= 0.0 && found.count > 0);
            }
        }
    }
}
