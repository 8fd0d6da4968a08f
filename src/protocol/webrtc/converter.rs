//! The ffmpeg that makes Opus of audio that is not decoded in this process: where it is, whether it can, and how many may run.

use crate::ffmpeg::to_opus;
use crate::process::blocking::blocking;
use crate::process::locate::locate;
use crate::process::spawn;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most ladders whose audio is made in this way at once: each takes some hundredths of a core and 55 MB.
const MOST: usize = 16;
/// How long it may take to say what it can.
const PATIENCE: Duration = Duration::from_secs(10);
/// A program that was not fit is asked again after this: it may be installed by then.
const AGAIN: Duration = Duration::from_secs(30);

/// See the module.
pub struct Converter {
    set: Option<PathBuf>,
    known: Mutex<Option<(Instant, Result<PathBuf, String>)>>,
    room: Arc<Semaphore>,
}

impl Converter {
    /// The ffmpeg at `set`, else the one on the PATH.
    pub fn new(set: Option<PathBuf>) -> Converter {
        Converter { set, known: Mutex::default(), room: Arc::new(Semaphore::new(MOST)) }
    }

    /// The program. It is asked once what it can.
    ///
    /// # Errors
    /// Why there is none, in words that go on after "and".
    pub async fn found(&self) -> Result<PathBuf, String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((_, Ok(path))) => return Ok(path),
            Some((at, Err(why))) if at.elapsed() < AGAIN => return Err(why),
            _ => {}
        }
        let set = self.set.clone();
        let asked = blocking("ask ffmpeg", move || ask(set.as_deref())).await;
        let found = asked.unwrap_or_else(|_| Err("ffmpeg cannot be asked whether it can".into()));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((Instant::now(), found.clone()));
        found
    }

    /// Room for one more; it is free again when this goes.
    pub fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_owned().ok()
    }
}

fn ask(set: Option<&Path>) -> Result<PathBuf, String> {
    let missing = || match set {
        Some(path) => format!("there is no ffmpeg at {} that could do it", path.display()),
        None => "no ffmpeg is installed that could do it".to_string(),
    };
    let path = locate(set, "ffmpeg").ok_or_else(missing)?;
    match spawn::run(&to_opus::question(&path), PATIENCE, 64 * 1024) {
        Ok(told) if to_opus::is_able(&String::from_utf8_lossy(&told.stdout)) => Ok(path),
        Ok(told) if told.exit.code.is_some() => Err(format!("{} was built without libopus", path.display())),
        _ => Err(format!("{} does not run", path.display())),
    }
}
