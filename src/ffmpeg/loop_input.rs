//! How a file is repeated without end.
//!
//! Two ways, because neither is right for every file (measured with 5.1.9 and 9.0.2 over 300 s of rounds):
//!
//! - *Rewind* (`-stream_loop -1`) reads on after a seek to the start. A round then ends with the sound: a picture that
//!   is longer loses its tail each time. And in MPEG-TS the seek lands behind the first keyframe, so that the first
//!   GOP of each round is lost.
//! - *Reopen* gives the concat demuxer a list that names the file many times. Each round is the file's whole length and
//!   begins at its beginning. The price: a long command line, and a file that is deleted ends with the round.
//!
//! So a file is rewound where its tracks are known to end together, and reopened otherwise. Copied tracks keep their
//! time stamps, which neither way lets drift, and a round of them is the whole length: only MPEG-TS is reopened then.

use super::report::Report;
use crate::base::command_line::{Argument, file_url};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// How much of the picture may be cut off in each round, in seconds: about one frame.
const TAIL: f64 = 0.05;
/// Reopened files are named often enough to fill this time, in seconds; then the list itself is rewound.
const LIST_LASTS: f64 = 12.0 * 3600.0;
/// Longest list, in bytes: one argument may have 128 KiB on Linux, and somebody has to read it in `--dry-run`.
const LONGEST_LIST: usize = 16 * 1024;
/// What a length is taken for where it is unknown, in seconds.
const UNKNOWN_LENGTH: f64 = 60.0;

/// A way to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Seek to the start.
    Rewind,
    /// Open the file anew, this many times before the list is rewound.
    Reopen(usize),
}

/// The way that fits this file. `copied`: no track is decoded; `can_list`: this ffmpeg can read a list of files.
pub fn way(path: &Path, report: &Report, copied: bool, can_list: bool) -> Repeat {
    let rewindable = !loses_its_start(report) && (copied || ends_together(report));
    if rewindable || !can_list || !listable(path) {
        return Repeat::Rewind;
    }
    let line = entry(path).len();
    let wanted = (LIST_LASTS / report.duration.unwrap_or(UNKNOWN_LENGTH).max(0.04)).ceil() as usize;
    let room = LONGEST_LIST / line.max(1);
    if room < 2 { Repeat::Rewind } else { Repeat::Reopen(wanted.clamp(2, room)) }
}

/// The arguments that open `path`, `-i` included.
pub fn arguments(path: &Path, repeat: Option<Repeat>) -> Vec<Argument> {
    let plain = |args: &[&str]| args.iter().map(|a| Argument::plain(*a)).collect::<Vec<_>>();
    match repeat {
        Some(Repeat::Reopen(times)) => {
            let mut args = plain(&["-protocol_whitelist", "file,data", "-stream_loop", "-1"]);
            args.extend(plain(&["-f", "concat", "-safe", "0", "-i"]));
            args.push(Argument::plain(list(path, times)));
            args
        }
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

/// Whether seeking to the start misses it.
fn loses_its_start(report: &Report) -> bool {
    report.is_format(&["mpegts", "mpegtsraw", "mpeg"])
}

/// Whether a round that ends with the sound is a whole round.
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

/// The list is read line by line, so a name with a line break cannot stand in it.
fn listable(path: &Path) -> bool {
    !path.as_os_str().as_bytes().iter().any(|b| matches!(b, b'\n' | b'\r' | 0))
}

/// The list as a `data:` URL, so that no file is needed and a shell can run the command as it is printed.
fn list(path: &Path, times: usize) -> OsString {
    let mut list = b"data:text/plain,ffconcat version 1.0\n".to_vec();
    let line = entry(path);
    for _ in 0..times {
        list.extend_from_slice(&line);
    }
    OsString::from_vec(list)
}

/// One line of the list, quoted as the concat demuxer wants it: within quotes everything stands for itself.
fn entry(path: &Path) -> Vec<u8> {
    let mut line = b"file '".to_vec();
    for byte in file_url(path).as_bytes() {
        match byte {
            b'\'' => line.extend_from_slice(br"'\''"),
            other => line.push(*other),
        }
    }
    line.extend_from_slice(b"'\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let Repeat::Reopen(many) = of("/a.ts", 0.001) else { panic!("reopened") };
        assert!(list(Path::new("/a.ts"), many).len() <= LONGEST_LIST + 64);
        assert_eq!(of("/a\nb.ts", 10.0), Repeat::Rewind, "no such line can be written");
        assert_eq!(of(&"/x".repeat(9000), 10.0), Repeat::Rewind);
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(entry(Path::new("/it's \\ a.ts")), b"file 'file:/it'\\''s \\ a.ts'\n");
    }
}
