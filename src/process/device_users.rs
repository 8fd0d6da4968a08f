//! Who has a device open, from `/proc`: the answer to "device or resource busy".

use super::identity;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// A process that has a device open.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DeviceUser {
    /// Its number.
    pub pid: i32,
    /// The file name of its program, if we may see it.
    pub program: Option<String>,
}

impl std::fmt::Display for DeviceUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.program {
            Some(program) => write!(f, "{program} (pid {})", self.pid),
            None => write!(f, "pid {}", self.pid),
        }
    }
}

/// Every other process that has the character device at `path` open, as far as we may look; by number.
pub fn users(path: &Path) -> Vec<DeviceUser> {
    let Ok(meta) = fs::metadata(path) else { return Vec::new() };
    if !meta.file_type().is_char_device() {
        return Vec::new();
    }
    let own = std::process::id() as i32;
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<DeviceUser> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own && holds(*pid, meta.rdev()))
        .map(|pid| {
            let program = identity::executable(pid).and_then(|p| {
                p.file_name().map(|n| n.to_string_lossy().trim_end_matches(" (deleted)").to_string())
            });
            DeviceUser { pid, program }
        })
        .collect();
    found.sort_by_key(|user| user.pid);
    found
}

fn holds(pid: i32, device: u64) -> bool {
    fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|descriptors| {
        descriptors.flatten().any(|fd| {
            // Only what is named below /dev: asking a pipe or a socket of another process costs time for nothing.
            fs::read_link(fd.path()).is_ok_and(|link| link.starts_with("/dev"))
                && fs::metadata(fd.path()).is_ok_and(|m| m.file_type().is_char_device() && m.rdev() == device)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn finds_who_has_it_open() {
        // A device that nothing else in a test keeps open.
        let path = Path::new("/dev/full");
        let device = fs::OpenOptions::new().read(true).open(path).unwrap();
        let mut child = Command::new("sleep").arg("300").stdin(Stdio::from(device)).spawn().unwrap();
        let found = users(path);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, [DeviceUser { pid: child.id() as i32, program: Some("sleep".into()) }]);
        assert_eq!(found[0].to_string(), format!("sleep (pid {})", child.id()));
    }

    #[test]
    fn files_and_nothing_have_no_users() {
        assert!(users(Path::new("/etc/hostname")).is_empty());
        assert!(users(Path::new("/no/such/device")).is_empty());
    }
}
