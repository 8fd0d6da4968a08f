//! A real MediaMTX, of the version that the docker stack has (scripts/mediamtx.sh builds it): as the native backend
//! runs it, under the stack's own configuration, beside the built-in server that has its form, and alone.

mod alone;
mod endpoints;
mod native;
mod stack;

use crate::stage::{Mediamtx, Running, Stage, wait_for};
use std::path::Path;
use std::time::Duration;

/// Longer than anything here may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// ffmpeg sending a film without end: `more` says how and where to.
fn publisher(stage: &Stage, film: &Path, more: &[&str]) -> Running {
    let args = ["-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", film.to_str().unwrap()];
    stage.spawn("ffmpeg", &[&args[..], &["-c", "copy"], more].concat())
}

/// ffmpeg reading over RTSP; decoded for `seconds`, or as it comes without end.
fn reader(stage: &Stage, url: &str, transport: &[&str], seconds: Option<&str>) -> Running {
    let mut args = vec!["-nostdin", "-loglevel", "error"];
    args.extend(transport);
    args.extend(["-i", url]);
    match seconds {
        Some(seconds) => args.extend(["-t", seconds]),
        None => args.extend(["-c", "copy"]),
    }
    args.extend(["-f", "null", "-"]);
    stage.spawn("ffmpeg", &args)
}

/// Waits until MediaMTX has video and audio of a path.
fn ready(server: &Mediamtx, path: &str) {
    wait_for(&format!("{path} to be ready"), SOON, || {
        let answer = server.get("api", &format!("/v3/paths/get/{path}"));
        if answer.status == 200 && answer.json()["ready"] == true {
            Ok(())
        } else {
            Err(answer.body + &server.said())
        }
    });
}
