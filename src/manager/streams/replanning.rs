//! Planning again for a network source, before a stream is started again: who publishes there may have come back with
//! another size, another rate, with audio or without.

use super::source;
use super::ways::way;
use crate::base::CommandLine;
use crate::ffmpeg::capability::Capability;
use crate::ffmpeg::cost::Power;
use crate::ffmpeg::encoder::Encoder;
use crate::ffmpeg::plan_ladder::{self as planner, Known};
use crate::ffmpeg::report::Report;
use crate::model::Quality;
use crate::model::rung::Label;
use crate::process::blocking;
use crate::process::supervisor::{Renewal, Seen};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tokio::sync::oneshot;

/// What planning again needs, as a value that travels to the supervisor. Holds secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replanning {
    /// What was asked for, the effort being the one that was chosen.
    pub request: planner::Request,
    /// The labels on the air, which stay; `None` for an original.
    pub labels: Option<Vec<Label>>,
    /// Whether there is a picture among what is published.
    pub picture: bool,
    /// The source without what is in it: its address.
    pub named: String,
    /// Programs: ffmpeg and ffprobe.
    pub programs: (PathBuf, PathBuf),
    /// What ffmpeg can do.
    pub capability: Capability,
    /// The encoder, and how many renditions it encodes at once.
    pub encoder: (Option<Encoder>, Option<usize>),
    /// What the machine gave when the stream was planned first; how the source is decoded hangs on it.
    pub power: Option<Power>,
    /// The qualities that the machine may choose from, dearest first; none where one was asked for.
    #[serde(default)]
    pub qualities: Vec<Quality>,
}

impl Replanning {
    /// From now on without the encoder that does not work here.
    pub fn use_x264(&mut self) {
        self.encoder = (Some(Encoder::named("x264")), None);
    }

    /// From now on in this one of the qualities.
    pub fn go_on_in(&mut self, way: usize) {
        if let Some(quality) = self.qualities.get(way) {
            self.request.quality = *quality;
        }
    }

    /// Looks at the source in a thread of its own; the program it starts for that ends with this process. `current` is
    /// the command that is run if nothing changed.
    pub fn look(&self, current: &CommandLine) -> oneshot::Receiver<Seen> {
        let (own, current) = (self.clone(), current.clone());
        blocking::begin(move || own.seen(&current))
    }

    fn seen(&self, current: &CommandLine) -> Seen {
        match source::probe(&self.request.source, &self.programs.1, &self.capability) {
            Ok(report) => self.planned(&report, current),
            Err(unread) => {
                let failure = unread.failure;
                let why = failure.reasons().first().map_or(failure.what(), String::as_str);
                Seen::Absent(format!("the source cannot be read ({why})"))
            }
        }
    }

    /// What a source like this one asks for.
    fn planned(&self, report: &Report, current: &CommandLine) -> Seen {
        if self.picture && report.video.is_none() {
            return Seen::Absent("the source has no picture now".into());
        }
        let known = Known {
            encoder: self.encoder.0.clone(),
            sessions: self.encoder.1,
            kept: self.labels.clone(),
            power: self.power,
            ..Known::default()
        };
        // A picture that joins audio alone has no place on the air: there is nobody who watches it by name.
        let heard = Report { video: None, ..report.clone() };
        let report = if self.picture { report } else { &heard };
        let planned = |quality: Quality| {
            let request = planner::Request { quality, ..self.request.clone() };
            planner::plan_knowing(&request, report, &self.capability, &known)
        };
        match planned(self.request.quality) {
            Ok(plan) => {
                let command = plan.command_line(&self.programs.0, Some(1));
                if command == *current {
                    return Seen::Same;
                }
                Seen::Changed(Box::new(Renewal {
                    command,
                    source: format!("{} ({})", self.named, report.summary()),
                    sizes: plan.renditions.iter().map(|r| r.size).collect(),
                    ways: self
                        .qualities
                        .iter()
                        .filter_map(|quality| way(*quality, &planned(*quality).ok()?, &self.programs.0))
                        .collect(),
                }))
            }
            Err(failure) => Seen::Absent(failure.what().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::report::{AudioTrack, VideoTrack};
    use crate::model::{BFrames, LeaveOut, Passthrough, Source};
    use std::time::Duration;

    fn of(width: u32, height: u32, audio: bool) -> Report {
        let (coded_width, coded_height) = (width, height);
        let pix_fmt = "yuv420p".to_string();
        let video = VideoTrack {
            width,
            height,
            coded_width,
            coded_height,
            pix_fmt,
            square: true,
            ..VideoTrack::default()
        };
        let audio = audio.then(|| AudioTrack { index: 1, channels: 2, ..AudioTrack::default() });
        Report { format: "flv".into(), video: Some(video), audio, ..Report::default() }
    }

    fn replanning() -> Replanning {
        Replanning {
            request: planner::Request {
                key: "a".parse().unwrap(),
                source: Source::Url("rtmp://h/live/x".parse().unwrap()),
                original: false,
                ladder: None,
                once: false,
                quality: Quality::Fast,
                leave_out: LeaveOut::Top,
                encoder: "auto".into(),
                fps: None,
                keyframe_interval: Duration::from_secs(2),
                audio_bitrate_bps: 128_000,
                passthrough: Passthrough::Auto,
                b_frames: BFrames::Auto,
                output_args: Vec::new(),
                endpoint: "rtmp://localhost/live".parse().unwrap(),
                own_program: "msconv".into(),
            },
            labels: Some(vec!["720p".parse().unwrap(), "480p".parse().unwrap()]),
            picture: true,
            named: "rtmp://h/live/x".into(),
            programs: ("ffmpeg".into(), "ffprobe".into()),
            capability: Capability::default(),
            encoder: (Some(Encoder::named("x264")), None),
            power: Some(Power { slowness: 1.0, free: 0.1, most: 0.1 }),
            qualities: vec![Quality::Fast, Quality::Fastest],
        }
    }

    #[test]
    fn what_is_on_the_air_stays_and_takes_the_shape_of_what_came() {
        let own = replanning();
        let changed = |report: &Report, current: &CommandLine| match own.planned(report, current) {
            Seen::Changed(renewal) => *renewal,
            other => panic!("{other:?}"),
        };
        let first = changed(&of(1280, 720, true), &CommandLine::new("ffmpeg"));
        // The labels stay on a machine that would now carry nothing, and for a source that the default ladder would cut.
        assert_eq!(first.sizes, [(1280, 720), (854, 480)]);
        assert_eq!(
            first.ways.iter().map(|way| way.words.as_str()).collect::<Vec<_>>(),
            ["quality fast", "quality fastest"]
        );
        assert_eq!(first.ways[0].command, first.command);
        assert!(matches!(own.planned(&of(1280, 720, true), &first.command), Seen::Same));
        let small = changed(&of(320, 240, false), &first.command);
        assert_eq!(small.sizes, [(320, 240), (320, 240)], "nothing is enlarged");
        assert!(
            !small.command.shown_args().iter().any(|a| a.contains("aresample")),
            "no audio is waited for"
        );
        let large = changed(&of(1920, 1080, true), &first.command);
        assert_eq!(large.sizes.len(), 2);
        let heard = Report { video: None, ..of(2, 2, true) };
        assert!(matches!(own.planned(&heard, &first.command), Seen::Absent(_)));
    }

    #[test]
    fn it_is_planned_in_the_quality_that_is_on_the_air() {
        let mut own = replanning();
        own.go_on_in(1);
        let Seen::Changed(renewal) = own.planned(&of(1280, 720, true), &CommandLine::new("ffmpeg")) else {
            panic!("planned")
        };
        assert_eq!(renewal.ways[1].command, renewal.command);
    }

    #[test]
    fn it_travels_whole() {
        let own = replanning();
        let again: Replanning = serde_json::from_slice(&serde_json::to_vec(&own).unwrap()).unwrap();
        let first = match own.planned(&of(640, 360, true), &CommandLine::new("ffmpeg")) {
            Seen::Changed(renewal) => renewal.command,
            other => panic!("{other:?}"),
        };
        assert!(matches!(again.planned(&of(640, 360, true), &first), Seen::Same));
    }
}
