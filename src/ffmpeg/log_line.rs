//! One line of ffmpeg's log, taken apart: `[rtmp @ 0x55..] [error] Server error: Already publishing`.

use crate::base::printable::printable;

/// Longest line that is looked at, in bytes.
const LONGEST: usize = 4096;

/// Messages of a healthy run, by a part of their text.
const HARMLESS: [&str; 24] = [
    // Every clean end of FLV over a network, which cannot be sought.
    "Failed to update header with correct",
    // Seams of repeated files and returning sources; ffmpeg mends the time stamps itself.
    "Application provided invalid, non monotonically increasing dts",
    "Non-monotonous DTS",
    "Non-monotonic DTS",
    "Timestamps are unset in a packet",
    "Queue input is backward in time",
    "timestamp discontinuity",
    "co located POCs unavailable",
    "mmco: unref short failure",
    "number of reference frames",
    "Packet corrupt",
    "PES packet size mismatch",
    // Matters of taste.
    "deprecated pixel format used",
    "Guessed Channel Layout",
    "Guessed channel layout",
    "max_analyze_duration",
    "Consider increasing the value for the 'analyzeduration'",
    "Could not find codec parameters for stream",
    "detected only with low score",
    "Thread message queue blocking",
    "VBV underflow",
    "frame duplication too large",
    "Past duration",
    "More than 1000 frames duplicated",
];

/// Lines that only say that something is said before or after them.
const EMPTY_WORDS: [&str; 14] = [
    "Cannot open connection ",
    "Cannot read RTMP handshake response",
    "Conversion failed!",
    "Error splitting the argument list",
    "To ignore this, add a trailing",
    "Terminating thread with return code",
    "Task finished with error code",
    "Error sending frames to consumers",
    "Could not open encoder before EOF",
    "Error opening output file ",
    "Error opening input file ",
    "Error opening output files",
    "Error opening input files",
    "Nothing was written into output file",
];

/// How grave ffmpeg thinks it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Errors, fatal ones and panics.
    Error,
    /// Warnings.
    Warning,
    /// Everything below, and lines of libraries that do not say.
    Other,
}

/// A line's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// Who speaks: `rtmp`, `fifo`, `h264_nvenc`; empty for ffmpeg itself.
    pub speaker: &'a str,
    /// How grave.
    pub level: Level,
    /// What is said.
    pub message: &'a str,
}

impl LogLine<'_> {
    /// Takes a line apart. Any text is a line.
    pub fn of(line: &str) -> LogLine<'_> {
        let mut end = line.len().min(LONGEST);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let mut rest = line.get(..end).unwrap_or(line).trim();
        let mut speaker = "";
        let mut level = Level::Other;
        // Prefixes stand in brackets; a message may begin with a bracket as well, so only known shapes are taken off.
        while let Some((inner, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            match inner {
                "error" | "fatal" | "panic" => level = Level::Error,
                "warning" => level = Level::Warning,
                "info" | "verbose" | "debug" | "trace" | "quiet" => level = Level::Other,
                context if context.contains(" @ 0x") => {
                    speaker = context.split(" @ ").next().unwrap_or(context);
                }
                _ => break,
            }
            rest = after.trim_start();
        }
        LogLine { speaker, level, message: rest.trim() }
    }

    /// Whether it is part of a healthy run.
    pub fn harmless(&self) -> bool {
        self.message.is_empty() || HARMLESS.iter().any(|part| self.message.contains(part))
    }
}

/// Whether a line is part of a healthy run.
pub fn is_harmless(line: &str) -> bool {
    LogLine::of(line).harmless()
}

/// Whether an ffmpeg that is fed speaks of its input: whoever fed it has said what is wrong.
pub fn is_of_input(line: &str) -> bool {
    let line = LogLine::of(line);
    let speaks = line.speaker == "nut" || line.speaker.starts_with("in#0");
    speaks || line.message.contains("pipe:0") || line.message.starts_with("Error opening input")
}

/// The last `most` lines that say something, oldest first, ready to be shown: without prefixes, repetitions and what
/// is harmless. Errors come before warnings where there are any.
pub fn last_words(lines: &[String], most: usize) -> Vec<String> {
    let telling = |line: &&LogLine<'_>| {
        !line.harmless() && !EMPTY_WORDS.iter().any(|empty| line.message.starts_with(empty))
    };
    let parsed: Vec<LogLine<'_>> = lines.iter().map(|line| LogLine::of(line)).collect();
    let errors = parsed.iter().any(|line| line.level == Level::Error && telling(&line));
    let mut words: Vec<String> = Vec::new();
    for line in parsed.iter().rev().filter(telling).filter(|line| !errors || line.level == Level::Error) {
        if words.len() >= most {
            break;
        }
        let shown = printable(line.message);
        if !words.contains(&shown) {
            words.push(shown);
        }
    }
    words.reverse();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_fed_ffmpeg_says_of_its_pipe_is_known() {
        for line in [
            "[nut @ 0x5586abef03c0] [error] No main startcode found.",
            "[error] pipe:0: Invalid data found when processing input",
            "[in#0 @ 0x55bc67fe8840] [error] Error opening input: Invalid data found when processing input",
            "[error] Error opening input file pipe:0.",
            "[in#0/nut @ 0x55bc67fe8840] [error] Error during demuxing: Input/output error",
        ] {
            assert!(is_of_input(line), "{line}");
        }
        assert!(!is_of_input("[libx264 @ 0x1] [error] malloc failed"));
    }

    #[test]
    fn prefixes_are_taken_off() {
        let line = LogLine::of("[rtmp @ 0x55e0c0] [error] Server error: Already publishing\n");
        assert_eq!(
            line,
            LogLine { speaker: "rtmp", level: Level::Error, message: "Server error: Already publishing" }
        );
        let line = LogLine::of(
            "[vost#0:0/h264_nvenc @ 0x1] [enc:h264_nvenc @ 0x2] [error] Error while opening encoder",
        );
        assert_eq!((line.speaker, line.message), ("enc:h264_nvenc", "Error while opening encoder"));
        let line = LogLine::of("ALSA lib confmisc.c:165: no card");
        assert_eq!((line.level, line.message), (Level::Other, "ALSA lib confmisc.c:165: no card"));
        assert_eq!(LogLine::of("[1,2] is a list").message, "[1,2] is a list");
    }

    #[test]
    fn last_words_say_something() {
        let lines: Vec<String> = [
            "[h264_nvenc @ 0x1] [error] Cannot load libcuda.so.1",
            "[error] Cannot load libcuda.so.1",
            "[flv @ 0x1] [warning] Failed to update header with correct duration.",
            "[warning] something to note",
            "[error] Conversion failed!",
            "",
        ]
        .map(String::from)
        .to_vec();
        assert_eq!(last_words(&lines, 3), ["Cannot load libcuda.so.1"]);
        assert_eq!(last_words(&lines[2..4], 3), ["something to note"]);
        assert!(last_words(&[], 3).is_empty());
    }

    proptest! {
        #[test]
        fn any_line_is_taken(line in "\\PC{0,100}|(\\[[a-z @0x]{0,12}\\] ){0,4}\\PC{0,20}") {
            let parsed = LogLine::of(&line);
            prop_assert!(line.contains(parsed.message));
            prop_assert!(last_words(std::slice::from_ref(&line), 2).len() <= 1);
        }
    }
}
