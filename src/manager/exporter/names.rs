//! Every metric of the exporter: its name, what it counts, and its labels. The page, the reference and the tests of
//! rules and dashboards are made from this table.
//!
//! Units are base units (seconds, bytes), and no name is one of the built-in server's own (`msconv_stream_...` there
//! means a name on the server; a stream with its renditions is meant here).
#![expect(missing_docs, reason = "the help of each metric says what it is")]

use crate::telemetry::exposition::Kind;

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

/// A server that is asked: `nginx-rtmp` (or what speaks like it), `mediamtx`.
const SERVER: &[&str] = &["server"];
/// A name on the servers: its RTMP application, the stream, and `720p`, `audio` or `original`.
const RENDITION: &[&str] = &["application", "stream", "variant"];
/// A stream that msconv publishes, and the folder that holds its `pids/` and `logs/`.
const PUBLISH: &[&str] = &["home", "stream"];
/// One of its outputs.
const OUTPUT: &[&str] = &["home", "stream", "variant"];

pub const SERVER_UP: Metric =
    gauge("msconv_server_up", SERVER, "Whether a server answered with what it should: 1 yes, 0 no.");
pub const SERVER_FAULT: Metric = gauge(
    "msconv_server_fault",
    &["server", "fault"],
    "Why a server gave no usable answer; 1, and absent while it answers.",
);
pub const SERVER_ANSWER: Metric =
    gauge("msconv_server_answer_seconds", SERVER, "Time until a server had answered, or was given up.");
pub const SERVER_INFO: Metric =
    gauge("msconv_server_info", &["server", "version"], "What a server calls itself; always 1.");
pub const RENDITION_RECEIVED: Metric = counter(
    "msconv_rendition_received_bytes_total",
    RENDITION,
    "Bytes that the server took in for a rendition since it was published.",
);
pub const RENDITION_SENT: Metric = counter(
    "msconv_rendition_sent_bytes_total",
    RENDITION,
    "Bytes that the server gave out for a rendition since it was published, MediaMTX's own pull among them.",
);
pub const RENDITION_RATE: Metric = gauge(
    "msconv_rendition_received_bytes_per_second",
    RENDITION,
    "Bitrate of a rendition in bytes, as the server measures it over 10 s.",
);
pub const RENDITION_VIEWERS: Metric = gauge(
    "msconv_rendition_viewers",
    RENDITION,
    "Viewers of a rendition on all servers; neither its publisher nor MediaMTX's own pull.",
);
pub const RENDITION_DROPPED: Metric = gauge(
    "msconv_rendition_viewer_dropped_frames",
    RENDITION,
    "Frames that the viewers who are connected now did not get because they were too slow.",
);
pub const RENDITION_AGE: Metric = gauge(
    "msconv_rendition_last_byte_age_seconds",
    RENDITION,
    "Time since the exporter last saw the server's count of received bytes change.",
);
pub const RENDITION_UPTIME: Metric =
    gauge("msconv_rendition_uptime_seconds", RENDITION, "Time since the publisher of a rendition connected.");
pub const PUBLISH_INFO: Metric = gauge(
    "msconv_publish_info",
    &["home", "stream", "endpoint", "source"],
    "Source and publish endpoint of a stream, secrets masked; always 1.",
);
pub const PUBLISH_STATE: Metric = gauge(
    "msconv_publish_state",
    &["home", "stream", "state"],
    "State of a stream that msconv publishes: 1 for the state that it is in, 0 for the others.",
);
pub const PUBLISH_RESTARTS: Metric =
    counter("msconv_publish_restarts_total", PUBLISH, "How often the encoder of a stream was started again.");
pub const PUBLISH_STARTED: Metric =
    gauge("msconv_publish_start_time_seconds", PUBLISH, "When a stream was started, in seconds since 1970.");
pub const PUBLISH_LIVE: Metric = gauge(
    "msconv_publish_live_since_seconds",
    PUBLISH,
    "Since when a stream is on the air without a break, in seconds since 1970; absent while it is not.",
);
pub const PUBLISH_SPEED: Metric = gauge(
    "msconv_publish_speed_ratio",
    PUBLISH,
    "Speed of the encoder against real time over 10 s; below 1 it falls behind.",
);
pub const PUBLISH_FPS: Metric =
    gauge("msconv_publish_frames_per_second", PUBLISH, "Frames that the encoder made a second, over 10 s.");
pub const PUBLISH_DROPPED: Metric = counter(
    "msconv_publish_dropped_frames_total",
    PUBLISH,
    "Frames that the encoder dropped since it was started.",
);
pub const PUBLISH_COST: Metric = gauge(
    "msconv_publish_planned_cpu_cores",
    PUBLISH,
    "Processor cores that a stream is thought to need; absent where that was not worked out.",
);
pub const PUBLISH_REPORT: Metric = gauge(
    "msconv_publish_report_age_seconds",
    PUBLISH,
    "Time since the supervisor of a stream last reported, which it does every few seconds.",
);
pub const OUTPUT_ON_AIR: Metric = gauge(
    "msconv_publish_rendition_on_air",
    OUTPUT,
    "Whether a rendition of a stream moves bytes: 1 yes, 0 no.",
);
pub const OUTPUT_RECEIVED: Metric = counter(
    "msconv_publish_rendition_received_bytes_total",
    OUTPUT,
    "Bytes that the server took in for a rendition, as its supervisor reads it.",
);
pub const OUTPUT_RATE: Metric = gauge(
    "msconv_publish_rendition_received_bytes_per_second",
    OUTPUT,
    "Bitrate of a rendition in bytes, as its supervisor measures it over 10 s.",
);
pub const OUTPUT_AGE: Metric = gauge(
    "msconv_publish_rendition_last_byte_age_seconds",
    OUTPUT,
    "Time since the supervisor last saw the server's count of received bytes grow, over restarts.",
);
pub const BUILD: Metric =
    gauge("msconv_exporter_build_info", &["version"], "Version of the exporter; always 1.");
pub const COLLECT: Metric = gauge(
    "msconv_exporter_collect_seconds",
    &[],
    "Time that it took to ask the servers and to read the records.",
);
pub const LEFT_OUT: Metric = gauge(
    "msconv_exporter_streams_left_out",
    &[],
    "Names on the servers and streams of ours without series of their own, because there are too many or two look alike.",
);
pub const HOME: Metric = gauge(
    "msconv_exporter_home_readable",
    &[],
    "Whether the records in the home folder could be listed in time: 1 yes, 0 no.",
);
pub const UNREADABLE: Metric = gauge(
    "msconv_exporter_records_unreadable",
    &[],
    "Records of streams in the home folder that could not be read.",
);
pub const LIMITS: Metric = counter(
    "msconv_exporter_limit_exceeded_total",
    &["limit"],
    "How often a request to the exporter broke a limit, by its name.",
);

/// All of them, in the order of the page.
pub const ALL: &[&Metric] = &[
    &SERVER_UP,
    &SERVER_FAULT,
    &SERVER_ANSWER,
    &SERVER_INFO,
    &RENDITION_RECEIVED,
    &RENDITION_SENT,
    &RENDITION_RATE,
    &RENDITION_VIEWERS,
    &RENDITION_DROPPED,
    &RENDITION_AGE,
    &RENDITION_UPTIME,
    &PUBLISH_INFO,
    &PUBLISH_STATE,
    &PUBLISH_RESTARTS,
    &PUBLISH_STARTED,
    &PUBLISH_LIVE,
    &PUBLISH_SPEED,
    &PUBLISH_FPS,
    &PUBLISH_DROPPED,
    &PUBLISH_COST,
    &PUBLISH_REPORT,
    &OUTPUT_ON_AIR,
    &OUTPUT_RECEIVED,
    &OUTPUT_RATE,
    &OUTPUT_AGE,
    &BUILD,
    &COLLECT,
    &LEFT_OUT,
    &HOME,
    &UNREADABLE,
    &LIMITS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_not_those_of_the_built_in_server() {
        let serve = include_str!("../../server/endpoint/metrics.rs");
        for (at, metric) in ALL.iter().enumerate() {
            assert!(ALL.iter().skip(at + 1).all(|m| m.name != metric.name), "{}", metric.name);
            assert!(!serve.contains(&format!("\"{}\"", metric.name)), "{} is serve's", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
