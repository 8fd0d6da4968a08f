//! `status`: how our own streams and servers are doing, from what their supervisors wrote down.

use crate::base::next::Advice;
use crate::base::{Failure, Kind, Outcome, clock};
use crate::config::from_file::parse_key;
use crate::config::keys::nearest_of;
use crate::config::{Environment, Settings};
use crate::manager::records::ours::{self, Ours};
use crate::manager::servers::{self, Server};
use crate::model::Order;
use crate::process::identity::boot_id;
use serde::Serialize;

/// A supervisor writes its record every few seconds; after this long without, something holds it.
const SILENT_MS: i64 = 30_000;

/// One look at everything that is ours. The serialised form is the promise of `msconv.status/1`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Our streams, by key.
    pub streams: Vec<StreamStatus>,
    /// The servers that `up` started.
    pub servers: Vec<Server>,
}

/// One stream of ours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamStatus {
    /// The stream.
    pub key: String,
    /// A word of the states, or `stopped` for one whose supervisor is gone without having said so.
    pub state: String,
    /// Why it is not simply live.
    pub reason: Option<String>,
    /// Whether its supervisor lives.
    pub running: bool,
    /// What the user wants of it.
    pub order: Order,
    /// When it was started, RFC 3339.
    pub started_at: String,
    /// Seconds on the air without a break, if it is.
    pub uptime_s: Option<u64>,
    /// ffmpeg's process id, if it runs.
    pub pid: Option<i32>,
    /// The supervisor's process id, if it runs.
    pub supervisor_pid: Option<i32>,
    /// The source in words.
    pub source: String,
    /// Where it is published, secrets masked.
    pub endpoint: String,
    /// Frames encoded per second, while it runs.
    pub fps: Option<f64>,
    /// Speed against real time, while it runs; 1.0 is in time.
    pub speed: Option<f64>,
    /// Frames dropped so far.
    pub dropped_frames: u64,
    /// How often ffmpeg was started again.
    pub restarts: u64,
    /// The last fault, if there was one.
    pub last_error: Option<String>,
    /// The folder that holds its `pids/` and `logs/`.
    pub home: String,
    /// ffmpeg's log file.
    pub log: String,
    /// Each output.
    pub renditions: Vec<RenditionStatus>,
}

/// One output of a stream of ours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RenditionStatus {
    /// `720p`, `original`, `audio`.
    pub label: String,
    /// The name on the server.
    pub name: String,
    /// A word of the states.
    pub state: String,
    /// Pixels; `None` without video.
    pub width: Option<u32>,
    /// Pixels; `None` without video.
    pub height: Option<u32>,
    /// Bytes that the server has taken in, if it says.
    pub bytes_in: Option<u64>,
    /// Bits per second over the last seconds, if known.
    pub bitrate_bps: Option<u64>,
    /// Readers at the server, if known.
    pub viewers: Option<u64>,
}

/// Looks at one stream, or at all and the servers.
///
/// # Errors
/// Usage for a wrong key; not running for one that was stopped; not found, with the keys there are, for one that
/// nothing is known of.
pub fn report(settings: &Settings, environment: &Environment, key: Option<&str>) -> Outcome<Report> {
    let (boot, now) = (boot_id(), clock::now_ms());
    let status = |one: &Ours| stream(one, &boot, now);
    let Some(key) = key else {
        let streams = ours::ours(settings, environment).iter().map(status).collect();
        return Ok(Report { streams, servers: servers::status(settings) });
    };
    let key = parse_key(key)?;
    match ours::find(settings, environment, &key) {
        Some(one) => Ok(Report { streams: vec![status(&one)], servers: Vec::new() }),
        // The record goes when a stream is stopped, its log stays.
        None if settings.paths.ffmpeg_log(&key).is_file() => {
            Err(Failure::new(Kind::NotRunning, format!("{key} is not running"))
                .hint(Advice::ShowLog(key.to_string()))
                .log(settings.paths.ffmpeg_log(&key).display().to_string()))
        }
        None => Err(unknown(key.as_str(), &ours::ours(settings, environment))),
    }
}

fn unknown(key: &str, known: &[Ours]) -> Failure {
    let failure = Failure::new(Kind::NotFound, format!("there is no stream {key} of ours"));
    let mut keys: Vec<&str> = known.iter().map(|one| one.record.key.as_str()).collect();
    keys.dedup();
    if keys.is_empty() {
        return failure
            .why("none has been published from here")
            .hint(Advice::ListStreams.in_column("shows what is live"));
    }
    let shown = keys.iter().take(20).copied().collect::<Vec<_>>().join(", ");
    let more = if keys.len() > 20 { ", ..." } else { "" };
    let failure = failure.why(format!("ours are {shown}{more}"));
    match nearest_of(key, keys.iter().copied()) {
        Some(near) => failure.hint(Advice::ShowStream(near.to_string())),
        None => failure.hint(Advice::ShowStreams.in_column("shows all")),
    }
}

fn stream(one: &Ours, boot: &str, now: i64) -> StreamStatus {
    let record = &one.record;
    let rebooted = !record.boot_id.is_empty() && !boot.is_empty() && record.boot_id != boot;
    let (state, reason) = match (one.alive, record.state.ended()) {
        (false, false) if rebooted => ("stopped", Some("reboot".to_string())),
        (false, false) => ("stopped", Some("its supervisor was killed".to_string())),
        (true, _) if now.saturating_sub(record.written_at_ms) > SILENT_MS && record.written_at_ms > 0 => {
            let silent = now.saturating_sub(record.written_at_ms) / 1000;
            (record.state.word(), Some(format!("its supervisor has been silent for {silent} s")))
        }
        _ => (record.state.word(), record.reason.clone().or_else(|| fault(record))),
    };
    let seconds_since = |ms: i64| u64::try_from(now.saturating_sub(ms) / 1000).ok();
    StreamStatus {
        key: record.key.clone(),
        state: state.to_string(),
        reason,
        running: one.alive,
        order: record.order,
        started_at: clock::rfc3339(record.started_at_ms),
        uptime_s: record.live_since_ms.filter(|_| one.alive).and_then(seconds_since),
        pid: one.pid,
        supervisor_pid: record.supervisor.filter(|_| one.alive).map(|s| s.pid),
        source: record.source.clone(),
        endpoint: record.endpoint.clone(),
        fps: record.fps.filter(|_| one.alive),
        speed: record.speed.filter(|_| one.alive),
        dropped_frames: record.dropped_frames,
        restarts: record.restarts,
        last_error: record.last_error.clone(),
        home: record.home.display().to_string(),
        log: one.log.display().to_string(),
        renditions: record
            .renditions
            .iter()
            .map(|output| RenditionStatus {
                label: output.label.clone(),
                name: output.name.clone(),
                state: if one.alive { output.state.word() } else { state }.to_string(),
                width: Some(output.size.0).filter(|n| *n > 0),
                height: Some(output.size.1).filter(|n| *n > 0),
                bytes_in: output.bytes_in,
                bitrate_bps: output.bitrate_bps.filter(|_| one.alive),
                viewers: output.viewers.filter(|_| one.alive),
            })
            .collect(),
    }
}

/// What a failed stream without a reason of its own failed of.
fn fault(record: &crate::process::run_record::RunRecord) -> Option<String> {
    let telling = !matches!(record.state, crate::model::State::Live | crate::model::State::Finished);
    record.last_error.clone().filter(|_| telling)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::run_record::RunRecord;

    fn one(json: &str, alive: bool) -> Ours {
        let record = RunRecord::parse(json.as_bytes()).unwrap();
        Ours { record, alive, pid: alive.then_some(7), log: "/h/logs/ffmpeg/a.log".into(), rebooted: false }
    }

    const LIVE: &str = r#"{"schema":1,"key":"a","home":"/h","boot_id":"b1","order":"run","state":"live",
        "supervisor":{"pid":5,"start":1},"started_at_ms":1000,"live_since_ms":2000,"written_at_ms":62000,
        "fps":30.0,"speed":1.0,"renditions":[{"label":"720p","name":"a_720p","size":[1280,720],"state":"live",
        "bytes_in":5,"bitrate_bps":9,"viewers":1}]}"#;

    #[test]
    fn a_running_stream_shows_its_figures() {
        let status = stream(&one(LIVE, true), "b1", 63_000);
        assert_eq!(
            (status.state.as_str(), status.uptime_s, status.supervisor_pid),
            ("live", Some(61), Some(5))
        );
        assert_eq!(status.renditions[0].bitrate_bps, Some(9));
        assert_eq!(status.reason, None);
    }

    #[test]
    fn a_dead_one_says_how_it_ended_and_shows_no_rates() {
        let status = stream(&one(LIVE, false), "b2", 63_000);
        assert_eq!((status.state.as_str(), status.reason.as_deref()), ("stopped", Some("reboot")));
        assert_eq!((status.uptime_s, status.fps, status.renditions[0].bitrate_bps), (None, None, None));
        assert_eq!(status.renditions[0].state, "stopped");
        let status = stream(&one(LIVE, false), "b1", 63_000);
        assert_eq!(status.reason.as_deref(), Some("its supervisor was killed"));
        let ended = LIVE.replace("\"state\":\"live\",\n", "\"state\":\"finished\",\n");
        assert_eq!(stream(&one(&ended, false), "b2", 63_000).state, "finished");
    }

    #[test]
    fn a_frozen_supervisor_is_noticed_and_a_clock_set_back_does_no_harm() {
        let status = stream(&one(LIVE, true), "b1", 200_000);
        assert!(status.reason.unwrap().contains("silent for 138 s"));
        assert_eq!(stream(&one(LIVE, true), "b1", 0).uptime_s, None);
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_known_ones() {
        let known = [one(LIVE, true), one(&LIVE.replace("\"a\"", "\"stream1\""), false)];
        let failure = unknown("steam1", &known);
        assert_eq!(
            crate::ui::failure_text::text(&failure),
            "there is no stream steam1 of ours\n  why: ours are a, stream1\n  try: msconv status stream1"
        );
        assert_eq!(failure.kind().exit_code(), 4);
        assert!(crate::ui::failure_text::text(&unknown("x", &[])).contains("try: msconv list"));
    }
}
