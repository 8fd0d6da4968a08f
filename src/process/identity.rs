//! Who a process is: its number and when it started, within one boot. A number alone is never believed.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A process that cannot be confused with a later one of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The process id.
    pub pid: i32,
    /// Clock ticks after boot at which it started (`/proc/PID/stat`, field 22).
    pub start: u64,
}

impl Identity {
    /// The identity of a live process; `None` if there is none of that number (zombies do not count).
    pub fn of(pid: i32) -> Option<Identity> {
        let (state, start) = stat(pid)?;
        (state != 'Z' && state != 'X').then_some(Identity { pid, start })
    }

    /// Ourselves.
    pub fn own() -> Option<Identity> {
        Identity::of(std::process::id() as i32)
    }

    /// Whether this very process still lives.
    pub fn alive(&self) -> bool {
        Identity::of(self.pid) == Some(*self)
    }
}

/// State letter and start time of a process.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&String::from_utf8_lossy(&text))
}

/// Reads `/proc/PID/stat`. The name in parentheses may hold blanks and parentheses, so fields count from the last one.
fn parse_stat(text: &str) -> Option<(char, u64)> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some((state, start))
}

/// The number of a process's parent.
pub fn parent(pid: i32) -> Option<i32> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The kernel's name of this boot; empty where there is no `/proc`.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|t| t.trim().to_string())
        .unwrap_or_default()
}

/// The kernel's name of the process namespace that we are in: `pid:[4026531836]`.
pub fn pid_namespace() -> Option<String> {
    let name = std::fs::read_link("/proc/self/ns/pid").ok()?;
    name.to_str().map(str::to_string)
}

/// The program a process runs, if we may see it.
pub fn executable(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// The arguments of a process, lossily decoded, if we may see them.
pub fn arguments(pid: i32) -> Option<Vec<String>> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(bytes.split(|b| *b == 0).map(|a| String::from_utf8_lossy(a).into_owned()).collect())
}

/// The user a process runs as.
pub fn owner(pid: i32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(format!("/proc/{pid}")).ok().map(|m| m.uid())
}

/// When a process started, in milliseconds since 1970, to about 10 ms; for comparing with file times.
pub fn started_at_ms(identity: &Identity) -> Option<i64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let boot: i64 = stat.lines().find_map(|l| l.strip_prefix("btime "))?.trim().parse().ok()?;
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    let ms = i64::try_from(identity.start).ok()?.checked_mul(1000)?.checked_div(ticks)?;
    boot.checked_mul(1000)?.checked_add(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_alive_and_the_past_is_not() {
        let own = Identity::own().unwrap();
        assert!(own.alive());
        assert!(!Identity { start: own.start + 1, ..own }.alive());
        assert!(Identity::of(-1).is_none());
        assert_eq!(parent(own.pid), Some(nix::unistd::getppid().as_raw()));
        assert!(Identity::of(i32::MAX).is_none());
    }

    #[test]
    fn names_with_blanks_and_parentheses_do_not_shift_fields() {
        let line = "41 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(parse_stat(line), Some(('S', 4242)));
        assert_eq!(parse_stat("garbage"), None);
        assert_eq!(parse_stat("1 (x) S 1"), None);
    }
}
