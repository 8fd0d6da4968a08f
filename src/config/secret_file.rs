//! Secrets that stand in a file of their own.

use crate::base::secret::Secret;
use crate::base::{Failure, Outcome, failure::io_words};
use std::io::Read;
use std::path::Path;

/// The first line of a file, `-` is standard input.
pub(super) fn first_line(key: &str, path: &Path, stdin: &mut dyn Read) -> Outcome<Secret> {
    let mut text = String::new();
    let read = if path.file_name().is_some_and(|name| name == "-") {
        stdin.take(4096).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(4096).read_to_string(&mut text))
    };
    read.map_err(|e| {
        Failure::usage(format!("cannot read the {key} from {}", path.display())).why(io_words(&e))
    })?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}
