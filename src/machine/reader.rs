//! Reads what the parsers take, and keeps the look before: rates are differences of two.

use super::control_group::{self, Folders};
use super::disk::{self, Disk, Filling};
use super::gpu::cards::{self, Card};
use super::gpu::fdinfo::{self, Client};
use super::gpu::nvidia::Nvidia;
use super::gpu::{Gpu, MOST};
use super::memory::Memory;
use super::network;
use super::processor::{self, Cpu, Stat};
use super::task::{self, Task};
use super::{Machine, tenth};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Most files of one process that are asked whether they are a card's.
const MOST_FILES: usize = 256;

/// A process of which more is known than its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks after boot.
    pub start: u64,
}

/// What a process takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Percent of one core; unknown at the first look.
    pub cpu_percent: Option<f64>,
    /// Memory.
    pub memory_bytes: u64,
}

/// See the module.
pub struct Reader {
    folders: Vec<PathBuf>,
    groups: Folders,
    cards: Vec<Card>,
    nvidia: Option<Nvidia>,
    ticks: f64,
    page: u64,
    before: Before,
}

#[derive(Default)]
struct Before {
    at: Option<Instant>,
    stat: Stat,
    drives: Vec<(String, disk::Counts)>,
    interfaces: BTreeMap<String, network::Counts>,
    filling: BTreeMap<PathBuf, Filling>,
    tasks: BTreeMap<i32, Task>,
    clients: Vec<Client>,
}

impl Reader {
    /// One that looks at these folders' disks. Finds the cards, and opens NVIDIA's library; why not, to be told.
    pub fn new(folders: Vec<PathBuf>) -> (Reader, Option<String>) {
        let value = |name, otherwise: i64| nix::unistd::sysconf(name).ok().flatten().unwrap_or(otherwise);
        let (nvidia, why) = match Nvidia::open() {
            Ok(nvidia) => (Some(nvidia), None),
            Err(why) => (None, Some(why)),
        };
        let reader = Reader {
            folders,
            groups: Folders::read(&text("/proc/self/cgroup")),
            cards: cards::find(Path::new("/sys/class/drm")),
            nvidia,
            ticks: value(nix::unistd::SysconfVar::CLK_TCK, 100) as f64,
            page: u64::try_from(value(nix::unistd::SysconfVar::PAGE_SIZE, 4096)).unwrap_or(4096),
            before: Before::default(),
        };
        (reader, why)
    }

    /// The machine now, and what these processes take; one that is not there any more, or is another, takes nothing.
    pub fn look(&mut self, processes: &[Process], now: Instant) -> (Machine, Vec<Option<Used>>) {
        let passed = self.before.at.replace(now).map(|before| now.saturating_duration_since(before));
        let seconds = passed.map_or(0.0, |passed| passed.as_secs_f64());
        let used = self.tasks(processes, seconds);
        let mut machine = Machine {
            cpu: self.cpu(),
            memory: self.memory(),
            disks: self.disks(passed.unwrap_or_default()),
            gpus: self.gpus(processes, seconds),
            ..Machine::default()
        };
        let drives = disk::drives(&text("/proc/diskstats"));
        let before = std::mem::replace(&mut self.before.drives, drives);
        let counts = |name: &str| before.iter().find(|(before, _)| before == name).map(|(_, counts)| *counts);
        let drives = self.before.drives.iter();
        machine.drives = drives.filter_map(|(name, now)| now.since(counts(name)?, name, seconds)).collect();
        let interfaces = network::interfaces(&text("/proc/net/dev"));
        machine.network = network::since(&self.before.interfaces, &interfaces, seconds);
        machine.network.udp_receive_errors = network::udp_receive_errors(&text("/proc/net/snmp"));
        self.before.interfaces = interfaces;
        (machine, used)
    }

    fn cpu(&mut self) -> Cpu {
        let stat = Stat::read(&text("/proc/stat"));
        let before = std::mem::replace(&mut self.before.stat, stat);
        let stat = &self.before.stat;
        let known = before != Stat::default();
        Cpu {
            busy_percent: stat.all.busy_since(before.all).filter(|_| known),
            cores_percent: stat.cores_since(&before),
            limit_cores: self.limit_cores(),
            load: processor::load_average(&text("/proc/loadavg")),
            pressure_percent: processor::pressure(&text("/proc/pressure/cpu")),
        }
    }

    /// The tightest of the groups above counts.
    fn limit_cores(&self) -> Option<f64> {
        let unified = self
            .groups
            .unified
            .iter()
            .filter_map(|folder| control_group::cores(&text(folder.join("cpu.max"))));
        let first = self.groups.cpu.iter().filter_map(|folder| {
            control_group::quota(
                &text(folder.join("cpu.cfs_quota_us")),
                &text(folder.join("cpu.cfs_period_us")),
            )
        });
        unified.chain(first).reduce(f64::min).map(|cores| (cores * 100.0).round() / 100.0)
    }

    fn memory(&self) -> Memory {
        let limits = |folders: &[PathBuf], limit: &str, used: &str| {
            let of = |folder: &PathBuf| {
                let limit = control_group::bytes(&text(folder.join(limit)))?;
                Some((limit, control_group::bytes(&text(folder.join(used)))))
            };
            folders.iter().filter_map(of).min_by_key(|(limit, _)| *limit)
        };
        let unified = limits(&self.groups.unified, "memory.max", "memory.current");
        let first = || limits(&self.groups.memory, "memory.limit_in_bytes", "memory.usage_in_bytes");
        let (limit, used) = unified.or_else(first).map_or((None, None), |(limit, used)| (Some(limit), used));
        Memory::read(&text("/proc/meminfo")).within(limit, used)
    }

    /// Folders of one file system are one disk, told by the first of them.
    fn disks(&mut self, passed: Duration) -> Vec<Disk> {
        let mut seen = Vec::new();
        let mut disks = Vec::new();
        for folder in &self.folders {
            // A folder that does not exist yet is where the next one above is.
            let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(folder);
            let Ok(stat) = nix::sys::statvfs::statvfs(there) else { continue };
            let device = fs::metadata(there).map(|folder| std::os::unix::fs::MetadataExt::dev(&folder)).ok();
            if seen.contains(&device) {
                continue;
            }
            seen.push(device);
            let bytes = |blocks: u64| blocks.saturating_mul(stat.fragment_size());
            let free = bytes(stat.blocks_available());
            let left = self.before.filling.entry(folder.clone()).or_default().look(free, passed);
            disks.push(Disk {
                path: folder.display().to_string(),
                total_bytes: bytes(stat.blocks()),
                free_bytes: free,
                full_in_s: left.map(|left| left.as_secs()),
            });
        }
        disks
    }

    fn tasks(&mut self, processes: &[Process], seconds: f64) -> Vec<Option<Used>> {
        let before = std::mem::take(&mut self.before.tasks);
        let mut all = Vec::with_capacity(processes.len());
        for process in processes {
            let task = task::read(&text(format!("/proc/{}/stat", process.pid)));
            let Some(task) = task.filter(|task| task.start == process.start) else {
                all.push(None);
                continue;
            };
            self.before.tasks.insert(process.pid, task);
            let earlier = before.get(&process.pid).filter(|earlier| earlier.start == task.start);
            let ticks = earlier.and_then(|earlier| super::rate(earlier.ticks, task.ticks, seconds));
            all.push(Some(Used {
                cpu_percent: ticks.map(|ticks| tenth(ticks / self.ticks * 100.0)),
                memory_bytes: task.pages.saturating_mul(self.page),
            }));
        }
        all
    }

    fn gpus(&mut self, processes: &[Process], seconds: f64) -> Vec<Gpu> {
        let mut all = self.nvidia.as_ref().map(Nvidia::look).unwrap_or_default();
        // Files are read only where a card tells nothing by itself.
        let quiet = self.cards.iter().any(|card| card.driver != "amdgpu");
        let clients = if quiet { clients(processes) } else { Vec::new() };
        for card in &self.cards {
            all.push(match card.driver.as_str() {
                "amdgpu" => cards::amd(card),
                driver => {
                    let (busy, video) = fdinfo::used(&self.before.clients, &clients, &card.slot, seconds);
                    Gpu {
                        name: format!("Intel {}", card.slot),
                        driver: driver.to_string(),
                        busy_percent: Some(busy),
                        encoder_percent: Some(video),
                        ..Gpu::default()
                    }
                }
            });
        }
        self.before.clients = clients;
        all.truncate(MOST);
        all
    }
}

/// What these processes have used of cards so far.
fn clients(processes: &[Process]) -> Vec<Client> {
    let mut all = Vec::new();
    for process in processes {
        let Ok(files) = fs::read_dir(format!("/proc/{}/fdinfo", process.pid)) else { continue };
        all.extend(files.flatten().take(MOST_FILES).filter_map(|file| fdinfo::read(&text(file.path()))));
    }
    all
}

/// The text of a file of the kernel; empty where there is none.
fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let folders = vec![dir.path().to_path_buf(), dir.path().join("not/there/yet")];
        let (mut reader, _) = Reader::new(folders);
        let own = std::process::id() as i32;
        let start = task::read(&text("/proc/self/stat")).unwrap().start;
        let processes = [Process { pid: own, start }, Process { pid: own, start: start + 1 }];
        let begun = Instant::now();
        let (first, used) = reader.look(&processes, begun);
        assert_eq!(first.cpu.busy_percent, None, "nothing to compare with yet");
        assert!(used[0].unwrap().memory_bytes > 100_000 && used[0].unwrap().cpu_percent.is_none());
        assert_eq!(used[1], None, "another process of the same number");
        assert!(first.memory.total_bytes > 1 << 20 && !first.cpu.load.is_empty());
        assert_eq!(first.disks.len(), 1, "one file system: {:?}", first.disks);
        let (second, used) = reader.look(&processes, begun + Duration::from_secs(2));
        assert!(used[0].unwrap().cpu_percent.is_some());
        assert!(second.cpu.cores_percent.iter().all(|core| (0.0..=100.0).contains(core)));
        assert_eq!(first.gpus.len(), second.gpus.len());
    }
}
