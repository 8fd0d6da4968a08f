//! What the streams of one user take of the processors, so that they make room for each other. Each supervisor writes
//! into one file what its stream is thought to cost and what it would cost in its cheaper ways, before it can be seen. Who
//! makes room follows from that file alone, so everybody who reads it comes to the same; nobody is asked.
//!
//! CPU-seconds a second throughout, of this machine.

use super::cpu::Load;
use super::identity::Identity;
use super::index::private;
use super::stream_lock::{self, StreamLock};
use crate::base::atomic_file::{self, Durability};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Largest file that is read, in bytes: some thousand streams.
const LARGEST: u64 = 1024 * 1024;
/// Most streams that are kept.
const MOST: usize = 4096;
/// How long the file may be in another's hands.
const PATIENCE: Duration = Duration::from_millis(200);

/// One stream's part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The stream.
    pub key: String,
    /// The folder it was published from.
    pub home: PathBuf,
    /// Who supervises it; when that is gone, so is the share.
    pub supervisor: Identity,
    /// What it costs in each way it may be made, dearest first; one where that is not ours to choose.
    pub ways: Vec<f64>,
    /// Which of them it is made in.
    pub way: usize,
}

impl Share {
    /// What it costs now.
    pub fn cost(&self) -> f64 {
        self.ways.get(self.way).or(self.ways.last()).copied().unwrap_or(0.0)
    }

    /// What it costs in its cheapest way.
    pub fn cheapest(&self) -> f64 {
        self.ways.last().copied().unwrap_or(0.0).min(self.cost())
    }

    fn same_stream(&self, other: &Share) -> bool {
        self.key == other.key && self.home == other.home
    }
}

/// Where the file stands in the user's runtime folder.
pub fn path(runtime: &Path) -> PathBuf {
    runtime.join("budget.json")
}

/// The shares of all streams that live; none where the file is not ours alone.
pub fn read(path: &Path) -> Vec<Share> {
    if !path.parent().is_some_and(private) {
        return Vec::new();
    }
    let bytes = atomic_file::read_small(path, LARGEST).unwrap_or_default();
    let shares: Vec<Share> = serde_json::from_slice(&bytes).unwrap_or_default();
    let valid = |share: &Share| {
        share.supervisor.alive()
            && share.ways.len() <= 16
            && share.ways.iter().all(|c| c.is_finite() && *c >= 0.0)
    };
    shares.into_iter().take(MOST).filter(valid).collect()
}

/// Changes one's own share by what all others are, with nobody else at it. `change` gets the others' and gives the new one,
/// or none to leave all as it is.
///
/// # Errors
/// If the file is in another's hands for too long, or cannot be written.
pub fn change(
    path: &Path,
    change: impl FnOnce(&[Share]) -> Option<Share>,
    own: &Share,
) -> io::Result<Option<Share>> {
    let folder = path.parent().ok_or_else(|| io::Error::other("the budget has no folder"))?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if !private(folder) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the runtime folder is not ours alone"));
    }
    let began = Instant::now();
    let _lock = loop {
        match StreamLock::take(&path.with_extension("lock")) {
            Ok(lock) => break lock,
            Err(stream_lock::Error::Held(_)) if began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(e) => return Err(io::Error::other(e)),
        }
    };
    let mut shares = read(path);
    shares.retain(|share| !share.same_stream(own));
    let Some(new) = change(&shares) else { return Ok(None) };
    shares.push(new.clone());
    let bytes = serde_json::to_vec(&shares).map_err(io::Error::other)?;
    atomic_file::write(path, &bytes, 0o600, Durability::Cached)?;
    Ok(Some(new))
}

/// Share of the processors that may be planned with: the rest is room for films that cost more than others.
pub const PLANNED: f64 = 0.85;

/// CPUs that `own` may count on now: what is planned with, less what our other streams take and what strangers keep busy.
pub fn free(shares: &[Share], own: &Share, load: Load) -> f64 {
    load.cpus * PLANNED - others(shares, own, load)
}

/// CPUs that all others take: our other streams, and strangers.
pub fn others(shares: &[Share], own: &Share, load: Load) -> f64 {
    let ours: f64 = taken(shares.iter().filter(|share| !share.same_stream(own)));
    // What is seen to be busy holds our own streams too.
    let strangers = (load.busy - ours - own.cost()).max(0.0);
    ours + strangers
}

/// Sum of what these streams cost.
pub fn taken<'a>(shares: impl IntoIterator<Item = &'a Share>) -> f64 {
    shares.into_iter().map(Share::cost).sum()
}

/// The way in which `own` shall be made so that all find room on `cpus` processors: its own one where there is room, or
/// where others have more to give. Each time the one whose next cheaper way saves most goes down a step.
pub fn allotted(shares: &[Share], own: &Share, cpus: f64) -> usize {
    let mut all: Vec<Share> = shares.to_vec();
    if !all.iter().any(|share| share.same_stream(own)) {
        all.push(own.clone());
    }
    // In an order that all agree on, whoever reads.
    all.sort_by(|a, b| (&a.key, &a.home).cmp(&(&b.key, &b.home)));
    while taken(&all) > cpus {
        let saving = |share: &Share| {
            let next = share.ways.get(share.way.saturating_add(1))?;
            Some(share.cost() - next)
        };
        let most = all.iter_mut().filter_map(|share| Some((saving(share)?, share)));
        let Some((_, share)) = most.max_by(|(a, _), (b, _)| a.total_cmp(b)) else { break };
        share.way = share.way.saturating_add(1);
    }
    all.iter().find(|share| share.same_stream(own)).map_or(own.way, |share| share.way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share(key: &str, ways: &[f64], way: usize) -> Share {
        let supervisor = Identity::own().unwrap();
        Share { key: key.into(), home: "/h".into(), supervisor, ways: ways.to_vec(), way }
    }

    #[test]
    fn whoever_has_most_to_give_makes_room() {
        let large = share("large", &[1.2, 0.6, 0.4], 0);
        let small = share("small", &[0.3, 0.2], 0);
        let fixed = share("fixed", &[0.5], 0);
        let all = [large.clone(), small.clone(), fixed.clone()];
        let ways = |cpus| [&large, &small, &fixed].map(|own| allotted(&all, own, cpus));
        assert_eq!(ways(2.05), [0, 0, 0], "there is room");
        assert_eq!(ways(1.9), [1, 0, 0]);
        assert_eq!(ways(1.3), [2, 0, 0]);
        assert_eq!(ways(1.15), [2, 1, 0]);
        assert_eq!(ways(0.1), [2, 1, 0], "cheaper than that there is nothing");
        assert!((large.cheapest() - 0.4).abs() < 1e-9 && (fixed.cheapest() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_dead_take_nothing_and_claims_follow_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let file = path(&dir.path().join("msconv"));
        let (a, b) = (share("a", &[0.6, 0.2], 0), share("b", &[0.4], 0));
        assert_eq!(
            change(&file, |others| others.is_empty().then(|| a.clone()), &a).unwrap(),
            Some(a.clone())
        );
        assert_eq!(change(&file, |others| (taken(others) < 0.5).then(|| b.clone()), &b).unwrap(), None);
        let cheaper = Share { way: 1, ..a.clone() };
        change(&file, |_| Some(cheaper.clone()), &a).unwrap();
        assert_eq!(
            change(&file, |others| (taken(others) < 0.5).then(|| b.clone()), &b).unwrap(),
            Some(b.clone())
        );
        assert_eq!(read(&file), [cheaper, b.clone()]);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let dead = Share { supervisor: Identity::of(child.id() as i32).unwrap(), ..share("c", &[9.0], 0) };
        change(&file, |_| Some(dead.clone()), &dead).unwrap();
        assert_eq!(read(&file).len(), 3);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(read(&file).len(), 2);
        std::fs::write(&file, b"[{]").unwrap();
        assert!(read(&file).is_empty());
    }

    proptest! {
        #[test]
        fn everybody_comes_to_the_same_and_all_fit_where_they_can(
            ways in proptest::collection::vec((proptest::collection::vec(0.01f64..2.0, 1..5), 0usize..5), 1..8),
            cpus in 0.1f64..8.0,
        ) {
            let shares: Vec<Share> = ways.iter().enumerate().map(|(n, (costs, way))| {
                let mut costs = costs.clone();
                costs.sort_by(|a, b| b.total_cmp(a));
                let way = (*way).min(costs.len() - 1);
                share(&format!("k{n}"), &costs, way)
            }).collect();
            let mut reversed = shares.clone();
            reversed.reverse();
            let after: Vec<Share> = shares.iter().map(|own| {
                let way = allotted(&shares, own, cpus);
                assert_eq!(way, allotted(&reversed, own, cpus));
                assert!(way >= own.way);
                Share { way, ..own.clone() }
            }).collect();
            let cheapest: f64 = shares.iter().map(Share::cheapest).sum();
            prop_assert!(taken(&after) <= cpus.max(cheapest) + 1e-9);
        }

        #[test]
        fn any_bytes_are_shares_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("budget.json"), bytes).unwrap();
            let _ = read(&dir.path().join("budget.json"));
        }
    }
}
