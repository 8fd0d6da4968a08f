//! How one run of ffmpeg takes over from another in mid-stream, so that its viewers see no more than a keyframe: where in
//! its source the new one begins, and when the old one lets go of the names on the server.
//!
//! A live source has one place for both. A repeated file is taken over at its seam, where it jumps anyway, if the seam is
//! not far; a long one is entered where the old run is. Then both run for a moment, the new one knocking at names that are
//! taken; the old one is killed shortly before the new one's next keyframe, as a connection that breaks off: a server that
//! keeps readers for whoever comes back keeps them then, and not after a goodbye.

use crate::base::CommandLine;
use crate::ffmpeg::plan::Plan;
use crate::ffmpeg::progress::Parser;
use crate::ffmpeg::report::Report;
use crate::ffmpeg::taking_over;
use crate::model::{PublishSpec, RtmpUrl, Source};
use crate::process::sockets;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A seam that is farther away than this, in seconds, is not waited for where the file can be entered in the middle.
const FAR: f64 = 120.0;
/// What a run needs from its start to its first byte, in seconds; so much further a file is entered.
const LEAD: f64 = 0.5;
/// What is read lies so far before what is sent, in seconds: encoders look ahead.
const LOOKED_AHEAD: f64 = 1.0;
/// So long before its keyframe the new run must find the names free, in seconds: its queues wait a tenth between two tries,
/// a try takes some trips to the server (0.14 s on a busy machine), and it says ten times a second how far it is.
const NEAR: f64 = 0.45;
const FAR_AWAY: f64 = 1.0;

/// What is known of a stream for that, as a value that travels to the supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandingOver {
    /// What is read.
    pub source: Kind,
    /// The distance of the keyframes that each run makes, counted from its beginning; none where they are the source's.
    pub keyframes: Option<Duration>,
    /// Whether the server is on this machine.
    pub near: bool,
    /// Connections to the server's port that a run has before it publishes: its source may be there, too.
    pub own_connections: usize,
}

impl HandingOver {
    /// For a plan of this source.
    pub fn of(
        source: &Source,
        report: &Report,
        plan: &Plan,
        server: &RtmpUrl,
        spec: &PublishSpec,
    ) -> HandingOver {
        // Of what is fed another process reads the source.
        let fed = plan.invocation.feeder.is_some();
        let encoded = !plan.encoded.is_empty() && plan.encoded.len() == plan.renditions.len();
        let kind = match source {
            Source::Device { .. } => Kind::Single,
            Source::Url(_) | Source::Test => Kind::Live,
            Source::File(path) => Kind::File {
                path: path.clone(),
                round: report.duration,
                repeated: !spec.once,
                enterable: encoded && !report.still && !fed,
            },
        };
        let beside = matches!(source, Source::Url(url) if url.port() == server.port()) && !fed;
        HandingOver {
            source: kind,
            keyframes: encoded.then_some(spec.keyframe_interval.duration()),
            near: server.is_local(),
            own_connections: usize::from(beside),
        }
    }
}

/// What is read, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// What cannot be read twice at once: a device.
    Single,
    /// What is now, whoever reads it.
    Live,
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// How long it is, in seconds.
        round: Option<f64>,
        /// Whether it is repeated.
        repeated: bool,
        /// Whether it can be entered in the middle: nothing of it is copied.
        enterable: bool,
    },
}

/// The same while the stream runs.
#[derive(Debug)]
pub struct Handover {
    what: HandingOver,
    port: u16,
    /// Where in the file the run began that is on the air, and how far it is since, in seconds.
    origin: f64,
    out_time: f64,
    /// Where the successor began, and where the next run begins.
    successor: f64,
    next: f64,
    parser: Parser,
    told: f64,
    seam: Seam,
}

impl Handover {
    /// For a stream that is sent to `port`.
    pub fn new(what: HandingOver, port: u16) -> Handover {
        Handover {
            what,
            port,
            origin: 0.0,
            out_time: 0.0,
            successor: 0.0,
            next: 0.0,
            parser: Parser::default(),
            told: 0.0,
            seam: Seam::default(),
        }
    }

    /// A run begins from nothing.
    pub fn begins(&mut self) {
        let origin = std::mem::take(&mut self.next);
        (self.origin, self.out_time, self.seam) = (origin, 0.0, Seam::default());
    }

    /// How far the run on the air is.
    pub fn beats(&mut self, out_time: Duration) {
        self.out_time = out_time.as_secs_f64();
    }

    /// Where in the file it is.
    fn place(&self) -> f64 {
        let at = self.origin + self.out_time;
        match &self.what.source {
            Kind::File { round: Some(round), repeated: true, .. } if *round > 0.0 => at % round,
            _ => at,
        }
    }

    /// Whether two runs can read the source at once.
    pub fn runs_beside(&self) -> bool {
        self.what.source != Kind::Single
    }

    /// The call that begins now `beside` the run `child`, or in its place, and takes over from it; none if this is not the
    /// moment.
    pub fn successor(&mut self, way: &CommandLine, child: i32, beside: bool) -> Option<CommandLine> {
        let command = match &self.what.source {
            Kind::Single if beside => return None,
            Kind::Single | Kind::Live => way.clone(),
            Kind::File { path, round, repeated, enterable } => {
                let far = !repeated || round.is_some_and(|round| round > FAR);
                if *enterable && far {
                    self.successor = self.place() + LEAD;
                    taking_over::from(way, path, self.successor, *round)?
                } else if *repeated && self.seam.passed(path, child, self.place() + LOOKED_AHEAD, *round) {
                    self.successor = 0.0;
                    way.clone()
                } else {
                    return None;
                }
            }
        };
        (self.parser, self.told) = (Parser::default(), 0.0);
        if !beside {
            self.next = self.successor;
        }
        Some(taking_over::eager(&command))
    }

    /// A line of the successor's progress, or a look at it: whether the names are to be free now.
    pub fn is_ripe(&mut self, line: Option<&str>, successor: i32) -> bool {
        let Some(keyframes) = self.what.keyframes.map(|time| time.as_secs_f64()).filter(|time| *time > 0.0)
        else {
            // Nobody knows when its keyframes come, but the first is what it sends first.
            let open = sockets::established(successor, self.port).unwrap_or(0);
            return open > self.what.own_connections;
        };
        let Some(progress) = line.and_then(|line| self.parser.push_line(line)) else { return false };
        let Some(now) = progress.out_time_us.map(|us| us as f64 / 1e6) else { return false };
        let margin = if self.what.near { NEAR } else { FAR_AWAY };
        let group = |time: f64| ((time + margin) / keyframes).floor();
        let before = std::mem::replace(&mut self.told, now);
        before > 0.0 && group(now) > group(before)
    }

    /// The successor is on the air.
    pub fn taken(&mut self) {
        let out_time = self.told;
        self.next = self.successor;
        self.begins();
        self.out_time = out_time;
    }

    /// The call that takes a stream up again that was ended for it, where it was.
    pub fn resumed(&mut self, way: &CommandLine) -> CommandLine {
        let entered = match &self.what.source {
            Kind::File { path, enterable: true, round, .. } => {
                let place = self.place();
                taking_over::from(way, path, place, *round).map(|command| (command, place))
            }
            _ => None,
        };
        match entered {
            Some((command, place)) => {
                self.next = place;
                command
            }
            None => way.clone(),
        }
    }
}

/// The seam of a repeated file, by where the run reads it. A file that is small enough is read only once: then the time has
/// to tell.
#[derive(Debug, Default)]
struct Seam {
    read: Option<u64>,
    place: Option<f64>,
    /// Seams that passed by the time alone since the last one that was seen.
    unseen: u32,
}

impl Seam {
    /// Whether it has passed since the last look. `place` is where the file is being read by the time.
    fn passed(&mut self, path: &Path, child: i32, place: f64, round: Option<f64>) -> bool {
        let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
        let now = read_at(path, child);
        let before = std::mem::replace(&mut self.read, now);
        // From the last quarter to the first: some containers are read a little to and fro.
        let seen = before.zip(now).is_some_and(|(before, now)| before > size / 4 * 3 && now < size / 4);
        let place = round.filter(|round| *round > 0.0).map(|round| place % round);
        let last = std::mem::replace(&mut self.place, place);
        let by_time = last.zip(place).is_some_and(|(last, place)| place < last);
        match (seen, by_time) {
            (true, _) => self.unseen = 0,
            (false, true) => self.unseen = self.unseen.saturating_add(1),
            (false, false) => {}
        }
        seen || by_time && self.unseen > 1
    }
}

/// Where a process reads a file, in bytes from its beginning.
fn read_at(path: &Path, pid: i32) -> Option<u64> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let number = descriptors.flatten().find_map(|fd| {
        let is_it = std::fs::read_link(fd.path()).is_ok_and(|open| open == path);
        is_it.then(|| fd.file_name())?.into_string().ok()
    })?;
    let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
    info.lines().find_map(|line| line.strip_prefix("pos:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    fn of(source: Kind, keyframes: Option<u64>) -> Handover {
        let keyframes = keyframes.map(Duration::from_secs);
        Handover::new(HandingOver { source, keyframes, near: true, own_connections: 0 }, 1)
    }

    fn file(round: f64, repeated: bool, enterable: bool) -> Kind {
        Kind::File { path: "/no/such.mp4".into(), round: Some(round), repeated, enterable }
    }

    fn way() -> CommandLine {
        let mut way = CommandLine::new("ffmpeg");
        way.args(["-stream_loop", "-1", "-i", "file:/no/such.mp4"]);
        way
    }

    #[test]
    fn what_is_live_is_taken_over_at_once_and_a_device_only_in_the_place_of_the_old_run() {
        let (mut live, mut device) = (of(Kind::Live, None), of(Kind::Single, None));
        assert!(live.runs_beside() && live.successor(&way(), 1, true).is_some());
        assert!(!device.runs_beside() && device.successor(&way(), 1, true).is_none());
        assert_eq!(device.successor(&way(), 1, false), Some(way()));
    }

    #[test]
    fn a_long_file_is_entered_where_it_is() {
        let mut long = of(file(600.0, true, true), Some(2));
        long.beats(Duration::from_secs(1210));
        let line = long.successor(&way(), -1, true).unwrap().shell_line();
        assert!(line.contains("-ss 10.500"), "{line}");
        long.taken();
        long.beats(Duration::from_secs(5));
        assert!((long.place() - 15.5).abs() < 1e-9);
        let mut copied = of(file(600.0, true, false), None);
        assert!(copied.successor(&way(), -1, true).is_none(), "its seam is waited for");
        let mut once = of(file(60.0, false, true), Some(2));
        once.beats(Duration::from_secs(20));
        assert!(once.resumed(&way()).shell_line().contains("-ss 20.000"));
    }

    #[test]
    fn the_seam_is_seen_by_where_the_file_is_read_or_by_the_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mp4");
        std::fs::write(&path, vec![0; 4000]).unwrap();
        let mut open = std::fs::File::open(&path).unwrap();
        let own = std::process::id() as i32;
        let mut seam = Seam::default();
        assert!(!seam.passed(&path, own, 1.0, Some(8.0)));
        open.read_exact(&mut [0; 3900]).unwrap();
        assert!(!seam.passed(&path, own, 7.0, Some(8.0)));
        open.rewind().unwrap();
        assert!(seam.passed(&path, own, 7.5, Some(8.0)));
        // Nothing is read any more: the second one by the time is believed.
        assert!(!seam.passed(&path, own, 8.5, Some(8.0)));
        assert!(!seam.passed(&path, own, 15.5, Some(8.0)));
        assert!(seam.passed(&path, own, 16.5, Some(8.0)));
    }

    #[test]
    fn the_names_are_free_shortly_before_a_keyframe() {
        let mut handover = of(Kind::Live, Some(2));
        let mut ripe_at = Vec::new();
        for tenth in 1..60u64 {
            let now = tenth * 100_000;
            for line in [format!("out_time_us={now}"), "progress=continue".into()] {
                if handover.is_ripe(Some(&line), -1) {
                    ripe_at.push(now);
                }
            }
        }
        assert_eq!(ripe_at, [1_600_000, 3_600_000, 5_600_000]);
        assert!(!handover.is_ripe(None, -1));
        // Where nobody knows when keyframes come, it is the first that has a connection.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let what = HandingOver { source: Kind::Live, keyframes: None, near: true, own_connections: 0 };
        let mut copied = Handover::new(what, port);
        let own = std::process::id() as i32;
        assert!(!copied.is_ripe(None, own));
        let _connection = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(copied.is_ripe(None, own));
    }
}
