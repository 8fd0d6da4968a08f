//! How a file is repeated without end.
//!
//! Three ways, because none is right for every file (measured with 5.1.9 and 9.0.2 over 300 s of rounds):
//!
//! - *Rewind* (`-stream_loop -1`) reads on after a seek to the start. A round then ends with the audio: a picture that
//!   is longer loses its tail each time. And in MPEG-TS the seek lands behind the first keyframe, so that the first
//!   GOP of each round is lost.
//! - *Reopen* gives the concat demuxer a list that names the file many times. Each round is the file's whole length and
//!   begins at its beginning. The price: a file that is deleted ends with the round. The list comes on standard input,
//!   so that the command stays short, no file has to be written, and a shell can run what `--dry-run` prints.
//! - *Bytes*: a feeder writes the file into a pipe, over and over. Only streams without a container stand that, and they
//!   need it: their frames have no times by which ffmpeg could find the start again.
//!
//! So a file is rewound where its tracks are known to end together, and reopened otherwise. Copied tracks keep their
//! time stamps, which neither way lets drift, and a round of them is the whole length: only MPEG-TS is reopened then.

use super::report::Report;
use crate::base::command_line::{Argument, Repeated, file_url};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// How much of the picture may be cut off in each round, in seconds: about one frame.
const TAIL: f64 = 0.05;
/// Reopened files are named often enough to fill this time, in seconds; then the list itself is rewound.
const LIST_LASTS: f64 = 12.0 * 3600.0;
/// Longest list: it fills the time for files of a second, and costs ffmpeg a few megabytes.
const LONGEST_LIST: usize = 43_200;
/// What a length is taken for where it is unknown, in seconds.
const UNKNOWN_LENGTH: f64 = 60.0;

/// A way to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Seek to the start.
    Rewind,
    /// Open the file anew, this many times before the list is rewound.
    Reopen(usize),
    /// Read it from a feeder.
    Bytes,
}

/// Streams without a container that ffmpeg cannot rewind.
const BARE: [&str; 5] = ["h264", "hevc", "vvc", "mpegvideo", "cavsvideo"];

/// Whether this is a stream of frames without a container and without times, whose rounds may follow each other byte by byte.
pub fn is_bare(report: &Report) -> bool {
    report.is_format(&BARE)
}

/// The way that fits this file. `copied`: no track is decoded; `can_list`: this ffmpeg can read a list of files.
pub fn way(path: &Path, report: &Report, copied: bool, can_list: bool) -> Repeat {
    if is_bare(report) {
        return Repeat::Bytes;
    }
    let rewindable = !loses_its_start(report) && (copied || ends_together(report));
    if rewindable || !can_list || !listable(path) {
        return Repeat::Rewind;
    }
    let wanted = (LIST_LASTS / report.duration.unwrap_or(UNKNOWN_LENGTH).max(0.04)).ceil() as usize;
    Repeat::Reopen(wanted.clamp(2, LONGEST_LIST))
}

/// The arguments that open `path`, `-i` included.
pub fn arguments(path: &Path, report: &Report, repeat: Option<Repeat>) -> Vec<Argument> {
    let plain = |args: &[&str]| args.iter().map(|a| Argument::plain(*a)).collect::<Vec<_>>();
    match repeat {
        Some(Repeat::Bytes) => plain(&["-f", &report.format, "-i", "pipe:0"]),
        Some(Repeat::Reopen(times)) => [plain(&["-stream_loop", "-1"]), listed(path, times, None)].concat(),
        other => {
            let mut args = plain(&["-protocol_whitelist", "file"]);
            if other == Some(Repeat::Rewind) {
                args.extend(plain(&["-stream_loop", "-1"]));
            }
            args.push(Argument::plain("-i"));
            args.push(Argument::plain(file_url(path)));
            args
        }
    }
}

/// The arguments that open a list which names `path` so often. A list can be entered in the middle only where it tells the
/// length of each file, in seconds.
pub fn listed(path: &Path, times: usize, length: Option<f64>) -> Vec<Argument> {
    let args = ["-protocol_whitelist", "file,pipe", "-f", "concat", "-safe", "0", "-i"];
    let mut args: Vec<Argument> = args.into_iter().map(Argument::from).collect();
    let mut lines = entry(path);
    if let Some(length) = length {
        lines.push(format!("\nduration {length:.6}"));
    }
    args.push(Argument::reading("pipe:0", Repeated::new(lines, times)));
    args
}

/// Whether a list can name this file: it is read line by line.
pub fn listable(path: &Path) -> bool {
    !path.as_os_str().as_bytes().iter().any(|b| matches!(b, b'\n' | b'\r' | 0))
}

/// Whether seeking to the start misses it.
fn loses_its_start(report: &Report) -> bool {
    report.is_format(&["mpegts", "mpegtsraw", "mpeg"])
}

/// Whether a round that ends with the audio is a whole round.
fn ends_together(report: &Report) -> bool {
    match (&report.video, &report.audio) {
        (Some(video), Some(audio)) => {
            let end = |start: Option<f64>, length: Option<f64>| Some(start.unwrap_or(0.0) + length?);
            let video = end(video.start, video.duration);
            let audio = end(audio.start, audio.duration);
            matches!((video, audio), (Some(video), Some(audio)) if video - audio <= TAIL)
        }
        _ => true,
    }
}

/// One line of the list. What could mean something to the concat demuxer has a backslash before it.
fn entry(path: &Path) -> OsString {
    let mut line = b"file ".to_vec();
    for byte in file_url(path).as_bytes() {
        if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"/._:-".contains(byte) {
            line.push(b'\\');
        }
        line.push(*byte);
    }
    OsString::from_vec(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::CommandLine;
    use crate::ffmpeg::report::{AudioTrack, VideoTrack};

    fn report(format: &str, video: Option<f64>, audio: Option<f64>) -> Report {
        Report {
            format: format.into(),
            duration: video,
            video: Some(VideoTrack { duration: video, ..VideoTrack::default() }),
            audio: Some(AudioTrack { duration: audio, ..AudioTrack::default() }),
            ..Report::default()
        }
    }

    #[test]
    fn tracks_that_end_together_are_rewound() {
        let path = Path::new("/films/a.mp4");
        let way = |r: &Report| way(path, r, false, true);
        assert_eq!(way(&report("mov,mp4", Some(6.0), Some(5.99))), Repeat::Rewind);
        assert_eq!(way(&report("mov,mp4", Some(6.0), Some(9.0))), Repeat::Rewind);
        assert!(matches!(way(&report("mov,mp4", Some(6.0), Some(5.0))), Repeat::Reopen(_)));
        assert!(matches!(way(&report("flv", None, None)), Repeat::Reopen(_)));
        assert!(matches!(way(&report("mpegts", Some(6.0), Some(6.0))), Repeat::Reopen(_)));
        let silent = Report { audio: None, ..report("mov,mp4", Some(6.0), None) };
        assert_eq!(way(&silent), Repeat::Rewind);
        assert_eq!(way(&report("h264", None, None)), Repeat::Bytes);
        let copied = |r: &Report| super::way(path, r, true, true);
        assert_eq!(copied(&report("flv", None, None)), Repeat::Rewind);
        assert!(matches!(copied(&report("mpegts", Some(6.0), Some(6.0))), Repeat::Reopen(_)));
    }

    #[test]
    fn the_list_is_bounded() {
        let of = |path: &str, length: f64| {
            way(Path::new(path), &report("mpegts", Some(length), None), false, true)
        };
        assert_eq!(of("/a.ts", 7200.0), Repeat::Reopen(6));
        assert_eq!(of("/a.ts", 0.001), Repeat::Reopen(LONGEST_LIST));
        assert_eq!(of("/a\nb.ts", 10.0), Repeat::Rewind, "no such line can be written");
    }

    #[test]
    fn the_file_is_named_once_in_the_command() {
        let mut command = CommandLine::new("ffmpeg");
        command.args(arguments(Path::new("/a.ts"), &Report::default(), Some(Repeat::Reopen(380))));
        assert!(command.shell_line().starts_with("yes 'file file:/a.ts' | head -n 380 | ffmpeg "));
        assert_eq!(command.shell_line().matches("a.ts").count(), 1);
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(entry(Path::new("/it's \\ ä.ts")), "file file:/it\\'s\\ \\\\\\ ä.ts");
    }
}
