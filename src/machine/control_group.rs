//! What the control group of a process may use, of version 1 and 2: where its files stand, and what they say.

use std::path::PathBuf;

/// Where control groups are mounted.
const ROOT: &str = "/sys/fs/cgroup";
/// How far up it is looked: the tightest limit of all above counts.
const DEEPEST: usize = 16;
/// Above this a limit of version 1 is none: it says so by the largest number of pages.
const NO_LIMIT: u64 = 1 << 60;

/// Folders of a control group, its own first and then those above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// With `memory.max`.
    pub unified: Vec<PathBuf>,
    /// With `memory.limit_in_bytes`.
    pub memory: Vec<PathBuf>,
    /// With `cpu.cfs_quota_us`.
    pub cpu: Vec<PathBuf>,
}

impl Folders {
    /// Reads `/proc/self/cgroup`. Within a container the root of the mount is the group itself, so the last is always that.
    pub fn read(text: &str) -> Folders {
        let mut folders = Folders::default();
        for line in text.lines().take(64) {
            let mut parts = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let named = |name: &str| controllers.split(',').any(|controller| controller == name);
            if controllers.is_empty() {
                folders.unified = up(ROOT, path);
            }
            if named("memory") {
                folders.memory = up(&format!("{ROOT}/memory"), path);
            }
            if named("cpu") {
                // `cpu` is a link where it is mounted together with cpuacct.
                folders.cpu = up(&format!("{ROOT}/cpu"), path);
            }
        }
        folders
    }
}

fn up(root: &str, path: &str) -> Vec<PathBuf> {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).take(DEEPEST).collect();
    let folder =
        |many: usize| parts.iter().take(many).fold(PathBuf::from(root), |folder, part| folder.join(part));
    (0..=parts.len()).rev().map(folder).collect()
}

/// A limit or a count of bytes; `max`, and what version 1 has for it, is none.
pub fn bytes(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT)
}

/// `cpu.max`: `150000 100000` is 1.5 cores, `max 100000` any number.
pub fn cores(text: &str) -> Option<f64> {
    let (most, period) = text.trim().split_once(' ')?;
    quota(most, period)
}

/// `cpu.cfs_quota_us` and `cpu.cfs_period_us`; -1 is any number.
pub fn quota(most: &str, period: &str) -> Option<f64> {
    let (most, period) = (most.trim().parse::<f64>().ok()?, period.trim().parse::<f64>().ok()?);
    (most > 0.0 && period > 0.0).then(|| most / period).filter(|cores| cores.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(folders: &[PathBuf]) -> Vec<&str> {
        folders.iter().filter_map(|folder| folder.to_str()).collect()
    }

    #[test]
    fn both_versions_are_found() {
        let first = Folders::read(include_str!("../../tests/data/machine/cgroup_v1.txt"));
        let memory =
            ["/sys/fs/cgroup/memory/docker/3f5c", "/sys/fs/cgroup/memory/docker", "/sys/fs/cgroup/memory"];
        assert_eq!(paths(&first.memory), memory);
        assert_eq!(paths(&first.cpu), ["/sys/fs/cgroup/cpu"]);
        let second = Folders::read(include_str!("../../tests/data/machine/cgroup_v2.txt"));
        assert_eq!(
            paths(&second.unified),
            ["/sys/fs/cgroup/system.slice/msconv.service", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup"]
        );
        assert!(second.memory.is_empty() && second.cpu.is_empty());
        assert_eq!(
            paths(&Folders::read("0::/../../etc\n").unified),
            ["/sys/fs/cgroup/etc", "/sys/fs/cgroup"]
        );
        assert_eq!(Folders::read("no colon\n1:x"), Folders::default());
    }

    #[test]
    fn limits_are_read() {
        assert_eq!(
            (bytes("1073741824\n"), bytes("max\n"), bytes("9223372036854771712\n")),
            (Some(1 << 30), None, None)
        );
        assert_eq!((cores("150000 100000\n"), cores("max 100000\n"), cores("x")), (Some(1.5), None, None));
        assert_eq!(
            (quota("50000\n", "100000\n"), quota("-1\n", "100000\n"), quota("1", "0")),
            (Some(0.5), None, None)
        );
    }
}
