//! CPU time of what gives way to us and is counted by the kernel as ordinary work: tasks of the class idle (`chrt -i`),
//! control groups that are idle, and, to whoever is niced himself, what is niced more.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The class idle, as `/proc/PID/stat` has it (sched(7)).
const SCHED_IDLE: u32 = 5;
/// Most processes and control groups that are looked at.
const MOST: usize = 16_384;
/// How deep control groups are looked for.
const DEEPEST: usize = 8;

/// What a task is to the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// -20 to 19; above 0 it is niced.
    pub nice: i32,
    idle: bool,
    ticks: u64,
}

/// Reads `/proc/PID/stat`. The name in parentheses may hold blanks and parentheses, so fields count from the last one.
pub fn of(stat: &str) -> Option<Task> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Fields 14, 15, 19 and 41 of proc_pid_stat(5); the first one behind the name is the third.
    let field = |number: usize| fields.get(number.checked_sub(3)?).copied();
    let ticks = |number| field(number)?.parse::<u64>().ok();
    Some(Task {
        nice: field(19)?.parse().ok()?,
        idle: field(41)?.parse() == Ok(SCHED_IDLE),
        ticks: ticks(14)?.saturating_add(ticks(15)?),
    })
}

/// What has been used so far, by whom: tasks in units of `/proc/PID/stat`, control groups in seconds.
#[derive(Clone, Debug, Default)]
pub struct Yielding {
    tasks: HashMap<i32, u64>,
    groups: Vec<(PathBuf, f64)>,
}

impl Yielding {
    /// A look, by somebody of this niceness.
    pub fn now(own: i32) -> Yielding {
        let (mut tasks, mut groups) = (tasks(|task| gives_way(task, own)), Vec::new());
        for group in idle_groups() {
            match used(&group) {
                Some(used) => groups.push((group, used)),
                // In version 1 the seconds of a group stand elsewhere, if anywhere: its processes are asked.
                None => tasks.extend(members(&group, own)),
            }
        }
        Yielding { tasks, groups }
    }

    /// CPU-seconds that they have used since this look, at `ticks` a second.
    pub fn since(&self, ticks: f64) -> f64 {
        let grown = |(pid, before): (&i32, &u64)| Some(task(*pid)?.ticks.saturating_sub(*before));
        let tasks: u64 = self.tasks.iter().filter_map(grown).sum();
        let groups: f64 =
            self.groups.iter().filter_map(|(g, before)| Some((used(g)? - before).max(0.0))).sum();
        tasks as f64 / ticks + groups
    }
}

fn task(pid: i32) -> Option<Task> {
    of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Whether a task gives way to somebody of the niceness `own` in a way that the kernel's sums do not show: they keep niced
/// work apart, which says enough to whoever is not niced himself.
fn gives_way(task: &Task, own: i32) -> bool {
    if own > 0 { task.idle || task.nice > own } else { task.idle && task.nice <= 0 }
}

/// All tasks of this kind.
fn tasks(kind: impl Fn(&Task) -> bool) -> HashMap<i32, u64> {
    let Ok(processes) = fs::read_dir("/proc") else { return HashMap::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    of_kind(pids, kind)
}

/// The processes of a control group that are in the kernel's sums for somebody of the niceness `own`.
fn members(group: &Path, own: i32) -> HashMap<i32, u64> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    of_kind(text.lines().filter_map(|line| line.parse::<i32>().ok()), |task| own > 0 || task.nice <= 0)
}

fn of_kind(pids: impl Iterator<Item = i32>, kind: impl Fn(&Task) -> bool) -> HashMap<i32, u64> {
    pids.take(MOST).filter_map(|pid| Some((pid, task(pid).filter(|task| kind(task))?.ticks))).collect()
}

/// Control groups that are idle, of version 2 or 1.
fn idle_groups() -> Vec<PathBuf> {
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"].map(Path::new);
    let Some(root) = roots.into_iter().find(|root| root.join("cgroup.procs").exists()) else {
        return Vec::new();
    };
    let (mut found, mut looked) = (Vec::new(), 0);
    let mut open = vec![(root.to_path_buf(), 0, false)];
    while let Some((group, depth, within)) = open.pop() {
        looked += 1;
        let idle = within || fs::read_to_string(group.join("cpu.idle")).is_ok_and(|text| text.trim() == "1");
        // What is below an idle group is idle with it, and where the group counts, counted with it.
        let counted = idle && used(&group).is_some();
        if !counted && depth < DEEPEST && looked < MOST {
            let below = fs::read_dir(&group).into_iter().flatten().flatten();
            let folders = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            open.extend(folders.map(|entry| (entry.path(), depth + 1, idle)));
        }
        if idle {
            found.push(group);
        }
    }
    found
}

/// CPU-seconds of a control group.
fn used(group: &Path) -> Option<f64> {
    if let Ok(text) = fs::read_to_string(group.join("cpu.stat"))
        && let Some(micros) = text.lines().find_map(|line| line.strip_prefix("usage_usec "))
    {
        return Some(micros.trim().parse::<f64>().ok()? / 1e6);
    }
    Some(fs::read_to_string(group.join("cpuacct.usage")).ok()?.trim().parse::<f64>().ok()? / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    #[test]
    fn a_task_is_read() {
        let stat = "7 (a) b (c)) R 1 7 7 0 -1 4194304 1 0 0 0 300 40 0 0 20 5 1 0 99 1 1 1 1 1 1 1 1 0 0 0 0 0 0 0 17 0 0 5 0 0 0";
        assert_eq!(of(stat), Some(Task { nice: 5, idle: true, ticks: 340 }));
        assert_eq!(of("7 (x) R 1"), None);
        let own = of(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        assert!(!own.idle);
    }

    #[test]
    fn who_gives_way_hangs_on_who_asks() {
        let task = |nice, idle| Task { nice, idle, ticks: 0 };
        let known =
            |own| [task(0, false), task(0, true), task(5, false), task(9, false)].map(|t| gives_way(&t, own));
        assert_eq!(known(0), [false, true, false, false], "the kernel's sums tell what is niced");
        assert_eq!(known(5), [false, true, false, true]);
    }

    #[test]
    fn idle_work_is_known() {
        let burn = Command::new("chrt")
            .args(["-i", "0", "sh", "-c", "while :; do :; done"])
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut burn) = burn else {
            eprintln!("skipped: chrt not found");
            return;
        };
        let pid = burn.id() as i32;
        let deadline = Instant::now() + Duration::from_secs(20);
        while !task(pid).is_some_and(|task| task.idle) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let own = of(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap().nice;
        let found = tasks(|task| gives_way(task, own)).contains_key(&pid);
        burn.kill().unwrap();
        burn.wait().unwrap();
        // On a busy machine it may get no time at all, so what it uses is not asked.
        assert!(found);
    }
}
