//! One keyframe as a small JPEG: fragmented MP4 in, an image out.

use crate::base::command_line::CommandLine;
use std::path::Path;

/// Width of a thumbnail in pixels; its height follows.
pub const WIDTH: u32 = 320;

/// The command. It reads an initialisation segment and one fragment from its standard input.
pub fn command_line(ffmpeg: &Path) -> CommandLine {
    let mut line = CommandLine::new(ffmpeg);
    line.args([
        "-nostdin",
        "-hide_banner",
        "-loglevel",
        "error",
        "-threads",
        "1",
        "-f",
        "mp4",
        "-i",
        "pipe:0",
    ]);
    line.args(["-map", "0:v:0", "-frames:v", "1"]);
    // Pixels that are not square are made so; the height is even, since colours are shared by two lines.
    line.arg("-vf").arg(format!("scale={WIDTH}:'max(2,trunc({WIDTH}*ih/(iw*if(sar,sar,1))/2)*2)',setsar=1"));
    line.args(["-c:v", "mjpeg", "-q:v", "5", "-pix_fmt", "yuvj420p", "-f", "image2pipe", "pipe:1"]);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_and_writes_pipes() {
        let line = command_line(Path::new("ffmpeg"));
        let args = line.shown_args().join(" ");
        assert!(args.contains("-f mp4 -i pipe:0") && args.ends_with("-f image2pipe pipe:1"), "{args}");
    }
}
