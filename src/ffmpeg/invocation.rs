//! One whole call of ffmpeg as data: everything is decided before anything starts.

use super::feeder::Feeder;
use super::input::Input;
use crate::base::command_line::{Argument, CommandLine};
use std::path::Path;

/// A call of ffmpeg with one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What the first input reads from, if it is not the source itself.
    pub feeder: Option<Feeder>,
    /// Options before every input.
    pub globals: Vec<Argument>,
    /// Inputs in order.
    pub inputs: Vec<Input>,
    /// The filter graph, if anything is filtered.
    pub graph: Option<String>,
    /// What goes to the output, the output itself last.
    pub output: Vec<Argument>,
}

impl Invocation {
    /// The command. It never reads its standard input, logs warnings with their level, and reports its progress once
    /// a second on the descriptor `progress`.
    pub fn command_line(&self, ffmpeg: &Path, progress: Option<i32>) -> CommandLine {
        let mut command = CommandLine::new(ffmpeg);
        command.args(["-nostdin", "-hide_banner", "-loglevel", "level+warning", "-nostats"]);
        if let Some(descriptor) = progress {
            command.arg("-progress").arg(format!("pipe:{descriptor}")).args(["-stats_period", "1"]);
        }
        command.args(self.globals.iter().cloned());
        command.args(self.inputs.iter().flat_map(|input| input.args.iter().cloned()));
        if let Some(graph) = &self.graph {
            command.arg("-filter_complex").arg(graph.as_str());
        }
        command.args(self.output.iter().cloned());
        if let Some(feeder) = &self.feeder {
            command.fed_by(feeder.command_line(ffmpeg));
        }
        command
    }
}
