//! What the starting server says on its standard output: where it listens, or why it does not. Foreign text as any
//! other: nothing of it is believed that does not fit.

use crate::base::atomic_file;
use crate::base::{Failure, Kind};
use crate::model::service::Service;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Most that is read, in bytes.
const MOST: u64 = 256 * 1024;

/// Where it listens (`msconv.serve/1`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ready {
    /// Its process.
    pub pid: i32,
    #[serde(flatten)]
    fields: BTreeMap<String, serde_json::Value>,
}

impl Ready {
    /// Where a service listens; empty if it does not.
    pub fn address(&self, service: Service) -> &str {
        self.fields.get(service.row().id).and_then(serde_json::Value::as_str).unwrap_or_default()
    }

    /// The addresses for the record, each with its name.
    pub fn addresses(&self) -> Vec<String> {
        let named = |service: &Service| format!("{}={}", service.row().id, self.address(*service));
        Service::ALL.iter().filter(|service| !self.address(**service).is_empty()).map(named).collect()
    }
}

#[derive(Deserialize)]
struct Reported {
    error: Words,
}

#[derive(Deserialize)]
struct Words {
    exit_code: u8,
    message: String,
    #[serde(default)]
    why: Vec<String>,
    #[serde(default, rename = "try")]
    next: Vec<String>,
}

/// Where it listens, once it has said so.
pub fn ready(output: &Path) -> Option<Ready> {
    find(output, "msconv.serve/1")
}

/// Its own failure, if it reported one.
pub fn failure(output: &Path) -> Option<Failure> {
    let Reported { error } = find(output, "msconv.error/1")?;
    let failure = Failure::new(Kind::from_exit_code(error.exit_code), error.message);
    let failure = error.why.into_iter().fold(failure, Failure::why);
    Some(error.next.into_iter().fold(failure, Failure::hint))
}

fn find<T: for<'a> Deserialize<'a>>(output: &Path, schema: &str) -> Option<T> {
    let bytes = atomic_file::read_small(output, MOST).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines().filter(|line| line.starts_with('{') && line.contains(schema)).find_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let fits = value.get("schema").and_then(|s| s.as_str()) == Some(schema);
        if fits { serde_json::from_value(value).ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::atomic_file::Durability;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("start.log");
        atomic_file::write(&path, text.as_bytes(), 0o600, Durability::Cached).unwrap();
        (dir, path)
    }

    #[test]
    fn reads_readiness_among_other_lines() {
        let (_dir, path) = file(
            "warning: x\n{\"schema\":\"msconv.serve/1\",\"pid\":7,\"rtmp\":\"127.0.0.1:1\",\"rtsp\":\"b\",\"rtp\":\"c\",\
             \"stat\":\"d\",\"api\":\"e\",\"metrics\":\"f\",\"more\":1}\n",
        );
        let ready = ready(&path).unwrap();
        assert_eq!((ready.pid, ready.address(Service::Rtmp)), (7, "127.0.0.1:1"));
        assert_eq!(ready.addresses().first().map(String::as_str), Some("rtmp=127.0.0.1:1"));
        assert!(failure(&path).is_none());
    }

    #[test]
    fn its_failure_becomes_ours() {
        let (_dir, path) = file(
            "error: the port is taken\n{\"schema\":\"msconv.error/1\",\"error\":{\"kind\":\"server\",\"exit_code\":6,\
             \"message\":\"the port is taken\",\"why\":[\"w\"],\"try\":[\"t\"],\"log\":null}}\n",
        );
        let failure = failure(&path).unwrap();
        assert_eq!(crate::ui::failure_text::text(&failure), "the port is taken\n  why: w\n  try: t");
        assert_eq!(failure.kind(), Kind::Server);
    }

    #[test]
    fn garbage_says_nothing() {
        for text in [
            "",
            "{",
            "{\"schema\":\"msconv.serve/1\"}",
            "{\"schema\":\"msconv.error/1\",\"error\":3}",
            "ready",
        ] {
            let (_dir, path) = file(text);
            assert!(ready(&path).is_none() && failure(&path).is_none(), "{text}");
        }
        assert!(ready(Path::new("/nowhere")).is_none());
    }
}
