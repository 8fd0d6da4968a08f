//! An ffmpeg that makes Opus of one audio track while it comes: NUT in, NUT out, in stereo, with the times that went in.
//!
//! With its defaults ffmpeg holds the first second back. Gaps become silence, and a clock that drifts is followed: RTMP has
//! times in milliseconds, and packets of Opus shall have 20 ms each.

use crate::base::command_line::CommandLine;
use std::path::Path;

const READS: [&str; 14] = [
    "-nostdin",
    "-hide_banner",
    "-loglevel",
    "error",
    "-probesize",
    "32",
    "-analyzeduration",
    "0",
    "-fflags",
    "+nobuffer",
    "-flags",
    "low_delay",
    "-f",
    "nut",
];
const MAKES: [&str; 15] = [
    "-copyts",
    "-map",
    "0:a:0",
    "-af",
    "aresample=48000:async=1000",
    "-ac",
    "2",
    "-c:a",
    "libopus",
    "-b:a",
    "96k",
    "-application",
    "lowdelay",
    "-frame_duration",
    "20",
];

/// The command.
pub fn command_line(ffmpeg: &Path) -> CommandLine {
    let mut line = CommandLine::new(ffmpeg);
    line.args(READS).args(["-i", "pipe:0"]).args(MAKES).args(super::feeder::NUT).arg("pipe:1");
    line
}

/// The command that tells whether it can.
pub fn question(ffmpeg: &Path) -> CommandLine {
    let mut line = CommandLine::new(ffmpeg);
    line.args(["-hide_banner", "-h", "encoder=libopus"]);
    line
}

/// What the answer to [`question`] says.
pub fn is_able(answer: &str) -> bool {
    answer.lines().any(|line| line.trim_start().starts_with("Encoder libopus"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_as_it_is_typed() {
        assert_eq!(
            command_line(Path::new("/usr/bin/ffmpeg")).shell_line(),
            "/usr/bin/ffmpeg -nostdin -hide_banner -loglevel error -probesize 32 -analyzeduration 0 -fflags +nobuffer \
             -flags low_delay -f nut -i pipe:0 -copyts -map 0:a:0 -af aresample=48000:async=1000 -ac 2 -c:a libopus \
             -b:a 96k -application lowdelay -frame_duration 20 -f nut -strict experimental -syncpoints none \
             -write_index 0 -flush_packets 1 pipe:1"
        );
    }

    #[test]
    fn whether_it_can_is_read_from_its_help() {
        assert!(is_able("Encoder libopus [libopus Opus]:\n    General capabilities: dr1 delay small \n"));
        assert!(!is_able("Codec 'libopus' is not recognized by FFmpeg.\n"));
    }
}
