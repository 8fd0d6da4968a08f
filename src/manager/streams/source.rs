//! The source of a publish, looked at before anything starts: is it there, may we read it, what is in it.

use crate::base::next::Advice;
use crate::base::{Failure, Kind, Outcome, failure::io_words};
use crate::config::{Environment, Paths, keys};
use crate::ffmpeg::capability::Capability;
use crate::ffmpeg::diagnosis::{self, Finding};
use crate::ffmpeg::packet_times::{self, Times};
use crate::ffmpeg::packets::{self, Packets};
use crate::ffmpeg::probe::{self, Report};
use crate::manager::devices;
use crate::manager::machine::decoding;
use crate::model::{Source, SourceUrl};
use crate::process::spawn::{self, RunError};
use crate::status::hello::{self, HelloError, Spoken};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a file or device may take to be probed.
const LOCAL_LIMIT: Duration = Duration::from_secs(15);
/// How long a network source may take: 10 s of silence, which ffprobe ends itself, and a group of pictures.
const NETWORK_LIMIT: Duration = Duration::from_secs(25);
/// How long something that could not be read may take to answer in its protocol.
const HELLO_LIMIT: Duration = Duration::from_secs(3);
/// How long reading a file's packets may take: it delays the start.
const PACKETS_LIMIT: Duration = Duration::from_secs(3);
/// Largest file whose packets are read, in bytes.
const LARGEST_READ: u64 = 4 * 1024 * 1024 * 1024;
/// As [`PACKETS_LIMIT`] and [`LARGEST_READ`] where only the times are at stake.
const LOOK_LIMIT: Duration = Duration::from_millis(1_500);
const LARGEST_LOOKED_AT: u64 = 256 * 1024 * 1024;
/// Most bytes of ffprobe's answer that are read.
const MOST_JSON: u64 = 4 * 1024 * 1024;

/// The source with its path made absolute, after the checks that need no ffprobe.
///
/// # Errors
/// Input (7), with the nearest name where a file does not exist.
pub fn check(source: &Source, environment: &Environment) -> Outcome<Source> {
    match source {
        Source::File(path) => file(path, environment).map(Source::File),
        Source::Device { video, .. } => {
            devices::check(video, environment)?;
            Ok(source.clone())
        }
        // Whether a network source is there shows when it is opened, and may change.
        Source::Url(_) | Source::Test => Ok(source.clone()),
    }
}

/// The source as people write it.
pub fn words(source: &Source, environment: &Environment) -> String {
    match source {
        Source::File(path) => Paths::shown(&environment.cwd.join(path), &environment.cwd),
        Source::Device { video, audio: None } => video.clone(),
        Source::Device { video, audio: Some(audio) } => format!("{video} with {audio}"),
        Source::Url(url) => url.to_string(),
        Source::Test => "test picture".into(),
    }
}

fn unusable(path: &Path, why: &str) -> Failure {
    Failure::new(Kind::Input, format!("cannot read {}", path.display())).why(why)
}

fn file(path: &Path, environment: &Environment) -> Outcome<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Failure::usage("-f needs the path of a file"));
    }
    let absolute = environment.cwd.join(path);
    let meta = match fs::metadata(&absolute) {
        Ok(meta) => meta,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            let failure = unusable(path, "there is no such file");
            return Err(match nearest(&absolute) {
                Some(near) => failure.hint(Advice::ReadFile(shell(&path.with_file_name(near)))),
                None => failure.hint("check the path"),
            });
        }
        Err(e) => return Err(unusable(path, &io_words(&e)).hint("check the path and its rights")),
    };
    let kind = meta.file_type();
    if kind.is_dir() {
        let failure = unusable(path, "it is a folder");
        return Err(match first_film(&absolute) {
            Some(film) => failure.hint(Advice::ReadFile(shell(&path.join(film)))),
            None => failure.hint("name a file in it"),
        });
    }
    if kind.is_char_device() {
        return Err(unusable(path, "it is a device").hint(Advice::ReadDevice(path.display().to_string())));
    }
    if kind.is_fifo() || kind.is_socket() || kind.is_block_device() {
        return Err(unusable(path, "it is not a plain file, so it cannot be repeated")
            .hint("write the data into a file first, or push it over RTMP and use -r"));
    }
    if meta.len() == 0 {
        return Err(unusable(path, "it is empty").hint("check how the file was made"));
    }
    let mut opened = fs::File::open(&absolute)
        .map_err(|e| unusable(path, &io_words(&e)).hint(format!("chmod +r {}", shell(path))))?;
    let mut head = [0u8; 512];
    let read = opened.read(&mut head).map_err(|e| unusable(path, &io_words(&e)).hint("check the disk"))?;
    match disguise(head.get(..read).unwrap_or_default()) {
        Some(what) => Err(unusable(path, what).hint(NAME_THE_FILM)),
        None => Ok(absolute),
    }
}

const NAME_THE_FILM: &str =
    "name the film itself; for a live stream use -r with its rtmp, rtsp or srt address";

/// What a file is that only names other files or hosts, or is plain text, whatever its name says. ffmpeg would follow
/// a playlist, and draws a text file as letters.
fn disguise(head: &[u8]) -> Option<&'static str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start();
    let begins =
        |words: &[&str]| words.iter().any(|w| text.get(..w.len()).is_some_and(|t| t.eq_ignore_ascii_case(w)));
    if begins(&["#EXTM3U", "ffconcat version", "[playlist]", "<MPD", "<ASX", "<smil"])
        || text.contains("<MPD")
    {
        Some("it is a playlist that names other files")
    } else if begins(&["v=0\r", "v=0\n"]) {
        Some("it is a session description, not a recording")
    } else if begins(&["<!doctype html", "<html"]) {
        Some("it is a web page, not a recording")
    } else {
        None
    }
}

fn shell(path: &Path) -> String {
    crate::base::command_line::quoted(&path.display().to_string())
}

/// The name in the same folder that is nearest to a mistyped one.
fn nearest(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    let names = names_in(path.parent()?);
    keys::nearest_of(&wanted, names.iter().map(String::as_str)).map(str::to_string)
}

fn first_film(folder: &Path) -> Option<String> {
    let film = |n: &&String| {
        let lower = n.to_ascii_lowercase();
        [".mp4", ".mkv", ".mov", ".webm", ".ts", ".flv", ".avi", ".m4v", ".mpg"]
            .iter()
            .any(|e| lower.ends_with(e))
    };
    let mut names = names_in(folder);
    names.sort();
    names.iter().find(film).cloned()
}

fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().take(5000).filter_map(|e| e.file_name().into_string().ok()).collect()
}

/// What is in the source, by ffprobe.
///
/// # Errors
/// Input (7), by what listens there and in ffprobe's own words; missing (5) if ffprobe cannot be started.
pub fn probe(source: &Source, ffprobe: &Path, capability: &Capability) -> Result<Report, Unread> {
    if matches!(source, Source::Test) {
        return Ok(Report::test_picture());
    }
    let line = probe::command_for(ffprobe, source, capability);
    let limit = if matches!(source, Source::Url(_)) { NETWORK_LIMIT } else { LOCAL_LIMIT };
    let named = || named(source);
    let output = match spawn::run(&line, limit, MOST_JSON) {
        Ok(output) => output,
        Err(RunError::Start(e)) => {
            return Err(Failure::new(Kind::Missing, format!("cannot start {}", ffprobe.display()))
                .why(io_words(&e))
                .hint(Advice::Examine { fix: false })
                .into());
        }
        Err(RunError::TimedOut(said)) => return Err(unread(source, &lines(&said), true)),
    };
    let words = lines(&output.stderr);
    if output.exit.code != Some(0) {
        return Err(unread(source, &words, false));
    }
    let mut report = probe::parse(&output.stdout).map_err(|e| {
        Failure::new(Kind::Input, format!("{} cannot be used", named()))
            .why(e.to_string())
            .hint(Advice::Examine { fix: false })
    })?;
    if let Some(line) = probe::second_look(ffprobe, source, &report)
        && let Ok(second) = spawn::run(&line, limit, MOST_JSON)
        && let Ok(fuller) = probe::parse(&second.stdout)
    {
        report = fuller;
    }
    report = probe::with_its_rate(report, source);
    if report.video.is_none() && report.audio.is_none() {
        return Err(Failure::new(Kind::Input, format!("{} has neither video nor audio", named()))
            .why(format!("ffprobe calls it {}", report.format))
            .hint("name a film or a recording")
            .into());
    }
    Ok(decoding::checked((source, &named()), ffprobe, capability, report, (&output.stdout, &words))?)
}

/// What the packets of a file say: the picture's, where they decide whether it is copied (`candidate`), and the times of
/// all. Nothing is known of a file that takes too long to read.
pub fn packets(
    source: &Source,
    ffprobe: &Path,
    report: &Report,
    candidate: Option<u32>,
) -> (Option<Packets>, Times) {
    let (largest, limit) = match candidate {
        Some(_) => (LARGEST_READ, PACKETS_LIMIT),
        None => (LARGEST_LOOKED_AT, LOOK_LIMIT),
    };
    let size = match source {
        Source::File(path) if !report.still => fs::metadata(path).map_or(u64::MAX, |meta| meta.len()),
        _ => u64::MAX,
    };
    let unread = (None, Times::Unread);
    if size > largest {
        return unread;
    }
    let Ok(output) = spawn::run(&packets::command(ffprobe, source), limit, packets::LARGEST) else {
        return unread;
    };
    let whole = output.exit.code == Some(0) && (output.stdout.len() as u64) < packets::LARGEST;
    if !whole {
        return unread;
    }
    let (video, audio) = (report.video.as_ref().map(|v| v.index), report.audio.as_ref().map(|a| a.index));
    let mut found = candidate.and_then(|track| packets::parse(&output.stdout, track));
    if let Some(found) = &mut found {
        // A container that is read with complaints has lost something.
        found.damaged |= !output.stderr.is_empty();
    }
    (found, packet_times::parse(&output.stdout, video, audio))
}

fn named(source: &Source) -> String {
    match source {
        Source::File(path) => path.display().to_string(),
        Source::Device { video, .. } => video.clone(),
        Source::Url(url) => url.to_string(),
        Source::Test => "the test picture".into(),
    }
}

fn lines(said: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(said).lines().map(str::to_string).collect()
}

/// A source that cannot be read.
#[derive(Debug)]
pub struct Unread {
    /// Why.
    pub failure: Failure,
    /// Whether it may be there a little later: nothing listens yet, or nobody publishes.
    pub may_come: bool,
}

impl From<Failure> for Unread {
    fn from(failure: Failure) -> Unread {
        Unread { failure, may_come: false }
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Failure {
        unread.failure
    }
}

/// A source that ffprobe could not open. Whether anything answers there as it should is asked anew, since ffprobe's words
/// do not tell silence from another protocol; what is wrong beyond that is told in its words. `waited`: its time was over.
fn unread(source: &Source, words: &[String], waited: bool) -> Unread {
    let failure = Failure::new(Kind::Input, format!("cannot read {}", named(source)));
    if let (Source::Url(url), Some(Err(error))) = (source, greeted(source)) {
        return not_there(url, &error, failure);
    }
    let (why, may_come) = match source {
        Source::Url(url) => answered(url, words, waited),
        _ => (finding(words).map(|finding| finding.to_string()), false),
    };
    let cleaned = crate::base::secret::Redactor::new();
    let told = why.clone().unwrap_or_default();
    let quoted = if may_come { Vec::new() } else { diagnosis::further_words(words, 2, &told) };
    let failure = why.into_iter().fold(failure, Failure::why);
    let failure = quoted.iter().fold(failure, |failure, line| failure.why(cleaned.clean(line)));
    let failure = failure.hint(match source {
        Source::File(_) => "check that it is a film: ffprobe FILE",
        Source::Url(_) => "check the address, and that it is being published right now",
        Source::Device { .. } => "msconv devices",
        Source::Test => "msconv doctor",
    });
    Unread { failure, may_come }
}

/// What ffprobe's words mean, the first that mean something.
fn finding(words: &[String]) -> Option<Finding> {
    words.iter().find_map(|line| diagnosis::diagnose_line(line))
}

/// Why a source cannot be read that answers in its protocol, and whether that may pass.
fn answered(url: &SourceUrl, words: &[String], waited: bool) -> (Option<String>, bool) {
    match finding(words) {
        // Some servers let readers wait for the first frame.
        Some(Finding::TimedOut) => (Some("it answers, but nobody publishes that stream".into()), true),
        None if waited => (Some("it answers, but nobody publishes that stream".into()), true),
        Some(Finding::NoSuchStream) if url.scheme().starts_with("http") => {
            (Some("nobody publishes that stream: the server has nothing there (404)".into()), true)
        }
        // SRT has no words for what is wrong.
        None if Spoken::at(url) == Spoken::Srt => {
            (Some("it refuses the stream: nobody publishes it, or the passphrase is another".into()), true)
        }
        None => (None, false),
        Some(finding) => (Some(finding.to_string()), finding.permanent().is_none()),
    }
}

/// What listens where a network source shall be; `None` for other sources.
fn greeted(source: &Source) -> Option<Result<(), HelloError>> {
    let Source::Url(url) = source else { return None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    Some(runtime.block_on(hello::source(url, HELLO_LIMIT)))
}

/// A source where nothing answers as it should: one sentence for each way. What ffprobe says of it is a consequence.
fn not_there(url: &SourceUrl, error: &HelloError, failure: Failure) -> Unread {
    let spoken = Spoken::at(url).name();
    let (why, hint) = match error {
        HelloError::Refused => {
            ("nothing listens there: connection refused".into(), "check the address, and that it is running")
        }
        HelloError::UnknownHost => (format!("there is no host {}", url.host()), "check the address"),
        HelloError::Silent(_) => {
            (format!("it is silent: nothing answers in {spoken}"), "check the address, and what runs there")
        }
        HelloError::Closed => {
            ("it ends the connection without a word".into(), "check the address, and what runs there")
        }
        HelloError::OtherProtocol(other) => {
            let speaks = other.as_ref().map(|other| format!(", but {other}")).unwrap_or_default();
            (format!("it does not speak {spoken}{speaks}"), "check the scheme and the port of the address")
        }
        HelloError::Unreachable(why) => (why.clone(), "check the address, and the way there"),
    };
    let may_come = !matches!(error, HelloError::OtherProtocol(_));
    Unread { failure: failure.why(why).hint(hint), may_come }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str, dir: &Path) -> String {
        let environment = Environment::made(&[], dir);
        let failure = check(&Source::File(path.into()), &environment).unwrap_err();
        assert_eq!(failure.kind(), Kind::Input);
        crate::ui::failure_text::text(&failure)
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("video.mp4"), "x").unwrap();
        fs::write(dir.path().join("empty.mp4"), "").unwrap();
        fs::create_dir(dir.path().join("films")).unwrap();
        fs::write(dir.path().join("films/a film.mkv"), "x").unwrap();
        nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(refused("vidoe.mp4", dir.path()).contains("try: -f video.mp4"));
        assert!(refused("empty.mp4", dir.path()).contains("it is empty"));
        assert!(refused("films", dir.path()).contains("try: -f 'films/a film.mkv'"));
        assert!(refused("pipe", dir.path()).contains("not a plain file"));
        assert!(refused("/dev/null", dir.path()).contains("it is a device"));
        assert!(refused("video.mp4/x", dir.path()).contains("no such file"));
    }

    #[test]
    fn playlists_in_disguise_are_seen() {
        for text in [
            "#EXTM3U\n#EXTINF:2,\nhttp://h/a.ts\n",
            "\u{feff}#EXTM3U",
            "ffconcat version 1.0",
            "<?xml?><MPD x>",
            "v=0\r\no=-",
            "\n <!DOCTYPE html>",
        ] {
            assert!(disguise(text.as_bytes()).is_some(), "{text}");
        }
        assert_eq!(disguise(b"\0\0\0 ftypisom"), None);
        assert_eq!(disguise(b""), None);
    }

    #[test]
    fn paths_become_absolute() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("-f.mp4"), "x").unwrap();
        let environment = Environment::made(&[], dir.path());
        let checked = check(&Source::File("-f.mp4".into()), &environment).unwrap();
        assert_eq!(checked, Source::File(dir.path().join("-f.mp4")));
        assert_eq!(words(&Source::File("-f.mp4".into()), &environment), "./-f.mp4");
    }
}
