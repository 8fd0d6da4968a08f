//! A disk that can be filled: a small tmpfs over a folder, taken off again.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted tmpfs; needs root.
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts `kilobytes` over the folder `at`.
    pub fn mount(at: &Path, kilobytes: u32) -> SmallDisk {
        let size = format!("size={kilobytes}k");
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).status().unwrap();
        assert!(status.success(), "mount a tmpfs at {}", at.display());
        SmallDisk { at: at.to_path_buf() }
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let mut size = 1 << 16;
        let mut number = 0;
        while size > 0 {
            let path = self.at.join(format!("filler-{number}"));
            number += 1;
            if std::fs::write(&path, vec![0u8; size]).is_err() {
                size /= 2;
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
