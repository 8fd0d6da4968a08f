//! Finds programs: by setting first, then on the PATH.

use std::path::{Path, PathBuf};

/// The program at `set`, or `name` on the PATH (and in `/usr/sbin`, where nginx lives and a user's PATH may not reach);
/// `None` if neither is an executable file.
pub fn locate(set: Option<&Path>, name: &str) -> Option<PathBuf> {
    match set {
        Some(path) => which::which(path).ok(),
        None => which::which(name).ok().or_else(|| {
            ["/usr/sbin", "/usr/local/sbin", "/sbin"]
                .iter()
                .find_map(|dir| which::which(Path::new(dir).join(name)).ok())
        }),
    }
}
