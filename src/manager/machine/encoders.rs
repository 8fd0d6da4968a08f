//! Which encoder works on this machine. Being listed by ffmpeg says nothing (measured: NVENC without a driver, Quick Sync
//! without a device), so five frames are encoded with each before it is taken, under a time limit; for `auto` the
//! answer is kept in the user's cache, for this ffmpeg and the devices there are.

use super::remembered::{Fingerprint, Memory};
use crate::base::next::Advice;
use crate::base::{Failure, Kind, Outcome};
use crate::config::Environment;
use crate::ffmpeg::capability::Capability;
use crate::ffmpeg::diagnosis;
use crate::ffmpeg::encoder::{self, Encoder};
use crate::process::spawn::{self, RunError};
use std::path::Path;
use std::time::Duration;

/// How long the trial of an encoder asked for by name may take; drivers of absent devices have been seen to hang.
const TRIAL_LIMIT: Duration = Duration::from_secs(10);
/// The same for one that nobody asked for.
const AUTO_LIMIT: Duration = Duration::from_secs(5);

/// The encoder that a publish begins with; for `auto` hardware that works, else x264.
///
/// # Errors
/// Usage (2) or missing (5) for a name that means no encoder of this ffmpeg; input (7), in the driver's words, for one
/// that was asked for by name and does not work.
pub fn chosen(
    typed: &str,
    ffmpeg: &Path,
    capability: &Capability,
    environment: &Environment,
) -> Outcome<Encoder> {
    let named = Encoder::find(typed, capability)?;
    if typed.eq_ignore_ascii_case("auto") {
        let working = working(ffmpeg, capability, environment);
        return Ok(working.into_iter().next().unwrap_or(named));
    }
    if named.in_hardware() {
        let trial = encoder::trial(ffmpeg, &named, &[encoder::TRIAL_SIZE]);
        prove(&trial, TRIAL_LIMIT).map_err(|why| {
            let what = format!("the encoder {typed} does not work on this machine");
            let failure = Failure::new(Kind::Input, what);
            why.into_iter().fold(failure, Failure::why).hint(Advice::set("encoder", "auto"))
        })?;
    }
    Ok(named)
}

/// How many of these sizes the encoder encodes at once: cards have a limit of sessions. The first ones are the dearest.
pub fn sessions(ffmpeg: &Path, encoder: &Encoder, sizes: &[(u32, u32)]) -> usize {
    (1..=sizes.len())
        .rev()
        .find(|count| {
            let sizes = sizes.get(..*count).unwrap_or(sizes);
            prove(&encoder::trial(ffmpeg, encoder, sizes), TRIAL_LIMIT).is_ok()
        })
        .unwrap_or(0)
}

/// The hardware encoders that work, best first.
fn working(ffmpeg: &Path, capability: &Capability, environment: &Environment) -> Vec<Encoder> {
    let candidates = encoder::hardware(capability);
    if candidates.is_empty() {
        return candidates;
    }
    let cache = environment.cache_dir().map(|dir| dir.join("encoders.json"));
    let key = Fingerprint::of(ffmpeg, &format!("{} {}", capability.version_text, devices()));
    let mut memory: Memory<Vec<String>> = cache.as_deref().map(Memory::read).unwrap_or_default();
    if let Some(names) = key.as_ref().and_then(|key| memory.get(key)) {
        return candidates.into_iter().filter(|c| names.contains(&c.name)).collect();
    }
    let works = |encoder: &Encoder| {
        prove(&encoder::trial(ffmpeg, encoder, &[encoder::TRIAL_SIZE]), AUTO_LIMIT).is_ok()
    };
    let found: Vec<Encoder> = std::thread::scope(|scope| {
        let tried: Vec<_> = candidates.iter().map(|c| (c, scope.spawn(move || works(c)))).collect();
        tried.into_iter().filter_map(|(c, t)| t.join().ok()?.then(|| c.clone())).collect()
    });
    if let (Some(path), Some(key)) = (&cache, key) {
        memory.put(key, found.iter().map(|e| e.name.clone()).collect());
        let _ = memory.write(path);
    }
    found
}

/// The devices that encoders may use, as names: with a new card the question is asked again.
fn devices() -> String {
    let names = |folder: &str| -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.flatten().take(4096).filter_map(|e| e.file_name().into_string().ok()).collect()
    };
    let mut found = names("/dev/dri");
    found.extend(names("/dev").into_iter().filter(|name| name.starts_with("nvidia")));
    found.sort();
    found.join(",")
}

/// Runs a trial; the encoder's own words if it fails.
fn prove(trial: &crate::base::CommandLine, limit: Duration) -> Result<(), Vec<String>> {
    match spawn::run(trial, limit, 4096) {
        Ok(output) if output.exit.code == Some(0) => Ok(()),
        Ok(output) => {
            let words: Vec<String> =
                String::from_utf8_lossy(&output.stderr).lines().map(str::to_string).collect();
            Err(diagnosis::last_words(&words, 2))
        }
        Err(RunError::TimedOut(_)) => {
            Err(vec![format!("its trial did not end within {} s", limit.as_secs())])
        }
        Err(RunError::Start(e)) => Err(vec![e.to_string()]),
    }
}
