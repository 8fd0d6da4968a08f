//! mpv's command line.

use super::Watch;
use crate::base::command_line::CommandLine;
use crate::player::kind::Protocol;

/// The command.
pub fn command(watch: &Watch<'_>) -> CommandLine {
    let mut command = CommandLine::new(watch.program);
    command.arg(format!("--force-media-title={}", watch.title));
    command.args(["--title=${media-title} - msconv", "--force-window=yes"]);
    // Live: show what has arrived, do not fill a buffer first. (The profile "low-latency" goes further and then finds
    // no picture in RTMP, whose tracks are known only from their data.)
    command.args(["--cache=no", "--demuxer-lavf-o-add=fflags=+nobuffer"]);
    if watch.protocol == Protocol::Rtsp {
        command.arg("--rtsp-transport=tcp");
    }
    // Without an audio device mpv would call a viewing failed that showed its picture to the end.
    command.arg("--audio-fallback-to-null=yes");
    // No status line: mpv's own lines are read, and quoted if it fails.
    command.args(["--quiet", "--msg-level=all=warn"]);
    command.args(watch.extra.iter().cloned()).arg("--").arg(watch.url_argument());
    command
}
