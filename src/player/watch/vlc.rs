//! VLC's command line.
//!
//! VLC takes an argument that begins with `:` as an option even behind `--`, and such options can write files. So
//! exactly one argument stands behind `--`, and it begins with its scheme.

use super::Watch;
use crate::base::command_line::CommandLine;
use crate::player::kind::Protocol;

/// The command.
pub fn command(watch: &Watch<'_>) -> CommandLine {
    let mut command = CommandLine::new(watch.program);
    if !watch.interface {
        // Without Qt, VLC takes a console interface that ends the program as soon as standard input is empty.
        command.args(["--intf", "dummy"]);
    }
    command.args(["--no-video-title-show", "--play-and-exit"]);
    command.arg(format!("--meta-title={}", watch.title));
    // Half a second: enough for the jitter of a keyframe on a loaded machine, the default has a whole second.
    command.arg("--network-caching=500");
    if watch.protocol == Protocol::Rtsp {
        // An option of the module that reads RTSP; without it VLC would refuse the word.
        command.arg("--rtsp-tcp");
    }
    command.args(watch.extra.iter().cloned()).arg("--").arg(watch.url_argument());
    command
}
