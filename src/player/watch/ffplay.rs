//! ffplay's command line.

use super::Watch;
use crate::base::command_line::CommandLine;
use crate::player::kind::Protocol;

/// The command.
pub fn command(watch: &Watch<'_>) -> CommandLine {
    let mut command = CommandLine::new(watch.program);
    command.args(["-hide_banner", "-loglevel", "warning", "-nostats", "-autoexit"]);
    command.args(["-window_title", watch.title]);
    command.args(["-fflags", "nobuffer", "-flags", "low_delay"]);
    if watch.protocol == Protocol::Rtsp {
        command.args(["-rtsp_transport", "tcp"]);
    }
    command.args(watch.extra.iter().cloned()).arg("-i").arg(watch.url_argument());
    command
}
