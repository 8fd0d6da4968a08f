//! What the bytes of every published name were at one moment, so that the next look can tell what moves. For long
//! listings it is kept in the runtime folder between two calls; a hint only, and believed for a minute at most.

use crate::base::atomic_file::{self, Durability};
use crate::process::index::private;
use crate::status::nginx_stat::Snapshot;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 8 * 1024 * 1024;
/// Younger than this a sample proves no stillness, in milliseconds.
const LEAST_AGE_MS: i64 = 1_500;
/// Older than this, movement since then says nothing about now, in milliseconds.
const MOST_AGE_MS: i64 = 15_000;
/// Older than this, nothing is believed, in milliseconds.
const EXPIRED_MS: i64 = 60_000;

/// Bytes and age of every published name of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// The page they are of, secrets masked.
    url: String,
    /// When they were taken, milliseconds since 1970.
    at_ms: i64,
    /// Bytes taken in and milliseconds of life, by application and name.
    streams: HashMap<String, HashMap<String, (u64, u64)>>,
}

/// What two samples say of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It moves.
    Moving,
    /// It does not.
    Still,
    /// They do not say.
    Unknown,
}

impl Samples {
    /// The samples of one page.
    pub fn of(snapshot: &Snapshot, url: &str, at_ms: i64) -> Samples {
        let mut streams: HashMap<String, HashMap<String, (u64, u64)>> = HashMap::new();
        for application in &snapshot.applications {
            let names = streams.entry(application.name.clone()).or_default();
            for stream in application.streams.iter().filter(|s| s.publishing) {
                let value = names.entry(stream.name.clone()).or_default();
                *value = (value.0.max(stream.bytes_in), value.1.max(stream.time_ms));
            }
        }
        Samples { url: url.to_string(), at_ms, streams }
    }

    fn get(&self, (application, name): &(String, String)) -> Option<(u64, u64)> {
        self.streams.get(application)?.get(name).copied()
    }

    /// Whether the bytes of a name changed from these samples to `later` ones of the same moment's looks.
    pub fn moved(&self, later: &Samples, name: &(String, String)) -> bool {
        matches!((self.get(name), later.get(name)), (Some((before, _)), Some((after, _))) if before != after)
    }

    /// What these samples of an earlier look say together with `now`.
    pub fn judge(&self, now: &Samples, name: &(String, String)) -> Judgement {
        let age = now.at_ms.saturating_sub(self.at_ms);
        let (Some((bytes_then, life_then)), Some((bytes_now, life_now))) = (self.get(name), now.get(name))
        else {
            return Judgement::Unknown;
        };
        // A clock that was set back, another server at the address, or a new stream under the old name.
        if self.url != now.url || !(0..=EXPIRED_MS).contains(&age) || life_now < life_then {
            return Judgement::Unknown;
        }
        if bytes_now != bytes_then {
            return if age <= MOST_AGE_MS { Judgement::Moving } else { Judgement::Unknown };
        }
        if age >= LEAST_AGE_MS { Judgement::Still } else { Judgement::Unknown }
    }

    /// The samples kept by the last call, if there are any of this page.
    pub fn read(runtime: &Path, url: &str) -> Option<Samples> {
        if !private(runtime) {
            return None;
        }
        let bytes = atomic_file::read_small(&file(runtime), LARGEST).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|s: &Samples| s.url == url)
    }

    /// Keeps the samples for the next call. They are a convenience: where they cannot be kept, they are not.
    pub fn write(&self, runtime: &Path) {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(runtime);
        if made.is_ok()
            && private(runtime)
            && let Ok(bytes) = serde_json::to_vec(self)
        {
            let _ = atomic_file::write(&file(runtime), &bytes, 0o600, Durability::Cached);
        }
    }
}

fn file(runtime: &Path) -> std::path::PathBuf {
    runtime.join("list-samples.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::nginx_stat::{Application, StreamStat};

    fn at(at_ms: i64, bytes_in: u64, time_ms: u64) -> Samples {
        let stream =
            StreamStat { name: "x".into(), publishing: true, bytes_in, time_ms, ..StreamStat::default() };
        let application = Application { name: "live".into(), live: true, streams: vec![stream] };
        Samples::of(
            &Snapshot { applications: vec![application], ..Snapshot::default() },
            "http://h/stat",
            at_ms,
        )
    }

    fn name() -> (String, String) {
        ("live".into(), "x".into())
    }

    #[test]
    fn what_two_looks_say() {
        let judge = |then: &Samples, now: &Samples| then.judge(now, &name());
        assert_eq!(judge(&at(0, 5, 10), &at(2_000, 9, 2_010)), Judgement::Moving);
        assert_eq!(judge(&at(0, 5, 10), &at(2_000, 5, 2_010)), Judgement::Still);
        assert_eq!(judge(&at(0, 5, 10), &at(100, 5, 110)), Judgement::Unknown, "too soon to be still");
        assert_eq!(judge(&at(0, 5, 10), &at(30_000, 9, 30_010)), Judgement::Unknown, "it moved, but when");
        assert_eq!(judge(&at(0, 5, 10), &at(30_000, 5, 30_010)), Judgement::Still);
        assert_eq!(judge(&at(0, 5, 10), &at(90_000, 5, 90_010)), Judgement::Unknown);
        assert_eq!(
            judge(&at(0, 5, 9_000), &at(2_000, 5, 100)),
            Judgement::Unknown,
            "another stream of that name"
        );
        assert_eq!(judge(&at(9_000, 5, 10), &at(2_000, 9, 20)), Judgement::Unknown, "the clock was set back");
        let other = Samples { url: "http://other/stat".into(), ..at(0, 5, 10) };
        assert_eq!(judge(&other, &at(2_000, 9, 2_010)), Judgement::Unknown);
        assert!(at(0, 5, 10).moved(&at(60, 6, 70), &name()));
        assert!(!at(0, 5, 10).moved(&at(60, 5, 70), &name()));
        assert!(!at(0, 5, 10).moved(&at(60, 6, 70), &("other".into(), "x".into())));
    }

    #[test]
    fn are_kept_in_a_folder_of_our_own_only() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = dir.path().join("msconv");
        assert_eq!(Samples::read(&runtime, "http://h/stat"), None);
        at(7, 5, 10).write(&runtime);
        assert_eq!(Samples::read(&runtime, "http://h/stat"), Some(at(7, 5, 10)));
        assert_eq!(Samples::read(&runtime, "http://other/stat"), None);
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&runtime, open).unwrap();
        assert_eq!(Samples::read(&runtime, "http://h/stat"), None);
        fs::write(file(&runtime), "garbage").unwrap();
        fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(Samples::read(&runtime, "http://h/stat"), None);
    }
}
