//! Readers that are real programs: ffmpeg, which reads in its own small steps, answers, and is woken as players are.

use super::servers::Servers;
use super::{Reading, Way};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Until so many programs have started and know their tracks.
const START: Duration = Duration::from_secs(10);

/// They end when dropped.
pub struct Players(Vec<Child>);

impl Reading for Players {
    const WHO: &'static str = "readers, real ffmpeg";

    fn begin(servers: &Servers, way: Way, count: usize) -> Players {
        let (_, port) = way.server(servers);
        let url = if way.over_rtmp() {
            format!("rtmp://127.0.0.1:{port}/live/s")
        } else {
            format!("rtsp://127.0.0.1:{port}/s")
        };
        let transport = if way.over_udp() { "udp" } else { "tcp" };
        let start = |_| {
            let mut ffmpeg = Command::new("ffmpeg");
            ffmpeg.args(["-nostdin", "-hide_banner", "-loglevel", "error"]);
            if !way.over_rtmp() {
                ffmpeg.args(["-rtsp_transport", transport]);
            }
            ffmpeg.args(["-i", &url, "-c", "copy", "-f", "null", "-"]);
            ffmpeg.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut players = Players((0..count).map(start).collect());
        std::thread::sleep(START);
        let gone = players.0.iter_mut().filter_map(|child| child.try_wait().unwrap()).count();
        assert_eq!(gone, 0, "players ended by themselves");
        players
    }
}

impl Drop for Players {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}
