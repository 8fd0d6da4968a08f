//! Whether the ffmpeg of this machine can do a publish. Asked once for each program file; the answer is kept in the
//! user's cache, keyed by path, size and time of change, so that a publish does not wait for it again.

use crate::base::clock::spoken;
use crate::base::{CommandLine, Failure, Kind, Outcome};
use crate::config::{Environment, Settings};
use crate::ffmpeg::capability::{Capability, LARGEST, LISTINGS, Lack, Need, parse_version};
use crate::manager::machine::install_line::{self, Wanted};
use crate::manager::machine::remembered::{Fingerprint, Memory};
use crate::process::locate::locate;
use crate::process::spawn::{self, RunError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one listing may take; they take 0.1 s, but all at once and on a machine that encodes much more.
const LIMIT: Duration = Duration::from_secs(15);

/// An ffmpeg and an ffprobe that can do the work.
#[derive(Clone, Debug)]
pub struct FfmpegFound {
    /// ffmpeg's path.
    pub ffmpeg: PathBuf,
    /// ffprobe's path.
    pub ffprobe: PathBuf,
    /// Major and minor; zeros where unknown.
    pub version: (u32, u32),
    /// Everything it can do.
    pub capability: Capability,
}

/// Finds ffmpeg and ffprobe and makes sure that ffmpeg can do what `need` asks for.
///
/// # Errors
/// Missing (5) if a program is absent, does not run, or lacks something; each with the line that installs it.
pub fn fit_ffmpeg(settings: &Settings, environment: &Environment, need: Need) -> Outcome<FfmpegFound> {
    let ffmpeg = find(settings.ffmpeg.as_deref(), "ffmpeg", environment.uid)?;
    let ffprobe = find(settings.ffprobe.as_deref(), "ffprobe", environment.uid)?;
    let capability = capability(&ffmpeg, environment, need)?;
    let lacks = capability.lacks(need);
    if !lacks.is_empty() {
        return Err(unfit(&ffmpeg, &capability, &lacks, environment.uid));
    }
    let version = (capability.version.0, capability.version.1);
    Ok(FfmpegFound { ffmpeg, ffprobe, version, capability })
}

/// The program, or why there is none.
///
/// # Errors
/// Missing (5).
pub fn find(set: Option<&Path>, name: &str, uid: u32) -> Outcome<PathBuf> {
    locate(set, name).ok_or_else(|| {
        let failure = match set {
            Some(path) if path.is_dir() => {
                Failure::new(Kind::Missing, format!("{name} is set to {}, which is a folder", path.display()))
            }
            Some(path) if path.exists() => {
                Failure::new(Kind::Missing, format!("{} is not executable", path.display()))
            }
            Some(path) => Failure::new(Kind::Missing, format!("there is no {name} at {}", path.display())),
            None => {
                Failure::new(Kind::Missing, format!("{name} is not installed")).why("it is not on the PATH")
            }
        };
        let variable = format!("MSCONV_{}", name.to_ascii_uppercase());
        match set {
            Some(_) => failure.hint(format!("unset {variable}, or set it to the program's path")),
            None => failure.hint(install_line::line(Wanted::Ffmpeg, uid)),
        }
    })
}

fn unfit(ffmpeg: &Path, capability: &Capability, lacks: &[Lack], uid: u32) -> Failure {
    let names: Vec<String> = lacks.iter().map(ToString::to_string).collect();
    Failure::new(Kind::Missing, format!("{} lacks {}", ffmpeg.display(), names.join(", ")))
        .why(format!("it is version {}, built without", capability.version_text))
        .hint(install_line::line(Wanted::Ffmpeg, uid))
}

/// What a program can do: from the cache if it holds an answer that suffices, else asked.
fn capability(ffmpeg: &Path, environment: &Environment, need: Need) -> Outcome<Capability> {
    let cache = environment.cache_dir().map(|dir| dir.join("ffmpeg.json"));
    let key = Fingerprint::of(ffmpeg, "");
    let mut memory: Memory<Capability> = cache.as_deref().map(Memory::read).unwrap_or_default();
    if let Some(known) = key.as_ref().and_then(|key| memory.get(key))
        // A library may have brought what was missing without a change of the program file.
        && known.lacks(need).is_empty()
    {
        return Ok(known.clone());
    }
    let capability = ask(ffmpeg)?;
    if let (Some(path), Some(key)) = (&cache, key) {
        memory.put(key, capability.clone());
        // A cache that cannot be written costs time, nothing else.
        let _ = memory.write(path);
    }
    Ok(capability)
}

/// Asks the program itself, all listings at once.
///
/// # Errors
/// Missing (5) if it does not run, hangs, or is no ffmpeg.
pub fn ask(ffmpeg: &Path) -> Outcome<Capability> {
    let texts: Vec<Result<String, RunError>> = std::thread::scope(|scope| {
        let asked: Vec<_> = LISTINGS.iter().map(|flag| scope.spawn(move || listing(ffmpeg, flag))).collect();
        let broken = || RunError::Start(std::io::Error::other("the reader ended"));
        asked.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(broken()))).collect()
    });
    let mut listings = Vec::new();
    for text in texts {
        listings.push(text.map_err(|e| broken(ffmpeg, &e))?);
    }
    let listings: [String; 5] =
        listings.try_into().map_err(|_| Failure::internal("a listing of ffmpeg went missing"))?;
    Capability::read(listings.each_ref().map(String::as_str)).ok_or_else(|| {
        let said =
            listings.first().and_then(|t| t.lines().find(|l| !l.trim().is_empty())).unwrap_or("nothing");
        Failure::new(Kind::Missing, format!("{} is no ffmpeg", ffmpeg.display()))
            .why(format!("asked for its version it said: {}", said.trim()))
            .hint("set MSCONV_FFMPEG to the program's path")
    })
}

fn listing(ffmpeg: &Path, flag: &str) -> Result<String, RunError> {
    let mut line = CommandLine::new(ffmpeg);
    line.args(["-hide_banner", flag]);
    let output = spawn::run(&line, LIMIT, LARGEST as u64)?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn broken(program: &Path, error: &RunError) -> Failure {
    let failure = Failure::new(Kind::Missing, format!("{} does not work", program.display()));
    match error {
        RunError::Start(e) => failure.why(crate::base::failure::io_words(e)),
        RunError::TimedOut(said) => failure.why(match last_line(said) {
            Some(line) => {
                format!("asked for its version it said '{line}' and did not end within {}", spoken(LIMIT))
            }
            None => format!("asked for its version it did not end within {}", spoken(LIMIT)),
        }),
    }
    .hint("reinstall it, or set MSCONV_FFMPEG to another one")
}

fn last_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.lines().rev().map(str::trim).find(|l| !l.is_empty()).map(str::to_string)
}

/// The version that ffprobe states.
///
/// # Errors
/// Missing (5) if it does not run or is none.
pub fn ffprobe_version(ffprobe: &Path) -> Outcome<String> {
    let text = listing(ffprobe, "-version").map_err(|e| broken(ffprobe, &e))?;
    parse_version(&text)
        .map(|(_, written)| written)
        .ok_or_else(|| Failure::new(Kind::Missing, format!("{} is no ffprobe", ffprobe.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;
    use std::os::unix::fs::PermissionsExt;

    const LISTING: &str = include_str!("../../../tests/data/ffmpeg/5.1.9-version.txt");

    /// A folder with a program in it that answers as Debian's ffmpeg does and counts its runs.
    struct Bench {
        dir: tempfile::TempDir,
        environment: Environment,
        settings: Settings,
    }

    /// Makes an executable file by another process: a descriptor of ours that is open for writing could be inherited
    /// by a child of a test beside this one, and then the file is busy.
    fn program(path: &Path, text: &str) {
        let source = path.with_extension("source");
        std::fs::write(&source, text).unwrap();
        let status = std::process::Command::new("install").args(["-m", "755"]).arg(source).arg(path).status();
        assert!(status.unwrap().success());
    }

    fn bench(script: &str) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in ["ffmpeg", "ffprobe"] {
            program(&root.join(name), &script.replace("ROOT", &root.display().to_string()));
        }
        let cache = root.join("cache").display().to_string();
        let environment = Environment::made(&[("XDG_CACHE_HOME", &cache)], root);
        let flags = ["ffmpeg", "ffprobe"].map(|n| {
            let key: &'static str = if n == "ffmpeg" { "ffmpeg" } else { "ffprobe" };
            (key, Some(root.join(n).display().to_string()))
        });
        let settings = Settings::load(Layer::flags(flags), &environment).unwrap();
        Bench { dir, environment, settings }
    }

    fn honest() -> Bench {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ffmpeg");
        bench(&format!("#!/bin/sh\necho x >> ROOT/runs\ncat {}/5.1.9${{2}}.txt\n", data.display()))
    }

    fn runs(bench: &Bench) -> usize {
        std::fs::read_to_string(bench.dir.path().join("runs")).map_or(0, |t| t.lines().count())
    }

    #[test]
    fn asks_once_and_remembers() {
        let bench = honest();
        for _ in 0..3 {
            let found = fit_ffmpeg(&bench.settings, &bench.environment, Need::Encode).unwrap();
            assert_eq!(found.version, (5, 1));
            assert_eq!(runs(&bench), LISTINGS.len());
        }
    }

    #[test]
    fn a_changed_program_or_a_broken_cache_is_asked_again() {
        let bench = honest();
        fit_ffmpeg(&bench.settings, &bench.environment, Need::Encode).unwrap();
        let cache = bench.environment.cache_dir().unwrap().join("ffmpeg.json");
        std::fs::write(&cache, "{\"known\":[[1,2]]}").unwrap();
        fit_ffmpeg(&bench.settings, &bench.environment, Need::Encode).unwrap();
        assert_eq!(runs(&bench), 2 * LISTINGS.len());
        let path = bench.dir.path().join("ffmpeg");
        let script = std::fs::read_to_string(&path).unwrap();
        program(&path, &format!("{script}\n# changed\n"));
        fit_ffmpeg(&bench.settings, &bench.environment, Need::Encode).unwrap();
        assert_eq!(runs(&bench), 3 * LISTINGS.len());
    }

    #[test]
    fn a_cache_that_cannot_be_written_does_no_harm() {
        let bench = honest();
        std::fs::write(bench.dir.path().join("cache"), "a file").unwrap();
        fit_ffmpeg(&bench.settings, &bench.environment, Need::Copy).unwrap();
    }

    #[test]
    fn says_what_is_wrong() {
        let failure = |script: &str| {
            let bench = bench(script);
            let failure = fit_ffmpeg(&bench.settings, &bench.environment, Need::Encode).unwrap_err();
            assert_eq!(failure.kind(), Kind::Missing, "{failure}");
            assert!(!failure.hints().is_empty(), "{failure}");
            crate::ui::failure_text::text(&failure)
        };
        assert!(
            failure("#!/bin/sh\necho Hello\n")
                .contains("is no ffmpeg\n  why: asked for its version it said: Hello")
        );
        assert!(failure("#!/bin/sh\nexit 1\n").contains("it said: nothing"));
        let bare = format!("#!/bin/sh\n[ \"$2\" = -version ] && cat <<'E'\n{LISTING}\nE\nexit 0\n");
        let said = failure(&bare);
        assert!(said.contains("lacks the encoder libx264, the encoder aac, the muxer flv"), "{said}");
        assert!(failure("#!/no/such/interpreter\n").contains("does not work"));
    }

    #[test]
    fn an_absent_program_is_named() {
        let bench = honest();
        std::fs::remove_file(bench.dir.path().join("ffprobe")).unwrap();
        let failure = fit_ffmpeg(&bench.settings, &bench.environment, Need::Encode).unwrap_err();
        assert!(failure.what().contains("there is no ffprobe at"), "{failure}");
        let program = bench.dir.path().join("ffmpeg");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o644)).unwrap();
        let failure = fit_ffmpeg(&bench.settings, &bench.environment, Need::Encode).unwrap_err();
        assert!(failure.what().contains("is not executable"), "{failure}");
    }
}
