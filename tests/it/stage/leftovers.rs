//! The proof that a test leaves nothing running: no process may hold its folder as an argument, in its environment or
//! as its working folder.

use msconv::process::identity::Identity;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long an ending process may take to be gone.
pub const GRACE: Duration = Duration::from_secs(5);

/// A process that holds the folder.
pub struct Holder {
    identity: Identity,
    command: String,
    how: &'static str,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {} ({}): {}", self.identity.pid, self.how, self.command)
    }
}

/// Every process, except us, that holds `root`.
pub fn holding(root: &Path) -> Vec<Holder> {
    let needle = root.as_os_str().as_bytes();
    let contains = |hay: &[u8]| hay.windows(needle.len()).any(|w| w == needle);
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        if pid == std::process::id() as i32 {
            continue;
        }
        let Some(identity) = Identity::of(pid) else { continue };
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let cwd = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let how = if contains(&arguments) {
            "arguments"
        } else if contains(&environment) {
            "environment"
        } else if cwd.starts_with(root) {
            "working folder"
        } else {
            continue;
        };
        let mut command: String = String::from_utf8_lossy(&arguments).replace('\0', " ");
        command.truncate(command.char_indices().nth(400).map_or(command.len(), |(at, _)| at));
        found.push(Holder { identity, command, how });
    }
    found
}

/// Waits until nobody holds `root`; whoever still does after `grace` is described and killed.
pub fn wait_and_end(root: &Path, grace: Duration) -> Vec<String> {
    let deadline = Instant::now() + grace;
    loop {
        let holders = holding(root);
        if holders.is_empty() {
            return Vec::new();
        }
        if Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        }
        let described = holders.iter().map(ToString::to_string).collect();
        // Several rounds: a supervisor may start another child between the look and the kill.
        for _ in 0..20 {
            let holders = holding(root);
            if holders.is_empty() {
                break;
            }
            for holder in holders {
                if holder.identity.alive() {
                    let _ = kill(Pid::from_raw(holder.identity.pid), Signal::SIGKILL);
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        return described;
    }
}

/// The ends of all logs below `root`, for the report of a failed test.
pub fn logs(root: &Path) -> String {
    let mut text = String::new();
    let mut folders = vec![root.to_path_buf()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().ok();
            if kind.is_some_and(|k| k.is_dir()) {
                folders.push(path);
            } else if kind.is_some_and(|k| k.is_file())
                && path.extension().is_some_and(|e| e == "log")
                && files < 20
            {
                let bytes = std::fs::read(&path).unwrap_or_default();
                let tail = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(3000)..]).into_owned();
                if !tail.trim().is_empty() {
                    files += 1;
                    text.push_str(&format!("--- {}\n{}\n", path.display(), tail.trim_end()));
                }
            }
        }
    }
    text
}
