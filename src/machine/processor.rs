//! Processors: `/proc/stat`, `/proc/loadavg`, `/proc/pressure/cpu`.

use super::percent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most cores that are told one by one.
const MOST_CORES: usize = 1024;

/// The processors at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Cpu {
    /// How much of all cores is busy, 0 to 100
    pub busy_percent: Option<f64>,
    /// The same for each core
    pub cores_percent: Vec<f64>,
    /// How many cores the control group of this server may use; null where it may use all
    pub limit_cores: Option<f64>,
    /// Load average of one, five and fifteen minutes
    pub load: Vec<f64>,
    /// Part of the last ten seconds in which something waited for a processor, 0 to 100
    pub pressure_percent: Option<f64>,
}

/// Units of time of one processor, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Those in which it worked.
    pub busy: u64,
    /// All.
    pub total: u64,
}

/// All processors together, and each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Together.
    pub all: Times,
    /// Each, by its number.
    pub cores: Vec<(u32, Times)>,
}

impl Times {
    /// How much of the time since `before` it was busy.
    pub fn busy_since(self, before: Times) -> Option<f64> {
        let busy = self.busy.checked_sub(before.busy)?;
        percent(busy as f64, self.total.checked_sub(before.total)? as f64)
    }
}

impl Stat {
    /// Reads `/proc/stat`. Cores that are switched off are not in it.
    pub fn read(text: &str) -> Stat {
        let mut stat = Stat::default();
        for line in text.lines().take_while(|line| line.starts_with("cpu")).take(MOST_CORES) {
            let mut words = line.split_ascii_whitespace();
            let number = words.next().and_then(|word| word.strip_prefix("cpu")).unwrap_or_default();
            let mut times = Times::default();
            // user nice system idle iowait irq softirq steal; what follows is counted in user and nice already.
            for (place, word) in words.take(8).enumerate() {
                let ticks = word.parse().unwrap_or(0);
                times.total = times.total.saturating_add(ticks);
                if !matches!(place, 3 | 4) {
                    times.busy = times.busy.saturating_add(ticks);
                }
            }
            match number.parse() {
                Ok(number) => stat.cores.push((number, times)),
                Err(_) => stat.all = times,
            }
        }
        stat
    }

    /// What each core did since `before`; one that was not there then is left out.
    pub fn cores_since(&self, before: &Stat) -> Vec<f64> {
        let of = |(number, now): &(u32, Times)| {
            let before = before.cores.iter().find(|(before, _)| before == number)?.1;
            now.busy_since(before)
        };
        self.cores.iter().filter_map(of).collect()
    }
}

/// Reads `/proc/loadavg`.
pub fn load_average(text: &str) -> Vec<f64> {
    text.split_ascii_whitespace()
        .take(3)
        .map_while(|word| word.parse().ok())
        .filter(|n: &f64| n.is_finite())
        .collect()
}

/// `avg10` of the line `some` in a file of `/proc/pressure`.
pub fn pressure(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let word = line.split_ascii_whitespace().find_map(|word| word.strip_prefix("avg10="))?;
    word.parse().ok().filter(|n: &f64| (0.0..=100.0).contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_machine_is_read() {
        let stat = Stat::read(include_str!("../../tests/data/machine/stat.txt"));
        assert_eq!(stat.cores.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1]);
        let sum = stat.cores.iter().map(|(_, times)| times.total).sum::<u64>();
        assert!(stat.all.total.abs_diff(sum) < 20 && stat.all.busy < stat.all.total);
        let some = pressure(include_str!("../../tests/data/machine/pressure_cpu.txt"));
        assert!(some.is_some_and(|n| n > 0.0));
        assert_eq!(load_average("1.49 1.06 1.45 3/102 19645\n"), [1.49, 1.06, 1.45]);
    }

    #[test]
    fn what_happened_since_is_a_share() {
        let before = Stat::read("cpu  100 0 0 100 0 0 0 0\ncpu0 100 0 0 100\ncpu2 0 0 0 0\n");
        let now = Stat::read("cpu  150 25 0 200 25 0 0 0\ncpu0 200 0 0 200\ncpu1 9 0 0 0\ncpu2 0 0 0 50\n");
        assert_eq!(now.all.busy_since(before.all), Some(37.5));
        assert_eq!(now.cores_since(&before), [50.0, 0.0], "cpu1 has just been switched on");
        assert_eq!(before.all.busy_since(now.all), None);
        assert_eq!(now.all.busy_since(now.all), None, "no time has passed");
    }

    #[test]
    fn whatever_else_is_nothing() {
        assert_eq!(Stat::read("garbage"), Stat::default());
        assert_eq!(Stat::read("cpu x y\n").all, Times::default());
        assert_eq!(
            (pressure("some avg10=nan"), pressure("full avg10=1"), load_average("x").len()),
            (None, None, 0)
        );
    }
}
