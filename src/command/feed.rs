//! `msconv __feed`: the feeder of a stream. Reads a source by the program behind `--`, writes NUT on stdout. `msconv
//! __repeat`: the feeder of a stream without a container; writes its bytes, over and over.

use crate::base::{CommandLine, Failure, Outcome};
use crate::cli::{FedAudio, FeedArgs};
use crate::manager::streams::feeding::{self, Order};
use crate::media::MediaTime;
use crate::media::feed::Audio;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

/// Runs it; the exit code is that of the program that reads.
pub fn run(args: FeedArgs) -> Outcome<u8> {
    let order = order(args)?;
    feeding::run(&order, std::io::stdout().lock(), |line| {
        // Nobody is told where nobody listens.
        let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    })
}

/// Repeats a file's bytes until nobody reads any more.
pub fn repeat(file: &Path) -> Outcome<u8> {
    feeding::repeat(file, std::io::stdout().lock()).map(|()| 0)
}

fn order(args: FeedArgs) -> Outcome<Order> {
    let mut words = args.program.into_iter();
    let program: OsString =
        words.next().ok_or_else(|| Failure::usage("__feed needs a program behind `--`"))?;
    let mut command = CommandLine::new(program);
    command.args(words);
    let audio = match args.audio {
        None => Audio::None,
        Some(FedAudio::Mono) => Audio::Pcm(1),
        Some(FedAudio::Stereo) => Audio::Pcm(2),
        Some(FedAudio::Copied) => Audio::Copied(None),
    };
    if !args.video && audio == Audio::None {
        return Err(Failure::usage("__feed needs --video or --audio"));
    }
    let offset = MediaTime::from_millis(i64::from(args.offset) * 1000);
    Ok(Order { video: args.video, audio, offset, paced: args.paced, repeat: args.repeat, command })
}
