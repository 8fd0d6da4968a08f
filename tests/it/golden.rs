//! Texts that are compared with a file. `UPDATE_GOLDEN=1` writes the file instead, so that a change shows as a diff.

use std::path::{Path, PathBuf};

/// The package's own folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether files are to be rewritten instead of compared.
pub fn updating() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|v| v == "1")
}

/// Compares `text` with the file `path` (relative to the package).
pub fn same_as_file(path: &str, text: &str) -> Result<(), String> {
    let path: PathBuf = root().join(path);
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    if there == text {
        return Ok(());
    }
    if updating() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return Ok(());
    }
    let first = there.lines().zip(text.lines()).position(|(a, b)| a != b);
    let line = first.unwrap_or_else(|| there.lines().count().min(text.lines().count()));
    Err(format!(
        "{} differs from line {}:\n  file: {}\n  now:  {}\n  (UPDATE_GOLDEN=1 cargo test --test it  writes it anew)",
        path.display(),
        line + 1,
        there.lines().nth(line).unwrap_or("<end>"),
        text.lines().nth(line).unwrap_or("<end>"),
    ))
}
