//! Audio devices: ALSA's capture devices from `/proc/asound`, and the sources of PulseAudio or PipeWire.

use super::{Roots, rights};
use crate::base::CommandLine;
use crate::config::Environment;
use crate::process::locate::locate;
use crate::process::spawn;
use nix::unistd::{AccessFlags, access};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long `pactl` may take.
const LIMIT: Duration = Duration::from_secs(3);

/// How many devices of each kind are listed.
const MOST: usize = 64;

/// an audio device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audio {
    /// What `--audio-device` takes: `hw:1,0`, `pulse:NAME`.
    pub id: String,
    /// `alsa` or `pulse`.
    pub system: &'static str,
    /// Its name for people.
    pub name: String,
    /// Whether this user may use it.
    pub permitted: bool,
    /// The steps to that, where he may not.
    #[serde(rename = "try")]
    pub steps: Vec<String>,
}

/// ALSA's capture devices and Pulse's sources.
pub fn audio(roots: &Roots, environment: &Environment) -> Vec<Audio> {
    let text = |name: &str| std::fs::read_to_string(roots.proc.join("asound").join(name)).unwrap_or_default();
    let mut found = alsa(&text("cards"), &text("pcm"));
    for audio in &mut found {
        let numbers = audio.id.trim_start_matches("hw:").replace(',', "D");
        let node = roots.dev.join(format!("snd/pcmC{numbers}c"));
        audio.permitted = access(&node, AccessFlags::R_OK | AccessFlags::W_OK).is_ok();
        if !audio.permitted {
            audio.steps = rights::barred(&node, "audio").steps;
        }
    }
    let pulse = pulse_sources();
    if pulse.is_empty() && audio_server(environment) {
        found.push(Audio {
            id: "pulse".into(),
            system: "pulse",
            name: "the sound server's default source".into(),
            permitted: true,
            steps: Vec::new(),
        });
    }
    found.extend(pulse);
    found
}

/// Whether a PulseAudio or PipeWire server stands where its clients look for it.
fn audio_server(environment: &Environment) -> bool {
    let socket = match (environment.get("PULSE_SERVER"), environment.get("XDG_RUNTIME_DIR")) {
        (Some(server), _) => {
            match server.strip_prefix("unix:").or_else(|| server.starts_with('/').then_some(server)) {
                Some(path) => PathBuf::from(path),
                // Another machine's, which only a try can test.
                None => return true,
            }
        }
        (None, Some(runtime)) => Path::new(runtime).join("pulse/native"),
        (None, None) => return false,
    };
    socket.exists()
}

/// Capture devices of `/proc/asound/pcm` (`01-00: USB Audio : USB Audio : playback 1 : capture 1`), with the card's
/// name of `/proc/asound/cards` (` 1 [Device         ]: USB-Audio - USB PnP Device`).
fn alsa(cards: &str, pcm: &str) -> Vec<Audio> {
    let card_name = |number: u32| {
        cards.lines().find_map(|line| {
            let (head, name) = line.split_once("]: ")?;
            let (index, _) = head.split_once('[')?;
            (index.trim().parse() == Ok(number))
                .then(|| name.split_once(" - ").map_or(name, |(_, n)| n).trim())
        })
    };
    pcm.lines()
        .filter_map(|line| {
            let mut fields = line.split(':').map(str::trim);
            let (card, device) = fields.next()?.split_once('-')?;
            let (card, device): (u32, u32) = (card.parse().ok()?, device.parse().ok()?);
            let own = fields.next().unwrap_or_default();
            if !fields.any(|f| f.starts_with("capture")) {
                return None;
            }
            let name = match card_name(card) {
                Some(card) if own.is_empty() => card.to_string(),
                Some(card) => format!("{card}, {own}"),
                None => own.to_string(),
            };
            Some(Audio {
                id: format!("hw:{card},{device}"),
                system: "alsa",
                name,
                permitted: true,
                steps: Vec::new(),
            })
        })
        .take(MOST)
        .collect()
}

/// The sources that `pactl` lists; none where there is no sound server.
fn pulse_sources() -> Vec<Audio> {
    let Some(pactl) = locate(None, "pactl") else { return Vec::new() };
    let mut line = CommandLine::new(pactl);
    line.args(["list", "short", "sources"]);
    match spawn::run(&line, LIMIT, 64 * 1024) {
        Ok(output) if output.exit.code == Some(0) => parse_pactl(&String::from_utf8_lossy(&output.stdout)),
        _ => Vec::new(),
    }
}

/// Reads `1\talsa_input.usb.analog-stereo\tmodule\ts16le 2ch 48000Hz\tIDLE`.
fn parse_pactl(text: &str) -> Vec<Audio> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let _index: u32 = fields.next()?.parse().ok()?;
            let name = fields.next().filter(|n| !n.is_empty())?;
            let shape = fields.nth(1).unwrap_or_default();
            let what = if name.ends_with(".monitor") { "what is heard" } else { "microphone or line" };
            Some(Audio {
                id: format!("pulse:{name}"),
                system: "pulse",
                name: if shape.is_empty() { what.to_string() } else { format!("{what}, {shape}") },
                permitted: true,
                steps: Vec::new(),
            })
        })
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CARDS: &str = " 0 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xdd338000 irq 150
 1 [Device         ]: USB-Audio - USB PnP Sound Device
                      C-Media USB PnP Sound Device at usb-0000:00:14.0-2
";
    const PCM: &str = "00-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1
00-03: HDMI 0 : HDMI 0 : playback 1
01-00: USB Audio : USB Audio : playback 1 : capture 1
";

    #[test]
    fn lists_what_records() {
        let found = alsa(CARDS, PCM);
        let shown: Vec<(&str, &str)> = found.iter().map(|s| (s.id.as_str(), s.name.as_str())).collect();
        assert_eq!(
            shown,
            [("hw:0,0", "HDA Intel PCH, ALC257 Analog"), ("hw:1,0", "USB PnP Sound Device, USB Audio")]
        );
        assert!(alsa("--- no soundcards ---\n", "").is_empty());
    }

    #[test]
    fn a_audio_server_is_known_by_its_socket() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("pulse/native");
        let runtime = dir.path().display().to_string();
        let made = |vars: &[(&str, &str)]| audio_server(&Environment::made(vars, dir.path()));
        assert!(!made(&[]) && !made(&[("XDG_RUNTIME_DIR", &runtime)]));
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        std::fs::write(&socket, "").unwrap();
        assert!(made(&[("XDG_RUNTIME_DIR", &runtime)]));
        assert!(made(&[("PULSE_SERVER", &format!("unix:{}", socket.display()))]));
        assert!(!made(&[("PULSE_SERVER", "unix:/no/such/socket")]) && made(&[("PULSE_SERVER", "tcp:host")]));
    }

    #[test]
    fn lists_pulse_sources() {
        let found = parse_pactl(
            "0\tvspk.monitor\tmodule-null-sink.c\ts16le 2ch 44100Hz\tIDLE\n1\tusb.mic\tm\ts16le 1ch 48000Hz\tRUNNING\n",
        );
        assert_eq!(
            found.first().map(|s| (s.id.as_str(), s.name.as_str())),
            Some(("pulse:vspk.monitor", "what is heard, s16le 2ch 44100Hz"))
        );
        assert_eq!(found.len(), 2);
        assert!(parse_pactl("Connection failure: Connection refused\n").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,300}") {
            let _ = alsa(&text, &text);
            let _ = parse_pactl(&text);
        }
    }
}
