//! What this machine can give to a new stream: how fast it encodes (measured once, kept in the user's cache), how many
//! processors there are, and what runs already. Streams of ours share one budget: each has written into its record what it
//! is thought to cost, which counts from its first moment, before it can be seen.

use super::ours;
use super::remembered::{Fingerprint, Memory};
use crate::config::{Environment, Settings};
use crate::ffmpeg::capability::Capability;
use crate::ffmpeg::cost::{self, Power};
use crate::model::StreamKey;
use crate::process::cpu::{self, Load};
use crate::process::spawn;
use std::path::Path;
use std::time::Duration;

/// Share of the processors that may be planned with: the rest is room for films that cost more than others.
const PLANNED: f64 = 0.85;
/// Share of what our own streams leave that a new one may count on, however busy others keep the machine: the kernel
/// parts it among all who want it.
const FAIR: f64 = 0.5;
/// Share of the processors that may be busy for the calibration to be remembered.
const CALM: f64 = 0.3;
/// Share of what our own streams leave that can be had if others let go.
const LET_GO: f64 = 0.75;
/// How long the calibration may take.
const LIMIT: Duration = Duration::from_secs(6);

/// How slow this machine is against the one that the figures of [`cost`] are from. A busy machine is slower than it is;
/// what it says then holds for this once.
fn slowness(ffmpeg: &Path, capability: &Capability, environment: &Environment, load: Load) -> Option<f64> {
    let cache = environment.cache_dir().map(|dir| dir.join("speed.json"));
    let key = Fingerprint::of(ffmpeg, &format!("{} {}", capability.version_text, cpu::processor()));
    let mut memory: Memory<f64> = cache.as_deref().map(Memory::read).unwrap_or_default();
    if let Some(known) = key.as_ref().and_then(|key| memory.get(key)).filter(|s| (0.05..=50.0).contains(*s)) {
        return Some(*known);
    }
    let output =
        spawn::run(&cost::calibration(ffmpeg), LIMIT, 4096).ok().filter(|o| o.exit.code == Some(0))?;
    let found = cost::slowness(&String::from_utf8_lossy(&output.stderr))?;
    if let (Some(path), Some(key)) = (&cache, key.filter(|_| load.busy <= load.cpus * CALM)) {
        memory.put(key, found);
        let _ = memory.write(path);
    }
    Some(found)
}

/// What a new stream `key` may use, by what a look at the processors has seen; `None` if the machine's speed cannot be told.
pub fn power(
    settings: &Settings,
    environment: &Environment,
    key: &StreamKey,
    (ffmpeg, capability): (&Path, &Capability),
    load: Load,
) -> Option<Power> {
    let slowness = slowness(ffmpeg, capability, environment, load)?;
    let ours = ours::ours(settings, environment);
    // A stream of this key can only be one that is to be replaced.
    let others = ours.iter().filter(|o| o.alive && o.record.key != key.as_str());
    let running: f64 = others.filter_map(|o| o.record.cost).filter(|c| *c > 0.0).sum();
    Some(shared(slowness, load, running))
}

/// Processors for a new stream, where streams of ours are thought to take `running` of them.
fn shared(slowness: f64, load: Load, running: f64) -> Power {
    let left = (load.cpus * PLANNED - running).max(0.0);
    // What is seen to be busy holds our own streams too.
    let others = (load.busy - running).max(0.0);
    let free = (left - others).max(left * FAIR);
    Power { slowness, free, most: free.max(left * LET_GO) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_share_one_budget_and_others_are_left_alone() {
        let of = |cpus, busy, running| shared(1.0, Load { cpus, busy }, running).free;
        assert!((of(2.0, 0.0, 0.0) - 1.7).abs() < 1e-9);
        // A stream of ours counts once, whether it is seen already or not.
        assert!((of(2.0, 0.0, 1.0) - 0.7).abs() < 1e-9);
        assert!((of(2.0, 1.0, 1.0) - 0.7).abs() < 1e-9);
        assert!((of(2.0, 1.5, 1.0) - 0.35).abs() < 1e-9);
        // A machine that others keep busy altogether still gives a share.
        assert!((of(1.0, 1.0, 0.0) - 0.425).abs() < 1e-9);
        assert_eq!(of(2.0, 2.0, 3.0), 0.0);
        // Nothing is left out because of what others do at this moment, unless it is more than a quarter.
        assert!((shared(1.0, Load { cpus: 2.0, busy: 2.0 }, 0.7).most - 0.75).abs() < 1e-9);
    }
}
