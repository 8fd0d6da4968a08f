//! A server with a ladder that msconv publishes by real ffmpeg, and what a test needs of its playlists.

use crate::stage::{PATIENCE, Serve, Stage, needs};
use std::io::Write;
use std::net::TcpStream;

/// The renditions, the best first.
pub const LABELS: [&str; 3] = ["360p", "240p", "144p"];

/// See the module.
pub struct House {
    /// Declared before the stage so that it is dropped first.
    pub serve: Serve,
    pub stage: Stage,
}

impl House {
    /// A server and a ladder of three renditions on it.
    pub fn new(name: &str) -> Option<House> {
        if !needs("ffmpeg") || !needs("ffprobe") {
            return None;
        }
        let stage = Stage::new(name);
        let house = House { serve: Serve::start_at_stage(&stage), stage };
        house.publish();
        Some(house)
    }

    /// Puts the ladder on the air.
    pub fn publish(&self) {
        let variants = "360p:500k:640:360,240p:250k:426:240,144p:120k:256:144";
        let args = ["publish", "-s", "cam", "--test", "--quality", "fastest", "--variants", variants];
        self.stage.msconv(&args).expect(0);
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.serve.address("web"))
    }

    /// A text that must be there.
    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        let answer = self.serve.get("web", path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// The playlist of a rendition.
    pub fn playlist(&self, label: &str) -> Playlist {
        Playlist::of(&self.text(&format!("/live/cam/{label}/i.m3u8")))
    }

    /// Ends the ladder and the server.
    pub fn stop(self) {
        self.stage.msconv(&["stop", "-s", "cam"]).expect(0);
    }
}

/// What a test needs of a media playlist.
#[derive(Debug)]
pub struct Playlist {
    pub text: String,
    pub first: u64,
    pub segments: Vec<String>,
    pub hint: Option<String>,
}

impl Playlist {
    /// Reads one.
    pub fn of(text: &str) -> Playlist {
        let uri =
            |line: &str| line.split_once("URI=\"").map(|(_, uri)| uri.split('"').next().unwrap().to_string());
        let tagged =
            |tag: &str| text.lines().filter(|line| line.starts_with(tag)).filter_map(uri).collect::<Vec<_>>();
        Playlist {
            text: text.to_string(),
            first: value(text, "#EXT-X-MEDIA-SEQUENCE:").parse().unwrap(),
            segments: text.lines().filter(|line| line.ends_with(".m4s")).map(str::to_string).collect(),
            hint: tagged("#EXT-X-PRELOAD-HINT:").pop(),
        }
    }

    /// The number behind the last segment that is complete.
    pub fn next(&self) -> u64 {
        self.first + self.segments.len() as u64
    }

    /// The hinted part: media sequence number and part.
    pub fn hinted(&self) -> (u64, u64) {
        let name = self.hint.as_ref().unwrap_or_else(|| panic!("no hint: {}", self.text));
        let (_, numbers) = name.split_once('-').unwrap();
        let mut numbers = numbers.split('.').map_while(|n| n.parse().ok());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }
}

/// What stands behind a tag, up to a comma.
pub fn value<'a>(text: &'a str, tag: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(tag));
    line.unwrap_or_else(|| panic!("no {tag}: {text}")).split(',').next().unwrap()
}

/// Sends a request and leaves the answer where it is.
pub fn pending(house: &House, request: &str) -> TcpStream {
    let mut peer = TcpStream::connect(house.serve.address("web")).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.write_all(request.as_bytes()).unwrap();
    peer
}
