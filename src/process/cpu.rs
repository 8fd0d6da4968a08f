//! How much of this machine's processors we may use, and how much of that is busy already. Work that gives way to
//! everybody else does not count: niced, or idle by its class or its control group.

use super::yielding::Yielding;
use std::time::{Duration, Instant};

/// A shorter look than this says nothing: the kernel counts in hundredths of a second.
const SHORTEST: Duration = Duration::from_millis(150);

/// A look at the processors that has begun.
#[derive(Debug)]
pub struct Sample {
    began: Instant,
    allowed: Vec<usize>,
    busy: f64,
    own: f64,
    yielding: Yielding,
    nice: i32,
}

/// What was seen, in processors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// How many we may use: of the machine, of this process's affinity and of its control group.
    pub cpus: f64,
    /// How many of them others kept busy, children of ours that have ended and what gives way to us not counted.
    pub busy: f64,
}

impl Sample {
    /// Begins to look; `None` where the system does not tell.
    pub fn begin() -> Option<Sample> {
        let allowed = allowed(&std::fs::read_to_string("/proc/self/status").ok()?);
        let nice = nice();
        let busy = busy(&std::fs::read_to_string("/proc/stat").ok()?, &allowed, nice > 0)?;
        let (own, yielding) = (own_time(), Yielding::now(nice));
        Some(Sample { began: Instant::now(), allowed, busy, own, yielding, nice })
    }

    /// How many processors we may use.
    pub fn cpus(&self) -> f64 {
        let cpus = self.allowed.len().max(1) as f64;
        quota().map_or(cpus, |quota| quota.min(cpus))
    }

    /// How long it has been looked.
    pub fn lasted(&self) -> Duration {
        self.began.elapsed()
    }

    /// What was seen since; waits where it was too short.
    pub fn end(self) -> Option<Load> {
        if let Some(missing) = SHORTEST.checked_sub(self.began.elapsed()) {
            std::thread::sleep(missing);
        }
        let now = busy(&std::fs::read_to_string("/proc/stat").ok()?, &self.allowed, self.nice > 0)?;
        let busy = now - self.busy;
        let seconds = self.began.elapsed().as_secs_f64();
        let cpus = self.allowed.len().max(1) as f64;
        let others = busy - (own_time() - self.own) - self.yielding.since(ticks()?);
        let others = (others / seconds).clamp(0.0, cpus);
        Some(Load { cpus: self.cpus(), busy: others })
    }
}

/// Our own niceness. To whoever is niced not all niced work gives way.
fn nice() -> i32 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    super::yielding::of(&stat).map_or(0, |task| task.nice)
}

/// Units of `/proc/stat` in a second.
fn ticks() -> Option<f64> {
    Some(nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()?? as f64)
}

/// CPU-seconds of this process and of its children that have ended.
fn own_time() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let of = |who| {
        let Ok(usage) = getrusage(who) else { return 0.0 };
        let time = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
        time(usage.user_time()) + time(usage.system_time())
    };
    of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
}

/// The numbers of the processors that `/proc/self/status` allows: `Cpus_allowed_list: 0-3,8`.
fn allowed(status: &str) -> Vec<usize> {
    let Some(list) = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for part in list.trim().split(',').take(1024) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(from), Ok(to)) = (from.parse::<usize>(), to.parse::<usize>()) {
            found.extend((from..=to).take(4096));
        }
    }
    found
}

/// CPU-seconds that these processors were busy since the system started, by `/proc/stat`; niced work only if it counts.
fn busy(stat: &str, allowed: &[usize], niced: bool) -> Option<f64> {
    let mut total = 0u64;
    let mut seen = false;
    for line in stat.lines().take(8192) {
        let mut words = line.split_ascii_whitespace();
        let Some(number) =
            words.next().and_then(|w| w.strip_prefix("cpu")).and_then(|n| n.parse::<usize>().ok())
        else {
            continue;
        };
        if !allowed.is_empty() && !allowed.contains(&number) {
            continue;
        }
        seen = true;
        // user nice system idle iowait irq softirq steal
        for (place, word) in words.take(8).enumerate() {
            if !matches!(place, 3 | 4) && (niced || place != 1) {
                total = total.saturating_add(word.parse().unwrap_or(0));
            }
        }
    }
    let ticks = ticks()?;
    seen.then(|| total as f64 / ticks)
}

/// Processors that the control group of a container may use.
fn quota() -> Option<f64> {
    quota_of(&std::fs::read_to_string("/sys/fs/cgroup/cpu.max").ok()?)
}

/// `150000 100000` is 1.5 processors, `max 100000` any number.
fn quota_of(text: &str) -> Option<f64> {
    let (most, period) = text.trim().split_once(' ')?;
    let (most, period) = (most.parse::<f64>().ok()?, period.parse::<f64>().ok()?);
    (most > 0.0 && period > 0.0).then(|| most / period)
}

/// The processor in words, to tell one machine from another: an answer about speed holds for this one only.
pub fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let words = ["model name", "CPU implementer", "CPU part", "Hardware"];
    let line = |word: &&str| text.lines().find(|line| line.starts_with(*word));
    words
        .iter()
        .filter_map(line)
        .map(|l| l.chars().take(120).collect::<String>())
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_counters_are_read() {
        assert_eq!(allowed("Name:\tx\nCpus_allowed_list:\t0-2,5\n"), [0, 1, 2, 5]);
        assert!(allowed("Cpus_allowed_list:\tnonsense\n").is_empty());
        let stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 70 50 900 10 0 0 50 0 0\ncpu1 300 0 0 900 0 0 0 0 0 0\nintr 5\n";
        let ticks = ticks().unwrap();
        assert_eq!(busy(stat, &[0], false), Some(200.0 / ticks));
        assert_eq!(
            busy(stat, &[0], true),
            Some(270.0 / ticks),
            "to whom is niced himself it is like any other"
        );
        assert_eq!(busy(stat, &[], false), Some(500.0 / ticks));
        assert_eq!(busy("intr 5", &[0], false), None);
        assert_eq!((quota_of("150000 100000\n"), quota_of("max 100000\n")), (Some(1.5), None));
    }

    #[test]
    fn this_machine_is_seen() {
        let load = Sample::begin().unwrap().end().unwrap();
        assert!(load.cpus > 0.0 && (0.0..=4096.0).contains(&load.busy), "{load:?}");
    }
}
