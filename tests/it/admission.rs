//! Admission: back ends that were written for other servers decide who may publish and read here.

mod back_end;
mod ladders;
mod moods;
mod peers;
mod renamed;

use crate::stage::{Film, Running, Serve, Stage};
use back_end::BackEnd;
use std::time::Duration;

/// Longer than anything here may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A server that asks `back_end`, in this form and with these flags.
fn asking(stage: &Stage, back_end: &BackEnd, form: &str, more: &[&str]) -> Serve {
    let flags = ["--admission-url", &back_end.url("/hook"), "--admission-form", form];
    Serve::start(stage, &[&flags[..], more].concat())
}

/// ffmpeg publishing over RTMP without end.
fn publisher(stage: &Stage, address: std::net::SocketAddr, name: &str) -> Running {
    let film = Film::new(4, 320, 240).make();
    let url = format!("rtmp://{address}/live/{name}");
    let args = ["-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", film.to_str().unwrap()];
    stage.spawn("ffmpeg", &[&args[..], &["-c", "copy", "-f", "flv", &url]].concat())
}

/// The names under which something is published, as `/v3` has them.
fn paths(serve: &Serve) -> Vec<String> {
    let list = serve.get("api", "/v3/paths/list").json();
    let ready = list["items"].as_array().unwrap().iter().filter(|item| item["ready"] == true);
    ready.map(|item| item["name"].as_str().unwrap().to_string()).collect()
}
