//! Planning again for a network source, before a stream is started again: who publishes there may have come back with
//! another size, another rate, with sound or without.

use super::source;
use crate::base::CommandLine;
use crate::ffmpeg::capability::Capability;
use crate::ffmpeg::encoder::Encoder;
use crate::ffmpeg::publish::{self as planner, Known};
use crate::ffmpeg::report::Report;
use crate::model::rung::Label;
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
    /// The encoder, and how many pictures it makes at once.
    pub encoder: (Option<Encoder>, Option<usize>),
}

impl Replanning {
    /// From now on without the encoder that does not work here.
    pub fn use_x264(&mut self) {
        self.encoder = (Some(Encoder::named("x264")), None);
    }

    /// Looks at the source in a thread of its own; the program it starts for that ends with this process. `current` is
    /// the command that is run if nothing changed.
    pub fn look(&self, current: &CommandLine) -> oneshot::Receiver<Seen> {
        let (tell, seen) = oneshot::channel();
        let (own, current) = (self.clone(), current.clone());
        // Where there is no thread to be had, the sender is gone and nothing is known.
        let _ = std::thread::Builder::new().name("look".into()).spawn(move || tell.send(own.seen(&current)));
        seen
    }

    fn seen(&self, current: &CommandLine) -> Seen {
        match source::probe(&self.request.source, &self.programs.1, &self.capability) {
            Ok(report) => self.planned(&report, current),
            Err(failure) => {
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
            ..Known::default()
        };
        // A picture that joins sound alone has no place on the air: there is nobody who watches it by name.
        let heard = Report { video: None, ..report.clone() };
        let report = if self.picture { report } else { &heard };
        match planner::plan_knowing(&self.request, report, &self.capability, &known) {
            Ok(plan) => {
                let command = plan.command_line(&self.programs.0, Some(1));
                if command == *current {
                    return Seen::Same;
                }
                Seen::Changed(Box::new(Renewal {
                    command,
                    source: format!("{} ({})", self.named, report.summary()),
                    sizes: plan.renditions.iter().map(|r| r.size).collect(),
                }))
            }
            Err(failure) => Seen::Absent(failure.what().to_string()),
        }
    }
}
