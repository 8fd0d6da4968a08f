//! One look at the load, as it is shown; and what of it is remembered.

use crate::base::clock::rfc3339;
use crate::machine::Machine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The load at one moment; rates are those of the last two seconds. What is not known is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Moment {
    /// When it was (RFC 3339)
    pub at: String,
    /// The same, in milliseconds since 1970
    pub at_ms: i64,
    /// What the server itself takes
    pub server: ServerLoad,
    /// The machine
    pub machine: Machine,
    /// The streams, by name
    pub streams: Vec<StreamLoad>,
    /// How many streams are not told: there are more than 500
    pub streams_left_out: usize,
}

/// What the server itself takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ServerLoad {
    /// Its version
    pub version: String,
    /// For how long it has been running
    pub uptime_s: u64,
    /// Processor time, in percent of one core
    pub cpu_percent: Option<f64>,
    /// Memory in use
    pub memory_bytes: u64,
}

/// What a stream takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct StreamLoad {
    /// Its name in addresses
    pub name: String,
    /// Its application
    pub application: String,
    /// Its title, if it is registered
    pub title: Option<String>,
    /// `here` if this machine makes it, else the address of its publisher
    pub from: Option<String>,
    /// A word of the states of `status`; `live` or `waiting` for streams of others
    pub state: String,
    /// Why it is not well
    pub why: Option<String>,
    /// Labels of its renditions, the largest first
    pub renditions: Vec<String>,
    /// For how long it has been on the air
    pub uptime_s: Option<u64>,
    /// Who watches
    pub viewers: usize,
    /// Bits a second received by the server, all renditions together
    pub in_bps: u64,
    /// Bits a second sent to viewers
    pub out_bps: u64,
    /// Frames that slow viewers did not get
    pub viewer_dropped_frames: u64,
    /// What encodes its video here; `copy` where nothing does
    pub encoder: Option<String>,
    /// Processor time of what encodes it here, in percent of one core
    pub cpu_percent: Option<f64>,
    /// Memory of what encodes it here
    pub memory_bytes: Option<u64>,
    /// Speed against real time, 1 is in time
    pub speed: Option<f64>,
    /// Frames encoded in a second
    pub fps: Option<f64>,
    /// Frames that the encoder left out
    pub dropped_frames: Option<u64>,
    /// Frames that the encoder repeated
    pub duplicated_frames: Option<u64>,
    /// How often what encodes it was started again
    pub restarts: Option<u64>,
}

/// What is remembered of a look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Step {
    /// When it was (RFC 3339)
    pub at: String,
    /// The same, in milliseconds since 1970
    pub at_ms: i64,
    /// How much of all cores was busy, 0 to 100
    pub cpu_percent: Option<f64>,
    /// Memory in use, of what the server may have
    pub memory_used_bytes: u64,
    /// Bits a second received, by all interfaces but the loopback
    pub in_bps: u64,
    /// Bits a second sent
    pub out_bps: u64,
    /// Bytes read in a second, by all drives
    pub read_bytes_s: u64,
    /// Bytes written in a second
    pub written_bytes_s: u64,
    /// How much of the busiest graphics processor was in use, 0 to 100
    pub gpu_percent: Option<f64>,
    /// How much of its encoders was in use, of the busiest, 0 to 100
    pub gpu_encoder_percent: Option<f64>,
    /// Streams
    pub streams: usize,
    /// Viewers of all streams
    pub viewers: usize,
    /// Bits a second that streams brought
    pub streams_in_bps: u64,
    /// Bits a second that their viewers took
    pub streams_out_bps: u64,
}

impl Step {
    /// Of a look.
    pub fn of(moment: &Moment) -> Step {
        let Machine { cpu, memory, drives, network, gpus, .. } = &moment.machine;
        let sum = |of: fn(&StreamLoad) -> u64| moment.streams.iter().map(of).fold(0, u64::saturating_add);
        Step {
            at: moment.at.clone(),
            at_ms: moment.at_ms,
            cpu_percent: cpu.busy_percent,
            memory_used_bytes: memory.in_use().0,
            in_bps: network.in_bps,
            out_bps: network.out_bps,
            read_bytes_s: drives.iter().fold(0, |sum, drive| sum.saturating_add(drive.read_bytes_s)),
            written_bytes_s: drives.iter().fold(0, |sum, drive| sum.saturating_add(drive.written_bytes_s)),
            gpu_percent: gpus.iter().filter_map(|gpu| gpu.busy_percent).reduce(f64::max),
            gpu_encoder_percent: gpus.iter().filter_map(|gpu| gpu.encoder_percent).reduce(f64::max),
            streams: moment.streams.len().saturating_add(moment.streams_left_out),
            viewers: moment.streams.iter().fold(0, |sum, stream| sum.saturating_add(stream.viewers)),
            streams_in_bps: sum(|stream| stream.in_bps),
            streams_out_bps: sum(|stream| stream.out_bps),
        }
    }
}

impl Moment {
    /// Nothing yet, at this time.
    pub fn at(at_ms: i64) -> Moment {
        Moment { at: rfc3339(at_ms), at_ms, ..Moment::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::gpu::Gpu;

    #[test]
    fn what_is_remembered_are_sums_and_the_busiest() {
        let stream = |viewers, in_bps| StreamLoad { viewers, in_bps, out_bps: 7, ..StreamLoad::default() };
        let mut moment = Moment { streams: vec![stream(1, 100), stream(2, 50)], ..Moment::at(5000) };
        assert_eq!(Step::of(&moment).gpu_percent, None, "no card is no zero");
        let gpu = |busy_percent| Gpu { busy_percent, ..Gpu::default() };
        moment.machine.gpus = vec![gpu(Some(20.0)), gpu(None), gpu(Some(31.0))];
        let step = Step::of(&moment);
        assert_eq!((step.viewers, step.streams_in_bps, step.streams_out_bps), (3, 150, 14));
        assert_eq!((step.gpu_percent, step.gpu_encoder_percent), (Some(31.0), None));
        assert_eq!(step.at, "1970-01-01T00:00:05Z");
    }
}
