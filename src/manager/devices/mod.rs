//! `devices`: what can be captured on this machine, and whether a device that was named can be used.

pub mod audio;
pub mod rights;
pub mod v4l2;

use crate::base::next::Advice;
use crate::base::{Failure, Kind, Outcome};
use crate::config::keys::nearest_of;
use crate::config::{Environment, Settings};
use crate::manager::machine::screen::no_display;
use crate::process::device_users;
use crate::process::locate::locate;
use serde::Serialize;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

pub use audio::Audio;
pub use v4l2::Camera;

/// Where the system shows its devices.
#[derive(Clone, Debug)]
pub struct Roots {
    /// `/dev`.
    pub dev: PathBuf,
    /// `/sys`.
    pub sys: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
}

impl Roots {
    /// The real ones.
    pub fn real() -> Roots {
        Roots::below(Path::new("/"))
    }

    /// The same below another folder.
    pub fn below(root: &Path) -> Roots {
        Roots { dev: root.join("dev"), sys: root.join("sys"), proc: root.join("proc") }
    }
}

/// Everything that can be captured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Devices {
    /// Cameras and capture cards.
    pub cameras: Vec<Camera>,
    /// Audio devices.
    pub audio: Vec<Audio>,
    /// X displays: `:0`.
    pub screens: Vec<String>,
}

/// Looks at all devices. Formats need an ffmpeg; without one they are left out.
pub fn devices(settings: &Settings, environment: &Environment) -> Devices {
    let roots = Roots::real();
    let ffmpeg = locate(settings.ffmpeg.as_deref(), "ffmpeg");
    Devices {
        cameras: v4l2::cameras(&roots, ffmpeg.as_deref()),
        audio: audio::audio(&roots, environment),
        screens: screens(environment),
    }
}

/// The X display of this session, if it can be reached.
fn screens(environment: &Environment) -> Vec<String> {
    let x_only = match environment.get("DISPLAY") {
        Some(display) if no_display(environment).is_none() => Some(display.to_string()),
        _ => None,
    };
    x_only.into_iter().collect()
}

/// Makes sure that the picture device of a publish can be used: a `/dev/video*`, `screen`, or an X display.
///
/// # Errors
/// Input (7), saying whether it is absent (and which there are), forbidden, or used by whom.
pub fn check(video: &str, environment: &Environment) -> Outcome<()> {
    check_in(&Roots::real(), video, environment)
}

fn check_in(roots: &Roots, video: &str, environment: &Environment) -> Outcome<()> {
    let display = !video.contains('/')
        && video.rsplit_once(':').is_some_and(|(_, number)| number.starts_with(|c: char| c.is_ascii_digit()));
    if video == "screen" || display {
        return check_screen(video, environment);
    }
    let path = environment.cwd.join(video);
    let refused = |what: String| Failure::new(Kind::Input, what);
    let Ok(meta) = std::fs::metadata(&path) else {
        return Err(absent(roots, video));
    };
    if meta.is_file() {
        return Err(refused(format!("{video} is a file, not a capture device"))
            .hint(Advice::ReadFile(video.to_string())));
    }
    if !meta.file_type().is_char_device() {
        return Err(refused(format!("{video} is not a capture device")).hint(Advice::ListDevices));
    }
    if !v4l2::permitted(&path) {
        let barred = rights::barred(&path, "video");
        let failure = refused(format!("{} may not use {video}", barred.user)).why(barred.why);
        return Err(barred.steps.into_iter().fold(failure, Failure::hint));
    }
    let users = device_users::users(&path);
    if let Some(user) = v4l2::busy(&users).next() {
        return Err(refused(format!("{video} is used by {user}"))
            .why("a capture device serves one program at a time")
            .hint(format!("stop that program: kill {}", user.pid))
            .hint(Advice::ListDevices.behind("shows the others")));
    }
    Ok(())
}

fn check_screen(video: &str, environment: &Environment) -> Outcome<()> {
    let refused = |why: String| {
        Failure::new(Kind::Input, format!("there is no screen to capture as {video}"))
            .why(why)
            .hint("set DISPLAY to an X display, as in DISPLAY=:0")
            .hint(Advice::ListDevices)
    };
    if video != "screen" {
        let wanted = Environment::made(&[("DISPLAY", video)], &environment.cwd);
        return no_display(&wanted).map_or(Ok(()), |why| Err(refused(why)));
    }
    match environment.get("DISPLAY") {
        None if environment.get("WAYLAND_DISPLAY").is_some() => {
            Err(refused("this is a Wayland session without X; ffmpeg captures X displays only".into()))
        }
        None => Err(refused("DISPLAY is not set".into())),
        Some(display) => check_screen(display, environment),
    }
}

fn absent(roots: &Roots, video: &str) -> Failure {
    let failure = Failure::new(Kind::Input, format!("there is no device {video}"));
    let there: Vec<String> = v4l2::paths(roots).iter().map(|p| p.display().to_string()).collect();
    if there.is_empty() {
        return failure
            .why("no camera or capture card is connected, or its driver is not loaded")
            .hint(Advice::ListDevices);
    }
    let named: Vec<String> =
        there.iter().take(8).map(|p| format!("{p} ({})", v4l2::name(roots, Path::new(p)))).collect();
    let failure = failure.why(format!("there are: {}", named.join(", ")));
    // `video0` means `/dev/video0`.
    let whole = roots.dev.join(video).display().to_string();
    let near = there
        .iter()
        .find(|p| **p == whole)
        .map(String::as_str)
        .or_else(|| nearest_of(video, there.iter().map(String::as_str)));
    match near.or_else(|| there.first().map(String::as_str)) {
        Some(near) => failure.hint(Advice::ReadDevice(near.to_string())),
        None => failure.hint(Advice::ListDevices),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(vars: &[(&str, &str)], cwd: &Path) -> Environment {
        Environment::made(vars, cwd)
    }

    #[test]
    fn an_absent_device_names_those_that_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::below(dir.path());
        let environment = environment(&[], dir.path());
        let failure = check_in(&roots, "/dev/video9", &environment).unwrap_err();
        assert_eq!(failure.kind(), Kind::Input);
        assert!(failure.to_string().contains("no camera or capture card is connected"), "{failure}");
        std::fs::create_dir_all(&roots.dev).unwrap();
        std::fs::write(roots.dev.join("video0"), "").unwrap();
        let failure = check_in(&roots, "video0", &environment).unwrap_err();
        let path = roots.dev.join("video0");
        assert_eq!(crate::ui::failure_text::steps(failure.hints()), [format!("-d {}", path.display())]);
        assert_eq!(failure.reasons(), [format!("there are: {} (video0)", path.display())]);
    }

    #[test]
    fn what_is_no_device_is_said() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("film.mp4"), "").unwrap();
        let environment = environment(&[], dir.path());
        let failure = check("film.mp4", &environment).unwrap_err();
        assert_eq!(failure.hints(), [Advice::ReadFile("film.mp4".into()).into()]);
        assert!(check(".", &environment).unwrap_err().what().contains("is not a capture device"));
    }

    #[test]
    fn a_device_in_use_names_its_user() {
        let device = std::fs::OpenOptions::new().read(true).open("/dev/random").unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("300")
            .stdin(std::process::Stdio::from(device))
            .spawn()
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let outcome = check("/dev/random", &environment(&[], dir.path()));
        child.kill().unwrap();
        child.wait().unwrap();
        let failure = outcome.unwrap_err();
        assert!(failure.what().starts_with("/dev/random is used by "), "{failure}");
        assert!(crate::ui::failure_text::text(&failure).contains("kill "), "{failure}");
    }

    #[test]
    fn screens_need_a_display() {
        let dir = tempfile::tempdir().unwrap();
        let why = |vars: &[(&str, &str)], video: &str| {
            let failure = check(video, &environment(vars, dir.path())).unwrap_err();
            assert_eq!(failure.kind(), Kind::Input);
            failure.reasons().join(" ")
        };
        assert_eq!(why(&[], "screen"), "DISPLAY is not set");
        assert!(why(&[("WAYLAND_DISPLAY", "wayland-0")], "screen").contains("Wayland session"));
        assert!(why(&[("DISPLAY", ":64999")], "screen").contains("no X server listens"));
        assert!(why(&[], ":64998.0").contains("no X server listens"));
        assert!(check("host:0", &environment(&[], dir.path())).is_ok(), "only a try can tell");
    }
}
