//! What our own process costs: processor time, memory, open files.

use std::time::Duration;

/// One look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Processor time so far, user and system.
    pub cpu: Duration,
    /// Memory in use, bytes.
    pub resident_bytes: u64,
    /// Open files and sockets.
    pub open_files: u64,
}

/// Looks at ourselves; what the system does not tell is zero.
pub fn own() -> Load {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).ok();
    let time = |t: nix::sys::time::TimeVal| {
        let micros = u64::try_from(t.tv_usec()).unwrap_or(0);
        Duration::from_secs(u64::try_from(t.tv_sec()).unwrap_or(0))
            .saturating_add(Duration::from_micros(micros))
    };
    let cpu = usage.map_or(Duration::ZERO, |u| time(u.user_time()).saturating_add(time(u.system_time())));
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| resident_pages(&text));
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    let page = page.and_then(|n| u64::try_from(n).ok()).unwrap_or(4096);
    // Reading the folder opens it, which is one file more than there is.
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count().saturating_sub(1));
    Load { cpu, resident_bytes: pages.unwrap_or(0).saturating_mul(page), open_files: open as u64 }
}

/// How many files this process may have open; as many as the machine allows it after this call, 65,536 at most.
pub fn open_files_allowed() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    const MOST: u64 = 65_536;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    let wanted = hard.min(MOST);
    if wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() { wanted } else { soft }
}

/// The second field of `/proc/PID/statm`.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_cost_something() {
        let load = own();
        assert!(load.resident_bytes > 100_000, "{load:?}");
        assert!(load.open_files >= 3, "{load:?}");
        assert!(open_files_allowed() >= 64);
        assert_eq!(resident_pages("1 2 3"), Some(2));
        assert_eq!(resident_pages(""), None);
    }
}
