//! How ffmpeg and ffprobe open a source: the demuxer, the time limits, and which protocols may be spoken.
//!
//! A source may only speak the protocols of its own kind. Without that, a playlist in disguise could make this
//! machine read other files and reach other hosts.

use super::capability::Capability;
use super::device;
use super::head_start::HeadStart;
use super::loop_input::{self, Repeat};
use super::report::Report;
use super::test_source;
use crate::base::command_line::{Argument, file_url};
use crate::model::{Source, SourceUrl};

/// A network source that is silent for this long is given up, in microseconds.
const SILENCE_US: &str = "10000000";

/// How long a picture is shown that is published once, in seconds: it has no length of its own, and a viewer needs some
/// seconds to join.
const STILL_LASTS: &str = "10";

/// One `-i` of ffmpeg with the options before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The arguments, `-i` and the address included.
    pub args: Vec<Argument>,
}

/// The arguments that open `source` for ffprobe. Without a capability, options that changed between versions are left
/// out.
pub fn probing(source: &Source, capability: Option<&Capability>) -> Vec<Argument> {
    match source {
        Source::File(path) => {
            let mut args = plain(&["-protocol_whitelist", "file"]);
            args.extend([Argument::plain("-i"), Argument::plain(file_url(path))]);
            args
        }
        Source::Url(url) => network(url, capability, Probing::First),
        Source::Device { video, .. } => device::opening(video, None),
        Source::Test => test_source::input("30", None),
    }
}

/// As [`probing`] for a network source whose first probe left a promised picture out.
pub fn probing_again(url: &SourceUrl, capability: Option<&Capability>) -> Vec<Argument> {
    network(url, capability, Probing::Patient)
}

/// As [`probing`] for an RTMP source whose frames have to be counted to know its rate.
pub fn probing_to_count(url: &SourceUrl, capability: Option<&Capability>) -> Vec<Argument> {
    network(url, capability, Probing::Counting)
}

/// What a source's inputs need to know.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The source; a file's path is absolute.
    pub source: &'a Source,
    /// What is in it.
    pub report: &'a Report,
    /// How a file is repeated; `None` if it is played once or is no file.
    pub repeat: Option<Repeat>,
    /// The frame rate to ask of a device or the test picture, if one was asked for.
    pub rate: Option<&'a str>,
    /// A name to write into the test picture.
    pub caption: Option<&'a str>,
    /// How a file's first second is read.
    pub head_start: HeadStart,
}

/// The inputs of a publish: one, or two for a device with an audio device beside it.
pub fn publishing(opening: &Opening<'_>, capability: &Capability) -> Vec<Input> {
    match opening.source {
        Source::File(path) if opening.report.still => {
            // image2 would read `%d` in a name as a pattern.
            let mut args = pace(capability);
            args.extend(plain(&["-protocol_whitelist", "file", "-f", "image2", "-pattern_type", "none"]));
            if opening.repeat.is_none() {
                args.extend(plain(&["-t", STILL_LASTS]));
            }
            args.extend(plain(&["-loop", "1", "-framerate", opening.rate.unwrap_or("25"), "-i"]));
            args.push(Argument::plain(file_url(path)));
            vec![Input { args }]
        }
        Source::File(path) => {
            let mut args = pace(capability);
            args.extend(plain(opening.head_start.arguments()));
            args.extend(loop_input::arguments(path, opening.report, opening.repeat));
            vec![Input { args }]
        }
        Source::Url(url) => {
            // A playlist begins some segments back and a recording has no clock: unpaced, both come in a burst.
            let mut args = if url.reaches_others() { pace(capability) } else { Vec::new() };
            args.extend(reading(opening.source, opening.report, capability));
            vec![Input { args }]
        }
        Source::Device { video, audio } => {
            let mut inputs = vec![Input { args: device::picture(video, opening.rate) }];
            inputs.extend(audio.as_ref().map(|name| Input { args: device::audio(name, capability) }));
            inputs
        }
        Source::Test => {
            let mut args = pace(capability);
            args.extend(test_source::input(opening.rate.unwrap_or("30"), opening.caption));
            vec![Input { args }]
        }
    }
}

/// The arguments that read a file or a network source once, as fast as it comes.
pub(super) fn reading(source: &Source, report: &Report, capability: &Capability) -> Vec<Argument> {
    match source {
        Source::Url(url) => {
            let both = report.video.is_some() && report.audio.is_some();
            network(url, Some(capability), if both { Probing::Patient } else { Probing::Short })
        }
        other => probing(other, Some(capability)),
    }
}

/// Reading at the speed of time. Old versions catch up in one burst after a stall; where the catching up can be
/// bounded it is, so that viewers' buffers take it.
fn pace(capability: &Capability) -> Vec<Argument> {
    let known = capability.version != (0, 0, 0);
    if known && capability.at_least(8, 0) {
        plain(&["-readrate", "1", "-readrate_catchup", "1.5"])
    } else {
        plain(&["-re"])
    }
}

/// How long an RTMP source is looked at before anything is decided.
///
/// It names no tracks: each appears with its first packet. A reader of nginx-rtmp hears at once and sees from the next
/// keyframe, up to ten seconds later; elsewhere the first picture may fill the whole look. So looking too short makes
/// a film audio only or silent (32 KiB did, where keyframes are 5 s apart), and looking long costs every start its
/// time. A look ends as soon as both tracks are there; the frame rate is taken from the stream's own words, and
/// counted only where it says none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probing {
    /// Until both are there, at most 5 s: what a source without audio costs.
    First,
    /// Until both are there, which are known to come.
    Patient,
    /// Until one is there; it is known that the other does not come.
    Short,
    /// Until both are there and 20 frames have been counted: ffprobe's own measure.
    Counting,
}

impl Probing {
    fn arguments(self) -> Vec<Argument> {
        plain(match self {
            Probing::First => &["-analyzeduration", "5000000", "-probesize", "8000000", "-fpsprobesize", "0"],
            Probing::Patient => {
                &["-analyzeduration", "12000000", "-probesize", "8000000", "-fpsprobesize", "0"]
            }
            Probing::Counting => &["-analyzeduration", "5000000", "-probesize", "8000000"],
            Probing::Short => &["-probesize", "32k", "-fpsprobesize", "0"],
        })
    }
}

fn network(url: &SourceUrl, capability: Option<&Capability>, look: Probing) -> Vec<Argument> {
    let mut args = match url.scheme() {
        "rtsp" => rtsp("rtsp,rtp,udp,tcp", capability),
        "rtsps" => rtsp("rtsps,rtsp,rtp,udp,tcp,tls,srtp", capability),
        "srt" => plain(&["-protocol_whitelist", "srt", "-rw_timeout", SILENCE_US]),
        "rtmps" => rtmp("rtmps,tls,tcp", look),
        "http" => http("http,https,tls,tcp,crypto"),
        // What began encrypted stays so.
        "https" => http("https,tls,tcp,crypto"),
        _ => rtmp("rtmp,tcp", look),
    };
    args.push(Argument::plain("-i"));
    args.push(address(url));
    args
}

/// Never `-timeout` here: for RTMP it means to listen.
fn rtmp(protocols: &str, look: Probing) -> Vec<Argument> {
    let mut args = plain(&["-protocol_whitelist", protocols, "-rw_timeout", SILENCE_US]);
    args.extend(look.arguments());
    args
}

/// HTTP, whatever lies there: HLS, a recording, a radio. Local files and other protocols stay closed to it.
fn http(protocols: &str) -> Vec<Argument> {
    plain(&["-protocol_whitelist", protocols, "-rw_timeout", SILENCE_US])
}

/// RTSP over TCP, since lost UDP packets show as grey frames. Its demuxer has a time limit of its own, whose name
/// changed with 5.0; in 4.x `-timeout` would mean to listen.
fn rtsp(protocols: &str, capability: Option<&Capability>) -> Vec<Argument> {
    let mut args = plain(&["-protocol_whitelist", protocols, "-rtsp_transport", "tcp"]);
    if let Some(capability) = capability.filter(|c| c.version != (0, 0, 0)) {
        let limit = if capability.at_least(5, 0) { "-timeout" } else { "-stimeout" };
        args.extend(plain(&[limit, SILENCE_US]));
    }
    args
}

/// A source's URL, shown without its secrets.
fn address(url: &SourceUrl) -> Argument {
    if url.has_secrets() {
        Argument::masked(url.reveal(), url.to_string())
    } else {
        Argument::plain(url.reveal())
    }
}

fn plain(args: &[&str]) -> Vec<Argument> {
    args.iter().map(|a| Argument::plain(*a)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(args: &[Argument]) -> String {
        args.iter().map(Argument::shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn network_sources_are_bounded_and_speak_only_their_own_protocols() {
        let url = |text: &str| Source::Url(text.parse().unwrap());
        let modern = Capability { version: (5, 1, 9), ..Capability::default() };
        let old = Capability { version: (4, 4, 2), ..Capability::default() };
        let rtmp = shown(&probing(&url("rtmp://u:p@h/live/x?k=1"), Some(&modern)));
        assert_eq!(
            rtmp,
            "-protocol_whitelist rtmp,tcp -rw_timeout 10000000 -analyzeduration 5000000 -probesize 8000000 -fpsprobesize 0 -i rtmp://***@h/live/x?***"
        );
        let rtsp = url("rtsp://cam/stream");
        assert!(shown(&probing(&rtsp, Some(&modern))).contains("-rtsp_transport tcp -timeout 10000000"));
        assert!(shown(&probing(&rtsp, Some(&old))).contains("-stimeout 10000000"));
        assert!(!shown(&probing(&rtsp, None)).contains("timeout"));
        for source in [Source::Test, Source::File("/a".into())] {
            assert!(!shown(&probing(&source, Some(&modern))).contains("timeout"), "ffmpeg exits on it");
        }
    }
}
