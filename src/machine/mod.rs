//! What this machine has and how much of it is in use: processors, memory, disks, network, graphics. Parsers are functions of
//! texts that the kernel writes; `reader` reads them.

pub mod control_group;
pub mod disk;
pub mod gpu;
pub mod memory;
pub mod network;
pub mod processor;
pub mod reader;
pub mod task;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The machine at one moment; rates are those since the moment before. What is not known is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Machine {
    /// Its processors
    pub cpu: processor::Cpu,
    /// Its memory
    pub memory: memory::Memory,
    /// The file systems that the server writes to
    pub disks: Vec<disk::Disk>,
    /// What its drives do
    pub drives: Vec<disk::Drive>,
    /// Its network
    pub network: network::Network,
    /// Its graphics processors; empty where there is none
    pub gpus: Vec<gpu::Gpu>,
}

/// How much a counter has grown in so many seconds, a second; nothing where it began anew.
fn rate(before: u64, now: u64, seconds: f64) -> Option<f64> {
    let grown = now.checked_sub(before)?;
    (seconds > 0.0).then(|| grown as f64 / seconds)
}

/// A share of a hundred, with one decimal.
fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| tenth((part / whole * 100.0).clamp(0.0, 100.0)))
}

/// With one decimal, which is as much as these figures are worth.
pub fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
