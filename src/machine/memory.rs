//! Memory: `/proc/meminfo`, and what a control group leaves of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The memory at one moment, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Memory {
    /// All that there is
    pub total_bytes: u64,
    /// What programs can still get
    pub available_bytes: u64,
    /// Swap that there is
    pub swap_total_bytes: u64,
    /// Swap that is in use
    pub swap_used_bytes: u64,
    /// What the control group of this server may use; null where it may use all
    pub limit_bytes: Option<u64>,
    /// What it uses, where it has a limit
    pub limit_used_bytes: Option<u64>,
}

impl Memory {
    /// Reads `/proc/meminfo`.
    pub fn read(text: &str) -> Memory {
        let of = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
            kilobytes.map(|n| n.saturating_mul(1024))
        };
        let total = of("MemTotal").unwrap_or(0);
        let swap = of("SwapTotal").unwrap_or(0);
        // Kernels before 3.14 do not say what is available.
        let available = of("MemAvailable").or_else(|| of("MemFree")).unwrap_or(0);
        Memory {
            total_bytes: total,
            available_bytes: available.min(total),
            swap_total_bytes: swap,
            swap_used_bytes: swap.saturating_sub(of("SwapFree").unwrap_or(0)),
            limit_bytes: None,
            limit_used_bytes: None,
        }
    }

    /// With the limit of a control group; one that is beyond the machine is none.
    pub fn within(self, limit: Option<u64>, used: Option<u64>) -> Memory {
        let limit_bytes = limit.filter(|limit| *limit < self.total_bytes);
        Memory { limit_bytes, limit_used_bytes: used.filter(|_| limit_bytes.is_some()), ..self }
    }

    /// Used and whole, of what this server may have.
    pub fn in_use(&self) -> (u64, u64) {
        match (self.limit_used_bytes, self.limit_bytes) {
            (Some(used), Some(limit)) => (used, limit),
            _ => (self.total_bytes.saturating_sub(self.available_bytes), self.total_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_machine_is_read() {
        let memory = Memory::read(include_str!("../../tests/data/machine/meminfo.txt"));
        assert_eq!(memory.total_bytes, 24_684_084 * 1024);
        assert!(memory.available_bytes > memory.total_bytes / 2 && memory.swap_total_bytes == 0);
        assert_eq!(memory.in_use(), (memory.total_bytes - memory.available_bytes, memory.total_bytes));
        let within = memory.within(Some(1 << 30), Some(1 << 20));
        assert_eq!(within.in_use(), (1 << 20, 1 << 30));
        assert_eq!(memory.within(Some(u64::MAX), Some(5)), memory, "a limit that is none");
    }

    #[test]
    fn old_kernels_and_garbage() {
        let old = Memory::read("MemTotal: 100 kB\nMemFree: 40 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n");
        assert_eq!((old.available_bytes, old.swap_used_bytes), (40_960, 6144));
        assert_eq!(Memory::read("MemTotal: x\n\u{0}"), Memory::default());
        assert_eq!(Memory::read("MemTotal: 18446744073709551615 kB").total_bytes, u64::MAX);
    }
}
