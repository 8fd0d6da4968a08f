//! What this machine can give to a new stream: how fast it encodes (measured once, kept in the user's cache), how many
//! processors there are, and what runs already. Streams of ours share one budget ([`budget`]): what each is thought to cost
//! counts from its first moment, before it can be seen. What strangers do at this moment costs quality, never a variant;
//! and before a new stream loses one, our others go on in their cheapest ways.

use super::remembered::{Fingerprint, Memory};
use crate::config::{Environment, Settings};
use crate::ffmpeg::capability::Capability;
use crate::ffmpeg::cost::{self, Power};
use crate::model::StreamKey;
use crate::process::budget::{self, Share};
use crate::process::cpu::{self, Load};
use crate::process::spawn;
use std::path::Path;
use std::time::Duration;

/// Share of what our own streams leave that a new one may count on, however busy others keep the machine: the kernel
/// parts it among all who want it.
const FAIR: f64 = 0.5;
/// Share of the processors that may be busy for the calibration to be remembered.
const CALM: f64 = 0.3;
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
    let shares = budget::read(&budget::path(&environment.runtime_dir()));
    // A stream of this key can only be one that is to be replaced.
    let replaced = |share: &Share| share.key == key.as_str() && share.home == settings.paths.home();
    let others: Vec<Share> = shares.into_iter().filter(|share| !replaced(share)).collect();
    Some(shared(slowness, load, &others))
}

/// Processors for a new stream beside these of ours.
fn shared(slowness: f64, load: Load, ours: &[Share]) -> Power {
    let running = budget::taken(ours);
    let left = (load.cpus * budget::PLANNED - running).max(0.0);
    // What is seen to be busy holds our own streams too.
    let strangers = (load.busy - running).max(0.0);
    let free = (left - strangers).max(left * FAIR);
    let cheapest: f64 = ours.iter().map(Share::cheapest).sum();
    Power { slowness, free, most: free.max(load.cpus - cheapest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::identity::Identity;

    fn ours(costs: &[f64]) -> Vec<Share> {
        let supervisor = Identity::own().unwrap();
        let (key, home) = ("a".to_string(), "/h".into());
        vec![Share { key, home, supervisor, ways: costs.to_vec(), way: 0 }]
    }

    #[test]
    fn streams_share_one_budget_and_others_are_left_alone() {
        let of = |cpus, busy, ours: &[Share]| shared(1.0, Load { cpus, busy }, ours).free;
        assert!((of(2.0, 0.0, &[]) - 1.7).abs() < 1e-9);
        // A stream of ours counts once, whether it is seen already or not.
        assert!((of(2.0, 0.0, &ours(&[1.0])) - 0.7).abs() < 1e-9);
        assert!((of(2.0, 1.0, &ours(&[1.0])) - 0.7).abs() < 1e-9);
        assert!((of(2.0, 1.5, &ours(&[1.0])) - 0.35).abs() < 1e-9);
        // A machine that others keep busy altogether still gives a share.
        assert!((of(1.0, 1.0, &[]) - 0.425).abs() < 1e-9);
        assert_eq!(of(2.0, 2.0, &ours(&[3.0])), 0.0);
    }

    #[test]
    fn nothing_is_left_out_for_what_others_do_now_nor_for_a_better_quality_of_ours() {
        let most = |busy, ours: &[Share]| shared(1.0, Load { cpus: 2.0, busy }, ours).most;
        assert!((most(2.0, &[]) - 2.0).abs() < 1e-9, "a compiler keeps every processor busy");
        assert!((most(2.0, &ours(&[1.5, 0.8, 0.4])) - 1.6).abs() < 1e-9, "it can be made for 0.4");
        assert!((most(0.0, &ours(&[1.5])) - 0.5).abs() < 1e-9, "its quality was asked for");
    }
}
