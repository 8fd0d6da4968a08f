//! Disks: what is free where the server writes, until when, and what drives do (`/proc/diskstats`).

use super::{percent, rate};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Most drives that are told.
const MOST_DRIVES: usize = 32;
/// Bytes of a sector in `/proc/diskstats`, whatever the drive has.
const SECTOR: u64 = 512;
/// Time over which it is judged how fast a disk fills: what is written in bursts would say a new time at each look.
const MEMORY: Duration = Duration::from_secs(60);
/// Slower than this, in bytes a second, a disk is not filling: the rest of a burst would be told for minutes.
const SLOWEST: f64 = 1000.0;
/// Further away than this a time until full is no news.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A file system that the server writes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Disk {
    /// A folder on it that the server writes to
    pub path: String,
    /// All that there is
    pub total_bytes: u64,
    /// What this server can still write
    pub free_bytes: u64,
    /// Seconds until it is full at the rate of the last minutes; null where it is not filling
    pub full_in_s: Option<u64>,
}

/// What a drive does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Drive {
    /// As the kernel calls it
    pub name: String,
    /// Bytes read in a second
    pub read_bytes_s: u64,
    /// Bytes written in a second
    pub written_bytes_s: u64,
    /// Part of the time in which it was busy, 0 to 100
    pub busy_percent: f64,
}

/// Counts of a drive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    read: u64,
    written: u64,
    busy_ms: u64,
}

/// Reads `/proc/diskstats`: whole drives that have done something. Parts of them, and what stands upon others, would be counted
/// twice.
pub fn drives(text: &str) -> Vec<(String, Counts)> {
    let mut found: Vec<(String, Counts)> = Vec::new();
    for line in text.lines().take(4096) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |place: usize| fields.get(place).and_then(|word| word.parse::<u64>().ok());
        let (Some(name), Some(read), Some(written), Some(busy_ms)) =
            (fields.get(2), number(5), number(9), number(12))
        else {
            continue;
        };
        if read == 0 && written == 0 || !is_whole(name) || found.iter().any(|(whole, _)| is_part(name, whole))
        {
            continue;
        }
        let counts =
            Counts { read: read.saturating_mul(SECTOR), written: written.saturating_mul(SECTOR), busy_ms };
        found.push(((*name).chars().take(32).collect(), counts));
        if found.len() >= MOST_DRIVES {
            break;
        }
    }
    found
}

fn is_whole(name: &str) -> bool {
    !["loop", "ram", "zram", "dm-", "md", "sr", "fd"].iter().any(|kind| name.starts_with(kind))
}

/// `sda1` is of `sda`, `nvme0n1p2` of `nvme0n1`.
fn is_part(name: &str, whole: &str) -> bool {
    let Some(rest) = name.strip_prefix(whole) else { return false };
    let rest =
        if whole.ends_with(|c: char| c.is_ascii_digit()) { rest.strip_prefix('p') } else { Some(rest) };
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Counts {
    /// What the drive did in the seconds since `before`.
    pub fn since(self, before: Counts, name: &str, seconds: f64) -> Option<Drive> {
        let busy = rate(before.busy_ms, self.busy_ms, seconds)?;
        Some(Drive {
            name: name.to_string(),
            read_bytes_s: rate(before.read, self.read, seconds)? as u64,
            written_bytes_s: rate(before.written, self.written, seconds)? as u64,
            busy_percent: percent(busy, 1000.0)?,
        })
    }
}

/// How fast a disk fills: a mean in which what is a minute old counts a third.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Filling {
    /// Free bytes at the last look, and how long it was looked.
    last: Option<u64>,
    seen: Duration,
    bytes_s: f64,
}

impl Filling {
    /// Takes what is free in, so long after the last look; the time until full.
    pub fn look(&mut self, free: u64, passed: Duration) -> Option<Duration> {
        if let Some(last) = self.last.replace(free)
            && !passed.is_zero()
        {
            let now = (last as f64 - free as f64) / passed.as_secs_f64();
            self.seen = self.seen.saturating_add(passed);
            // At first the mean is that of all that was seen.
            let weight = passed.as_secs_f64() / self.seen.min(MEMORY).max(passed).as_secs_f64();
            self.bytes_s += (now - self.bytes_s) * weight;
        }
        // Some seconds say nothing about days.
        if self.seen < MEMORY / 2 || self.bytes_s < SLOWEST {
            return None;
        }
        Duration::try_from_secs_f64(free as f64 / self.bytes_s).ok().filter(|left| *left < FAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_machine_is_read() {
        let found = drives(include_str!("../../tests/data/machine/diskstats.txt"));
        assert_eq!(found.len(), 1, "loops and zram are no drives: {found:?}");
        assert_eq!(found[0].0, "vda");
        assert!(found[0].1.read > 100_000_000_000 && found[0].1.busy_ms > 600_000);
    }

    #[test]
    fn parts_are_not_counted_again() {
        let line = |name: &str| format!(" 8 0 {name} 1 0 8 1 1 0 16 1 0 500 1\n");
        let text = ["sda", "sda1", "nvme0n1", "nvme0n1p1", "sdab", "dm-0", "sdb"].map(line).concat();
        let names: Vec<String> = drives(&text).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["sda", "nvme0n1", "sdab", "sdb"]);
        assert!(drives("8 0 sda\nx").is_empty());
    }

    #[test]
    fn rates_are_differences() {
        let before = Counts { read: 0, written: 1000, busy_ms: 10 };
        let drive = Counts { read: 4096, written: 3000, busy_ms: 1010 }.since(before, "sda", 2.0).unwrap();
        assert_eq!((drive.read_bytes_s, drive.written_bytes_s, drive.busy_percent), (2048, 1000, 50.0));
        assert_eq!(before.since(Counts { read: 9, ..before }, "sda", 2.0), None, "it began anew");
    }

    #[test]
    fn the_time_until_full_is_told_when_it_is_known() {
        let second = Duration::from_secs(2);
        let mut filling = Filling::default();
        let mut free = 1_000_000_000u64;
        let mut last = None;
        for n in 0..60 {
            last = filling.look(free, second);
            assert!(n >= 15 || last.is_none(), "too early to say");
            free -= 2_000_000;
        }
        // 882 MB at 1 MB a second.
        assert_eq!(last.map(|left| left.as_secs() / 10), Some(88));
        for _ in 0..300 {
            last = filling.look(free, second);
        }
        assert_eq!(last, None, "nothing is written any more");
        assert_eq!(Filling::default().look(5, Duration::ZERO), None);
    }
}
