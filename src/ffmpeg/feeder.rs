//! A source that ffmpeg does not read itself: msconv stands between an ffmpeg that only reads and the one that encodes, and
//! mends times and tracks on the way (`media::feed`).
//!
//! The reading ffmpeg gives every packet on with the time that the source gave it. ffmpeg has no option for that, since its
//! muxers insist on times that rise: so the order goes into the time of decoding (`setts=dts=N`), which NUT does not carry,
//! and the time of showing stays as it was. Copied audio has only one time (ffmpeg 6 and later): each step back adds the
//! first packet's time once more, which the large offset makes far larger than any clock, and the feeder takes it off again.
//!
//! Video is copied; audio becomes PCM, so that rate, channels and codec may change and silence is zeros. Each track has a
//! pipe of its own: one that never comes keeps no header of the other back.

use super::capability::Capability;
use super::input::{self, Input};
use super::loop_input;
use super::packet_times::Times;
use super::report::Report;
use super::wanted::{Known, Request};
use crate::base::command_line::{Argument, CommandLine};
use crate::model::Source;
use std::path::{Path, PathBuf};

/// Added to all times, so that what a source has before its zero is not below ours, and so that what has no time shows;
/// seconds.
const OFFSET: &str = "1000000000";
/// The times of copied audio: as they are, but for steps back of more than a tenth of a second, see above.
const RISING: &str = "setts=ts='st(1,TS+ld(0)*STARTPTS);if(gte(ld(1),PREV_OUTPTS),ld(1),\
    if(lt(PREV_OUTPTS-ld(1),STARTPTS/1e10),PREV_OUTPTS,st(0,ld(0)+1);ld(1)+STARTPTS))'";
/// The pipe of audio in the reading ffmpeg's arguments: whoever starts it puts the number there.
pub const AUDIO_PIPE: &str = "pipe:audio";
/// NUT for a pipe: version 4 with changed codec configurations, nothing to seek by, each packet at once.
pub(super) const NUT: [&str; 10] = [
    "-f",
    "nut",
    "-strict",
    "experimental",
    "-syncpoints",
    "none",
    "-write_index",
    "0",
    "-flush_packets",
    "1",
];
/// Containers whose recordings step as a matter of course, where their packets were not looked at.
const STEPPING: [&str; 5] = ["mpegts", "mpegtsraw", "mpeg", "flv", "live_flv"];

/// A feeder: our own program, and what it shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feeder {
    program: PathBuf,
    args: Vec<Argument>,
    /// The arguments of the ffmpeg that reads, if one does.
    reading: Option<Vec<Argument>>,
}

/// How audio passes the feeder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audio {
    /// Not at all.
    None,
    /// Decoded, with one channel or two.
    Decoded(u8),
    /// As it is.
    Copied,
}

impl Audio {
    /// Decoded, as the filters want it: mono stays mono, all else becomes stereo.
    pub fn decoded(report: &Report) -> Audio {
        match &report.audio {
            None => Audio::None,
            Some(track) if track.channels == 1 => Audio::Decoded(1),
            Some(_) => Audio::Decoded(2),
        }
    }
}

impl Feeder {
    /// The command; the program that reads is `ffmpeg`.
    pub fn command_line(&self, ffmpeg: &Path) -> CommandLine {
        let mut line = CommandLine::new(&self.program);
        line.args(self.args.iter().cloned());
        if let Some(reading) = &self.reading {
            line.arg("--").arg(ffmpeg.as_os_str());
            line.args(["-nostdin", "-hide_banner", "-loglevel", "level+warning", "-nostats"]);
            line.args(reading.iter().cloned());
        }
        line
    }
}

/// Whether the packets of this source pass a feeder: what comes over the network always does, a file if its times are faulty
/// or were not looked at and its container is one of those.
pub fn wanted(request: &Request, report: &Report, capability: &Capability, known: &Known) -> bool {
    let nut = capability.muxers.contains("nut") && capability.demuxers.contains("nut");
    // `setts` is younger than 4.3; frames without a container have no times that could be mended.
    if !nut || !capability.at_least(4, 4) || report.still || loop_input::is_bare(report) {
        return false;
    }
    match (&request.source, &known.times) {
        (Source::Url(_), _) | (Source::File(_), Times::Faulty(_)) => true,
        (Source::File(_), Times::Unread) => known.fed || report.is_format(&STEPPING),
        (Source::File(_), Times::Plain) => known.fed,
        (Source::Device { .. } | Source::Test, _) => false,
    }
}

/// The feeder that repeats the bytes of a file, where that is how it is repeated.
pub fn repeating(request: &Request, report: &Report) -> Option<Feeder> {
    let Source::File(path) = &request.source else { return None };
    if request.once || !loop_input::is_bare(report) {
        return None;
    }
    let args = vec!["__repeat".into(), path.as_os_str().to_owned().into()];
    Some(Feeder { program: request.own_program.clone(), args, reading: None })
}

/// The source as it comes out of the feeder: two tracks at most, in NUT.
pub fn as_fed(report: &Report) -> Report {
    let mut fed = Report { format: "nut".into(), ..report.clone() };
    if let Some(video) = &mut fed.video {
        video.index = 0;
    }
    if let Some(audio) = &mut fed.audio {
        audio.index = u32::from(fed.video.is_some());
    }
    fed
}

/// The feeder of a source; `report` is the source's own.
pub fn feeder(request: &Request, report: &Report, capability: &Capability, audio: Audio) -> Feeder {
    let mut options = vec!["__feed", "--offset", OFFSET];
    let mut reading = vec!["-copyts".into(), "-itsoffset".into(), OFFSET.into()];
    reading.extend(input::reading(&request.source, report, capability));
    if let Some(video) = &report.video {
        options.push("--video");
        reading.extend(["-map".into(), format!("0:{}", report.video_specifier(video)).into()]);
        // RTSP leaves the first frames of some streams without a time, AVI all of them.
        let times = "setts=pts='if(eq(PTS,NOPTS),DTS,PTS)':dts=N";
        reading.extend(["-c", "copy", "-bsf:v", times].map(Argument::from));
        reading.extend(NUT.map(Argument::from));
        reading.push("pipe:1".into());
    }
    if let Some(track) = report.audio.as_ref().filter(|_| audio != Audio::None) {
        reading.extend(["-map".into(), format!("0:{}", report.audio_specifier(track)).into()]);
        options.extend(match audio {
            Audio::Decoded(1) => ["--audio", "mono"],
            Audio::Decoded(_) => ["--audio", "stereo"],
            Audio::None | Audio::Copied => ["--audio", "copied"],
        });
        let channels = if audio == Audio::Decoded(1) { "1" } else { "2" };
        reading.extend(match audio {
            Audio::Decoded(_) => {
                let pcm = ["-c:a", "pcm_s16le", "-ar", "48000", "-ac", channels, "-bsf:a", "setts=dts=N"];
                pcm.map(Argument::from).to_vec()
            }
            Audio::None | Audio::Copied => ["-c", "copy", "-bsf:a", RISING].map(Argument::from).to_vec(),
        });
        reading.extend(NUT.map(Argument::from));
        reading.push(AUDIO_PIPE.into());
    }
    match &request.source {
        Source::File(_) if !request.once => options.extend(["--paced", "--repeat"]),
        Source::File(_) => options.push("--paced"),
        // A playlist begins some segments back and a recording has no clock: unpaced, both come in a burst.
        Source::Url(url) if url.reaches_others() => options.push("--paced"),
        _ => {}
    }
    let args = options.into_iter().map(Argument::from).collect();
    Feeder { program: request.own_program.clone(), args, reading: Some(reading) }
}

/// What is read from the feeder: both tracks are there from the first byte, so nothing has to be looked for.
pub fn input() -> Input {
    let args = ["-probesize", "8000000", "-analyzeduration", "12000000", "-fpsprobesize", "0"];
    let args = args.into_iter().chain(["-f", "nut", "-i", "pipe:0"]).map(Argument::from).collect();
    Input { args }
}

/// The filters that turn what a player would have turned: NUT does not carry it.
pub fn turning(rotation: u32) -> Option<&'static str> {
    match rotation {
        90 => Some("transpose=cclock"),
        180 => Some("hflip,vflip"),
        270 => Some("transpose=clock"),
        _ => None,
    }
}
