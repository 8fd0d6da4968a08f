//! The programs: ffmpeg and ffprobe, nginx with its module, MediaMTX, the players and a display for them.

use super::check::{Check, Status};
use crate::backend::docker;
use crate::backend::native::{self, Version};
use crate::base::Kind;
use crate::base::next::Advice;
use crate::config::{Environment, Settings};
use crate::ffmpeg::capability::{Capability, Need};
use crate::manager::machine::ffmpeg_fit;
use crate::manager::machine::install_line::{self, Wanted};
use crate::manager::machine::screen::no_display;
use crate::manager::play::players;
use crate::manager::servers;
use crate::player;
use crate::process::locate::locate;
use std::path::Path;

/// ffmpeg: whether it is there and can do the work. Asked anew, not from the cache.
pub fn ffmpeg(settings: &Settings, environment: &Environment) -> Check {
    let path = match ffmpeg_fit::find(settings.ffmpeg.as_deref(), "ffmpeg", environment.uid) {
        Ok(path) => path,
        Err(failure) => return Check::of("ffmpeg", Status::Fail, &failure),
    };
    match ffmpeg_fit::ask(&path) {
        Ok(capability) => judge_ffmpeg(&path, &capability, environment.uid),
        Err(failure) => Check::of("ffmpeg", Status::Fail, &failure),
    }
}

fn judge_ffmpeg(path: &Path, capability: &Capability, uid: u32) -> Check {
    let version = &capability.version_text;
    let lacks: Vec<String> = capability.lacks(Need::Encode).iter().map(ToString::to_string).collect();
    if !lacks.is_empty() {
        let detail = format!("{version} at {} lacks {}", path.display(), lacks.join(", "));
        return Check::fail("ffmpeg", Kind::Missing, detail).next(install_line::line(Wanted::Ffmpeg, uid));
    }
    Check::ok(
        "ffmpeg",
        format!("{version} at {}, with libx264, aac, flv, fifo, tee and rtmp", path.display()),
    )
}

/// ffprobe.
pub fn ffprobe(settings: &Settings, environment: &Environment) -> Check {
    let found = ffmpeg_fit::find(settings.ffprobe.as_deref(), "ffprobe", environment.uid);
    match found.and_then(|path| Ok((ffmpeg_fit::ffprobe_version(&path)?, path))) {
        Ok((version, path)) => Check::ok("ffprobe", format!("{version} at {}", path.display())),
        Err(failure) => Check::of("ffprobe", Status::Fail, &failure),
    }
}

/// nginx with the rtmp module. `needed` if no RTMP server answers and it would have to be started here.
pub fn nginx(settings: &Settings, environment: &Environment, needed: bool) -> Check {
    let install = install_line::line(Wanted::NginxRtmp, environment.uid);
    match native::find_nginx(settings, &install) {
        Ok(found) => {
            let module = match &found.module {
                Some(module) => format!("with {}", module.display()),
                None => "with the rtmp module built in".into(),
            };
            Check::ok("nginx", format!("{} {module}", found.path.display()))
        }
        Err(failure) => Check::of("nginx", if needed { Status::Fail } else { Status::Warn }, &failure),
    }
}

/// MediaMTX, which RTSP needs and a publish does not.
pub fn mediamtx(settings: &Settings, answers: bool) -> Check {
    let name = "mediamtx";
    match native::find_mediamtx(settings) {
        Err(failure) => Check::of(name, Status::Warn, &failure),
        Ok(None) if answers => Check::ok(name, "not installed here, and a running one answers"),
        Ok(None) => Check::warn(name, "not installed: streams can be read over RTMP only, not over RTSP")
            .next("https://github.com/bluenviron/mediamtx/releases"),
        Ok(Some(path)) => match native::mediamtx_version(&path) {
            Ok(version) if version < Version::OLDEST => Check::warn(
                name,
                format!(
                    "{version} at {} cannot read from nginx-rtmp; {} and later can",
                    path.display(),
                    Version::OLDEST
                ),
            )
            .next("https://github.com/bluenviron/mediamtx/releases"),
            Ok(version) => Check::ok(name, format!("{version} at {}", path.display())),
            Err(failure) => Check::of(name, Status::Warn, &failure),
        },
    }
}

/// The players, best first, and whether one of them can play here.
pub fn players(settings: &Settings, environment: &Environment) -> Check {
    let name = "players";
    let mut programs: Vec<_> =
        player::Kind::KNOWN.iter().filter_map(|kind| locate(None, kind.program())).collect();
    if let Some(set) = &settings.player {
        let path = environment.cwd.join(set);
        match locate(Some(&path), set).filter(|_| set.contains('/')).or_else(|| locate(None, set)) {
            Some(path) if !programs.contains(&path) => programs.insert(0, path),
            Some(_) => {}
            None => {
                return Check::warn(name, format!("the setting player names {set}, which is no program"))
                    .next("unset it, or set it to vlc, mpv, ffplay or a path");
            }
        }
    }
    let seen: Vec<_> = programs.into_iter().map(|p| players::look(p, environment)).collect();
    let words: Vec<String> = seen
        .iter()
        .map(|c| {
            let which = match c.kind {
                player::Kind::Other => c.program.display().to_string(),
                known => known.shown().to_string(),
            };
            match (c.refuses_root, c.rtsp) {
                (true, _) => format!("{which} (refuses to run as root)"),
                (_, false) => format!("{which} (without RTSP: no live555 module; RTMP works)"),
                _ => which,
            }
        })
        .collect();
    let install = install_line::line(Wanted::Player, environment.uid);
    if seen.iter().any(|c| !c.refuses_root && c.rtsp) {
        Check::ok(name, words.join(", "))
    } else if seen.is_empty() {
        Check::warn(name, "none of vlc, mpv and ffplay is installed").next(install)
    } else {
        Check::warn(name, format!("none that plays RTSP here: {}", words.join(", "))).next(install)
    }
}

/// Docker with compose and an engine. `needed` if no RTMP server answers and the stack would have to be started here.
pub fn docker(environment: &Environment, needed: bool) -> Check {
    let install = servers::install_docker(environment);
    match docker::look(&install) {
        Ok(found) => Check::ok(
            "docker",
            format!(
                "engine {} through {}, compose {}",
                found.engine_version,
                found.client.docker.display(),
                found.compose_version
            ),
        ),
        Err(failure) => Check::of("docker", if needed { Status::Fail } else { Status::Warn }, &failure),
    }
}

/// A display for the players.
pub fn display(environment: &Environment) -> Check {
    match no_display(environment) {
        None => {
            let set = ["WAYLAND_DISPLAY", "DISPLAY"]
                .iter()
                .find_map(|v| Some(format!("{v}={}", environment.get(v)?)));
            Check::ok("display", set.unwrap_or_default())
        }
        Some(why) => Check::warn("display", format!("none: {why}; players cannot open a window"))
            .next(Advice::PrintAddress { key: Some("KEY".into()) }.behind("for a player on another machine")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::doctor::check::exit_code;

    #[test]
    fn an_unfit_ffmpeg_fails_with_the_install_line() {
        let mut capability = Capability { version_text: "5.1".into(), ..Capability::default() };
        let check = judge_ffmpeg(Path::new("/usr/bin/ffmpeg"), &capability, 0);
        assert_eq!((check.status, exit_code(std::slice::from_ref(&check))), (Status::Fail, 5));
        assert!(
            check.detail.starts_with("5.1 at /usr/bin/ffmpeg lacks the encoder libx264"),
            "{}",
            check.detail
        );
        assert!(!check.next.is_empty());
        for name in ["libx264", "aac"] {
            capability.encoders.insert(name.into());
        }
        for name in ["flv", "fifo", "tee"] {
            capability.muxers.insert(name.into());
        }
        for name in ["scale", "split"] {
            capability.filters.insert(name.into());
        }
        capability.protocols.insert("rtmp".into());
        assert_eq!(judge_ffmpeg(Path::new("f"), &capability, 0).status, Status::Ok);
    }
}
