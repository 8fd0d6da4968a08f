//! One viewing as a value, and the command line that shows it.

mod ffplay;
mod mpv;
mod vlc;

use super::kind::{Kind, Protocol};
use crate::base::command_line::{Argument, CommandLine};
use std::ffi::OsString;
use std::path::Path;

/// What is to be watched, and with what.
#[derive(Clone, Debug)]
pub struct Watch<'a> {
    /// The player's path.
    pub program: &'a Path,
    /// What it is.
    pub kind: Kind,
    /// How it reads.
    pub protocol: Protocol,
    /// The URL, secrets included; it begins with its scheme, so no player can take it for an option.
    pub url: &'a str,
    /// The URL as people may see it.
    pub shown_url: &'a str,
    /// What the window is called: `stream1 720p`.
    pub title: &'a str,
    /// Whether the player can open a control window of its own (VLC without Qt cannot).
    pub interface: bool,
    /// The user's own arguments; they stand behind ours and so win over them.
    pub extra: &'a [OsString],
}

impl Watch<'_> {
    /// The URL as an argument, masked when shown if it holds a secret.
    pub(super) fn url_argument(&self) -> Argument {
        if self.url == self.shown_url {
            Argument::plain(self.url)
        } else {
            Argument::masked(self.url, self.shown_url)
        }
    }
}

/// The whole command.
pub fn command(watch: &Watch<'_>) -> CommandLine {
    match watch.kind {
        Kind::Vlc => vlc::command(watch),
        Kind::Mpv => mpv::command(watch),
        Kind::Ffplay => ffplay::command(watch),
        Kind::Other => {
            let mut command = CommandLine::new(watch.program);
            command.args(watch.extra.iter().cloned()).arg(watch.url_argument());
            command
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with `tests/golden/argv/<name>.txt`, one argument a line; `UPDATE_GOLDEN=1` rewrites the file.
    fn golden(name: &str, command: &CommandLine) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/argv/{name}.txt"));
        let mut lines = vec![command.program.display().to_string()];
        lines.extend(command.args.iter().map(|a| a.text().to_string_lossy().into_owned()));
        let got = lines.join("\n") + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &got).unwrap();
        }
        let wanted = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(got, wanted, "{} differs; UPDATE_GOLDEN=1 rewrites it", path.display());
    }

    fn watch<'a>(program: &'a str, protocol: Protocol, extra: &'a [OsString]) -> Watch<'a> {
        let url = match protocol {
            Protocol::Rtsp => "rtsp://localhost:8554/stream1_720p",
            Protocol::Rtmp => "rtmp://localhost:1935/live/stream1_720p",
            Protocol::Hls => "http://localhost:8000/live/stream1_720p/index.m3u8",
            Protocol::WebRtc => "http://localhost:8000/live/stream1_720p/whep",
        };
        Watch {
            program: Path::new(program),
            kind: Kind::of(Path::new(program)),
            protocol,
            url,
            shown_url: url,
            title: "stream1 720p",
            interface: true,
            extra,
        }
    }

    #[test]
    fn each_player_is_called_as_written_down() {
        for program in ["vlc", "mpv", "ffplay", "other"] {
            for protocol in [Protocol::Rtsp, Protocol::Rtmp, Protocol::Hls] {
                let name = format!("play-{program}-{}", protocol.word());
                golden(&name, &command(&watch(&format!("/usr/bin/{program}"), protocol, &[])));
            }
            let extra = [OsString::from("--volume"), OsString::from("50")];
            let name = format!("play-{program}-extra");
            golden(&name, &command(&watch(&format!("/usr/bin/{program}"), Protocol::Rtmp, &extra)));
        }
        let bare = Watch { interface: false, ..watch("/usr/bin/vlc", Protocol::Rtmp, &[]) };
        golden("play-vlc-without-qt", &command(&bare));
    }

    #[test]
    fn the_url_stands_last_and_alone() {
        let extra = [OsString::from("--fullscreen")];
        for program in ["vlc", "mpv", "ffplay", "other"] {
            for protocol in [Protocol::Rtsp, Protocol::Rtmp, Protocol::Hls] {
                let watch = watch(program, protocol, &extra);
                let command = command(&watch);
                let texts: Vec<&str> = command.args.iter().filter_map(|a| a.text().to_str()).collect();
                assert_eq!(texts.last(), Some(&watch.url));
                assert!(!texts.iter().any(|t| t.starts_with(':')), "{program}: VLC would obey it");
                if let Some(dashes) = texts.iter().position(|t| *t == "--") {
                    assert_eq!(dashes + 2, texts.len(), "{program}: one argument behind --");
                }
            }
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let with = Watch {
            url: "rtsp://bob:secret@h/x",
            shown_url: "rtsp://***@h/x",
            ..watch("mpv", Protocol::Rtsp, &[])
        };
        let command = command(&with);
        assert!(!command.shell_line().contains("secret"));
        assert!(command.args.iter().any(|a| a.text() == "rtsp://bob:secret@h/x"));
    }
}
