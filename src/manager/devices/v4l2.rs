//! Cameras and capture cards: `/dev/video*`, their names in sysfs, and the formats that ffmpeg finds in them.

use super::{Roots, rights};
use crate::base::CommandLine;
use crate::process::device_users::{self, DeviceUser};
use crate::process::spawn;
use nix::unistd::{AccessFlags, access};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one device may take to list its formats.
const LIMIT: Duration = Duration::from_secs(3);

/// How many devices are asked for their formats.
const MOST: usize = 16;

/// Programs of a desktop session that keep cameras open without using them.
const SESSION: [&str; 3] = ["wireplumber", "pipewire", "pipewire-media-session"];

/// A capture device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Camera {
    /// `/dev/video0`.
    pub path: PathBuf,
    /// The driver's name for it.
    pub name: String,
    /// Whether this user may read and write it.
    pub permitted: bool,
    /// The steps to that, where he may not.
    pub steps: Vec<String>,
    /// Who has it open.
    pub used_by: Vec<DeviceUser>,
    /// What it delivers; empty where it could not be asked.
    pub formats: Vec<Format>,
}

/// One pixel format or codec of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Format {
    /// ffmpeg's name: `yuyv422`, `mjpeg`, `h264`.
    pub codec: String,
    /// Whether it comes compressed.
    pub compressed: bool,
    /// Picture sizes, `640x480`.
    pub sizes: Vec<String>,
}

impl Camera {
    /// Who streams from it: users that are not services of the desktop.
    pub fn in_use(&self) -> impl Iterator<Item = &DeviceUser> {
        busy(&self.used_by)
    }
}

/// Users that are not services of the desktop.
pub fn busy(users: &[DeviceUser]) -> impl Iterator<Item = &DeviceUser> {
    users.iter().filter(|u| !u.program.as_deref().is_some_and(|p| SESSION.contains(&p)))
}

/// Every `/dev/video*`, by number. With `ffmpeg`, those that may be opened are asked for their formats, and those
/// that deliver no picture (the second node of a webcam carries only metadata) are left out.
pub fn cameras(roots: &Roots, ffmpeg: Option<&Path>) -> Vec<Camera> {
    let mut cameras: Vec<Camera> = paths(roots)
        .into_iter()
        .map(|path| Camera {
            name: name(roots, &path),
            permitted: permitted(&path),
            steps: if permitted(&path) { Vec::new() } else { rights::barred(&path, "video").steps },
            used_by: device_users::users(&path),
            formats: Vec::new(),
            path,
        })
        .collect();
    if let Some(ffmpeg) = ffmpeg {
        let asked: Vec<Option<Vec<Format>>> = std::thread::scope(|scope| {
            let asking: Vec<_> = cameras
                .iter()
                .take(MOST)
                .map(|c| c.permitted.then(|| scope.spawn(|| formats(ffmpeg, &c.path))))
                .collect();
            asking.into_iter().map(|thread| thread.and_then(|t| t.join().ok().flatten())).collect()
        });
        let mut delivers = vec![true; cameras.len()];
        for ((camera, formats), delivers) in cameras.iter_mut().zip(asked).zip(&mut delivers) {
            if let Some(formats) = formats {
                *delivers = !formats.is_empty();
                camera.formats = formats;
            }
        }
        let mut delivers = delivers.into_iter();
        cameras.retain(|_| delivers.next().unwrap_or(true));
    }
    cameras
}

/// The device files, by number.
pub fn paths(roots: &Roots) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(&roots.dev) else { return Vec::new() };
    let mut numbered: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    numbered.sort();
    numbered.into_iter().map(|(_, path)| path).collect()
}

/// The driver's name of a device; its file name where sysfs does not tell.
pub fn name(roots: &Roots, path: &Path) -> String {
    let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let text = std::fs::read_to_string(roots.sys.join("class/video4linux").join(&file).join("name"));
    match text.as_deref().map(str::trim) {
        Ok(name) if !name.is_empty() => name.to_string(),
        _ => file,
    }
}

/// Whether this user may read and write a device.
pub fn permitted(path: &Path) -> bool {
    access(path, AccessFlags::R_OK | AccessFlags::W_OK).is_ok()
}

/// What a device delivers; `None` if it could not be asked.
fn formats(ffmpeg: &Path, device: &Path) -> Option<Vec<Format>> {
    let mut line = CommandLine::new(ffmpeg);
    line.args(["-hide_banner", "-nostdin", "-f", "v4l2", "-list_formats", "all", "-i"]);
    line.arg(device.as_os_str());
    let output = spawn::run(&line, LIMIT, 64 * 1024).ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Busy, or another fault: nothing is known about the formats.
    let known = said.contains("Not a video capture device") || said.contains(" : ");
    known.then(|| parse_formats(&said))
}

/// Reads `[v4l2 @ 0x...] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 320x240`.
fn parse_formats(said: &str) -> Vec<Format> {
    said.lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once("] ")?;
            let (kind, rest) = rest.split_once(':')?;
            let compressed = match kind.trim() {
                "Raw" => false,
                "Compressed" => true,
                _ => return None,
            };
            // The description between codec and sizes may hold colons itself ("YUYV 4:2:2").
            let (codec, rest) = rest.split_once(" :")?;
            let codec = codec.trim().to_string();
            let sizes = rest.rsplit(" : ").next().unwrap_or_default();
            let sizes: Vec<String> = sizes
                .split_whitespace()
                .filter(|s| {
                    s.split_once('x')
                        .is_some_and(|(w, h)| w.parse::<u32>().is_ok() && h.parse::<u32>().is_ok())
                })
                .take(64)
                .map(str::to_string)
                .collect();
            (!codec.is_empty()).then_some(Format { codec, compressed, sizes })
        })
        .take(64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // As ffmpeg 5.1 prints it for a webcam.
    const SAID: &str = "\
[video4linux2,v4l2 @ 0x55d5c1b6e6c0] Compressed:       mjpeg :          Motion-JPEG : 1280x720 640x480
[video4linux2,v4l2 @ 0x55d5c1b6e6c0] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 320x240
[video4linux2,v4l2 @ 0x55d5c1b6e6c0] Raw       : Unsupported :      10-bit Bayer BGBG : {48-4096, 2}x{32-2160, 2}
/dev/video0: Immediate exit requested
";

    #[test]
    fn reads_formats() {
        let formats = parse_formats(SAID);
        assert_eq!(
            formats.first(),
            Some(&Format {
                codec: "mjpeg".into(),
                compressed: true,
                sizes: vec!["1280x720".into(), "640x480".into()]
            })
        );
        assert_eq!(formats.get(1).map(|f| (f.codec.as_str(), f.compressed)), Some(("yuyv422", false)));
        assert_eq!(formats.get(2).map(|f| f.sizes.len()), Some(0), "a range is not a list of sizes");
        assert!(parse_formats("[v4l2 @ 0x1] Not a video capture device.").is_empty());
    }

    #[test]
    fn devices_come_by_number_with_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::below(dir.path());
        std::fs::create_dir_all(&roots.dev).unwrap();
        for node in ["video10", "video2", "videoX", "null"] {
            std::fs::write(roots.dev.join(node), "").unwrap();
        }
        let class = roots.sys.join("class/video4linux/video2");
        std::fs::create_dir_all(&class).unwrap();
        std::fs::write(class.join("name"), "Integrated Camera\n").unwrap();
        let found = cameras(&roots, None);
        let shown: Vec<(String, &str)> = found
            .iter()
            .map(|c| (c.path.file_name().unwrap().to_string_lossy().into_owned(), c.name.as_str()))
            .collect();
        assert_eq!(shown, [("video2".into(), "Integrated Camera"), ("video10".into(), "video10")]);
        assert!(found.iter().all(|c| c.permitted));
    }

    #[test]
    fn a_desktop_service_does_not_make_a_camera_busy() {
        let user = |program: &str| DeviceUser { pid: 7, program: Some(program.into()) };
        let users = [user("wireplumber"), user("ffmpeg")];
        let busy: Vec<String> = busy(&users).map(ToString::to_string).collect();
        assert_eq!(busy, ["ffmpeg (pid 7)"]);
    }

    proptest! {
        #[test]
        fn any_words_are_read(text in "(?s).{0,300}") {
            let _ = parse_formats(&format!("[v4l2 @ 0x1] Raw :{text}"));
            let _ = parse_formats(&text);
        }
    }
}
