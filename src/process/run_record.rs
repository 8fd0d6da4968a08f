//! What is written down about a running stream, for `list`, `status` and `stop` of other processes.
//!
//! A record is help, not truth: the lock is the truth. An unreadable, foreign or broken record is the same as none.

use super::identity::Identity;
use crate::base::atomic_file::{self, Durability};
use crate::base::clock;
use crate::model::{Order, State, StreamKey};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Largest record that is read, in bytes.
pub const LARGEST: u64 = 256 * 1024;

/// A supervisor whose record is older than this, in milliseconds, and whose process cannot be seen is taken for gone.
/// Five times the longest time between two writes.
pub const HEARTBEAT_MS: i64 = 15_000;

/// The file `pids/.state/<key>.json`. Unknown fields are ignored, missing ones take defaults, so that an older and
/// a newer msconv can read each other's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of this form, 1.
    pub schema: u32,
    /// The stream.
    pub key: String,
    /// The folder that holds `pids/` and `logs/`.
    pub home: PathBuf,
    /// The boot in which all process numbers below are valid.
    #[serde(default)]
    pub boot_id: String,
    /// The process namespace in which they are: elsewhere (in another container) they name other processes, or none.
    #[serde(default)]
    pub pid_namespace: Option<String>,
    /// The supervisor.
    #[serde(default)]
    pub supervisor: Option<Identity>,
    /// The supervised program, while it runs.
    #[serde(default)]
    pub child: Option<Identity>,
    /// When the stream was started, milliseconds since 1970.
    #[serde(default)]
    pub started_at_ms: i64,
    /// Since when it is on the air without a break, milliseconds since 1970.
    #[serde(default)]
    pub live_since_ms: Option<i64>,
    /// When this record was written, milliseconds since 1970.
    #[serde(default)]
    pub written_at_ms: i64,
    /// What the user wants.
    pub order: Order,
    /// What is.
    pub state: State,
    /// Why it is weak, stalled, restarting or failed; secrets masked.
    #[serde(default)]
    pub reason: Option<String>,
    /// How often the program was started again.
    #[serde(default)]
    pub restarts: u64,
    /// The last fault, secrets masked.
    #[serde(default)]
    pub last_error: Option<String>,
    /// The source in words: `./a.mp4 (h264 1920x1080 30 fps, aac)`.
    #[serde(default)]
    pub source: String,
    /// The publish endpoint, secrets masked: `rtmp://localhost:1935/live`.
    #[serde(default)]
    pub endpoint: String,
    /// Speed against real time over the last seconds, 1.0 is in time.
    #[serde(default)]
    pub speed: Option<f64>,
    /// Frames encoded per second over the last seconds.
    #[serde(default)]
    pub fps: Option<f64>,
    /// Frames dropped so far.
    #[serde(default)]
    pub dropped_frames: u64,
    /// Frames repeated so far, to keep the rate.
    #[serde(default)]
    pub duplicated_frames: u64,
    /// Each output.
    #[serde(default)]
    pub renditions: Vec<OutputRecord>,
    /// What was asked for, secrets masked: a `PublishSpec` of the msconv that wrote it, null where none was known.
    #[serde(default)]
    pub spec: serde_json::Value,
    /// The supervised command, secrets masked.
    #[serde(default)]
    pub argv: Vec<String>,
    /// CPU-seconds a second that it is thought to cost, if that was worked out.
    #[serde(default)]
    pub cost: Option<f64>,
}

/// One output of a running stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// `720p`, `original`, `audio`.
    pub label: String,
    /// The name on the server.
    pub name: String,
    /// Width and height of the picture, 0 without one.
    #[serde(default)]
    pub size: (u32, u32),
    /// What this output is doing.
    pub state: State,
    /// Bytes the server has taken in under this name, if it says.
    #[serde(default)]
    pub bytes_in: Option<u64>,
    /// Bits per second over the last seconds, if known.
    #[serde(default)]
    pub bitrate_bps: Option<u64>,
    /// Readers at the server, if known.
    #[serde(default)]
    pub viewers: Option<u64>,
    /// When the server's count of bytes was last seen to grow, milliseconds since 1970; over restarts.
    #[serde(default)]
    pub last_byte_at_ms: Option<i64>,
}

impl RunRecord {
    /// The record of a stream that this process begins to supervise now; nothing is known of its renditions.
    pub fn begun(key: &StreamKey, home: &Path, source: String, endpoint: String) -> RunRecord {
        RunRecord {
            schema: 1,
            key: key.to_string(),
            home: home.to_path_buf(),
            boot_id: super::identity::boot_id(),
            pid_namespace: super::identity::pid_namespace(),
            supervisor: Identity::own(),
            child: None,
            started_at_ms: clock::now_ms(),
            live_since_ms: None,
            written_at_ms: 0,
            order: Order::Run,
            state: State::Pending,
            reason: None,
            restarts: 0,
            last_error: None,
            source,
            endpoint,
            speed: None,
            fps: None,
            dropped_frames: 0,
            duplicated_frames: 0,
            renditions: Vec::new(),
            spec: serde_json::Value::Null,
            argv: Vec::new(),
            cost: None,
        }
    }

    /// Reads a record; `None` for whatever is not a readable one (absent, garbage, a link, a folder, too large).
    pub fn read(path: &Path) -> Option<RunRecord> {
        RunRecord::parse(&atomic_file::read_small(path, LARGEST).ok()?)
    }

    /// Reads the bytes of a record.
    pub fn parse(bytes: &[u8]) -> Option<RunRecord> {
        let record: RunRecord = serde_json::from_slice(bytes).ok()?;
        record.key.parse::<StreamKey>().ok()?;
        Some(record)
    }

    /// Writes the record, 0600.
    ///
    /// # Errors
    /// Any I/O error; the old record is then untouched.
    pub fn write(&self, path: &Path, durability: Durability) -> io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        bytes.push(b'\n');
        atomic_file::write(path, &bytes, 0o600, durability)
    }

    /// Whether the supervisor of this record lives, in this boot, as far as its process can be seen from here.
    pub fn supervisor_alive(&self, boot_id: &str) -> bool {
        self.boot_id == boot_id && !self.out_of_sight() && self.supervisor.is_some_and(|s| s.alive())
    }

    /// The child's number, if it lives, in this boot.
    pub fn child_pid(&self, boot_id: &str) -> Option<i32> {
        let here = self.boot_id == boot_id && !self.out_of_sight();
        self.child.filter(|c| here && c.alive()).map(|c| c.pid)
    }

    /// Whether its processes are in another process namespace than ours, so that their numbers say nothing here.
    pub fn out_of_sight(&self) -> bool {
        self.pid_namespace.is_some() && self.pid_namespace != super::identity::pid_namespace()
    }

    /// Whether a supervisor that cannot be seen from here lives: it writes its record every few seconds. The kernel's
    /// list of locks does not show those of other process namespaces, and to try the lock would make a publish fail
    /// that begins at this moment.
    pub fn lives_out_of_sight(&self, boot_id: &str, now_ms: i64) -> bool {
        let age = now_ms.saturating_sub(self.written_at_ms).saturating_abs();
        self.out_of_sight() && self.boot_id == boot_id && !self.state.ended() && age <= HEARTBEAT_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn old_and_new_forms_are_read() {
        let old = br#"{"schema":1,"key":"a","home":"/h","order":"run","state":"live"}"#;
        assert_eq!(RunRecord::parse(old).unwrap().restarts, 0);
        let new = br#"{"schema":2,"key":"a","home":"/h","order":"run","state":"live","later":{"x":1}}"#;
        assert!(RunRecord::parse(new).is_some());
        assert!(
            RunRecord::parse(br#"{"schema":1,"key":"../a","home":"/h","order":"run","state":"live"}"#)
                .is_none()
        );
    }

    #[test]
    fn what_cannot_be_seen_lives_while_it_reports() {
        let mut record =
            RunRecord::parse(br#"{"schema":1,"key":"a","home":"/h","order":"run","state":"live"}"#).unwrap();
        record.boot_id = "b".into();
        record.supervisor = super::super::identity::Identity::own();
        record.written_at_ms = 100_000;
        // Older records do not say where they are, so what is seen from here is believed.
        assert!(record.supervisor_alive("b") && !record.lives_out_of_sight("b", 100_000));
        record.pid_namespace = super::super::identity::pid_namespace();
        assert!(record.supervisor_alive("b") && !record.lives_out_of_sight("b", 100_000));
        // Ourselves in another namespace are somebody else.
        record.pid_namespace = Some("pid:[1]".into());
        assert!(!record.supervisor_alive("b"));
        assert!(record.lives_out_of_sight("b", 110_000), "it reported 10 s ago");
        assert!(!record.lives_out_of_sight("b", 116_000), "it has been silent");
        assert!(!record.lives_out_of_sight("other", 110_000), "before the reboot");
        record.state = State::Failed;
        assert!(!record.lives_out_of_sight("b", 110_000), "it has ended");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = RunRecord::parse(&bytes);
        }
    }
}
