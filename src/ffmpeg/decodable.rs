//! Whether the tracks of a source can be decoded: encrypted and broken ones are described as well as any other, since a
//! container describes its tracks in the clear.
//!
//! While ffprobe looks at a source it also hands out and decodes its first packets. That costs nothing worth
//! mentioning, and settles nearly every source. Where a track gives no frame there, or a decoder complains, its
//! frames and packets are counted over stretches that grow, so that a long wait is had only by what is truly damaged.

use super::capability::Capability;
use super::input;
use super::log_line::{Level, LogLine};
use super::report::{Report, TrackKind};
use crate::base::CommandLine;
use crate::base::command_line::Argument;
use crate::model::Source;
use serde_json::Value;
use std::path::Path;

/// What ffprobe is asked for beside its report: the kind of each of the first frames, and what stands beside the first
/// packets, where the marks of encryption are.
const FIRST: [&str; 4] = [
    "-show_entries",
    "frame=stream_index:packet=stream_index:packet_side_data=side_data_type",
    "-read_intervals",
    "%+#12",
];
/// Packets of one track that are counted, one stretch after another until enough of them decode. The last is a minute
/// of video: what gives nothing in that is not worth waiting for.
pub const STRETCHES: [u32; 3] = [20, 100, 1500];
/// One frame for this many packets is enough: a recording may begin in the middle of a group of pictures. Random bytes
/// pass for one AAC frame in two thousand.
const SPARSEST: u64 = 20;

/// The arguments that make ffprobe decode the first packets of `source`; none where that would have to wait for
/// packets, or open a device for longer.
pub fn looking(source: &Source) -> Vec<Argument> {
    if applies(source) { FIRST.map(Argument::from).into() } else { Vec::new() }
}

/// Whether this is asked of `source` at all: not of what is being broadcast, which may well be joined in the middle and
/// is known to nobody beforehand.
pub fn applies(source: &Source) -> bool {
    match source {
        Source::File(_) => true,
        Source::Url(url) => url.reaches_others(),
        Source::Device { .. } | Source::Test => false,
    }
}

/// What the first packets say of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// Frames came and nobody complained.
    Decodes,
    /// No frame came, or a decoder complained.
    Doubtful,
    /// It is marked as encrypted.
    Encrypted,
}

/// What `answer`, ffprobe's JSON, and `words`, what it said meanwhile, tell of the track with this index. Any bytes are
/// taken; what cannot be read is a doubt.
pub fn first(answer: &[u8], words: &[String], track: u32) -> First {
    let document: Value = serde_json::from_slice(answer).unwrap_or_default();
    let list = |name: &str| document.get(name).and_then(Value::as_array).into_iter().flatten();
    let of_track = |of: &&Value| of.get("stream_index").and_then(Value::as_u64) == Some(track.into());
    let both = || list("packets_and_frames").filter(of_track);
    let of_kind =
        |kind: &'static str| both().filter(move |one| one.get("type").and_then(Value::as_str) == Some(kind));
    let described = list("streams")
        .find(|stream| stream.get("index").and_then(Value::as_u64) == Some(track.into()))
        .is_some_and(key_named);
    if described || of_kind("packet").any(marked) {
        First::Encrypted
    } else if of_kind("frame").next().is_none() || words.iter().any(|line| complaint(line)) {
        First::Doubtful
    } else {
        First::Decodes
    }
}

/// Common encryption of MP4: each packet has the data of its key beside it.
fn marked(packet: &Value) -> bool {
    let beside = packet.get("side_data_list").and_then(Value::as_array).into_iter().flatten();
    beside.filter_map(|data| data.get("side_data_type")?.as_str()).any(|kind| kind == "Encryption info")
}

/// Encrypted WebM: the track has the name of its key.
fn key_named(stream: &Value) -> bool {
    let tags = stream.get("tags").and_then(Value::as_object);
    tags.is_some_and(|tags| tags.keys().any(|name| name.eq_ignore_ascii_case("enc_key_id")))
}

fn complaint(line: &str) -> bool {
    let line = LogLine::of(line);
    line.level == Level::Error && !line.harmless()
}

/// The command that counts what `packets` packets of a track give.
pub fn counting(
    ffprobe: &Path,
    source: &Source,
    capability: &Capability,
    track: u32,
    packets: u32,
) -> CommandLine {
    let mut command = CommandLine::new(ffprobe);
    command.args(["-hide_banner", "-loglevel", "level+error", "-count_frames", "-count_packets"]);
    command.arg("-select_streams").arg(track.to_string());
    command.arg("-read_intervals").arg(format!("%+#{packets}"));
    command.args(["-show_entries", "stream=nb_read_frames,nb_read_packets", "-print_format", "json"]);
    command.args(input::probing(source, Some(capability)));
    command
}

/// What [`counting`] counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets that were read.
    pub packets: u64,
    /// Frames that came of them.
    pub frames: u64,
}

impl Counted {
    /// Reads what [`counting`] printed; `None` if it is no count.
    pub fn read(answer: &[u8]) -> Option<Counted> {
        let document: Value = serde_json::from_slice(answer).ok()?;
        let stream = document.get("streams")?.get(0)?;
        // Where there was none, no number stands.
        let number =
            |name: &str| stream.get(name).and_then(Value::as_str).and_then(|n| n.parse().ok()).unwrap_or(0);
        Some(Counted { packets: number("nb_read_packets"), frames: number("nb_read_frames") })
    }

    /// Whether enough of it decodes to be shown.
    pub fn enough(self) -> bool {
        self.frames > 0 && self.frames.saturating_mul(SPARSEST) >= self.packets
    }
}

impl Report {
    /// The tracks that would be published.
    pub fn chosen_tracks(&self) -> Vec<(TrackKind, u32)> {
        let video = self.video.as_ref().map(|track| (TrackKind::Video, track.index));
        let audio = self.audio.as_ref().map(|track| (TrackKind::Audio, track.index));
        video.into_iter().chain(audio).collect()
    }

    /// The report without a track that cannot be decoded.
    pub fn without(mut self, kind: TrackKind) -> Report {
        match kind {
            TrackKind::Video => self.video = None,
            TrackKind::Audio => self.audio = None,
        }
        self.undecodable = Some(kind);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: &str = r#"{"packets_and_frames":[
        {"type":"packet","stream_index":0,"side_data_list":[{"side_data_type":"Skip Samples"}]},
        {"type":"frame","stream_index":0},
        {"type":"packet","stream_index":1,"side_data_list":[{"side_data_type":"Encryption info"}]},
        {"type":"packet","stream_index":2}],
        "streams":[{"index":3,"tags":{"ENC_KEY_ID":"x"}}]}"#;

    #[test]
    fn first_packets_settle_most() {
        let of = |words: &[&str], track| {
            first(BOTH.as_bytes(), &words.iter().map(ToString::to_string).collect::<Vec<_>>(), track)
        };
        assert_eq!(of(&[], 0), First::Decodes);
        assert_eq!(of(&["[warning] Guessed Channel Layout"], 0), First::Decodes);
        assert_eq!(of(&["[h264 @ 0x5] [error] no frame!"], 0), First::Doubtful);
        assert_eq!(of(&[], 1), First::Encrypted);
        assert_eq!(of(&[], 2), First::Doubtful);
        assert_eq!(of(&[], 3), First::Encrypted);
        assert_eq!(first(b"", &[], 0), First::Doubtful);
    }

    #[test]
    fn counts_are_read_and_judged() {
        let read = |text: &str| Counted::read(text.as_bytes());
        let of = |frames: &str| read(&format!(r#"{{"streams":[{{{frames}"nb_read_packets":"200"}}]}}"#));
        assert_eq!(of(""), Some(Counted { packets: 200, frames: 0 }));
        assert!(!of("").unwrap().enough() && !of(r#""nb_read_frames":"9","#).unwrap().enough());
        assert!(of(r#""nb_read_frames":"10","#).unwrap().enough());
        assert!(!Counted::default().enough(), "a track without a packet");
        assert_eq!(
            (read("{}"), read(""), read(r#"{"streams":[{}]}"#)),
            (None, None, Some(Counted::default()))
        );
    }

    #[test]
    fn only_what_is_at_rest_is_looked_into() {
        let url = |text: &str| Source::Url(text.parse().unwrap());
        assert!(applies(&Source::File("/a".into())) && applies(&url("http://h/a.m3u8")));
        assert!(!applies(&url("rtsp://h/a")) && !applies(&Source::Test));
        assert!(
            looking(&Source::Test).is_empty() && looking(&Source::File("/a".into())).len() == FIRST.len()
        );
    }

    proptest! {
        #[test]
        fn any_answer_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..200), track: u32) {
            let _ = (first(&bytes, &[], track), Counted::read(&bytes));
        }
    }
}
