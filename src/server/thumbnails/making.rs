//! The program that decodes a keyframe and makes a small image of it.

use super::keyframe;
use crate::base::printable::bounded;
use crate::ffmpeg::thumbnail::command_line;
use crate::hub::Hub;
use crate::model::StreamName;
use crate::process::locate::locate;
use crate::process::spawn::Supervised;
use crate::telemetry::Log;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// How long a keyframe is waited for: the longest distance of keyframes that is usual.
const KEYFRAME: Duration = Duration::from_secs(3);
/// How long the program may take.
const DECODING: Duration = Duration::from_secs(4);
/// The largest image.
const LARGEST: u64 = 512 << 10;
/// What of its words is read.
const WORDS: u64 = 4 << 10;

/// See the module.
pub struct Maker {
    ffmpeg: Option<PathBuf>,
    log: Log,
    /// Whether it was said that it does not work.
    told: AtomicBool,
}

impl Maker {
    /// With the ffmpeg at `ffmpeg`, else the one on the PATH.
    pub fn new(ffmpeg: Option<PathBuf>, log: Log) -> Maker {
        Maker { ffmpeg, log, told: AtomicBool::new(false) }
    }

    /// An image of what a stream shows now.
    pub async fn make(&self, hub: &Hub, name: &StreamName) -> Option<Bytes> {
        let keyframe = keyframe::last(hub, name, KEYFRAME).await?;
        let Some(ffmpeg) = locate(self.ffmpeg.as_deref(), "ffmpeg") else {
            self.tell(name, "there is no ffmpeg");
            return None;
        };
        match tokio::time::timeout(DECODING, decoded(&ffmpeg, &keyframe)).await {
            Ok(Ok(jpeg)) => Some(jpeg),
            Ok(Err(why)) => {
                self.tell(name, &why);
                None
            }
            Err(_) => {
                self.tell(name, "ffmpeg takes too long");
                None
            }
        }
    }

    /// Once, since it would be the same ten seconds later.
    fn tell(&self, name: &StreamName, why: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            self.log.warn(format_args!("thumbnails: none of {name}: {}", bounded(why, 200)));
        }
    }
}

async fn decoded(ffmpeg: &Path, keyframe: &[u8]) -> Result<Bytes, String> {
    let started = Supervised::start_fed(&command_line(ffmpeg));
    let (mut child, pipes, mut input) = started.map_err(|e| format!("ffmpeg cannot be started: {e}"))?;
    let fed = async move {
        // It may have seen enough before the end.
        let _ = input.write_all(keyframe).await;
    };
    let ((), jpeg, words) = tokio::join!(fed, read(pipes.out, LARGEST), read(pipes.err, WORDS));
    let exit = child.ended().await.map_err(|e| e.to_string())?;
    let whole = jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]);
    match exit.code {
        Some(0) if whole => Ok(jpeg.into()),
        _ => Err(format!("ffmpeg {exit}: {}", String::from_utf8_lossy(&words))),
    }
}

async fn read(from: impl AsyncRead + Unpin, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut from = from.take(most);
    let _ = from.read_to_end(&mut bytes).await;
    // What is more than it may be is let go, so that the program ends.
    let _ = tokio::io::copy(from.get_mut(), &mut tokio::io::sink()).await;
    bytes
}
