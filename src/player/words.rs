//! Reads what a player said: whether it failed (VLC and ffplay end with 0 on errors), and which words to quote.

use super::kind::Kind;

/// How many lines are quoted at most.
pub const QUOTED: usize = 3;

/// What players say on any machine without audio, session bus or graphics card, whether they play or not.
const NOISE: &[&str] = &[
    "alsa",
    "jack",
    "pulse",
    "pipewire",
    "pw.conf",
    "xdg_runtime_dir",
    "xdg-screensaver",
    "dbus",
    "d-bus",
    "interface",
    "libva",
    "vaapi",
    "vdpau",
    "cuda",
    "nvidia",
    "mesa",
    "libgl",
    "drm",
    "kms",
    "vulkan",
    "vt switcher",
    "vt control",
    "software renderer",
    "audio output",
    "audio device",
    "audio driver",
    "[ao",
    "[vo/",
    "legacy vo",
    "audio open failed",
    "cannot connect to server",
    "screensaver",
    "qt.qpa",
    "gtk",
    "end of playlist",
    "running vlc with the default",
    "try `vlc --help'",
    "check the log for details",
];

/// Words that stand in lines about a fault.
const FAULT: &[&str] = &[
    "error",
    "fail",
    "cannot",
    "can't",
    "could not",
    "couldn't",
    "unable",
    "refused",
    "denied",
    "not found",
    "invalid",
    "no such",
    "unsupported",
    "unknown option",
    "unrecognized",
    "not supposed",
    "timed out",
    "timeout",
    "unreachable",
    "missing",
];

/// What VLC says when it gave up on the stream, whatever its exit code.
const VLC_GAVE_UP: &[&str] = &[
    "your input can't be opened",
    "is unable to open the mrl",
    "stream error: failed to open",
    "not supposed to be run",
];

/// Whether the player gave up, by its own words alone. `url` is what it was given.
pub fn gave_up(kind: Kind, lines: &[String], url: &str) -> bool {
    match kind {
        Kind::Vlc => {
            lines.iter().map(|l| l.to_lowercase()).any(|l| VLC_GAVE_UP.iter().any(|words| l.contains(words)))
        }
        // "URL: reason" is how ffplay ends when it cannot open its input.
        Kind::Ffplay => lines.iter().any(|l| l.strip_prefix(url).is_some_and(|rest| rest.starts_with(": "))),
        Kind::Mpv => {
            lines.iter().any(|l| l.starts_with("Failed to open ") || l.starts_with("Failed to recognize"))
        }
        Kind::Other => false,
    }
}

/// The last words worth quoting: lines about a fault if there are any, else the last lines that are not noise.
pub fn last_words(lines: &[String]) -> Vec<String> {
    let plain: Vec<&str> = lines.iter().map(|l| bare(l)).filter(|l| !l.is_empty() && !noise(l)).collect();
    let faults: Vec<&str> = plain.iter().copied().filter(|l| is_fault(l)).collect();
    let source = if faults.is_empty() { plain } else { faults };
    let mut quoted: Vec<String> = Vec::new();
    for line in source.iter().rev() {
        if !quoted.iter().any(|q| q == line) {
            quoted.push((*line).to_string());
        }
        if quoted.len() == QUOTED {
            break;
        }
    }
    quoted.reverse();
    quoted
}

/// Whether any line speaks of a fault that matters.
pub fn speaks_of_a_fault(lines: &[String]) -> bool {
    lines.iter().map(|l| bare(l)).any(|l| !noise(l) && is_fault(l))
}

fn is_fault(line: &str) -> bool {
    let line = line.to_lowercase();
    FAULT.iter().any(|words| line.contains(words))
}

fn noise(line: &str) -> bool {
    let line = line.to_lowercase();
    NOISE.iter().any(|words| line.contains(words))
}

/// A line without the address that VLC and ffmpeg put in front: `[00007f4d880015c0] main input error: ...`,
/// `[rtmp @ 0x7f48340015c0] Cannot open ...`.
fn bare(line: &str) -> &str {
    let line = line.trim();
    let Some((head, tail)) = line.strip_prefix('[').and_then(|l| l.split_once("] ")) else { return line };
    let address =
        |word: &str| word.len() >= 8 && word.trim_start_matches("0x").chars().all(|c| c.is_ascii_hexdigit());
    if head.split_whitespace().next_back().is_some_and(address) { tail.trim_start() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_string).collect()
    }

    // Recorded from VLC 3.0.24, mpv 0.35.1 and ffplay 5.1.9 against a closed port.
    const VLC: &str = "[0000565486bd8d40] vlcpulse audio output error: PulseAudio server connection failure: Connection refused
[0000565486bd7af0] main interface error: no suitable interface module
[tcp @ 0x7f076c07c6c0] Connection to tcp://127.0.0.1:1?tcp_nodelay=0 failed: Connection refused
[00007f076c0015e0] avio stream error: Failed to open rtmp://127.0.0.1:1/live/x: Connection refused
[00007f0774000cb0] main input error: Your input can't be opened
[00007f0774000cb0] main input error: VLC is unable to open the MRL 'rtmp://127.0.0.1:1/live/x'. Check the log for details.
[0000565486bcc400] main playlist: end of playlist, exiting";

    #[test]
    fn vlc_ends_with_0_and_yet_gave_up() {
        assert!(gave_up(Kind::Vlc, &lines(VLC), "rtmp://127.0.0.1:1/live/x"));
        assert_eq!(
            last_words(&lines(VLC)),
            [
                "Connection to tcp://127.0.0.1:1?tcp_nodelay=0 failed: Connection refused",
                "avio stream error: Failed to open rtmp://127.0.0.1:1/live/x: Connection refused",
                "main input error: Your input can't be opened",
            ]
        );
    }

    #[test]
    fn vlc_that_plays_without_audio_did_not_give_up() {
        let playing = lines(
            "[0000563001344680] main audio output error: module not functional
[00007f4840c9c980] main decoder error: failed to create audio output
[0000565486bd7af0] dbus interface error: Failed to connect to the D-Bus session daemon",
        );
        assert!(!gave_up(Kind::Vlc, &playing, "rtmp://h/live/x"));
        assert!(!speaks_of_a_fault(&playing));
    }

    #[test]
    fn ffplay_and_mpv() {
        let ffplay = lines(
            "[rtmp @ 0x7f48340015c0] Cannot open connection tcp://127.0.0.1:1?tcp_nodelay=0\nrtmp://127.0.0.1:1/live/x: Connection refused",
        );
        assert!(gave_up(Kind::Ffplay, &ffplay, "rtmp://127.0.0.1:1/live/x"));
        assert!(!gave_up(
            Kind::Ffplay,
            &lines("[h264 @ 0x55d0aabbccdd] error while decoding MB"),
            "rtmp://h/live/x"
        ));
        let mpv = lines(
            "[ffmpeg] rtmp: Cannot open connection tcp://127.0.0.1:1\nFailed to open rtmp://127.0.0.1:1/live/x.",
        );
        assert!(gave_up(Kind::Mpv, &mpv, "rtmp://127.0.0.1:1/live/x"));
    }

    #[test]
    fn root_is_quoted() {
        let root =
            lines("VLC is not supposed to be run as root. Sorry.\nIf you need to use real-time priorities");
        assert!(gave_up(Kind::Vlc, &root, ""));
        assert_eq!(last_words(&root), ["VLC is not supposed to be run as root. Sorry."]);
    }

    #[test]
    fn without_a_fault_the_last_lines_are_quoted() {
        assert_eq!(last_words(&lines("one\ntwo\nthree\nfour\nfour")), ["two", "three", "four"]);
        assert!(last_words(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn any_words_are_read(text in "(?s).{0,300}") {
            let said = lines(&text);
            prop_assert!(last_words(&said).len() <= QUOTED);
            for kind in [Kind::Vlc, Kind::Mpv, Kind::Ffplay, Kind::Other] {
                let _ = gave_up(kind, &said, "rtsp://h/x");
            }
        }
    }
}
