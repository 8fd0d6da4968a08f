//! What one ffmpeg program can do, read from what it prints about itself.
//!
//! Five short listings (`-version -encoders -formats -filters -protocols`) are made into sets of names. Reading is
//! lenient: a line of a shape that a later version invents is skipped, never an error.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Longest listing that is read, in bytes (ffmpeg 5.1's largest has 50 kB).
pub const LARGEST: usize = 1024 * 1024;

/// A program's abilities. Version parts are `(0, 0, 0)` where they cannot be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// Major, minor, micro; of a development build the release that its libraries belong to.
    pub version: (u32, u32, u32),
    /// The version as the program writes it: `5.1.9-0+deb12u1`, `n7.1`, `N-118000-gabc`.
    pub version_text: String,
    /// Video and audio encoders: `libx264`, `aac`.
    pub encoders: BTreeSet<String>,
    /// Formats that can be written: `flv`, `fifo`, `tee`.
    pub muxers: BTreeSet<String>,
    /// Formats and devices that can be read: `v4l2`, `x11grab`, `lavfi`.
    pub demuxers: BTreeSet<String>,
    /// Filters: `scale`, `split`.
    pub filters: BTreeSet<String>,
    /// Protocols that can be written to: `rtmp`, `tcp`.
    pub protocols: BTreeSet<String>,
    /// Protocols that can be read from.
    pub input_protocols: BTreeSet<String>,
}

/// What a publish asks of ffmpeg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Sending the source on as it is (`-o`).
    Copy,
    /// Encoding a ladder.
    Encode,
}

/// Something that an ffmpeg lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lack {
    /// `encoder`, `muxer`, `filter` or `protocol`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {} {}", self.kind, self.name)
    }
}

/// The listings a capability is read from, each by the flag that prints it.
pub const LISTINGS: [&str; 5] = ["-version", "-encoders", "-formats", "-filters", "-protocols"];

impl Capability {
    /// Reads the listings, in the order of [`LISTINGS`]. `None` if the first does not name an ffmpeg or ffprobe.
    pub fn read(listings: [&str; 5]) -> Option<Capability> {
        let [version, encoders, formats, filters, protocols] = listings;
        let (version, version_text) = parse_version(version)?;
        let (demuxers, muxers) = parse_formats(formats);
        let (input_protocols, protocols) = parse_protocols(protocols);
        Some(Capability {
            version,
            version_text,
            encoders: parse_encoders(encoders),
            muxers,
            demuxers,
            filters: parse_filters(filters),
            protocols,
            input_protocols,
        })
    }

    /// Whether the version is known to be at least this. Unknown versions are thought to be new.
    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        self.version == (0, 0, 0) || (self.version.0, self.version.1) >= (major, minor)
    }

    /// Everything that `need` asks for and that is not there.
    pub fn lacks(&self, need: Need) -> Vec<Lack> {
        let mut wanted = vec![
            ("encoder", "aac", &self.encoders),
            ("muxer", "flv", &self.muxers),
            ("muxer", "fifo", &self.muxers),
            ("protocol", "rtmp", &self.protocols),
        ];
        if need == Need::Encode {
            wanted.insert(0, ("encoder", "libx264", &self.encoders));
            wanted.push(("muxer", "tee", &self.muxers));
            wanted.push(("filter", "scale", &self.filters));
            wanted.push(("filter", "split", &self.filters));
        }
        wanted
            .into_iter()
            .filter(|(_, name, set)| !set.contains(*name))
            .map(|(kind, name, _)| Lack { kind, name })
            .collect()
    }
}

/// The version of `ffmpeg -version` (or ffprobe's), as numbers and as written.
///
/// Releases write `5.1.9-0+deb12u1`, tags `n7.1`, development builds `N-118000-gabc`, `git-2024-01-01-abc` or a date:
/// the latter three carry no release, so it is told from libavutil's major number (57 belongs to 5.x, 58 to 6.x, ...).
pub fn parse_version(text: &str) -> Option<((u32, u32, u32), String)> {
    let first = text.lines().next()?;
    let mut words = first.split_ascii_whitespace();
    let program = words.next()?;
    if !matches!(program, "ffmpeg" | "ffprobe" | "ffplay") || words.next()? != "version" {
        return None;
    }
    let written: String = words.next()?.chars().take(80).collect();
    let version = release(&written).or_else(|| library_release(text)).unwrap_or_default();
    Some((version, written))
}

/// `5.1.9-0+deb12u1` or `n7.1` as numbers; `None` for dates, hashes and anything else.
fn release(written: &str) -> Option<(u32, u32, u32)> {
    // Debian puts an epoch in front ("7:5.1.9-0+deb12u1") in some builds.
    let written = written.rsplit_once(':').map_or(written, |(_, after)| after);
    let digits = written.strip_prefix(['n', 'v']).unwrap_or(written);
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
    let mut parts = digits.get(..end)?.split('.');
    let major: u32 = parts.next()?.parse().ok()?;
    let minor = parts.next()?;
    // "2024-02-29-git" is a date: no dot follows its first number, so it has left above.
    Some((major, minor.parse().ok()?, parts.next().and_then(|p| p.parse().ok()).unwrap_or(0)))
        .filter(|_| major < 100)
}

fn library_release(text: &str) -> Option<(u32, u32, u32)> {
    let line = text.lines().take(60).find_map(|l| l.strip_prefix("libavutil"))?;
    let major: u32 = line.trim_start().split('.').next()?.trim().parse().ok()?;
    let release = major.checked_sub(52)?;
    (release >= 1).then_some((release, 0, 0))
}

/// A line's flags and the word behind them; `None` for headings and legends (` V..... = Video`).
fn entry(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_ascii_whitespace();
    let (flags, name) = (words.next()?, words.next()?);
    let flagged = flags.len() <= 8 && flags.chars().all(|c| c.is_ascii_alphabetic() || c == '.');
    (line.starts_with(' ') && flagged && name != "=").then_some((flags, name))
}

fn parse_encoders(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(entry)
        .filter(|(flags, _)| flags.starts_with(['V', 'A']))
        .map(|(_, name)| name.to_string())
        .collect()
}

/// Names that can be read and names that can be written; aliases (`video4linux2,v4l2`) count each.
/// Flags stand in columns and may be blank (` D d alsa`), so they may fall into two words.
fn parse_formats(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut read = BTreeSet::new();
    let mut written = BTreeSet::new();
    let is_flags = |w: &str| w.len() <= 3 && w.chars().all(|c| matches!(c, 'D' | 'E' | 'd' | '.'));
    for line in text.lines().filter(|line| entry(line).is_some()) {
        let mut words = line.split_ascii_whitespace().peekable();
        let mut flags = String::new();
        while let Some(word) = words.next_if(|w| is_flags(w)) {
            flags.push_str(word);
        }
        let Some(names) = words.next().filter(|n| *n != "=") else { continue };
        for name in names.split(',').filter(|n| !n.is_empty()) {
            if flags.contains('D') {
                read.insert(name.to_string());
            }
            if flags.contains('E') {
                written.insert(name.to_string());
            }
        }
    }
    (read, written)
}

fn parse_filters(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| {
            let (_, name) = entry(line)?;
            let shape = line.split_ascii_whitespace().nth(2)?;
            shape.contains("->").then(|| name.to_string())
        })
        .collect()
}

/// Protocols that can be read from and written to.
fn parse_protocols(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut sets = [BTreeSet::new(), BTreeSet::new()];
    let mut current = None;
    for line in text.lines() {
        match line.trim() {
            "Input:" => current = Some(0),
            "Output:" => current = Some(1),
            name if !name.is_empty() && !name.contains(char::is_whitespace) && line.starts_with(' ') => {
                if let Some(set) = current.and_then(|i: usize| sets.get_mut(i)) {
                    set.insert(name.to_string());
                }
            }
            _ => {}
        }
    }
    let [read, written] = sets;
    (read, written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEBIAN: [&str; 5] = [
        include_str!("../../tests/data/ffmpeg/5.1.9-version.txt"),
        include_str!("../../tests/data/ffmpeg/5.1.9-encoders.txt"),
        include_str!("../../tests/data/ffmpeg/5.1.9-formats.txt"),
        include_str!("../../tests/data/ffmpeg/5.1.9-filters.txt"),
        include_str!("../../tests/data/ffmpeg/5.1.9-protocols.txt"),
    ];

    #[test]
    fn reads_debians_ffmpeg() {
        let found = Capability::read(DEBIAN).unwrap();
        assert_eq!(found.version, (5, 1, 9));
        assert_eq!(found.version_text, "5.1.9-0+deb12u1");
        assert!(found.lacks(Need::Encode).is_empty(), "{:?}", found.lacks(Need::Encode));
        for name in ["libx264", "h264_nvenc", "aac", "libopus"] {
            assert!(found.encoders.contains(name), "{name}");
        }
        for name in ["v4l2", "video4linux2", "x11grab", "lavfi", "alsa", "pulse", "flv"] {
            assert!(found.demuxers.contains(name), "{name}");
        }
        assert!(found.muxers.contains("alsa") && !found.muxers.contains("x11grab"));
        assert!(found.filters.contains("testsrc2") && !found.filters.contains("="));
        assert!(found.protocols.contains("rtmps") && !found.protocols.contains("hls"));
        assert!(found.input_protocols.contains("hls") && !found.input_protocols.contains("tee"));
        assert!(found.at_least(5, 1) && !found.at_least(5, 2) && !found.at_least(6, 0));
    }

    #[test]
    fn three_letter_flags_of_later_versions_are_read() {
        let later = "Formats:\n D.. = Demuxing supported\n .E. = Muxing supported\n ..d = Is a device\n ---\n \
                     D d alsa            ALSA\n  E  flv             FLV\n DE  mpegts          TS\n";
        let (read, written) = parse_formats(later);
        assert!(written.contains("flv") && written.contains("mpegts") && read.contains("mpegts"));
        assert!(read.contains("alsa") && !written.contains("alsa") && !read.contains("="));
    }

    #[test]
    fn versions_of_every_kind_of_build() {
        let version = |text: &str| parse_version(text).unwrap().0;
        assert_eq!(version("ffmpeg version n7.1 Copyright (c)"), (7, 1, 0));
        assert_eq!(version("ffmpeg version 7.0.2-static https://x Copyright"), (7, 0, 2));
        assert_eq!(version("ffmpeg version 8.0-full_build-www.example.org"), (8, 0, 0));
        assert_eq!(version("ffmpeg version 6.1.1-3ubuntu5 Copyright"), (6, 1, 1));
        let library = "\nbuilt with gcc\nlibavutil      59. 39.100 / 59. 39.100\n";
        for written in
            ["N-118000-g0123abc", "git-2024-01-01-0123abc", "2024-02-29-git-4a134eb14f-full", "UNKNOWN"]
        {
            assert_eq!(
                version(&format!("ffmpeg version {written} Copyright{library}")),
                (7, 0, 0),
                "{written}"
            );
            let none =
                Capability { version: version(&format!("ffmpeg version {written}")), ..Default::default() };
            assert!(none.at_least(99, 0), "an unknown version is thought to be new");
        }
        assert_eq!(parse_version("bash: ffmpeg: command not found"), None);
        assert_eq!(parse_version(""), None);
        assert_eq!(parse_version("avconv version 12"), None);
    }

    #[test]
    fn names_what_is_missing() {
        let mut found = Capability::read(DEBIAN).unwrap();
        found.encoders.remove("libx264");
        found.protocols.remove("rtmp");
        let words: Vec<String> = found.lacks(Need::Encode).iter().map(ToString::to_string).collect();
        assert_eq!(words, ["the encoder libx264", "the protocol rtmp"]);
        assert_eq!(found.lacks(Need::Copy).len(), 1, "copying needs no x264");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,400}") {
            let _ = Capability::read([&text, &text, &text, &text, &text]);
            let _ = parse_version(&format!("ffmpeg version {text}"));
        }
    }
}
