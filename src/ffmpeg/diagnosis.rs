//! What ffmpeg's words and exits mean.
//!
//! The words are those of real runs, kept in `tests/data/ffmpeg_log/`; they change between versions, so each meaning
//! has all its wordings here, and a line that nobody knows means nothing rather than something wrong.

use super::log_line::{Level, LogLine};
pub use super::log_line::{is_harmless, is_of_input, last_words};
use crate::base::Kind;
use crate::base::printable::bounded;
use std::fmt;

/// A meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Somebody publishes this name already.
    NameTaken,
    /// Nothing listens there.
    Refused,
    /// The host's name leads nowhere.
    UnknownHost,
    /// The network has no way there.
    NoRoute,
    /// Nothing came for too long.
    TimedOut,
    /// The other side did not answer as an RTMP server does; whether it was silent or said something else is in the next
    /// line, if anywhere.
    NotRtmp,
    /// The other side ended the connection.
    Closed,
    /// The server took the connection and refused the name: no such application, or a hook said no. ffmpeg has no
    /// better word than an I/O error.
    NameRefused,
    /// The server wants other credentials.
    AccessDenied,
    /// Nobody publishes the stream that was to be read.
    NoSuchStream,
    /// The file is not there.
    NoSuchFile,
    /// The file may not be read.
    NoPermission,
    /// Not a film, or a broken one.
    InvalidData,
    /// The key of an encrypted playlist cannot be had.
    KeyMissing,
    /// A wanted track is not there.
    NoStreams,
    /// The device is not there, or is no such device.
    DeviceMissing,
    /// Another program uses the device.
    DeviceBusy,
    /// There is no such display, or it lets nobody in.
    NoDisplay,
    /// The encoder does not work here; its own words.
    EncoderFailed(String),
    /// The filter graph cannot be built; ffmpeg's words.
    FilterFailed(String),
    /// ffmpeg does not know an option; its words.
    BadOption(String),
    /// The source wants a protocol that is not allowed for it.
    ProtocolForbidden,
    /// No room on the disk.
    DiskFull,
    /// No memory.
    OutOfMemory,
    /// A rendition's queue is full: the server takes less than is made.
    QueueFull,
    /// Audio joined a source that had none.
    NewAudio,
    /// The server's own words.
    ServerError(String),
}

impl Finding {
    /// The kind, if trying again cannot help.
    pub fn permanent(&self) -> Option<Kind> {
        match self {
            Finding::NoSuchFile
            | Finding::NoPermission
            | Finding::InvalidData
            | Finding::NoStreams
            | Finding::EncoderFailed(_)
            | Finding::ProtocolForbidden => Some(Kind::Input),
            Finding::AccessDenied => Some(Kind::Server),
            Finding::BadOption(_) => Some(Kind::Usage),
            Finding::FilterFailed(_) => Some(Kind::Internal),
            _ => None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Finding::NameTaken => "the name is already being published",
            Finding::Refused => "connection refused",
            Finding::UnknownHost => "the host's name is not known",
            Finding::NoRoute => "there is no route to the host",
            Finding::TimedOut => "the other side is silent",
            Finding::NotRtmp => "the other side does not answer as an RTMP server",
            Finding::Closed => "the other side ended the connection",
            Finding::NameRefused => "the server refused the name or has no such application",
            Finding::AccessDenied => "the server denied access",
            Finding::NoSuchStream => "nobody publishes that stream",
            Finding::NoSuchFile => "there is no such file",
            Finding::NoPermission => "the source may not be read",
            Finding::InvalidData => "it is no film that ffmpeg knows, or it is broken",
            Finding::KeyMissing => "it is encrypted and its key cannot be had",
            Finding::NoStreams => "a track that was wanted is not there",
            Finding::DeviceMissing => "there is no such device",
            Finding::DeviceBusy => "another program uses the device",
            Finding::NoDisplay => "the display cannot be opened",
            Finding::ProtocolForbidden => "the source leads to a protocol that is not allowed for it",
            Finding::DiskFull => "the disk is full",
            Finding::OutOfMemory => "there is not enough memory",
            Finding::NewAudio => "the source sends audio now",
            Finding::QueueFull => "the server takes less than is made; frames are skipped",
            Finding::EncoderFailed(words) => return write!(f, "the encoder does not work here: {words}"),
            Finding::FilterFailed(words) => return write!(f, "the filters cannot be set up: {words}"),
            Finding::BadOption(words) => return write!(f, "ffmpeg refuses an argument: {words}"),
            Finding::ServerError(words) => return write!(f, "the server says: {words}"),
        })
    }
}

/// What a line of the log means, if it means something.
pub fn diagnose_line(line: &str) -> Option<Finding> {
    let line = LogLine::of(line);
    if line.harmless() {
        return None;
    }
    let message = line.message;
    let has = |part: &str| message.contains(part);
    let words = || bounded(message, 200);
    if let Some(said) = message.strip_prefix("Server error: ") {
        return Some(server_error(said));
    }
    if has("FIFO queue full") {
        return Some(Finding::QueueFull);
    }
    // "New audio stream 0:1 at pos:1 and DTS:2s" (to 6.0), "New audio stream with index 1 at pos:1 and DTS:2s".
    if has("New audio stream ") && has(" and DTS:") {
        return Some(Finding::NewAudio);
    }
    if line.level != Level::Error {
        return None;
    }
    if has("not on whitelist") {
        return Some(Finding::ProtocolForbidden);
    }
    if has("Unrecognized option")
        || has("Option not found") && !has("Error splitting")
        || has("Missing argument for option")
    {
        return Some(Finding::BadOption(words()));
    }
    if encoder_failed(&line) {
        return Some(Finding::EncoderFailed(words()));
    }
    if has("No such filter") || has("Error initializing filter") || has("Error reinitializing filters") {
        return Some(Finding::FilterFailed(words()));
    }
    if has("Unable to open key file") {
        return Some(Finding::KeyMissing);
    }
    if has("matches no streams") || has("does not contain any stream") {
        return Some(Finding::NoStreams);
    }
    device(&line).or_else(|| network(&line)).or_else(|| ending(&line))
}

/// What the RTMP server said in its own words.
fn server_error(said: &str) -> Finding {
    let lower = said.to_ascii_lowercase();
    let has = |part: &str| lower.contains(part);
    if has("already publishing") || has("badname") || has("stream is publishing") || has("is being published")
    {
        Finding::NameTaken
    } else if ["no such stream", "streamnotfound", "not found", "nobody publishes", "no one is publishing"]
        .into_iter()
        .any(has)
    {
        Finding::NoSuchStream
    } else if has("authentication")
        || has("authmod")
        || has("unauthorized")
        || has("access denied")
        || has("not allowed")
    {
        Finding::AccessDenied
    } else {
        Finding::ServerError(bounded(said, 200))
    }
}

/// Words of drivers and of ffmpeg about an encoder that cannot be opened.
fn encoder_failed(line: &LogLine<'_>) -> bool {
    const WORDS: [&str; 10] = [
        "Unknown encoder",
        "Error while opening encoder",
        "Cannot load libcuda",
        "Cannot load nvcuda",
        "No capable devices found",
        "OpenEncodeSessionEx failed",
        "internal MFX session",
        "No VA display found",
        "Device creation failed",
        "Could not find a valid device",
    ];
    let encoder =
        line.speaker.contains("_nvenc") || line.speaker.contains("_qsv") || line.speaker.contains("_vaapi");
    WORDS.iter().any(|part| line.message.contains(part))
        || (encoder && line.message.contains("not supported"))
}

fn device(line: &LogLine<'_>) -> Option<Finding> {
    let message = line.message;
    let has = |part: &str| message.contains(part);
    let capture =
        line.speaker.contains("v4l2") || matches!(line.speaker, "alsa" | "pulse" | "x11grab" | "fbdev");
    let about_device = capture || has("/dev/") || line.speaker.is_empty() && has("default: No such process");
    if has("Device or resource busy") {
        return Some(Finding::DeviceBusy);
    }
    if has("Cannot open display") || has("Can't open display") {
        return Some(Finding::NoDisplay);
    }
    let missing = [
        "No such file or directory",
        "No such device",
        "No such process",
        "Inappropriate ioctl",
        "Not a video capture device",
    ];
    (about_device && missing.iter().any(|part| has(part))).then_some(Finding::DeviceMissing)
}

fn network(line: &LogLine<'_>) -> Option<Finding> {
    let has = |part: &str| line.message.contains(part);
    if has("Failed to resolve hostname") {
        return Some(Finding::UnknownHost);
    }
    if has("Cannot read RTMP handshake response") {
        return Some(Finding::NotRtmp);
    }
    if has("401 Unauthorized")
        || has("403 Forbidden")
        || has("authorization failed")
        || has("Authentication failed")
    {
        return Some(Finding::AccessDenied);
    }
    // The end of each of ffmpeg's own sentences for a status of HTTP that it does not spell out.
    if has("Server returned 5XX") {
        return Some(Finding::ServerError("Server returned 5XX".into()));
    }
    (has("404 Not Found") || has("404 Stream Not Found")).then_some(Finding::NoSuchStream)
}

/// The last `most` lines, as [`last_words`] chooses them, that say more than `told` does already: without those that mean
/// what it says, and those that end in it.
pub fn further_words(lines: &[String], most: usize, told: &str) -> Vec<String> {
    let told = told.to_lowercase();
    let new = |line: &&String| {
        let meaning = diagnose_line(line).map(|finding| finding.to_string().to_lowercase());
        let message = LogLine::of(line).message.to_lowercase();
        let tail = message.rsplit(": ").next().unwrap_or_default();
        !meaning.is_some_and(|meaning| told.contains(&meaning)) && !told.contains(tail)
    };
    last_words(&lines.iter().filter(new).cloned().collect::<Vec<_>>(), most)
}

/// What the system's own words at the end of a message mean: `rtmp://host/live/x: Connection refused`.
fn ending(line: &LogLine<'_>) -> Option<Finding> {
    let message = line.message.trim_end_matches('.');
    let has = |part: &str| message.contains(part);
    let url = has("://");
    let rtmp = has("rtmp://") || has("rtmps://");
    // Broken frames of a running stream; the decoder goes on.
    let decoding = has("while decoding") || has("Error submitting packet") || has("decode_slice");
    [
        ("Connection refused", Finding::Refused),
        ("No route to host", Finding::NoRoute),
        ("Network is unreachable", Finding::NoRoute),
        ("Connection timed out", Finding::TimedOut),
        ("Operation timed out", Finding::TimedOut),
        ("Connection reset by peer", Finding::Closed),
        ("Broken pipe", Finding::Closed),
        ("No space left on device", Finding::DiskFull),
        ("Cannot allocate memory", Finding::OutOfMemory),
    ]
    .into_iter()
    .find_map(|(words, finding)| has(words).then_some(finding))
    .or_else(|| {
        if message.ends_with("No such file or directory") && !url {
            Some(Finding::NoSuchFile)
        } else if message.ends_with("Permission denied") && !url {
            Some(Finding::NoPermission)
        } else if message.ends_with("Invalid data found when processing input")
            && !decoding
            && opens_input(line)
        {
            Some(Finding::InvalidData)
        } else if message.ends_with("Input/output error") && rtmp {
            Some(Finding::NameRefused)
        } else if message.ends_with("End of file") && url {
            Some(Finding::Closed)
        } else {
            None
        }
    })
}

/// Whether a message is about opening a source: `file:/a.mp4: ...` (to 6.0), `Error opening input: ...` (from 6.1).
fn opens_input(line: &LogLine<'_>) -> bool {
    line.message.starts_with("Error opening input")
        || (line.speaker.is_empty() && !line.message.starts_with("Error") && line.message.contains('/'))
        || line.message.starts_with("Impossible to open")
}

/// Whether ffmpeg complains that frames cannot be decoded. That is no cause of an end by itself: a live source may be
/// joined between two keyframes, and one that is damaged goes on.
pub fn cannot_decode(lines: &[String]) -> bool {
    const WORDS: [&str; 4] = [
        "Error while decoding stream",
        "Decoding error:",
        "Error submitting packet to decoder",
        "Cannot determine format of input",
    ];
    lines.iter().any(|line| WORDS.iter().any(|words| line.contains(words)))
}

/// What the end of ffmpeg means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did what it was asked to do.
    Clean,
    /// SIGTERM or SIGINT: somebody wanted it to end.
    OperatorStop,
    /// It may work again.
    Transient(String),
    /// Trying again cannot help.
    Permanent(Kind, String),
}

/// Judges an end by exit code or signal and the last lines of the log, oldest first. `endless`: the input was not
/// meant to end.
///
/// Versions before 6.1 end with 1 for every error; later ones with the low byte of its number, which for EPERM is
/// 255, the same as for SIGTERM. There the log has to tell.
pub fn exit_verdict(code: Option<i32>, signal: Option<i32>, endless: bool, recent: &[String]) -> Verdict {
    match (code, signal) {
        (_, Some(2 | 15)) | (Some(123), _) => Verdict::OperatorStop,
        (_, Some(9)) => Verdict::Transient("ffmpeg was killed, perhaps for want of memory".into()),
        (_, Some(signal)) => Verdict::Transient(format!("ffmpeg crashed (signal {signal})")),
        (Some(0), _) if endless => Verdict::Transient("the source ended".into()),
        (Some(0), _) => Verdict::Clean,
        (Some(255), _) if !denied(recent) => Verdict::OperatorStop,
        (code, _) => failed(code, recent),
    }
}

/// Whether the last thing said was EPERM.
fn denied(recent: &[String]) -> bool {
    let said = |line: &&String| !is_harmless(line);
    recent.iter().rev().filter(said).take(4).any(|line| line.contains("Operation not permitted"))
}

/// Lines that may bear on an end: earlier ones belong to faults that were overcome.
const RELEVANT: usize = 24;

fn failed(code: Option<i32>, recent: &[String]) -> Verdict {
    let tail = recent.get(recent.len().saturating_sub(RELEVANT)..).unwrap_or(recent);
    let findings: Vec<Finding> = tail.iter().filter_map(|line| diagnose_line(line)).collect();
    // The first of the permanent ones is the cause, those behind it are its consequences.
    if let Some((finding, kind)) = findings.iter().find_map(|f| Some((f, f.permanent()?))) {
        return Verdict::Permanent(kind, finding.to_string());
    }
    let words = findings.last().map(ToString::to_string).or_else(|| last_words(tail, 1).pop());
    let code = code.map_or_else(|| "without a code".to_string(), |code| format!("with {code}"));
    Verdict::Transient(words.unwrap_or_else(|| format!("ffmpeg ended {code}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_string).collect()
    }

    macro_rules! said {
        ($name:literal) => {
            lines(include_str!(concat!("../../tests/data/ffmpeg_log/", $name, ".txt")))
        };
    }

    fn found(lines: &[String]) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        for finding in lines.iter().filter_map(|line| diagnose_line(line)) {
            if !found.contains(&finding) {
                found.push(finding);
            }
        }
        found
    }

    #[test]
    fn faults_of_the_server_are_transient() {
        for (lines, expected) in [
            (said!("5.1.9-server-refuses"), Finding::Refused),
            (said!("5.1.9-server-refuses-queue"), Finding::Refused),
            (said!("9.0.2-server-refuses"), Finding::Refused),
            (said!("5.1.9-unknown-host"), Finding::UnknownHost),
            (said!("5.1.9-unknown-host-queue"), Finding::UnknownHost),
            (said!("9.0.2-unknown-host"), Finding::UnknownHost),
            (said!("5.1.9-no-route6"), Finding::NoRoute),
            (said!("5.1.9-server-speaks-http"), Finding::NotRtmp),
            (said!("5.1.9-server-silent"), Finding::TimedOut),
            (said!("5.1.9-server-closes"), Finding::NotRtmp),
            (said!("5.1.9-no-application"), Finding::NameRefused),
            (said!("5.1.9-no-application-queue"), Finding::NameRefused),
            (said!("9.0.2-no-application"), Finding::NameRefused),
            (said!("5.1.9-dropped"), Finding::Closed),
            (said!("5.1.9-publish-denied"), Finding::Closed),
            (said!("5.1.9-name-taken"), Finding::NameTaken),
            (said!("5.1.9-name-taken-queue"), Finding::NameTaken),
            (said!("9.0.2-name-taken"), Finding::NameTaken),
            (said!("5.1.9-source-refuses"), Finding::Refused),
            (said!("5.1.9-source-rtsp-refuses"), Finding::Refused),
            (said!("5.1.9-source-silent"), Finding::NoSuchStream),
            (said!("5.1.9-device-missing"), Finding::DeviceMissing),
            (said!("5.1.9-device-is-none"), Finding::DeviceMissing),
            (said!("5.1.9-no-display"), Finding::NoDisplay),
            (said!("5.1.9-no-pulse"), Finding::DeviceMissing),
            (said!("5.1.9-disk-full"), Finding::DiskFull),
            (said!("9.0.2-disk-full"), Finding::DiskFull),
        ] {
            assert!(found(&lines).contains(&expected), "{expected:?} in {lines:#?}: {:?}", found(&lines));
            let verdict = exit_verdict(Some(1), None, true, &lines);
            assert!(matches!(verdict, Verdict::Transient(_)), "{verdict:?} for {lines:#?}");
        }
    }

    #[test]
    fn what_cannot_be_mended_by_trying_again_is_permanent() {
        for (lines, kind) in [
            (said!("5.1.9-no-such-file"), Kind::Input),
            (said!("9.0.2-no-such-file"), Kind::Input),
            (said!("5.1.9-invalid-data"), Kind::Input),
            (said!("9.0.2-invalid-data"), Kind::Input),
            (said!("5.1.9-cut-off-mp4"), Kind::Input),
            (said!("5.1.9-no-permission"), Kind::Input),
            (said!("5.1.9-no-streams"), Kind::Input),
            (said!("9.0.2-no-streams"), Kind::Input),
            (said!("5.1.9-protocol-forbidden"), Kind::Input),
            (said!("5.1.9-encoder-nvenc"), Kind::Input),
            (said!("9.0.2-encoder-nvenc"), Kind::Input),
            (said!("5.1.9-encoder-qsv"), Kind::Input),
            (said!("5.1.9-encoder-vaapi"), Kind::Input),
            (said!("5.1.9-encoder-unknown"), Kind::Input),
            (said!("9.0.2-encoder-unknown"), Kind::Input),
            (said!("5.1.9-unknown-option"), Kind::Usage),
            (said!("9.0.2-unknown-option"), Kind::Usage),
            (said!("5.1.9-bad-filter"), Kind::Internal),
            (said!("9.0.2-bad-filter"), Kind::Internal),
            (said!("5.1.9-no-such-filter"), Kind::Internal),
        ] {
            match exit_verdict(Some(1), None, true, &lines) {
                Verdict::Permanent(found, _) => assert_eq!(found, kind, "{lines:#?}"),
                other => panic!("{other:?} for {lines:#?}"),
            }
        }
    }

    #[test]
    fn a_clean_run_means_nothing() {
        for lines in [said!("5.1.9-clean-flv-end"), said!("5.1.9-dropped-queue")] {
            assert!(found(&lines).is_empty());
            assert!(lines.iter().all(|line| is_harmless(line)));
            assert!(last_words(&lines, 3).is_empty());
        }
    }

    #[test]
    fn the_drivers_own_words_are_kept() {
        let Verdict::Permanent(_, why) = exit_verdict(Some(1), None, true, &said!("5.1.9-encoder-nvenc"))
        else {
            panic!("permanent")
        };
        assert_eq!(why, "the encoder does not work here: Cannot load libcuda.so.1");
    }

    #[test]
    fn what_is_encrypted_or_broken_is_said_to_be() {
        let key = "[hls @ 0x5] [error] Unable to open key file http://h/k.key";
        assert_eq!(diagnose_line(key), Some(Finding::KeyMissing));
        let of = |line: &str| cannot_decode(&[line.to_string()]);
        assert!(of("[error] Error while decoding stream #0:0: Invalid data found when processing input"));
        assert!(of("[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2] [error] Decoding error: Invalid data found"));
        assert!(!of("[error] rtmp://h/live/x: Connection refused"));
    }

    #[test]
    fn ends_are_told_apart() {
        let none: &[String] = &[];
        assert_eq!(exit_verdict(Some(0), None, false, none), Verdict::Clean);
        assert!(matches!(exit_verdict(Some(0), None, true, none), Verdict::Transient(_)));
        assert_eq!(exit_verdict(Some(255), None, true, none), Verdict::OperatorStop);
        assert_eq!(exit_verdict(None, Some(15), true, none), Verdict::OperatorStop);
        assert!(matches!(exit_verdict(None, Some(9), true, none), Verdict::Transient(_)));
        assert!(matches!(exit_verdict(None, Some(11), false, none), Verdict::Transient(_)));
        let taken = said!("9.0.2-name-taken");
        assert!(
            matches!(exit_verdict(Some(255), None, true, &taken), Verdict::Transient(_)),
            "EPERM, not a stop"
        );
        assert!(matches!(
            exit_verdict(Some(255), None, true, &said!("9.0.2-encoder-nvenc")),
            Verdict::Permanent(..)
        ));
        // A fault that was overcome long ago does not explain an end by hand.
        assert_eq!(
            exit_verdict(Some(255), None, true, &said!("5.1.9-server-refuses")),
            Verdict::OperatorStop
        );
    }

    proptest! {
        #[test]
        fn any_line_is_judged(lines in proptest::collection::vec("\\PC{0,80}|\\[[a-z @0x1]{0,9}\\] \\[error\\] \\PC{0,40}", 0..30), code in proptest::option::of(any::<i32>()), signal in proptest::option::of(any::<i32>()), endless: bool) {
            for line in &lines {
                let _ = diagnose_line(line).map(|f| f.to_string());
            }
            let _ = exit_verdict(code, signal, endless, &lines);
        }
    }
}
