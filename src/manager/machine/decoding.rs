//! Whether what a source holds can be decoded, asked before anything is started: an encrypted or broken file would
//! otherwise be tried without end.

use crate::base::{Failure, Kind, Outcome};
use crate::ffmpeg::capability::Capability;
use crate::ffmpeg::decodable::{self, Counted, First, STRETCHES};
use crate::ffmpeg::diagnosis;
use crate::ffmpeg::report::{Report, TrackKind};
use crate::model::Source;
use crate::process::spawn;
use std::path::Path;
use std::time::Duration;

/// How long counting one stretch may take. What takes longer is not judged.
const COUNTING_LIMIT: Duration = Duration::from_secs(10);
/// Most bytes of a count.
const MOST_COUNT: u64 = 64 * 1024;

/// The report, without a track that cannot be decoded; `answer` and `words` are what ffprobe printed and said for it.
///
/// # Errors
/// Input (7) if the source is encrypted, or nothing of it can be decoded.
pub fn checked(
    (source, named): (&Source, &str),
    ffprobe: &Path,
    capability: &Capability,
    report: Report,
    (answer, words): (&[u8], &[String]),
) -> Outcome<Report> {
    if !decodable::applies(source) {
        return Ok(report);
    }
    let tracks = report.chosen_tracks();
    let firsts: Vec<(TrackKind, u32, First)> =
        tracks.iter().map(|(kind, index)| (*kind, *index, decodable::first(answer, words, *index))).collect();
    if let Some((kind, ..)) = firsts.iter().find(|(.., first)| *first == First::Encrypted) {
        return Err(encrypted(source, named, &report, *kind));
    }
    let mut lost = Vec::new();
    for (kind, index, _) in firsts.into_iter().filter(|(.., first)| *first == First::Doubtful) {
        if let Some(why) = undecodable(source, ffprobe, capability, index) {
            lost.push((kind, why));
        }
    }
    match lost.as_slice() {
        [] => Ok(report),
        [(kind, _)] if tracks.len() > 1 => Ok(report.without(*kind)),
        _ => {
            let failure = Failure::new(Kind::Input, format!("no frame of {named} can be decoded"))
                .hint("check that it plays: it may be encrypted or damaged");
            Err(lost
                .into_iter()
                .fold(failure, |failure, (kind, why)| failure.why(format!("{}: {why}", kind.word()))))
        }
    }
}

/// Why nothing of this track can be shown; `None` if enough of it can be, or nobody can tell.
fn undecodable(source: &Source, ffprobe: &Path, capability: &Capability, index: u32) -> Option<String> {
    let mut said: Option<String> = None;
    let mut least = Counted::default();
    for packets in STRETCHES {
        let line = decodable::counting(ffprobe, source, capability, index, packets);
        let output = spawn::run(&line, COUNTING_LIMIT, MOST_COUNT).ok()?;
        least = Counted::read(&output.stdout).filter(|counted| !counted.enough())?;
        // The first stretch is short enough for its words to be whole.
        said.get_or_insert_with(|| {
            let text = String::from_utf8_lossy(&output.stderr);
            let words: Vec<String> = text.lines().map(str::to_string).collect();
            diagnosis::last_words(&words, 1).pop().map(|word| format!(" ({word})")).unwrap_or_default()
        });
        if least.packets < u64::from(packets) {
            break;
        }
    }
    Some(format!("{} frames in {} packets{}", least.frames, least.packets, said.unwrap_or_default()))
}

fn encrypted(source: &Source, named: &str, report: &Report, kind: TrackKind) -> Failure {
    let failure = Failure::new(Kind::Input, format!("{named} is encrypted"))
        .why(format!("its {} is marked as encrypted, and msconv has no key for it", kind.word()));
    match source {
        // ffmpeg takes keys for MP4 alone.
        Source::File(_) if report.is_format(&["mov", "mp4"]) => {
            failure.hint("ffmpeg -decryption_key KEY -i FILE -c copy decrypted.mp4    (if you have the key)")
        }
        Source::File(_) => failure.hint("decrypt it first"),
        _ => failure.hint("ask for an address of it that is not encrypted"),
    }
}
