//! The command that installs a missing program on this distribution.

use crate::base::atomic_file;
use std::path::Path;

/// Something that a package brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// ffmpeg, ffprobe and ffplay.
    Ffmpeg,
    /// nginx with the rtmp module.
    NginxRtmp,
    /// A player that reads RTSP.
    Player,
    /// Docker's client, engine and compose.
    Docker,
    /// Compose alone.
    Compose,
}

/// The line for this machine, with `sudo` unless `uid` is root's.
pub fn line(wanted: Wanted, uid: u32) -> String {
    let release = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|p| std::fs::canonicalize(p).ok())
        .and_then(|p| atomic_file::read_small(Path::new(&p), 64 * 1024).ok())
        .unwrap_or_default();
    line_for(wanted, &String::from_utf8_lossy(&release), uid)
}

/// As [`line()`], for the text of an `os-release` file.
fn line_for(wanted: Wanted, release: &str, uid: u32) -> String {
    let field = |name: &str| {
        release
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_default()
            .trim_matches('"')
            .to_ascii_lowercase()
    };
    let family = format!("{} {}", field("ID"), field("ID_LIKE"));
    let is = |names: &[&str]| family.split_whitespace().any(|word| names.contains(&word));
    let sudo = if uid == 0 { "" } else { "sudo " };
    let (manager, packages) = if is(&["debian", "ubuntu"]) {
        (
            "apt install",
            match wanted {
                Wanted::Ffmpeg => "ffmpeg",
                Wanted::NginxRtmp => "nginx libnginx-mod-rtmp",
                Wanted::Player => "mpv",
                Wanted::Docker => "docker.io docker-compose",
                Wanted::Compose => "docker-compose",
            },
        )
    } else if is(&["fedora", "rhel", "centos"]) {
        (
            "dnf install",
            match wanted {
                Wanted::Ffmpeg => "ffmpeg    (from the RPM Fusion repository)",
                Wanted::NginxRtmp => "nginx    (the rtmp module must be built from source)",
                Wanted::Player => "mpv",
                Wanted::Docker => "docker-cli moby-engine docker-compose",
                Wanted::Compose => "docker-compose",
            },
        )
    } else if is(&["arch"]) {
        (
            "pacman -S",
            match wanted {
                Wanted::Ffmpeg => "ffmpeg",
                Wanted::NginxRtmp => "nginx    (and nginx-mod-rtmp from the AUR)",
                Wanted::Player => "mpv",
                Wanted::Docker => "docker docker-compose",
                Wanted::Compose => "docker-compose",
            },
        )
    } else if is(&["alpine"]) {
        (
            "apk add",
            match wanted {
                Wanted::Ffmpeg => "ffmpeg",
                Wanted::NginxRtmp => "nginx nginx-mod-rtmp",
                Wanted::Player => "mpv",
                Wanted::Docker => "docker docker-cli-compose",
                Wanted::Compose => "docker-cli-compose",
            },
        )
    } else if is(&["suse", "opensuse"]) {
        (
            "zypper install",
            match wanted {
                Wanted::Ffmpeg => "ffmpeg    (from the Packman repository)",
                Wanted::NginxRtmp => "nginx    (the rtmp module must be built from source)",
                Wanted::Player => "mpv",
                Wanted::Docker => "docker docker-compose",
                Wanted::Compose => "docker-compose",
            },
        )
    } else {
        return match wanted {
            Wanted::Ffmpeg => "install ffmpeg (with libx264) by your package manager".into(),
            Wanted::NginxRtmp => "install nginx and its rtmp module by your package manager".into(),
            Wanted::Player => "install mpv or VLC by your package manager".into(),
            Wanted::Docker => "install Docker and docker-compose by your package manager".into(),
            Wanted::Compose => "install docker-compose by your package manager".into(),
        };
    };
    format!("{sudo}{manager} {packages}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_its_line() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n";
        assert_eq!(line_for(Wanted::NginxRtmp, debian, 1000), "sudo apt install nginx libnginx-mod-rtmp");
        assert_eq!(line_for(Wanted::Ffmpeg, debian, 0), "apt install ffmpeg");
        let mint = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
        assert_eq!(line_for(Wanted::Player, mint, 1000), "sudo apt install mpv");
        assert!(line_for(Wanted::Ffmpeg, "ID=\"fedora\"", 1000).starts_with("sudo dnf install ffmpeg"));
        for wanted in [Wanted::Ffmpeg, Wanted::NginxRtmp, Wanted::Player, Wanted::Docker, Wanted::Compose] {
            assert!(line_for(wanted, "", 0).starts_with("install "));
        }
    }
}
